# The end of PostgreSQL's log, or what was written since the last look; only lines that may matter.
#
# Prepended by server_log.py: log_target.sh with what it needs, token (ends the answer), known (the file's inode and
# path as of the last look, empty at first), offset (how far it was read), most (bytes at most, from the end), since
# (for the journal: seconds since the epoch), words (an extended regular expression for the server's own lines).
#
# The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\000' "$1" "$2"; }

# of_interest: the server's own lines with one of the words; of other lines, which a program printed, all.
# PostgreSQL puts two spaces behind the level's colon, and a tab before a line that goes on. A program may print any
# byte: one that delimits records would hide all that follows.
of_interest() {
    tr '\000\001' '  ' | awk -v words="$words" '
        /^\t/ { next }
        /^\{/ || /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9:.]+ [^ ,]+,/ || /:  / {
            if ($0 ~ words) print
            next
        }
        NF { print }' | tail -n 400
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
    *)
        set -- $(stat -L -c '%i %s' -- "$target" 2>/dev/null)
        inode=${1:-0}
        size=${2:-0}
        [ "$known" = "$inode $target" ] && [ "$size" -ge "$offset" ] || offset=-1
        start=$((size > most ? size - most : 0))
        whole=$((start == 0))
        if [ "$offset" -ge "$start" ]; then start=$offset whole=1; fi
        case $target in
            # What programs print goes to the collector's file of plain text, whose name ends otherwise (syslogger.c).
            *.csv | *.json)
                for words_file in "${target%.*}.log" "${target%.*}"; do
                    [ -r "$words_file" ] || continue
                    printf '\001log.words '
                    tail -c 16384 -- "$words_file" | of_interest | tail -n 20
                    printf '\000'
                    say log.words_at "$(stat -L -c %Y -- "$words_file" 2>/dev/null)"
                    break
                done
                ;;
        esac
        say log.source "$target"
        say log.known "$inode $target"
        say log.offset "$size"
        say log.read "$((size - start))"
        say log.whole "$whole"
        printf '\001log.lines '
        [ "$size" -le "$start" ] || tail -c "+$((start + 1))" -- "$target" 2>/dev/null | head -c "$((size - start))" | of_interest
        printf '\000'
        ;;
esac
say end "$token"
