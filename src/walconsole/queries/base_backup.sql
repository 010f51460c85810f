-- How far a base backup of the installed script is. backup_total is PostgreSQL's own estimate.
SELECT backup_total, backup_streamed, phase
FROM pg_stat_progress_basebackup
JOIN pg_stat_activity USING (pid)
WHERE application_name LIKE 'walconsole %'
ORDER BY pid
LIMIT 1
