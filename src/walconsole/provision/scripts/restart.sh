# Restarts the server and, where it does not come up, puts the old drop-in back and starts it again, in POSIX sh.
#
# Prepended by restarting.py: stand.sh, by which alone the drop-in is touched; the functions restart_server,
# start_server, alive (ends with 0 when the server takes statements), postmaster (prints which process runs, and since
# when; nothing where none does), and log_size and log_from, which read the server's log as its own user (may print
# nothing); folder (root's alone, for what is told), shown (the command), dropin, kept (empty: there was none before),
# patience (seconds). It runs by itself, whether or not anybody listens, and ends with one line in the file `result`.
#
# What counts is the process: where it is the same one as before, nothing was restarted, whatever the command said.

say() { printf '%s\n' "$1" >>"$folder/log"; }
now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }
end() {
    printf '%s\n' "$1" >"$folder/result.new" && mv -f "$folder/result.new" "$folder/result"
    exit 0
}

# up: wait until the server takes statements.
up() {
    waited=0
    while ! alive >/dev/null 2>&1; do
        waited=$((waited + 1))
        [ "$waited" -lt "$((patience * 5))" ] || return 1
        sleep 0.2
    done
}

# unchanged: the process that ran before runs still, and takes statements.
unchanged() {
    waited=0
    while [ -n "$before" ] && [ "$(postmaster 2>/dev/null)" = "$before" ]; do
        ! alive >/dev/null 2>&1 || return 0
        waited=$((waited + 1))
        [ "$waited" -lt "$((patience * 5))" ] || return 1
        sleep 0.2
    done
    return 1
}

last_words() {
    log_from 2>/dev/null | grep -E 'FATAL|PANIC|ERROR|HINT|DETAIL|LOG' | tail -n 12 |
        while IFS= read -r line; do say "log: $line"; done
}

size=$(log_size 2>/dev/null)
case $size in '' | *[!0-9]*) size=0 ;; esac
export size
began=$(now)
say "$shown"
before=$(postmaster 2>/dev/null)
restart_server >>"$folder/log" 2>&1
ended=$?
if unchanged; then
    say "the server was not restarted: it is the same process as before (${before%% *})"
    end "unchanged"
fi
if [ "$ended" = 0 ] && up; then
    say "the server takes statements again; it was away for at most $(since "$began") s"
    end "restarted $(since "$began")"
fi
say "the server did not come up"
last_words
if [ -n "$kept" ]; then
    say "putting the old $dropin back"
    put_back "$dropin" "$kept"
else
    say "taking $dropin away"
    rm -f -- "$folder/refused-drop-in"
    keep "$dropin" "$folder/refused-drop-in" && take_out "$dropin"
fi >>"$folder/log" 2>&1 || say "$dropin could not be put back"
say "starting it again"
start_server >>"$folder/log" 2>&1
if up; then
    say "the server runs as before; it was away for at most $(since "$began") s"
    end "rolled-back $(since "$began")"
fi
last_words
end "down $(since "$began")"
