#!/bin/sh
# @ME@ NAME PATH [primary|dr]: PostgreSQL's restore_command for @PROFILE@, installed by walconsole.
#     restore_command = '@INSTALLED@ "%f" "%p"'
# Asks the primary, then DR; with a third argument that copy alone.
#   0    PATH is the file, whole                        1  it is in none of the copies: PostgreSQL ends recovery here
#   200  cannot tell: a copy could not be asked         201  it is there, but damaged, or it could not be written
#   202  called or installed wrongly                    143  interrupted by SIGTERM, as PostgreSQL wants it
# A replay asks for one segment after the other: what follows is brought along, up to @AHEAD@ at a time, into a folder of
# this command's in the server's pg_wal, which goes when recovery comes to its end.
# Above 125 PostgreSQL stops with FATAL: it must not take an outage for the archive's end. A standby asks again by
# itself, so there (standby.signal) these end with 75.
set -u
@COMMON@

@UNPACK@

temp_root=@TEMP_ROOT@
primary=@PRIMARY@
dr=@DR@
most_ahead=@AHEAD@    # 1: nothing is brought along
ahead=pg_wal/.$me.ahead
temp='' part='' why='' unusable='' more='' window=1 alone=${3:-}

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

# deliver FOLDER OBJECT: to PATH, in one step, so that PostgreSQL never sees half a file.
deliver() {
    unpack "$2" <"$1/$2" >"$part" 2>/dev/null && mv -f -- "$part" "$path"
}

# -- What follows. Starting rclone takes longer than what it brings.

is_segment() { case $1 in *[!0-9A-F]*) return 1 ;; ????????????????????????) ;; *) return 1 ;; esac }

# following SEGMENT BYTES COUNT: the names of those after it.
following() {
    each_log=$((4294967296 / $2)) low=${1#????????????????} high=${1%????????}
    number=$((0x${high#????????} * each_log + 0x$low))
    last=$((number + $3))
    while [ "$number" -lt "$last" ]; do
        number=$((number + 1))
        printf '%.8s%08X%08X\n' "$1" $((number / each_log)) $((number % each_log))
    done
}

forget_ahead() { [ ! -d "$ahead" ] || rm -rf -- "$ahead"; }

# look_ahead: sets `more`, the objects to bring along: twice as many as before where the last call brought the one before.
look_ahead() {
    [ "$most_ahead" -gt 1 ] && [ -z "$alone" ] && [ -d "$ahead" ] || return 0
    if ! is_segment "$name"; then
        forget_ahead    # a history: recovery begins, or it ends
        return
    fi
    read -r before bytes suffix window 2>/dev/null <"$ahead/state" || bytes=''
    case $bytes$window in '' | *[!0-9]*) bytes='' ;; esac
    if [ -z "$bytes" ] || ! is_segment "$before" || [ "$(following "$before" "$bytes" 1)" != "$name" ]; then
        forget_ahead
        window=1
        return
    fi
    for object in "$name" "$name.zst" "$name.gz"; do
        [ -f "$ahead/$object" ] || continue
        if deliver "$ahead" "$object"; then
            rm -f -- "$ahead/$object"
            note_ahead "$object" "$bytes"
            trap - EXIT
            exit 0
        fi
        forget_ahead    # asked for again below, which says what is wrong with it
        window=1
        return
    done
    window=$((window * 2))
    [ "$window" -le "$most_ahead" ] || window=$most_ahead
    case $suffix in .zst | .gz) ;; *) suffix='' ;; esac
    more=$(following "$name" "$bytes" $((window - 1)) | sed "s/\$/$suffix/")
}

# note_ahead OBJECT BYTES: it was delivered, and has so many.
note_ahead() {
    bytes=$2
    case $bytes in '' | *[!0-9]*) return ;; esac
    if [ "$bytes" -lt 1048576 ] || [ $((bytes & (bytes - 1))) != 0 ]; then return; fi
    suffix=${1#"$name"}
    echo "$name $bytes ${suffix:-plain} $window" 2>/dev/null >"$ahead/state"
}

# keep_ahead OBJECT: what was brought along with it, whole, for rclone said so.
keep_ahead() {
    [ "$most_ahead" -gt 1 ] && [ -z "$alone" ] && [ -d pg_wal ] && is_segment "$name" || return 0
    [ -d "$ahead" ] || mkdir -m 700 -- "$ahead" 2>/dev/null || return 0
    for object in $more; do
        [ ! -f "$temp/$object" ] || mv -f -- "$temp/$object" "$ahead/$object" 2>/dev/null
    done
    note_ahead "$1" "$(stat -c %s -- "$path" 2>/dev/null)"
}

# fetch TARGET: 0 restored, 1 not there, 2 cannot tell, or there but of no use (`why`).
fetch() {
    # shellcheck disable=SC2086  # words
    answer=$(printf '%s\n' "$name" "$name.zst" "$name.gz" $more |
        bounded 1200 copy "$1" "$temp" --files-from - --no-traverse --transfers 8 2>&1) || {
        why="$1 cannot be asked: $(reason $? "$answer")"
        return 2
    }
    for object in "$name" "$name.zst" "$name.gz"; do
        [ -f "$temp/$object" ] || continue
        deliver "$temp" "$object"
        delivered=$?
        if [ "$delivered" = 0 ]; then
            keep_ahead "$object"
            return 0
        elif [ "$delivered" -gt 128 ]; then
            why="unpacking $1$object was ended by a signal (is memory short?)"
            return 2
        fi
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
part=$path.part
look_ahead
sweep
temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) ||
    give_up 201 "$name not restored: no folder can be made in $temp_root"

for pause in @PAUSES@ end; do
    unusable=''
    ask_all
    case $? in
        0) exit 0 ;;
        1)
            forget_ahead
            fail 1 "$name is not in the archive"
            ;;
    esac
    [ -z "$unusable" ] || give_up 201 "$name not restored: $why"
    [ "$pause" = end ] || sleep "$pause"
done
give_up 200 "$name not restored, and not known to be missing: $why"
