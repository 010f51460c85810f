-- The backlog and how many segments pg_wal holds. One row; needs EXECUTE on both functions, as pg_monitor has it.
-- By their names: another program's files in there are no WAL, and wait for nobody.
SELECT
    (
        SELECT count(*) FROM pg_ls_archive_statusdir()
        WHERE name ~ '^([0-9A-F]{24}([.]partial|[.][0-9A-F]{8}[.]backup)?|[0-9A-F]{8}[.]history)[.]ready$'
    ) AS ready_count,
    count(*) AS wal_files
FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{24}([.]partial)?$'
