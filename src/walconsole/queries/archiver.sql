-- The archiver's counters and the write position, on a standby the last replayed one. One row; no
-- privilege is needed, but only pg_read_all_stats sees other processes' backend_type.
-- pg_walfile_name() is an error in recovery.
SELECT
    archived_count,
    last_archived_wal,
    extract(epoch FROM last_archived_time)::float8 AS last_archived_at,
    failed_count,
    last_failed_wal,
    extract(epoch FROM last_failed_time)::float8 AS last_failed_at,
    extract(epoch FROM stats_reset)::float8 AS stats_reset_at,
    CASE WHEN pg_is_in_recovery() THEN
        coalesce(pg_last_wal_replay_lsn(), pg_last_wal_receive_lsn(), '0/0')
    ELSE
        pg_current_wal_lsn()
    END::text AS lsn,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal_file,
    (SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'archiver') AS archiver_pid
FROM pg_stat_archiver
