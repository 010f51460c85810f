-- The base backups that the server knows of, whoever takes them, as one row; PostgreSQL 13 and later. That one runs,
-- and by which application, is for everybody to see; how far it is only for pg_read_all_stats. What goes between
-- pg_backup_start and pg_backup_stop is in no view: pgBackRest names its session for its command.
-- backup_total is PostgreSQL's own estimate.
SELECT
    coalesce((
        SELECT json_agg(found)
        FROM (
            SELECT
                activity.pid,
                left(activity.application_name, 80) AS application,
                progress.pid IS NOT NULL AS streams,
                coalesce(activity.usename::text, '') AS "user",
                coalesce(host(activity.client_addr), '') AS client,
                extract(epoch FROM activity.backend_start)::float8 AS started_at,
                coalesce(progress.phase, '') AS phase,
                progress.backup_streamed AS sent_bytes,
                progress.backup_total AS total_bytes
            FROM pg_stat_activity AS activity LEFT JOIN pg_stat_progress_basebackup AS progress USING (pid)
            WHERE progress.pid IS NOT NULL OR activity.application_name LIKE 'pgBackRest [backup]%'
            ORDER BY activity.pid
            LIMIT 20
        ) AS found
    ), '[]')::text AS backups,
    pg_has_role('pg_read_all_stats', 'USAGE') AS may_see_backups
