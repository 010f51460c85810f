#!/bin/sh
# Writes, reads back and deletes one object of its own, with what the archive command for @PROFILE@ uses.
#  10  no room for a small file     12  not written     14  read back, and it is something else
#  11  the configuration            13  not read back   15  not deleted
set -u
@COMMON@

target=@TARGET@ object=@OBJECT@ folder=''

clean_up() {
    [ -z "$folder" ] || rm -rf -- "$folder"
    [ "$object" = '' ] || bounded 30 deletefile "$target$object" >/dev/null 2>&1
}
trap clean_up EXIT
trap 'exit 9' HUP INT QUIT TERM

try() {
    doing=$1 status=$2
    shift 2
    answer=$(bounded 60 "$@" 2>&1)
    ended=$?
    [ "$ended" = 0 ] || fail "$status" "$doing: $(reason "$ended" "$answer")$(refusal "$answer")"
}

# refusal OUTPUT: more of why the store refused. Its answer to a HEAD, which is what rclone asks first, has no body, so
# that a key nobody knows and a missing grant are alike; to a listing, here of a folder that is not there, it has one.
refusal() {
    case $1 in *'tatus code: 4'* | *'StatusCode: 4'*) ;; *) return 0 ;; esac
    listed=$(bounded 30 lsf "$target$object/" --max-depth 1 2>&1)
    ended=$?
    case $ended:$listed in 0:* | 3:* | *'directory not found'*) return 0 ;; esac
    echo "; asked for a listing, $(reason "$ended" "$listed")"
}

[ -e "$config" ] || [ -L "$config" ] || fail 11 "user $(id -un) finds no $config"
[ -r "$config" ] || fail 11 "$config cannot be read as user $(id -un); it should belong to root:$(id -gn), mode 0640"
folder=$(mktemp -d @TEMP_ROOT@/walconsole-probe.XXXXXXXX) || fail 10 "no room for a small file in "@TEMP_ROOT@
certificates=@CERTIFICATES@    # of the stores, which are not installed yet
if [ -n "$certificates" ]; then
    printf '%s' "$certificates" >"$folder/ca.pem" || fail 10 "no room for a small file in "@TEMP_ROOT@
@TRUST_THEM@
fi
printf 'walconsole probes whether %s may write here: %s\n' "$(id -un)" "$object" >"$folder/sent"
echo "writing $target$object"
try "writing to $target" 12 copyto "$folder/sent" "$target$object" --checksum
echo "reading it back"
try "reading from $target" 13 copyto "$target$object" "$folder/back"
cmp -s "$folder/sent" "$folder/back" || fail 14 "$target$object is not what was written"
echo "deleting it"
try "deleting from $target" 15 deletefile "$target$object"
object=''
echo "user $(id -un) may write to, read from and delete in $target"
