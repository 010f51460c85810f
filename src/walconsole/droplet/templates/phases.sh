# -- Long phases, told of and bounded. Who has this part defines end, keep_bounds and look_how_far.

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

waits=''    # for what, in words, where a phase that runs can go on only once somebody mends something

# tell STATE [EXIT MESSAGE]: to who watches: one object, replaced whole.
tell() {
    {
        printf '{"format":1,"id":"%s","state":"%s","pid":%s,"began":%s,"at":%s,' "$id" "$1" $$ "$began" "$(date +%s)"
        printf '"backup":"%s","done_bytes":%s,"total_bytes":%s,' "$backup" "$done_bytes" "$total_bytes"
        printf '"segments_done":%s,"segments":%s,"lsn":"%s","reached":"%s",' "$segments_done" "$segments" "$lsn" "$reached"
        printf '"exit":%s,"message":"%s"}\n' "${2:-null}" "$(plain "${3:-$waits}")"
    } 2>/dev/null >"$state/.status.$$" && mv -f -- "$state/.status.$$" "$state/status.json"
}

# can_note: the small files in which a run's parts tell each other what they found can still be written. Unwritten, they say that
# somebody was killed, that a list is empty, that nothing was found.
can_note() { echo . 2>/dev/null >"$temp/noted" && rm -f -- "$temp/noted"; }

full_temp() { end 1 "$undone: nothing more can be written in $temp_root (is its disk full?)"; }

must_note() { can_note || full_temp; }

# keep_notes: at each beat. A segment that is unpacked stands in that folder, too, and may fill it for a moment.
beats_full=0
keep_notes() {
    if can_note; then
        beats_full=0
        return
    fi
    beats_full=$((beats_full + 1))
    [ "$beats_full" -lt 5 ] || full_temp
}

plain() { printf '%s' "$1" | tr -s '\t\n ' ' ' | tr -cd '\40-\176' | tr -d '\\"' | cut -c -500; }

log() { logger -t "$tag" -p "daemon.$1" -- "$2" 2>/dev/null || say "the journal takes no messages (logger failed)"; }

lives() { grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# timed NAME STATE COMMAND...: a phase; sets took_NAME (milliseconds). Where it ends badly the drill ends with its verdict.
timed() {
    named_phase=$1
    shift
    phase_began=$(date +%s%3N)
    during "$@" || settle
    eval "took_$named_phase=$(($(date +%s%3N) - phase_began))"
}

# during STATE COMMAND...: it, told of and bounded, while the lock is renewed. Its status is the command's.
during() {
    stage=$1 waits=''
    shift
    tell "$stage"
    { "$@"; } 2>"$temp/noise" 9>&- &
    working=$!
    for beat in 0.1 0.1 0.2 0.2 0.4 0.5 0.5; do
        lives "$working" || break
        pause "$beat"
    done
    while lives "$working"; do
        look_how_far
        tell "$stage"
        keep_bounds
        pause "$poll"
    done
    wait "$working"
    code=$?
    working=''
    look_how_far
    return $code
}

# pause SECONDS: so that a signal is not waited for.
pause() {
    sleep "$1" 9>&- &
    wait $!
}

# free_mib FOLDER: what its disk has for who is not root.
free_mib() { df -Pk -- "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }

# number_of SEGMENT: its number on its timeline.
number_of() {
    high=${1#????????}
    low=${high#????????}
    echo $((0x${high%????????} * (4294967296 / segment_bytes) + 0x$low))
}
