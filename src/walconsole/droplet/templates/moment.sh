#!/bin/sh
# Brings WAL of @PROFILE@ from the archive into a private folder of its own, and says by pg_waldump what is in it.
# Nothing else is written, and the folder goes when this ends; what a killed run left is taken away by the next one.
# Standard output: lines of words, the line `@MARK@ dump`, then gzip: pg_waldump's lines, and after each run of it
# its exit status and its last words between two `@MARK@`.
#  20  no folder, no room     22  a segment is in no copy, or cannot be had     23  no pg_waldump of this version
set -u
exec 2>&1
@COMMON@

@UNPACK@

temp_root=@TEMP_ROOT@ bytes=@SEGMENT_BYTES@ needed_kib=@NEEDED_KIB@ reserve_kib=@RESERVE_KIB@ folder=''

clean_up() {
    [ -z "$folder" ] || rm -rf -- "$folder"
}
trap clean_up EXIT
trap 'exit 9' HUP INT QUIT PIPE TERM

renice -n 19 -p $$ >/dev/null 2>&1
ionice -c 3 -p $$ >/dev/null 2>&1

# Folders of runs that were killed: nobody holds their lock. A younger one may not have locked it yet.
for left in "$temp_root/$me".*; do
    if [ ! -d "$left" ] || [ -L "$left" ] || [ "$(stat -c %u -- "$left" 2>/dev/null)" != "$(id -u)" ]; then continue; fi
    [ -z "$(find "$left" -maxdepth 0 -mmin -1)" ] || continue
    flock -n "$left/lock" true 2>/dev/null && rm -rf -- "$left" && echo "taken away, a killed run had left it: $left"
done

# What is there is asked last of all, just before it is taken.
free_kib=$(df -Pk -- "$temp_root" 2>/dev/null | awk 'NR == 2 { print $4 }')
[ -n "$free_kib" ] || fail 20 "there is no $temp_root"
[ "$free_kib" -ge $((needed_kib + reserve_kib)) ] ||
    fail 20 "no room in $temp_root: $free_kib KiB are free, $needed_kib are needed and $reserve_kib shall stay free"
[ -r "$config" ] || fail 22 "$config cannot be read as user $(id -un)"

dump=''
for each in @PROGRAMS@; do
    [ -x "$each/pg_waldump" ] || continue
    case $("$each/pg_waldump" --version 2>/dev/null) in
        *' @MAJOR@' | *' @MAJOR@'[!0-9]*) dump=$each/pg_waldump && break ;;
    esac
done
[ -n "$dump" ] || fail 23 "there is no pg_waldump of PostgreSQL @MAJOR@"

umask 077
folder=$(mktemp -d "$temp_root/$me.XXXXXXXX" 2>/dev/null) || fail 20 "no folder can be made in $temp_root"
exec 9>"$folder/lock"
flock -n 9 || fail 20 "$folder/lock cannot be locked"
mkdir "$folder/wal" "$folder/sent"

# missing: the segments that are not here yet, whole.
missing() {
    for name in @NAMES@; do
        [ -f "$folder/wal/$name" ] || printf '%s\n' "$name"
    done
}

why='' count=0
set -- @TARGETS@
for target in "$@"; do
    missing >"$folder/missing"
    [ -s "$folder/missing" ] || break
    sed -e p -e 's/$/.zst/p' -e 's/\.zst$/.gz/' "$folder/missing" >"$folder/names"
    answer=$(bounded @LONGEST_S@ copy "$target" "$folder/sent" --files-from "$folder/names" --no-traverse --transfers 4 2>&1) ||
        why="$target: $(reason $? "$answer")"
    while read -r name; do
        for object in "$name" "$name.zst" "$name.gz"; do
            [ -f "$folder/sent/$object" ] || continue
            unpack "$object" <"$folder/sent/$object" 2>/dev/null | head -c $((bytes + 1)) >"$folder/plain"
            rm -f -- "$folder/sent/$object"
            if [ "$(wc -c <"$folder/plain")" = "$bytes" ]; then
                mv -- "$folder/plain" "$folder/wal/$name"
                count=$((count + 1))
                break
            fi
            why="$target$object is damaged"
        done
    done <"$folder/missing"
    echo "$count segments from $target"
done
lacking=$(missing | head -n 1)
[ -z "$lacking" ] || fail 22 "$lacking is in no copy, or cannot be had${why:+: }$why"
echo "@MARK@ dump"
exec 2>/dev/null

# each TIMELINE START END: what pg_waldump says of it; then, for their rows' names, the bytes of those records that hold
# an image of a page of pg_class.
each() {
    {
        TZ=UTC nice -n 19 "$dump" -p "$folder/wal" -t "$1" -s "$2" -e "$3" 2>"$folder/said"
        echo $? >"$folder/status"
    } | awk -v images="$folder/images" '{ print } / rel [0-9]+\/[0-9]+\/1259 .*FPW/ {
        if (match($0, / lsn: [0-9A-F]+\/[0-9A-F]+,/)) print substr($0, RSTART + 6, RLENGTH - 7) >images }'
    printf '@MARK@'
    cat "$folder/status"
    tail -c 2000 "$folder/said"
    echo
    if [ -f "$folder/images" ]; then
        tail -n @MOST_IMAGES@ "$folder/images" | while IFS=/ read -r high low; do
            if [ "${#high}" -gt 8 ] || [ "${#low}" -gt 8 ]; then continue; fi
            printf 'image %s/%s ' "$high" "$low"
            name=$(printf '%08X%08X%08X' "$1" "$((0x$high))" "$((0x$low / bytes))")
            tail -c "+$((0x$low % bytes + 1))" "$folder/wal/$name" | head -c @IMAGE_BYTES@ | base64 | tr -d '\n'
            echo
        done
        rm -f -- "$folder/images"
    fi
    printf '@MARK@'
}
{
@RUNS@
} 9>&- | gzip -1
