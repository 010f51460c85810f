# The folders that are archived to, as the server's own user finds them. It changes nothing.
#
# Prepended by folders.py: token (ends the answer), folders (one a line), data (the data directory), root (where /etc
# is, empty for the file system's own), lead (linked_paths.py), postmaster (its pid, may be empty), segment (the newest archived one, may be
# empty), suffix (what the archive puts behind its name), newest (the archive's newest file, may be empty). The answer
# is records: \001 key space value \000.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\000' "$1" "$2"; }

# A unit may give the server file systems of its own (PrivateTmp, ProtectHome, ReadOnlyPaths): they are looked at by
# its first process's root, `seen`, empty where it has those of this shell.
seen=
mounts=/proc/self/mounts
theirs=${postmaster:+$(readlink "/proc/$postmaster/ns/mnt" 2>/dev/null)}
if [ -n "$theirs" ] && [ "$theirs" != "$(readlink /proc/self/ns/mnt)" ]; then
    seen=/proc/$postmaster/root
    mounts=/proc/$postmaster/mounts
fi

# mounts_known: mount point, source, type of what is to be mounted, between tabs; a space is \040, as in fstab.
mounts_known() {
    awk '!/^[[:space:]]*#/ && $2 ~ /^\// && $2 != "/" && $3 != "swap" { print $2 "\t" $1 "\t" $3 }' "$root/etc/fstab"
    for unit in "$root"/etc/systemd/system/*.mount; do
        [ -r "$unit" ] || continue
        awk -F= '$1 == "Where" { at = $2 } $1 == "What" { what = $2 } $1 == "Type" { type = $2 }
            END { gsub(/ /, "\\040", at); if (at != "") print at "\t" what "\t" type }' "$unit"
    done
}

# escaped PATH: as fstab and /proc/self/mounts have it.
escaped() { printf '%s' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/	/\\011/g'; }

# awk takes a backslash of its variables for its own: paths are given in its environment.
# deepest: of the lines of standard input the one whose first field PLACE lies below, the deepest.
deepest() {
    PLACE=$(escaped "${1%/}")/ awk -F '\t' '
        { point = $1; sub(/\/$/, "", point) }
        index(ENVIRON["PLACE"], point "/") == 1 && length(best) <= length(point) { best = point; line = $0 }
        END { if (line != "") print line }'
}

mounted() { POINT=$1 awk '$2 == ENVIRON["POINT"] { found = 1 } END { exit !found }' "$mounts"; }

# unmounted FOLDER: the mount point that it lies below and where nothing is mounted, by its name or where that leads.
unmounted() {
    [ -n "$seen" ] || led=$(timeout -s KILL 5 readlink -m -- "$1" 2>/dev/null)
    for place in "$1" ${led:+"$led"}; do
        line=$(mounts_known 2>/dev/null | deepest "$place")
        [ -n "$line" ] && ! mounted "${line%%"	"*}" && say folder.expected "$line" && return 0
    done
    return 0
}

# above FOLDER: the mount point, type and options by its name alone: what does not answer is not asked.
above() { awk '{ print $2 "\t" $3 "\t" $4 }' "$mounts" | deepest "$1"; }

options() { POINT=$(escaped "$1") awk '$2 == ENVIRON["POINT"] { found = $4 } END { print found }' "$mounts"; }

# held FOLDER: whether the segment lies there, whatever compressed it.
held() {
    for end in "$suffix" '' .gz .zst .lz4 .bz2 .xz .lzo .br .gpg .age .enc; do
        if [ -e "$1/$segment$end" ]; then
            say folder.holds 1
            return 0
        fi
    done
    say folder.holds 0
}

look() {
    say folder "$1"
    lead "$1"
    unmounted "$1"
    if [ -n "$seen" ]; then
        if [ -w "$1/." ] && [ -x "$1/." ]; then say folder.apart writable; else say folder.apart ''; fi
    fi
    place=$real
    why=$(timeout -s KILL 5 stat -L -- "$place/." 2>&1 >/dev/null) || {
        say folder.why "${why:-stat: it did not answer within 5 s}"
        say folder.above "$(above "$1")"
        say folder.stat "$(timeout -s KILL 5 stat -L -c '%U:%G %a' -- "$place" 2>/dev/null)"
        return 0
    }
    say folder.stat "$(stat -L -c '%U:%G %a %i %d' -- "$place/.")"
    [ -z "$segment" ] || held "$place"
    if [ -n "$newest" ] && [ -f "$place/$newest" ] && [ ! -r "$place/$newest" ]; then
        say folder.unreadable "$newest ($(stat -c 'owner %U, mode %a' -- "$place/$newest" 2>/dev/null))"
    fi
    say folder.space "$(timeout -s KILL 5 stat -f -L -c '%S %b %a %c %d %T' -- "$place/.")"
    if [ -n "$seen" ]; then point=$(above "$led" | cut -f 1); else point=$(stat -L -c %m -- "$1/."); fi
    case $point in /*) say folder.point "$point" ;; esac # BusyBox prints the letter
    say folder.options "$(options "$point")"
    [ -n "$data" ] && say folder.data "$(stat -L -c %d -- "$data/." 2>/dev/null)"
    if [ -w "$place/." ] && [ -x "$place/." ]; then say folder.writable 1; else say folder.writable 0; fi
}

while IFS= read -r line; do [ -z "$line" ] || look "$line"; done <<LIST
$folders
LIST
for process in /proc/[0-9]*; do
    IFS= read -r name 2>/dev/null <"$process/comm" || continue
    case $name in pg_receivewal | pg_receivexlog) say receiver "$(tr '\000' '\n' <"$process/cmdline" 2>/dev/null)" ;; esac
done
say end "$token"
