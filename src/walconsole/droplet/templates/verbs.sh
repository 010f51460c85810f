#!/bin/sh
# Each call to the store by itself, with what the archive command for @PROFILE@ uses: which is refused, and in which
# words. It writes two objects of its own, and takes them away again. A record a call: VERB STATUS MILLISECONDS WORDS.
set -u
@COMMON@

target=@TARGET@ object=@OBJECT@ folder='' stored=''

clean_up() {
    [ -z "$folder" ] || rm -rf -- "$folder"
    for each in $stored; do bounded 20 deletefile "$target$each" >/dev/null 2>&1; done
}
trap clean_up EXIT
trap 'exit 9' HUP INT QUIT TERM

now() { date +%s%3N; }

# told VERB STATUS BEGAN OUTPUT
told() {
    words=''
    [ "$2" = 0 ] || words=$(reason "$2" "$4")
    printf '\001%s %s %s %s\n' "$1" "$2" "$(($(now) - $3))" "$words"
}

# call VERB ARGUMENTS...: what rclone prints is its answer.
call() {
    verb=$1 began=$(now)
    shift
    answer=$(bounded 20 "$@" 2>&1)
    status=$?
    told "$verb" "$status" "$began" "$answer"
    return "$status"
}

[ -r "$config" ] || fail 11 "$config cannot be read as user $(id -un); it should belong to root:$(id -gn), mode 0640"
folder=$(mktemp -d @TEMP_ROOT@/walconsole-verbs.XXXXXXXX) || fail 10 "no room for a small file in "@TEMP_ROOT@
printf 'walconsole asks what %s may do here\n' "$(id -un)" >"$folder/sent"
head -c 262144 /dev/urandom >"$folder/large" || fail 10 "no room for a small file in "@TEMP_ROOT@

# put VERB FILE OBJECT
put() {
    began=$(now)
    stored="$stored $3"
    answer=$(bounded 20 rcat "$target$3" --streaming-upload-cutoff 1M <"$folder/$2" 2>&1)
    status=$?
    told "$1" "$status" "$began" "$answer"
    return "$status"
}

call LIST lsf --max-depth 1 "$target$object.none/"
# What fills many packets only where what one carries arrives: a refusal may end a connection in mid-upload.
put PUT sent "$object" && put PUT_256K large "$object-large"
call HEAD lsjson --stat "$target$object"
began=$(now)
answer=$(bounded 20 cat "$target$object" 2>&1 >"$folder/back")
status=$?
if [ "$status" = 0 ] && ! cmp -s "$folder/sent" "$folder/back"; then
    status=14 answer='what came back is not what was sent'
fi
told GET "$status" "$began" "$answer"
if call DELETE deletefile "$target$object"; then stored=${stored#" $object"}; fi
