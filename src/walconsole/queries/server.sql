-- Who the server is, and what this role may see. One row; no privilege is needed.
-- In recovery the timeline is the newest one that replay, the WAL receiver or the control file knows.
SELECT
    current_setting('server_version_num')::integer AS version_num,
    current_setting('server_version') AS version,
    pg_is_in_recovery() AS in_recovery,
    CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS replay_paused,
    extract(epoch FROM pg_postmaster_start_time())::float8 AS started_at,
    extract(epoch FROM pg_conf_load_time())::float8 AS loaded_at,
    extract(epoch FROM clock_timestamp())::float8 AS clock,
    CASE WHEN pg_is_in_recovery() THEN
        greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
            (SELECT received_tli FROM pg_stat_wal_receiver)
        )
    END AS recovery_timeline,
    pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
    (SELECT system_identifier FROM pg_control_system())::text AS system_identifier,
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN
        current_setting('data_directory')
    END AS data_directory,
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN
        current_setting('config_file')
    END AS config_file,
    (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
    damaged.pages AS damaged_pages,
    damaged.at AS damaged_at,
    coalesce(damaged.databases, '[]') AS damaged_databases,
    current_database()::text AS database,
    current_user::text AS role,
    quote_ident(current_user) AS quoted_role,
    current_setting('is_superuser') = 'on' AS superuser,
    pg_has_role('pg_read_all_settings', 'USAGE') AS may_read_settings,
    pg_has_role('pg_read_all_stats', 'USAGE') AS may_read_stats,
    has_function_privilege('pg_ls_waldir()', 'EXECUTE')
        AND has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') AS may_list_wal
-- Null where there are no data checksums, or they are not counted.
FROM (
    SELECT
        sum(checksum_failures)::bigint AS pages,
        extract(epoch FROM max(checksum_last_failure))::float8 AS at,
        (json_agg(coalesce(datname::text, '') ORDER BY datname) FILTER (WHERE checksum_failures > 0))::text AS databases
    FROM pg_stat_database
) AS damaged
