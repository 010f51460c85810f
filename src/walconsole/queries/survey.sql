-- What provisioning asks of the server, as one JSON object, so that no value can break out of its field.
-- As its superuser: a role that may not read all settings gets fewer of them.
SELECT json_build_object(
    'version_num', current_setting('server_version_num')::integer,
    'in_recovery', pg_is_in_recovery(),
    'system_identifier', (SELECT system_identifier FROM pg_control_system())::text,
    'segment_bytes', pg_size_bytes(current_setting('wal_segment_size')),
    'timeline', CASE
        WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
    END,
    'tablespaces', (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
    'started_at', extract(epoch FROM pg_postmaster_start_time())::float8,
    'settings', (
        SELECT json_object_agg(name, current_setting(name, true))
        FROM pg_settings
        WHERE name IN (
            'archive_mode', 'archive_command', 'archive_library', 'archive_timeout', 'wal_level',
            'max_wal_senders', 'config_file', 'data_directory', 'hba_file', 'external_pid_file', 'port',
            'unix_socket_directories', 'cluster_name', 'log_destination', 'logging_collector', 'log_directory',
            'log_filename', 'archive_cleanup_command', 'restore_command', 'wal_segment_size', 'max_wal_size',
            'summarize_wal'
        )
    )
)
