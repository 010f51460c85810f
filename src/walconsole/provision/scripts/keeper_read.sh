# For the keeper of a folder, standing in it: NAME KEEPER BYTES. What is opened is looked at, not what the name was.
f=./$1 keeper=$2 most=$3
[ -e "$f" ] || [ -L "$f" ] || exit 3
if [ -n "$keeper" ] && [ -L "$f" ]; then
    echo "it is a link in a folder of ${keeper}'s: it is not followed"
    exit 1
fi
[ -f "$f" ] || { echo "it is no regular file"; exit 1; }
[ -r "$f" ] || { echo "$(id -un) may not read it"; exit 1; }
exec 3<"$f"
[ -f /proc/self/fd/3 ] || { echo "it is no regular file"; exit 1; }
[ "$(stat -L -c %s /proc/self/fd/3)" -le "$most" ] || { echo "it is larger than $most bytes"; exit 1; }
stat -L -c '%a %U %G %u %g %s' /proc/self/fd/3 && head -c "$most" <&3 | base64
