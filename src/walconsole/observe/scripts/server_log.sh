# Streams PostgreSQL's log, wherever it goes now, until the reader goes away.
#
# Prepended by log_sources.py: data (the data directory), log (what pg_lsclusters calls its log file),
# backlog (how many lines that are there already). The logging collector names its files in
# current_logfiles and begins new ones by time or size; `tail -F` sees through any other rotation.

# pick: sets `target` to the file to follow, to `journal`, or to nothing.
pick() {
    target=
    if [ -r "$data/current_logfiles" ]; then
        while read -r kind file; do
            case $file in /*) ;; *) file=$data/$file ;; esac
            # The first of stderr, csvlog and jsonlog, which is their order in the file.
            [ -n "$target" ] || target=$file
        done <"$data/current_logfiles"
        [ -r "$target" ] && return
        target=
    fi
    case $log in /*) [ -r "$log" ] && target=$log && return ;; esac
    if IFS= read -r pid 2>/dev/null <"$data/postmaster.pid" && [ -f "/proc/$pid/fd/2" ]; then
        target=$(readlink "/proc/$pid/fd/2") && [ -r "$target" ] && return
        target=
    fi
    command -v journalctl >/dev/null 2>&1 && [ ! -e "$log" ] && target=journal
}

start() {
    if [ "$target" = journal ]; then
        journalctl -q -f -n "$backlog" -o short-iso _COMM=postgres 2>/dev/null &
    else
        tail -n "$1" -F -- "$target" 2>/dev/null &
    fi
    child=$!
}

child=
followed=
complained=
from=$backlog
while :; do
    pick
    if [ -z "$target" ] && [ -z "$child" ] && [ -z "$complained" ]; then
        echo "walconsole: PostgreSQL's log cannot be read (${log:-no log file is known}): is it there, and may this user read it?"
        complained=1
    fi
    if [ -n "$target" ] && [ "$target" != "$followed" ]; then
        if [ -n "$child" ]; then
            sleep 1
            kill "$child"
            from=+1
        fi
        followed=$target
        start "$from"
    elif [ -n "$child" ] && ! kill -0 "$child" 2>/dev/null; then
        start 0
    fi
    sleep 5
done
