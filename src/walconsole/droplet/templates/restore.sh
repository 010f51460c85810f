#!/bin/sh
# @ME@ NAME PATH [primary|dr]: PostgreSQL's restore_command for @PROFILE@, installed by walconsole.
#     restore_command = '@INSTALLED@ "%f" "%p"'
# Asks the primary, then DR; with a third argument that copy alone.
#   0    PATH is the file, whole                        1  it is in none of the copies: PostgreSQL ends recovery here
#   200  cannot tell: a copy could not be asked         201  it is there, but damaged, or it could not be written
#   202  called or installed wrongly                    143  interrupted by SIGTERM, as PostgreSQL wants it
# Above 125 PostgreSQL stops with FATAL: it must not take an outage for the archive's end. A standby asks again by
# itself, so there (standby.signal) these end with 75.
set -u
@COMMON@

@UNPACK@

temp_root=@TEMP_ROOT@
primary=@PRIMARY@
dr=@DR@
temp='' part='' why='' unusable=''

trap 'rm -rf -- ${temp:+"$temp"} ${part:+"$part"}' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

give_up() {
    code=$1
    [ ! -e standby.signal ] || code=75
    fail "$code" "$2"
}

@SWEEP@

# deliver OBJECT: from `temp` to PATH, in one step, so that PostgreSQL never sees half a file.
deliver() {
    unpack "$1" <"$temp/$1" >"$part" 2>/dev/null && mv -f -- "$part" "$path"
}

# fetch TARGET: 0 restored, 1 not there, 2 cannot tell, or there but of no use (`why`).
fetch() {
    answer=$(printf '%s\n' "$name" "$name.zst" "$name.gz" |
        bounded 1200 copy "$1" "$temp" --files-from - --no-traverse 2>&1) || {
        why="$1 cannot be asked: $(reason $? "$answer")"
        return 2
    }
    for object in "$name" "$name.zst" "$name.gz"; do
        [ -f "$temp/$object" ] || continue
        deliver "$object" && return 0
        why="$1$object is damaged, or it could not be unpacked to $part (a full disk? no zstd?)" unusable=1
        rm -f -- "$temp/$object"
    done
    [ -z "$unusable" ] || return 2
    # a store that answers 404 for every name may have no such bucket: only a listing tells
    answer=$(bounded 60 lsf "$1$name/" 2>&1) && return 1
    why="$1 cannot be listed: $(reason $? "$answer")"
    return 2
}

# ask_all: 0 restored, 1 in none of the copies, 2 cannot tell.
ask_all() {
    verdict=1
    for target in "$primary" "$dr"; do
        [ -n "$target" ] || continue
        fetch "$target"
        case $? in
            0) return 0 ;;
            2) verdict=2 ;;
        esac
    done
    return $verdict
}

name=${1:-} path=${2:-}
case ${3:-} in
    '') ;;
    primary) dr='' ;;
    dr) primary='' ;;
    *) give_up 202 "the third argument is primary, dr, or nothing" ;;
esac
case $name in '' | *[!0-9A-Za-z.]*) path='' ;; esac
if [ -z "$path" ] || [ -z "$primary$dr" ]; then
    give_up 202 "usage: $me NAME PATH [primary|dr], as in restore_command = '@INSTALLED@ \"%f\" \"%p\"'"
fi
[ -r "$config" ] || give_up 202 "$name not restored: $config cannot be read as user $(id -un)"
sweep
temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) ||
    give_up 201 "$name not restored: no folder can be made in $temp_root"
part=$path.part

for pause in @PAUSES@ end; do
    unusable=''
    ask_all
    case $? in
        0) exit 0 ;;
        1) fail 1 "$name is not in the archive" ;;
    esac
    [ -z "$unusable" ] || give_up 201 "$name not restored: $why"
    [ "$pause" = end ] || sleep "$pause"
done
give_up 200 "$name not restored, and not known to be missing: $why"
