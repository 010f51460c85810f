# For the keeper of a folder, standing in it: NAME PROGRAM ARGUMENTS... (chmod MODE, or chown OWNER).
f=./$1
shift
if [ -L "$f" ] || [ ! -f "$f" ]; then
    echo "it is no regular file"
    exit 1
fi
"$@" -- "$f"
