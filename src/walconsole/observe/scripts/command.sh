# The archive command's programs and configurations, as the server's own user finds them. It changes nothing.
#
# Prepended by command.py: lead (linked_paths.py), token (ends the answer), data (the data directory), path (the server's PATH), programs and
# configs (one a line; `~` stands for the user's home), postmaster (its pid, may be empty), waiting (1: something waits
# to be archived), pgbackrest (the configuration that the command names for it, empty where it names none). The answer is records: \001 key space value \000.

LC_ALL=C
PATH=$path
export LC_ALL PATH

say() { printf '\001%s %s\000' "$1" "$2"; }

# A unit may give the server file systems of its own (PrivateTmp, ProtectHome, InaccessiblePaths): what it runs and
# reads is looked at by its first process's root, `seen`, empty where it has those of this shell.
seen=
theirs=${postmaster:+$(readlink "/proc/$postmaster/ns/mnt" 2>/dev/null)}
if [ -n "$theirs" ] && [ "$theirs" != "$(readlink /proc/self/ns/mnt)" ] && [ -d "/proc/$postmaster/root/." ]; then
    seen=/proc/$postmaster/root
fi
mounts=/proc/${seen:+$postmaster}/mounts
[ -n "$seen" ] || mounts=/proc/self/mounts

# barred FILE: the first folder on the way to it that this user may not enter, in `barred`; fails where there is none.
# As each of these, it takes the path as the server has it.
barred() {
    barred=
    rest=${1#/}
    place=
    while :; do
        case $rest in */*) ;; *) return 1 ;; esac
        place=$place/${rest%%/*}
        rest=${rest#*/}
        lead "$place"
        if [ -d "$real" ] && [ ! -x "$real" ]; then
            barred=$place
            return 0
        fi
        [ -d "$real" ] || return 1
    done
}

# in_path NAME [x]: the first file of that name in PATH, with `x` the first that this user may run, in `found`.
in_path() {
    found=
    folders=$PATH:
    while [ -n "$folders" ]; do
        folder=${folders%%:*}
        folders=${folders#*:}
        lead "$folder/$1"
        if [ -f "$real" ] && { [ -z "$2" ] || [ -x "$real" ]; }; then
            found=$folder/$1
            return 0
        fi
    done
    return 1
}

# interpreter FILE: why the interpreter that its first line names cannot be run, in `why`.
interpreter() {
    lead "$1"
    first=$(head -c 256 -- "$real" 2>/dev/null | tr -d '\000' | head -n 1)
    case $first in '#!'*) ;; *) return 0 ;; esac
    case $first in *"$carriage"*) why='its first line ends in a carriage return (CRLF line ends)' && return 0 ;; esac
    first=${first#'#!'}
    first=${first# }
    first=${first%% *}
    lead "$first"
    if [ ! -x "$real" ]; then why="its interpreter $first is not there, or may not be run"; fi
}

# barred_by_mount FILE: whether the file system that it lies in is mounted noexec.
barred_by_mount() {
    PLACE=$(printf '%s' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/	/\\011/g') awk '
        { point = $2; sub(/\/$/, "", point) }
        index(ENVIRON["PLACE"], point "/") == 1 && length(best) <= length(point) { best = point; options = $4 }
        END { exit !("," options "," ~ /,noexec,/) }' "$mounts"
}

# run_from NAME: where this user's shell takes it from, in `place`.
run_from() {
    if [ -z "$seen" ] && place=$(command -v -- "$1" 2>/dev/null); then return 0; fi
    { in_path "$1" x || in_path "$1" ''; } && place=$found
}

look_program() {
    say program "$1"
    why=
    case $1 in
        */*) place=$1 ;;
        *) run_from "$1" || return 0 ;;
    esac
    case $place in /*) ;; *) place=$data/$place ;; esac
    lead "$place"
    if [ ! -e "$real" ]; then
        if barred "$place"; then
            say program.path "$place"
            say program.why "the folder $barred may not be entered"
        fi
        return 0
    fi
    say program.path "$place"
    say program.stat "$(stat -L -c '%a %U %Y' -- "$real" 2>/dev/null)"
    if [ -d "$real" ]; then
        why='it is a folder'
    elif [ ! -f "$real" ]; then
        why='it is no regular file' # a pipe or a device would keep whoever reads it
    elif [ -x "$real" ]; then
        interpreter "$place"
    elif barred_by_mount "$led"; then
        why='its file system is mounted noexec'
    else
        case $(stat -L -c %A -- "$real" 2>/dev/null) in
            *x*) why='its mode does not let this user run it' ;;
            *) why='it has no execute permission' ;;
        esac
    fi
    if [ -n "$why" ]; then say program.why "$why"; else say program.ok 1; fi
    lead "$place"
    [ -n "$script" ] || [ ! -f "$real" ] || [ ! -r "$real" ] || [ "$(head -c 2 -- "$real" 2>/dev/null | tr -d '\000')" != '#!' ] || {
        script=$place
        printf '\001program.script '
        head -c 65536 -- "$real" | tr -d '\000\001'
        printf '\000'
    }
}

# beginning FILE: as much of it as a configuration may be long.
beginning() { lead "$1" && head -c 1048576 -- "$real" 2>/dev/null | tr -d '\000'; }

# places: of standard input, remote, key and value of what says where each remote is, between tabs.
places() {
    awk '
        /^[[:space:]]*\[/ { remote = $0; sub(/^[^[]*\[/, "", remote); sub(/\].*/, "", remote); next }
        {
            key = value = $0
            sub(/[[:space:]]*=.*/, "", key)
            sub(/^[[:space:]]*/, "", key)
            sub(/^[^=]*=[[:space:]]*/, "", value)
            if (key == "endpoint" || key == "region" || key == "provider") print remote "\t" key "\t" value
        }'
}

