# What cron and systemd's timers run that names an archive's folder. It changes nothing, and runs none of it.
#
# Prepended by scheduled.py: token (ends the answer), folders (one a line), owner (the server's user), root (before every
# path, for tests), bare (1: what looks like a secret stays here). Of each file at most 64 KiB are read, of each folder 64 files, and of all that they
# run 64 programs. The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL
set -f
limit=65536
programs=0

say() { printf '\001%s %s\000' "$1" "$2"; }

kept() {
    tr -d '\000\001' | if [ "$bare" = 1 ]; then
        sed -E \
            -e 's|://[^/@[:space:]]*@|://(not-read)@|g' \
            -e 's/((secret|passw|_pass|token|access[_-]?key|-key|_key|[?&]sig)[A-Za-z0-9_.-]*["'"'"']?[[:space:]]*[=:][[:space:]]*)[^[:space:]]*/\1(not-read)/gI'
    else
        cat
    fi
}

# names FILE: whether it names one of the folders, or one above it that is no top one.
names() { head -c "$limit" -- "$1" 2>/dev/null | grep -Fq -- "$folders"; }

# runs FILE: whether a script that it names does.
runs() {
    for word in $(head -c "$limit" -- "$1" 2>/dev/null | grep -v '^[[:space:]]*#' | tr -s ';&|<>(){}"'"'"'=\n\t' ' ' | tr ' ' '\n' | grep '^/' | sort -u | head -n 64); do
        case $word in /dev/* | /proc/* | /sys/* | /bin/sh | /bin/bash) continue ;; esac
        { [ -f "$word" ] && [ -r "$word" ]; } || continue
        programs=$((programs + 1))
        [ "$programs" -le 64 ] || return 1
        head -c 4096 -- "$word" | grep -Iq '' || continue
        names "$word" && return 0
    done
    return 1
}

# look KIND USER FILE [ENABLED]: the file, where it has to do with a folder.
look() {
    [ -f "$3" ] || return 0
    if [ ! -r "$3" ]; then say barred "$3" && return; fi
    if names "$3" || runs "$3"; then
        say scheduled "$3"
        say scheduled.kind "$1"
        say scheduled.user "$2"
        [ -z "$4" ] || say scheduled.off "$4"
        printf '\001scheduled.text '
        head -c "$limit" -- "$3" 2>/dev/null | kept
        printf '\000'
    fi
}

# in_folder FOLDER PATTERN: its files, a line each.
in_folder() { find "$1" -maxdepth 1 -name "$2" ! -type d 2>/dev/null | sort | head -n 64; }

look table '' "$root"/etc/crontab
for each in $(in_folder "$root"/etc/cron.d '*'); do
    case ${each##*/} in *[!A-Za-z0-9_-]*) ;; *) look table '' "$each" ;; esac
done
for often in hourly daily weekly; do
    for each in $(in_folder "$root/etc/cron.$often" '*'); do [ -x "$each" ] && look "$often" root "$each"; done
done
me=$(id -un)
for user in root "$owner"; do
    hidden=
    for place in "$root"/var/spool/cron/crontabs "$root"/var/spool/cron "$root"/etc/crontabs; do
        if [ -f "$place/$user" ]; then hidden='' && look crontab "$user" "$place/$user" && break; fi
        if [ -d "$place" ] && [ ! -x "$place" ]; then hidden=$place/$user; fi
    done
    [ -n "$hidden" ] || continue
    # crontab itself may read what whoever asks has there
    if [ "$user" = "$me" ] && own=$(crontab -l 2>/dev/null | head -c "$limit") && [ -n "$own" ]; then
        say scheduled "$hidden"
        say scheduled.kind crontab
        say scheduled.user "$user"
        printf '\001scheduled.text '
        printf '%s\n' "$own" | kept
        printf '\000'
    elif [ "$user" != "$me" ]; then
        say barred "$hidden"
    fi
done
for each in $(in_folder "$root"/etc/systemd/system '*.timer'); do
    unit=$(sed -n 's/^[[:space:]]*Unit[[:space:]]*=[[:space:]]*//p' "$each" 2>/dev/null | tail -n 1)
    unit=${unit:-$(basename -- "$each" .timer).service}
    off=
    find "$root"/etc/systemd/system -maxdepth 2 -path '*.wants/*' -name "${each##*/}" 2>/dev/null | grep -q . || off=1
    look timer '' "$root/etc/systemd/system/$unit" "$off"
done
say end "$token"
