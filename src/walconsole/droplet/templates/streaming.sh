# -- From the server to the copies.

# note PART STATUS: how a part of the pipe ended. What left no note was killed, or there was no room for it.
note() { echo "$2" >"$temp/ended.$1"; }

dump() {
    PGAPPNAME="walconsole $id"
    export PGAPPNAME
    known_by "$temp/dumping" "$program" -h "$socket" -p "$port" -U @DATABASE_USER@ -w \
        -D - -F tar -X none -c "$checkpoint" -l "walconsole $id" --manifest-checksums=SHA256 "$@" \
        2>"$temp/said.pg_basebackup"
}

# or_end PART COMMAND...: where it fails, the uploads are ended before anything after it sees the stream's end, and takes
# what came for the whole.
or_end() {
    part_of_pipe=$1
    shift
    "$@" 5>&- 6>&-
    code=$?
    note "$part_of_pipe" $code
    if [ "$code" = 0 ] || ! (set -C; : >"$temp/ending") 2>/dev/null; then return; fi
    whys >"$temp/before"    # what went wrong with the copies by itself
    sending=$(cat "$temp"/sending.*)
    # shellcheck disable=SC2086  # words
    kill $sending && await_end $sending
}

pack() { zstd -q -c -3; }

seal() { if [ -n "$recipients" ]; then age -R "$recipients"; else cat; fi; }

# send: standard input to the copy `role`. Where that fails the other copy goes on, so the rest is taken and dropped,
# unless there is no other.
send() {
    sent rcat "$target$folder$object" --s3-chunk-size "${part}M" --s3-upload-concurrency "$lanes" \
        --s3-memory-pool-use-mmap "$@" 2>"$temp/said.$role"
    failed=$?
    note "$role" "$failed"
    if [ "$failed" != 0 ]; then
        bad 1 "not stored in $target: $(reason "$failed" "$(cat "$temp/said.$role")")"
        if [ "$role" = primary ]; then other=dr; else other=primary; fi
        [ -z "$(target_of "$other")" ] || [ -e "$temp/bad.$other" ] || cat >/dev/null
    fi
}

send_to() {
    role=$1 target=$(target_of "$1")
    if [ -z "$target" ] || [ -e "$temp/bad.$role" ]; then
        cat >/dev/null
        return
    fi
    if [ "$send_mib_s" = 0 ]; then send; else send --bwlimit "${send_mib_s}M"; fi
}

# stream: pipes alone, so that where one part ends its neighbours see it. 5 and 6: to the copies.
stream() {
    object=base.tar.zst${recipients:+.age}
    if [ "$read_mib_s" = 0 ]; then set --; else set -- --max-rate="${read_mib_s}M"; fi
    [ -z "$upon" ] || set -- "$@" --incremental="$temp/upon_manifest"
    watch >/dev/null 2>&1 9>&- &
    watching=$!
    {
        {
            or_end pg_basebackup dump "$@" |
                or_end comparison examine |
                { pack 5>&- 6>&-; note zstd $?; } |
                { seal 5>&- 6>&-; note age $?; } |
                { tee /dev/fd/5 /dev/fd/6; note tee $?; } |
                { hashed 5>&- 6>&-; note sum $?; } >"$temp/sent_sum"
        } 5>&1 | send_to primary 6>&-
    } 6>&1 | send_to dr
    kill "$watching" 2>/dev/null
    wait
}

# watch: ends what stands still, above all a server that waits for its WAL to be archived, which it does without end.
watch() {
    still=0 last=''
    while sleep "$poll"; do
        seen=$(ask "SELECT backup_streamed, phase FROM pg_stat_progress_basebackup JOIN pg_stat_activity USING (pid)
            WHERE application_name = 'walconsole $id'")
        read_bytes=${seen%%|*}
        case $read_bytes in '' | *[!0-9]*) read_bytes=null ;; esac
        tell streaming
        still=$((still + poll))
        [ "$seen" = "$last" ] || still=0
        last=$seen
        case $seen in *checkpoint*) still=0 ;; esac    # takes as long as the server is told to spread it
        [ "$still" -ge "$patience" ] || continue
        echo "nothing moved for $still s; the server says: $(plain "${seen#*|}")" >"$temp/stood_still"
        kill "$(cat "$temp/dumping")"
        return
    done
}

# judge_stream: a 0 of every part, and a tar that is what the manifest says. What the server says before it sends anything
# of an incremental one (its notes do not reach back, its timeline is another) does not hold for a full one.
judge_stream() {
    if [ -n "$upon" ] && grep -qE 'could not (initiate base backup|upload manifest|finish uploading manifest): ' \
        "$temp/said.pg_basebackup"; then
        give_up 6 "$(plain "$(cat "$temp/said.pg_basebackup")")"
    fi
    whys=''
    for each in pg_basebackup comparison zstd age tee sum; do
        code=$(cat "$temp/ended.$each" 2>/dev/null)
        [ "$code" = 0 ] || whys="$whys${whys:+, }$each ended with ${code:-no status (killed, or no room for it in $temp)}"
    done
    [ -n "$whys" ] || return 0
    because=$(cat "$temp/before" "$temp/stood_still" "$temp/said.pg_basebackup" "$temp/said.comparison" 2>/dev/null)
    give_up 1 "no backup was taken: $whys: $(plain "$because")"
}
