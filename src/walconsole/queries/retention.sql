-- What keeps WAL besides the archiver, one row; pg_replication_slots needs no privilege.
SELECT
    coalesce((
        SELECT json_agg(json_build_object(
            'name', slot_name::text,
            'kind', slot_type,
            'active', active,
            'reader', coalesce((
                SELECT application_name FROM pg_stat_replication WHERE pid = active_pid
            ), ''),
            'reader_host', coalesce((
                SELECT host(client_addr) FROM pg_stat_replication WHERE pid = active_pid
            ), ''),
            'wal_status', coalesce(wal_status, ''),
            'retained_bytes', pg_wal_lsn_diff(position.lsn, restart_lsn)::bigint,
            'safe_wal_bytes', safe_wal_size,
            'inactive_since', NULL::float8
        ) ORDER BY slot_name)
        FROM pg_replication_slots
    ), '[]')::text AS slots,
    pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes,
    pg_size_bytes(current_setting('wal_keep_size')) AS keep_bytes,
    NULL::bigint AS summarizer_behind_bytes,
    prepared.count AS prepared,
    prepared.oldest AS prepared_since
FROM (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
) AS position,
(
    SELECT count(*) AS count, extract(epoch FROM min(prepared))::float8 AS oldest FROM pg_prepared_xacts
) AS prepared
