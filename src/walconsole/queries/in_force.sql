-- The settings that archiving needs, as they are in force now, in their base units.
SELECT name, setting FROM pg_settings
WHERE name IN ('archive_mode', 'archive_command', 'archive_timeout', 'wal_level')
