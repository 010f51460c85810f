-- The archiver's counters, and whether its last success is after the server's start, and
-- its last failure after that.
SELECT archived_count, coalesce(last_archived_wal, ''), failed_count, coalesce(last_failed_wal, ''),
       coalesce(last_archived_time > pg_postmaster_start_time(), false),
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
FROM pg_stat_archiver
