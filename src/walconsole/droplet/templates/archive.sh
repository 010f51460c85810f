#!/bin/sh
# @ME@ PATH NAME: PostgreSQL's archive_command for @PROFILE@, installed by walconsole.
#     archive_command = '@INSTALLED@ "%p" "%f"'
# Ends with 0 only when every copy of the archive holds the file, read back by size and checksum.
#   1  not archived now: PostgreSQL tries again        3  the name holds other content; not overwritten
#   2  called or installed wrongly                     4  stored, but not as it was sent
#   9  interrupted by a signal
set -u
@COMMON@

@LOOK@

@UNPACK@

temp_root=@TEMP_ROOT@
compression=@COMPRESSION@
primary=@PRIMARY@
dr=@DR@    # empty: no second copy is written
temp='' folder='' object='' plain_sum=''

clean_up() { [ -z "$temp" ] || rm -rf -- "$temp"; }
trap clean_up EXIT
trap 'fail 9 "$name not archived: interrupted by a signal"' HUP INT QUIT TERM

@SWEEP@

# The way to compress: auto takes zstd, else gzip, where they are.
packing() {
    case $name in *.history | *.backup) return ;; esac    # small, and read by people
    case $compression in
        zstd | gzip) command -v "$compression" ;;
        auto) command -v zstd || command -v gzip ;;
    esac
}

# Choose what to send: `object` in `folder`. A compressed file where there is room for one, else the file itself:
# a full disk is freed by archiving, so archiving must not need room on it.
stage() {
    [ -z "$object" ] || return 0
    packer=$(packing)
    case $packer in
        */zstd) suffix=zst ;;
        */gzip) suffix=gz ;;
        *) suffix='' ;;
    esac
    if [ -n "$suffix" ]; then
        if temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) &&
            pack "$suffix" <"$path" >"$temp/$name.$suffix" 2>/dev/null; then
            folder=$temp object=$name.$suffix
            return 0
        fi
        say "$name is sent uncompressed: no compressed file could be written in $temp_root (is it full?)"
        clean_up
        temp=''
    fi
    folder=$(dirname -- "$path") object=$name
    case $folder in /*) ;; *) folder=./$folder ;; esac    # a colon in it shall not name a remote
}

pack() {
    case $1 in
        zst) zstd -q -c ;;
        gz) gzip -q -n -c ;;
    esac
}

# content_sum OBJECT: SHA-256 of what it holds uncompressed; `cut` or `damaged` before it where it could not be
# read to its end. No temporary file: the disk may be full.
content_sum() {
    {
        { bounded "$limit" cat "$target$1" 2>/dev/null || echo cut >&3; } |
            { unpack "$1" 2>/dev/null || echo damaged >&3; } | sha256sum | cut -d ' ' -f 1 >&3
    } 3>&1
}

# The object is there already, whoever put it there: is it the same file? Leaves the script when it is not.
must_be_same() {
    if [ "$1;$2;$3" = "$name;$bytes;$md5" ]; then return 0; fi
    case $1 in
        *.zst) command -v zstd >/dev/null ||
            fail 1 "$name not archived to $target: $1 is there, and to compare it zstd must be installed" ;;
    esac
    [ -n "$plain_sum" ] || plain_sum=$(sha256sum <"$path" | cut -d ' ' -f 1)
    case $(content_sum "$1") in
        "$plain_sum") ;;
        cut*) fail 1 "$name not archived to $target: $1 is there and could not be read to compare it" ;;
        *) fail 3 "$name not archived: $target$1 holds other content, and is not overwritten. Does another \
server archive there? Compare both; then give this server a prefix of its own or move that object away." ;;
    esac
}

# rclone alone may not be trusted with its 0: ask the store what it has now.
must_have_arrived() {
    sent=$(wc -c <"$folder/$object") sent_md5=$(md5sum <"$folder/$object" | cut -d ' ' -f 1)
    look "$target" "$object" ||
        fail 1 "$name sent to $target, but it cannot be read back: $(reason $? "$answer")"
    case $answer in
        "$object;$((sent));$sent_md5") ;;
        "$object;$((sent));") must_be_same "$object" "$sent" '' ;;    # a store whose ETags are no MD5
        *) fail 4 "$name sent to $target, but not stored as sent: wanted $object;$((sent));$sent_md5, found \
$(printf '%s' "${answer:-nothing}" | tr -cd '\40-\176' | cut -c -200)" ;;
    esac
}

# Leaves the script unless `target` holds the file.
store() {
    look "$target" "$name" "$name.zst" "$name.gz" ||
        fail 1 "$name not archived to $target: $(reason $? "$answer")"
    if [ -n "$answer" ]; then
        for line in $answer; do
            IFS=';' read -r held held_bytes held_md5 <<EOF
$line
EOF
            must_be_same "$held" "$held_bytes" "$held_md5"
        done
        return
    fi
    stage
    answer=$(printf '%s\n' "$object" | bounded "$limit" copy "$folder" "$target" --files-from - --no-traverse \
        --immutable --checksum --copy-links 2>&1) ||
        fail 1 "$name not archived to $target: $(reason $? "$answer")"
    must_have_arrived
}

name=${2:-}
[ $# = 2 ] || fail 2 "usage: $me PATH NAME, as in archive_command = '@INSTALLED@ \"%p\" \"%f\"'"
path=$1
case $name in *[!0-9A-Za-z.]*) name='?' ;; esac
printf '%s\n' "$name" | grep -Eqx '[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history' ||
    fail 2 "the second argument is not a name that PostgreSQL archives"
[ "${path##*/}" = "$name" ] || fail 2 "$name is not the name of the file that the first argument leads to"
if [ ! -f "$path" ] || [ ! -r "$path" ]; then fail 1 "$name not archived: $path cannot be read"; fi
[ -r "$config" ] || fail 2 "$name not archived: $config cannot be read as user $(id -un); \
it should belong to root:$(id -gn) with mode 0640"
bytes=$(wc -c <"$path") md5=$(md5sum <"$path" | cut -d ' ' -f 1)
sweep
bytes=$((bytes)) limit=$((60 + bytes / 1048576))    # seconds: at least 1 MiB/s

for target in "$primary" ${dr:+"$dr"}; do
    store
done
