# -- Beside a standby, which writes nothing: what the primary commits by itself are the witnesses.

# where_sql: how far this server is, in bytes; where_named, as a segment, on the timeline that it follows.
where_sql="CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END"
where_named="
WITH followed AS (
    SELECT greatest(timeline_id, min_recovery_end_timeline, (SELECT received_tli FROM pg_stat_wal_receiver)) AS timeline,
        pg_size_bytes(current_setting('wal_segment_size')) AS bytes,
        (pg_wal_lsn_diff($where_sql, '0/0') - 1)::bigint AS at
    FROM pg_control_checkpoint(), pg_control_recovery()
)
SELECT upper(lpad(to_hex(timeline), 8, '0') || lpad(to_hex(at / 4294967296), 8, '0')
    || lpad(to_hex(at % 4294967296 / bytes), 8, '0'))
FROM followed"

# ask_of_standby SQL: it, or the drill ends.
ask_of_standby() {
    answer=$(ask "$1") || end 1 "not drilled: the standby cannot be asked: $answer"
}

# committed_sql FROM TO: of the transactions from one number to before another those that this server knows as committed.
committed_sql() {
    printf "FROM generate_series(greatest(3, (%s)::bigint), (%s)::bigint - 1) AS each
WHERE pg_xact_status(each::text::xid8) = 'committed'" "$1" "$2"
}

newest_sql='pg_snapshot_xmax(pg_current_snapshot())::text'

# witness_of_primary: `before`, which is committed here, then the place up to which is replayed here, then `after`, whose
# number was not given yet, or which was not committed there, and is later.
witness_of_primary() {
    pass_backups_end
    ask_of_standby "SELECT max(each) $(committed_sql "$newest_sql::bigint - 1000" "$newest_sql")"
    before=$answer
    [ -n "$before" ] || end 1 "not drilled: none of the last 1000 transactions of the primary was committed"
    sleep 0.1
    ask_of_standby 'SELECT pg_last_wal_replay_lsn()'
    target_lsn=$answer
    ask_of_standby "SELECT $newest_sql"
    beyond=$answer
    waits_for 'no transaction was committed on the primary that came here' is_after
    ask_of_standby "$where_named"
    last=$answer
    waits_for "$last is not in the archive" is_archived "$last"
}

# pass_backups_end: replayed here is more than the base backup needs to be whole: a target before that end is refused.
pass_backups_end() {
    stop=$(told "$backup" stop_wal)
    waits_for "the standby has not replayed the WAL that $backup ends with, $stop" is_past "${stop:-$(told "$backup" start_wal)}"
}

is_past() {
    ask_of_standby "$where_named"
    above=${answer#????????} below=${1#????????}
    [ "$above" != "$below" ] && [ "$(lowest "$above" "$below")" = "$below" ]
}

is_after() {
    ask_of_standby "SELECT min(each) $(committed_sql "$beyond" "least($newest_sql::bigint, $beyond + 10000)")"
    after=$answer
    [ -n "$after" ]
}

# is_archived SEGMENT: in a copy; which one the standby cannot tell.
is_archived() {
    for role in $(each_copy); do
        look_in "$(target_of "$role")" "$1" || continue
        [ -z "$found" ] || return 0
    done
    return 1
}

# waits_for WHAT-IF-NOT COMMAND...: until it says yes, with patience.
waits_for() {
    lacking=$1 slept=0
    shift
    until "$@"; do
        [ "$slept" -lt "$patience" ] || end 1 "not drilled: $lacking after $slept s"
        keep_bounds
        pause "$poll"
        slept=$((slept + poll))
    done
}
