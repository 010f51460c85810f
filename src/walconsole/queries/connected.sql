-- Who would be cut off by a restart, the most of one kind first, with the longest open transaction in seconds.
SELECT coalesce(nullif(application_name, ''), 'no name'), coalesce(usename, '?'), coalesce(datname, '?'), count(*),
       coalesce(round(extract(epoch FROM max(clock_timestamp() - xact_start)))::bigint::text, '')
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
GROUP BY 1, 2, 3
ORDER BY 4 DESC, 1, 2, 3
