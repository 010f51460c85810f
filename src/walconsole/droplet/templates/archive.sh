#!/bin/sh
# @ME@ PATH NAME: PostgreSQL's archive_command for @PROFILE@, installed by walconsole.
#     archive_command = '@INSTALLED@ "%p" "%f"'
# Ends with 0 only when every copy of the archive holds the file, read back by size and checksum.
#   1  not archived now: PostgreSQL tries again        3  the name holds other content; not overwritten
#   2  called or installed wrongly                     4  stored, but not as it was sent
#   9  interrupted by a signal
#
# Why the order is safe, for each copy by itself: it is looked at before, and only where nothing has the name in any
# form the file is sent; rclone looks once more and refuses to replace (--immutable); the store takes an object whole
# or not at all, and only with the MD5 that was announced; what it has afterwards is asked for anew. Two that write the
# same file under one name both end well. Of two that write different files within the same moment (S3 knows no
# "only if it is not there" that every store heeds) the one that reads back the other's fails, and touches nothing: that
# is why rclone may not compare after sending (--ignore-checksum, --ignore-size): it would delete what it finds.
set -u
@COMMON@

@LOOK@

@UNPACK@

temp_root=@TEMP_ROOT@
compression=@COMPRESSION@
primary=@PRIMARY@
dr=@DR@    # empty: no second copy is written
temp='' note=''

clean_up() { [ -z "$temp" ] || rm -rf -- "$temp"; }

@JOBS@

# finish STATUS [OTHERWISE]: where judge() failed end as it did, or with the status OTHERWISE. One line is said: by
# judge() or, where that was ended before it came to one, here.
finish() {
    [ "$1" -le 125 ] || fail 9 "$name not archived: interrupted by a signal"
    [ "$1" = 0 ] || exit "${2:-$1}"
}

interrupted() {
    trap '' HUP INT QUIT TERM
    judging=${!:-}
    [ -n "$judging" ] || finish 143
    kill "$judging" 2>/dev/null
    end_jobs
    wait "$judging" 2>/dev/null
    finish $? 9
    exit 0    # it came to its end just before
}
trap clean_up EXIT
trap interrupted HUP INT QUIT TERM

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
    if [ -n "$temp" ] && pack "$suffix" <"$path" 2>/dev/null >"$temp/$name.$suffix"; then
        folder=$temp object=$name.$suffix
        return
    fi
    [ -z "$suffix" ] ||
        note="$name is sent uncompressed: no compressed file could be written in $temp_root (is it full?)"
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

md5() { md5sum <"$1" | cut -d ' ' -f 1; }

# conclude STATUS [WHY]: the verdict about the copy `role`, for judge(); ends the job that comes to it.
conclude() {
    printf '%s %s %s\n' "$role" "$1" "${2:-}" >&3
    exit 1
}

# The object is there already, whoever put it there: is it the same file? Comes to a verdict when it is not.
must_be_same() {
    if [ "$1;$2" = "$name;$bytes" ] && [ -n "$3" ] && [ "$3" = "$(md5 "$path")" ]; then return 0; fi
    case $1 in
        *.zst) command -v zstd >/dev/null ||
            conclude 1 "$name not archived to $target: $1 is there, and to compare it zstd must be installed" ;;
    esac
    plain_sum=$(sha256sum <"$path" | cut -d ' ' -f 1)
    [ -n "$plain_sum" ] || conclude 1 "$name not archived to $target: $1 is there, and $path cannot be read to compare it"
    case $(content_sum "$1") in
        "$plain_sum") ;;
        '' | cut*) conclude 1 "$name not archived to $target: $1 is there and could not be read to compare it" ;;
        *) conclude 3 "$name not archived: $target$1 holds other content, and is not overwritten. Does another \
server archive there? Compare both; then give this server a prefix of its own or move that object away." ;;
    esac
}

