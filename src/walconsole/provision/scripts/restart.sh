# Restarts the server and, where it does not come up, puts the old drop-in back and starts it again, in POSIX sh.
#
# Prepended by restarting.py: the functions restart_server, start_server, and alive (ends with 0 when the server takes
# statements); folder (root's alone, for what is told), shown (the command), dropin, kept (empty: there was none
# before), log (the server's, may be empty), patience (seconds). It runs by itself, whether or not anybody listens,
# and ends with one line in the file `result`.

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

last_words() {
    [ -n "$log" ] && [ -r "$log" ] || return 0
    tail -c +"$((log_size + 1))" -- "$log" | grep -E 'FATAL|PANIC|ERROR|HINT|DETAIL|LOG' | tail -n 12 |
        while IFS= read -r line; do say "log: $line"; done
}

log_size=0
[ -z "$log" ] || log_size=$(wc -c <"$log" 2>/dev/null || echo 0)
began=$(now)
say "$shown"
if restart_server >>"$folder/log" 2>&1 && up; then
    say "the server takes statements again; it was away for at most $(since "$began") s"
    end "restarted $(since "$began")"
fi
say "the server did not come up"
last_words
if [ -n "$kept" ]; then
    say "putting the old $dropin back"
    cp -p -- "$kept" "$dropin.walconsole-old" && mv -f -- "$dropin.walconsole-old" "$dropin"
else
    say "taking $dropin away"
    mv -f -- "$dropin" "$folder/refused-drop-in"
fi || say "$dropin could not be put back"
say "starting it again"
start_server >>"$folder/log" 2>&1
if up; then
    say "the server runs as before; it was away for at most $(since "$began") s"
    end "rolled-back $(since "$began")"
fi
last_words
end "down $(since "$began")"
