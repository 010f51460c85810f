-- What the server makes of its configuration files as they are now (pg_file_settings reads them each time).
-- "setting could not be applied" is what it says of every change that takes a restart: no fault by itself.
SELECT f.sourcefile, f.sourceline, coalesce(f.name, ''), coalesce(f.error, ''),
       coalesce(s.context, ''), f.applied
FROM pg_file_settings f LEFT JOIN pg_settings s ON s.name = lower(f.name)
ORDER BY f.seqno