# ask ROLE TARGET: 0 where the copy has nothing of that name, so that it must be sent. Else it comes to a verdict.
ask() {
    role=$1 target=$2
    look "$target" "$name" "$name.zst" "$name.gz" ||
        conclude 1 "$name not archived to $target: $(reason $? "$answer")"
    [ -n "$answer" ] || return 0
    for line in $answer; do
        IFS=';' read -r held held_bytes held_md5 <<EOF
$line
EOF
        must_be_same "$held" "$held_bytes" "$held_md5"
    done
    conclude 0
}

# Prints the object's name when it is sent.
upload() {
    answer=$(printf '%s\n' "$object" | bounded "$limit" copy "$folder" "$target" --files-from - --no-traverse \
        --immutable --checksum --ignore-checksum --ignore-size --copy-links 2>&1) || {
        why=$(reason $? "$answer")
        case $answer in *'immutable file modified'*) why="$object is there since a moment ago, with other content" ;; esac
        conclude 1 "$name not archived to $target: $why"
    }
    printf '%s\n' "$object"
}

# rclone alone may not be trusted with its 0: ask the store what it has now.
must_have_arrived() {
    [ -n "$sent_md5" ] || conclude 1 "$name sent to $target, but no checksum could be made to compare it"
    look_up $((limit + 60)) "$target" ||
        conclude 1 "$name sent to $target, but it cannot be read back: $(reason $? "$answer")"
    case $answer in
        "$object;$((sent));$sent_md5") ;;
        "$object;$((sent));") must_be_same "$object" "$sent" '' ;;    # a store whose ETags are no MD5
        *) conclude 4 "$name sent to $target, but not stored as sent: wanted $object;$((sent));$sent_md5, found \
$(printf '%s' "${answer:-nothing}" | tr -cd '\40-\176' | cut -c -200)" ;;
    esac
    conclude 0
}

# send ROLE TARGET: the rclone that reads back starts while the other sends, and waits for the name.
send() {
    role=$1 target=$2
    [ -z "$note" ] || say "$note" 2>&4
    upload | must_have_arrived
}

# The copies side by side, and the compressed file and its sum while they are asked. Verdicts go to descriptor 3, what is to be
# said at once to 4; on standard error shells tell of killed processes, each with a line.
work() {
    ask primary "$primary" &
    primary_asked=$!
    [ -z "$dr" ] || ask dr "$dr" &
    dr_asked=$!
    stage
    sent=$(wc -c <"$folder/$object") sent_md5=$(md5 "$folder/$object")    # of what is sent, once for both copies
    if wait $primary_asked; then
        send primary "$primary" &
        note=''
    fi
    if [ -n "$dr" ] && wait $dr_asked; then
        send dr "$dr" &
    fi
    wait
}

# The verdicts to one line and one status, the worse of them. Only the first about a copy counts: what comes after a
# failure follows from it. Silence is no success: a job may have been killed.
judge() {
    open=" primary ${dr:+dr }" worst=0 whys=''
    while [ "$open" != ' ' ] && read -r role status why; do
        case $open in *" $role "*) ;; *) continue ;; esac
        open="${open%%"$role "*}${open#*"$role "}"
        [ "$status" -le "$worst" ] || worst=$status
        [ "$status" = 0 ] || whys="$whys${whys:+; }$why"
    done
    if [ "$open" != ' ' ]; then
        [ "$worst" != 0 ] || worst=1
        whys="$whys${whys:+; }$name not archived: what copies it was killed (is memory short?)"
    fi
    if [ "$worst" != 0 ]; then
        say "$whys"
        trap '' TERM    # this one is among those that are told
        end_jobs    # what still reads back, of a copy that failed: nobody waits for it
        exit "$worst"
    fi
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
sweep
bytes=$(wc -c <"$path")
bytes=$((bytes)) limit=$((60 + bytes / 1048576))    # seconds: at least 1 MiB/s
case $(packing) in
    */zstd) suffix=zst ;;
    */gzip) suffix=gz ;;
    *) suffix='' ;;
esac
[ -z "$suffix" ] || temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) || temp=''

work 3>&1 4>&2 2>/dev/null | judge &
wait $! 2>/dev/null
finish $?
