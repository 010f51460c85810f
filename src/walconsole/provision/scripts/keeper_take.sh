# For the keeper of a folder, standing in it: NAME. A link is taken away itself.
f=./$1
rm -f -- "$f" || exit 1
if [ -e "$f" ] || [ -L "$f" ]; then
    echo "it is there again"
    exit 1
fi
