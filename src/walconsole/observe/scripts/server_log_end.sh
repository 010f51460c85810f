# The end of PostgreSQL's log, or what was written since the last look; only lines that may matter.
#
# Prepended by server_log.py: log_target.sh with what it needs, token (ends the answer), known and beside_known (the
# file's inode and path as of the last look, empty at first), offset and beside_offset (how far it was read), most
# (bytes at most, from the end), since (for the journal: seconds since the epoch), words (an extended regular
# expression for the server's own lines), details (levels of lines that go on), archivers (process ids of the
# archiver's, between bars, may be empty).
#
# The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\000' "$1" "$2"; }

# of_interest: the server's own lines with one of the words, or of an archiver's process, each with its DETAIL and HINT;
# of other lines, which a program printed, all. PostgreSQL puts two spaces behind the level's colon, and a tab before a
# line that goes on; no level ends in a small letter, as what programs put before a colon does. A program may print any
# byte: one that delimits records would hide all that follows.
of_interest() {
    tr '\000\001' '  ' | awk -v words="$words" -v details="$details" -v archivers="$archivers" '
        /^\t/ { next }
        /^\{.*"error_severity"/ || /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9:.]+ [^ ,]+,/ || /[^]a-z0-9 :",.;)}>!?-] ?:  / {
            at = match($0, /[^]a-z0-9 :",.;)}>!?-] ?:  /)
            head = substr($0, 1, at)
            own = archivers != "" && head ~ ("(^|[^0-9.])(" archivers ")([^0-9.]|$)")
            if (head !~ ("(" details ")$")) kept = ($0 ~ words || own)
            if (kept) print
            next
        }
        NF { print }' | tail -n 400
}

# of_syslog: this server's messages without what syslog puts before them: its stamp stays where there is no other.
# Long messages come in parts, [N-1], [N-2]; a tab is written #011.
of_syslog() {
    awk -v mark=" ${ident}[" '
        {
            at = index($0, mark)
            if (!at) next
            text = substr($0, at + length(mark))
            if (!sub(/^[0-9]+\]: /, "", text)) next
            part = match(text, /^\[[0-9]+-[0-9]+\] /) ? substr(text, 1, RLENGTH) : ""
            text = substr(text, length(part) + 1)
            if (text ~ /^(#011|\t)/) next
            if (part !~ /^$|-1\] $/ && text !~ /:  /) next
            if (text !~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-/ && $1 ~ /^[0-9][0-9][0-9][0-9]-/) text = $1 " " text
            print text
        }'
}

# earlier FILE: what stands at the end of the file that the collector wrote before this one: of the same name, but for
# numbers and the names of days and months, by which log_filename tells them apart.
earlier() {
    name=$(reads "$1" ls -t -- "${1%/*}" 2>/dev/null | head -n 1000 | OWN=${1##*/} awk '
        function shape(name) {
            gsub(/[0-9]+|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec/, "#", name)
            return name
        }
        $0 != ENVIRON["OWN"] && shape($0) == shape(ENVIRON["OWN"]) { print; exit }')
    [ -z "$name" ] || reads "$1" tail -c "$most" -- "${1%/*}/$name" 2>/dev/null | of_interest
}

# look KEY FILE KNOWN OFFSET: what is new in a file. At the first look at one that the collector began just now, what
# stands in the one before, too: the words of a failure that goes on may be a minute old.
look() {
    key=$1 file=$2 before=$3 from=$4
    set -- $(reads "$file" stat -L -c '%i %s %Y' -- "$file" 2>/dev/null)
    inode=${1:-0}
    size=${2:-0}
    [ "$before" = "$inode $file" ] && [ "$size" -ge "$from" ] || from=-1
    start=$((size > most ? size - most : 0))
    whole=$((start == 0))
    if [ "$from" -ge "$start" ]; then start=$from whole=1; fi
    say "$key.source" "$file"
    say "$key.known" "$inode $file"
    say "$key.offset" "$size"
    say "$key.written" "${3:-}"
    say "$key.whole" "$whole"
    printf '\001%s.lines ' "$key"
    if [ -z "$before" ] && [ -n "$collected" ] && [ "$size" -lt 65536 ]; then earlier "$file"; fi
    [ "$size" -le "$start" ] ||
        reads "$file" tail -c "+$((start + 1))" -- "$file" 2>/dev/null | head -c "$((size - start))" | this_server | of_interest
    printf '\000'
}

# this_server: all of a file that is the server's own.
this_server() {
    case $file in "$root/var/log/syslog" | "$root/var/log/messages") of_syslog ;; *) cat ;; esac
}

pick
case $target in
    '') say log.missing "${log:-no log file is known}" ;;
    journal)
        say log.source journal
        printf '\001log.lines '
        journalctl -q --no-pager -o short-iso -n 5000 --since "@$since" _COMM=postgres 2>/dev/null |
            tail -c "$most" | of_interest
        printf '\000'
        ;;
    *) look log "$target" "$known" "$offset" ;;
esac
[ -z "$beside" ] || [ "$beside" = "$target" ] || look beside "$beside" "$beside_known" "$beside_offset"
say end "$token"
