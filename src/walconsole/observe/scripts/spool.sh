# What an archiver that works in the background wrote down for its next call. It changes nothing.
#
# Prepended by spool.py: token (ends the answer), folder. The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\000' "$1" "$2"; }

if ! cd -- "$folder" 2>/dev/null; then
    if [ -e "$folder" ]; then say why 'it may not be entered'; else say absent 1; fi
    say end "$token"
    exit 0
fi
if ! ls >/dev/null 2>&1; then say why 'it may not be listed'; fi
# the newest first, of those that hold words: an empty .ok is all well
said=0
ls -t | head -n 5000 | {
    files=0
    while IFS= read -r name; do
        files=$((files + 1))
        case $name in *.error | *.ok) ;; *) continue ;; esac
        [ -f "$name" ] && [ ! -h "$name" ] && [ -s "$name" ] && [ "$said" -lt 64 ] || continue
        said=$((said + 1))
        say note "$name"
        say note.at "$(stat -c %Y -- "$name" 2>/dev/null)"
        printf '\001note.text '
        head -c 2048 -- "$name" 2>/dev/null | tr -d '\000\001'
        printf '\000'
    done
    say files "$files"
}
say end "$token"
