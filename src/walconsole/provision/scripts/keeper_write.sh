# For the keeper of a folder, standing in it: NAME MODE OWNER GROUP BYTES. A temporary file that an earlier try left,
# since it was killed, is taken away.
set -eu
umask 077
f=./$1
if [ -e "$f" ] && [ ! -f "$f" ]; then
    echo "it is no regular file"
    exit 1
fi
rm -f -- ./.walconsole-"$1".??????
t=$(mktemp ./.walconsole-"$1".XXXXXX)
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t"
[ "$(wc -c <"$t")" -eq "$5" ] || { echo "not all of it arrived"; exit 1; }
if [ -n "$3" ] && ! chown "$3:$4" "$t" 2>/dev/null; then
    [ "$(id -u)" != 0 ] || { echo "it cannot be given to $3:$4"; exit 1; }
    chgrp "$4" "$t" 2>/dev/null || :
fi
chmod "$2" "$t"
sync "$t" 2>/dev/null || sync
mv -fT -- "$t" "$f"
trap - EXIT
sync . 2>/dev/null || :
if [ -L "$f" ] || [ ! -f "$f" ]; then
    echo "something else is there again"
    exit 1
fi
