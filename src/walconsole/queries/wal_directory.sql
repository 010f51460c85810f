-- The backlog and pg_wal's size. One row; needs EXECUTE on both functions, as pg_monitor has it.
-- By their length: 24 a segment, 32 a .partial one; a .history has 16, a .backup 40.
SELECT
    (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE right(name, 6) = '.ready') AS ready_count,
    count(*) AS wal_files,
    coalesce(sum(size), 0)::bigint AS wal_bytes
FROM pg_ls_waldir()
WHERE length(name) IN (24, 32)
