# Files, folders and programs as the server's own user finds them, and its environment. It changes nothing.
#
# Prepended by discovering.py: lead (linked_paths.py), token (ends the answer), pid (the postmaster's, or nothing), data (the data
# directory), path (PATH where the environment has none), files, folders, programs (one a line), bare (1: what looks
# like a secret stays here). The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL
limit=65536

say() { printf '\001%s %s\000' "$1" "$2"; }

# As in command.sh: where the server has file systems of its own, they are looked at by its first process's root.
seen=
theirs=${pid:+$(readlink "/proc/$pid/ns/mnt" 2>/dev/null)}
if [ -n "$theirs" ] && [ "$theirs" != "$(readlink /proc/self/ns/mnt)" ] && [ -d "/proc/$pid/root/." ]; then
    seen=/proc/$pid/root
fi

# kept: standard input, cut, without what would break a record; where `bare` says so without what looks like a secret.
kept() {
    tr -d '\000\001' | if [ "$bare" = 1 ]; then
        sed -E \
            -e 's|://[^/@[:space:]]*@|://(not-read)@|g' \
            -e 's/^([[:space:]]*"[^"]*(secret|passw|token|access_?key|-key|_key)[^"]*"[[:space:]]*:[[:space:]]*)"[^"]*"(,?[[:space:]]*)$/\1"(not-read)"\3/I' \
            -e '/"\(not-read\)",?[[:space:]]*$/!s/((secret|passw|_pass|token|access[_-]?key|-key|_key|cipher-pass|[?&]sig)[A-Za-z0-9_.-]*["'"'"']?[[:space:]]*[=:][[:space:]]*).*/\1(not-read)/I'
    else
        cat
    fi
}

# is_utf16 FILE: as an editor of Windows saves it, which puts a mark before it.
is_utf16() {
    case $(head -c 2 -- "$1" 2>/dev/null | od -An -b | tr -d ' ') in
        377376 | 376377) return 0 ;;
        *) return 1 ;;
    esac
}

# text FILE: its content as records of a file.
text() {
    say file "$1"
    lead "$1"
    if [ ! -e "$real" ]; then
        if [ -L "$seen$1" ] && { [ -n "$seen" ] || ! readlink -f -- "$1" >/dev/null 2>&1; }; then
            say file.why 'it is a symbolic link that leads nowhere'
            return
        fi
        # a folder above it that may not be entered hides it
        above=${1%/*}
        while [ -n "$above" ] && [ ! -e "$seen$above" ]; do above=${above%/*}; done
        if [ -n "$above" ] && [ -d "$seen$above" ] && [ ! -x "$seen$above" ]; then
            say file.why "the folder $above may not be entered"
        else
            say file.absent 1
        fi
        return
    fi
    if [ ! -f "$real" ]; then say file.why 'it is no regular file' && return; fi
    if [ ! -r "$real" ]; then say file.why "mode $(stat -L -c '%a, owner %U:%G' -- "$real" 2>/dev/null)" && return; fi
    if is_utf16 "$real"; then say file.why 'it is written in UTF-16, which no shell and no tool here reads' && return; fi
    if [ -s "$real" ] && ! head -c 4096 -- "$real" 2>/dev/null | grep -Iq ''; then
        say file.why 'it is no text: it holds NULs' && return
    fi
    case $bare${1##*/} in
        1*SECRET* | 1*_KEY* | 1*TOKEN* | 1*PASS*) say file.text '(not-read)' && return ;;
    esac
    printf '\001file.text '
    head -c "$limit" -- "$real" 2>/dev/null | kept
    printf '\000'
    size=$(stat -L -c %s -- "$real" 2>/dev/null)
    [ "${size:-0}" -le "$limit" ] || say file.cut "$size"
}

folder() {
    say folder "$1"
    lead "$1"
    if [ -d "$real" ] && { [ ! -r "$real" ] || [ ! -x "$real" ]; }; then
        say file "$1"
        say file.why "the folder may not be entered: mode $(stat -L -c '%a, owner %U:%G' -- "$real" 2>/dev/null)"
        return
    fi
    count=0
    for each in "$real"/*; do
        [ -f "$each" ] || continue
        count=$((count + 1))
        [ "$count" -le 64 ] || break
        text "${1%/}/${each##*/}"
    done
}

# run_from NAME: where this user's shell takes it from, in `place`, empty where that is nowhere.
run_from() {
    place=
    if [ -z "$seen" ]; then
        place=$(command -v -- "$1" 2>/dev/null)
        return
    fi
    folders=$path:
    while [ -n "$folders" ]; do
        folder=${folders%%:*}
        folders=${folders#*:}
        lead "$folder/$1"
        if [ -f "$real" ] && [ -x "$real" ]; then
            place=$folder/$1
            return
        fi
    done
}

program() {
    say program "$1"
    # a script that a shell is given need not be executable
    case $1 in */*) place=$1 ;; *) run_from "$1" ;; esac
    case $place in
        /*) ;;
        */*) place=$data/$place ;;
        *) return ;;
    esac
    lead "$place"
    [ -e "$real" ] || return 0
    say program.path "$place"
    # a pipe would keep whoever reads it waiting
    { [ -f "$real" ] && [ -r "$real" ]; } || return 0
    case $(head -c 4 -- "$real" 2>/dev/null | od -An -c | tr -d ' ') in
        177ELF) ;;
        *)
            # an empty one a shell runs, too, and it ends well
            if [ ! -s "$real" ] || is_utf16 "$real" || head -c 4096 -- "$real" | grep -Iq ''; then
                say program.script 1
                text "$place"
            fi
            ;;
    esac
}

each() { while IFS= read -r line; do [ -z "$line" ] || "$1" "$line"; done; }

say user "$(id -un)"
say shell "$(readlink -f /bin/sh 2>/dev/null)"
say home "$(getent passwd "$(id -u)" 2>/dev/null | cut -d : -f 6)"
if [ -n "$pid" ]; then
    if [ -r "/proc/$pid/environ" ]; then
        printf '\001environ '
        tr '\000\n' '\n ' <"/proc/$pid/environ" 2>/dev/null | head -c "$limit" | kept
        printf '\000'
        own=$(tr '\000\n' '\n ' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^PATH=//p' | head -n 1)
        path=${own:-$path}
    else
        say noenviron 1
    fi
fi
for process in /proc/[0-9]*; do
    IFS= read -r name 2>/dev/null <"$process/comm" || continue
    case $name in
        pg_receivewal | pg_receivexlog)
            printf '\001receiver '
            tr '\000' '\n' <"$process/cmdline" 2>/dev/null | head -c 4096 | kept
            printf '\000'
            ;;
    esac
done
PATH=$path
export PATH
cd "${data:-/}" 2>/dev/null || cd /
each text <<LIST
$files
LIST
each folder <<LIST
$folders
LIST
each program <<LIST
$programs
LIST
say end "$token"
