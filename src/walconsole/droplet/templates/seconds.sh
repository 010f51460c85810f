#!/bin/sh
# Where the seconds of one segment go, with what the archive command for @PROFILE@ uses. It sends a segment that waits
# under names of its own, and takes them away again. A record a part: PART WHICH STATUS MILLISECONDS WORDS.
set -u
@COMMON@

wal=@WAL@ object=@OBJECT@ packs=@PACKS@ folder='' stored=''

clean_up() {
    [ -z "$folder" ] || rm -rf -- "$folder"
    for each in $stored; do bounded 20 deletefile "$each" >/dev/null 2>&1; done
}
trap clean_up EXIT
trap 'exit 9' HUP INT QUIT TERM

now() { date +%s%3N; }

# part NAME WHICH ARGUMENTS...: rclone, and how long it took.
part() {
    part=$1 which=$2 began=$(now)
    shift 2
    answer=$(bounded @LIMIT_S@ "$@" 2>&1 >/dev/null)
    status=$?
    words=''
    [ "$status" = 0 ] || words=$(reason "$status" "$answer")
    printf '\001%s %s %s %s %s\n' "$part" "$which" "$status" "$(($(now) - began))" "$words"
    return "$status"
}

[ -r "$config" ] || fail 11 "$config cannot be read as user $(id -un); it should belong to root:$(id -gn), mode 0640"
[ -r "$wal" ] || fail 12 "$wal is not there any more"
folder=$(mktemp -d @TEMP_ROOT@/walconsole-seconds.XXXXXXXX) || fail 10 "no room for a segment in "@TEMP_ROOT@
cp -- "$wal" "$folder/$object" || fail 10 "no room for a segment in "@TEMP_ROOT@
printf '\001PLAIN 0 0 %s\n' "$(wc -c <"$folder/$object")"
part START 0 listremotes
for packer in zstd gzip; do
    command -v "$packer" >/dev/null || continue
    began=$(now)
    "$packer" -q -c <"$folder/$object" >"$folder/packed" || break
    printf '\001PACK %s 0 %s\n\001PACKED 0 0 %s\n' "$packer" "$(($(now) - began))" "$(wc -c <"$folder/packed")"
    [ "$packs" = no ] || mv -- "$folder/packed" "$folder/$object"
    break
done
which=0
for target in @TARGETS@; do
    part ASK "$which" lsf --max-depth 1 "$target$object.none/"
    stored="$stored $target$object"
    part UPLOAD "$which" copyto "$folder/$object" "$target$object" --no-check-dest && part READ "$which" cat "$target$object"
    which=$((which + 1))
done