look_config() {
    place=$1
    case $place in '~'*) place=$home${place#'~'} ;; esac
    say config "$place"
    lead "$place"
    if [ -e "$real" ]; then
        say config.exists 1
        say config.at "$(stat -L -c %Y -- "$real" 2>/dev/null)"
        if [ ! -f "$real" ]; then
            say config.why 'it is no regular file'
        elif [ -r "$real" ]; then
            say config.readable 1
            say config.places "$(beginning "$place" | places | head -n 300)"
            say config.sections "$(beginning "$place" | sed -n 's/^[[:space:]]*\[\([^]]*\)\].*/\1/p' | head -n 100)"
        else
            say config.why "mode $(stat -L -c '%a, owner %U:%G' -- "$real" 2>/dev/null)"
        fi
    elif barred "$place"; then
        say config.exists 1
        say config.why "the folder $barred may not be entered"
    fi
}

# look_room: bytes and inodes that this user may still take, of each file system of this machine that can be written.
look_room() {
    for inodes in '' i; do
        timeout -s KILL 3 df "-PTkl$inodes" 2>/dev/null | awk -v inodes="$inodes" '
            NR == 1 || $2 ~ /^(squashfs|iso9660|erofs|cramfs|udf|romfs|efivarfs|fuse\..*)$/ { next }
            $3 ~ /^[0-9]+$/ && $5 ~ /^[0-9]+$/ {
                free = $5; total = $3; line = $0
                for (field = 0; field < 6; field++) sub(/^[^[:space:]]+[[:space:]]+/, "", line)
                printf "%s%s\t%s\t%s\n", inodes, free, total, line
            }' | head -n 100
    done
}

# look_stops: the files by which pgBackRest was told to stop, below lock-path of its configuration.
look_stops() {
    for file in "$pgbackrest" /etc/pgbackrest/pgbackrest.conf /etc/pgbackrest.conf; do
        lead "$file"
        if [ -f "$real" ] && [ -r "$real" ]; then break; fi
    done
    [ ! -f "$real" ] || locks=$(beginning "$file" | sed -n 's/^[[:space:]]*lock-path[[:space:]]*=[[:space:]]*//p' | head -n 1)
    lead "${locks:-/tmp/pgbackrest}"
    for stop in "$real"/*.stop; do
        if [ -e "$stop" ]; then printf '%s\n' "${stop#"$seen"}"; fi
    done
}

each() { while IFS= read -r line; do [ -z "$line" ] || "$1" "$line"; done; }

carriage=$(printf '\r')
script=
home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d : -f 6)
say user "$(id -un)"
each look_program <<LIST
$programs
LIST
each look_config <<LIST
$configs
LIST
if [ "$waiting" = 1 ]; then
    say room "$(look_room)"
    say stops "$(look_stops)"
fi
say end "$token"
