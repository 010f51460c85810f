# Streams PostgreSQL's log, wherever it goes now, until the reader goes away.
#
# Prepended by logs/sources.py: log_target.sh, and backlog (how many lines that are there already). The logging collector names its files in
# current_logfiles and begins new ones by time or size; `tail -F` sees through any other rotation.
#
# What watches this for the end of the channel may be killed itself, and a log that is quiet prints nothing that would
# fail: so each round asks whether the shell is still there that this is a part of.

start() {
    if [ "$target" = journal ]; then
        journalctl -q -f -n "$backlog" -o short-iso _COMM=postgres 2>/dev/null &
    else
        (as_server tail -n "$1" -F -- "$target") 2>/dev/null &
    fi
    child=$!
}

child=
followed=
complained=
from=$backlog
while kill -0 "$$" 2>/dev/null; do
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
[ -z "$child" ] || kill "$child"
