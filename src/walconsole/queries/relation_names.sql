-- Relations of this database by OID or by file, with what an index or a TOAST table is part of.
-- Before them its schemas. psql's variable `wanted` is an array of numbers, of either kind; version 13 and newer.
SELECT pg_catalog.json_build_array(
    'schema',
    (SELECT d.oid::int8 FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
    n.oid::int8,
    pg_catalog.quote_ident(n.nspname)
)
FROM pg_catalog.pg_namespace n
WHERE n.nspname NOT LIKE 'pg\_t%temp\_%'
LIMIT 5000;
WITH asked AS (
    SELECT c.oid, c.relname, c.relkind, c.relnamespace, pg_catalog.pg_relation_filenode(c.oid) AS file
    FROM pg_catalog.pg_class c
    WHERE c.oid = ANY (:'wanted'::pg_catalog.oid[])
       OR pg_catalog.pg_relation_filenode(c.oid) = ANY (:'wanted'::pg_catalog.oid[])
), owned AS (
    SELECT a.oid, COALESCE(
        (SELECT t.oid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.reltoastrelid = i.indrelid
            WHERE i.indexrelid = a.oid),
        (SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = a.oid),
        (SELECT t.oid FROM pg_catalog.pg_class t WHERE t.reltoastrelid = a.oid)
    ) AS part_of
    FROM asked a
)
SELECT pg_catalog.json_build_array(
    'relation',
    (SELECT d.oid::int8 FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
    c.oid::int8,
    pg_catalog.pg_relation_filenode(c.oid)::int8,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
    c.relkind,
    o.part_of::int8
)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN owned o ON o.oid = c.oid
WHERE c.oid IN (SELECT oid FROM asked UNION SELECT part_of FROM owned WHERE part_of IS NOT NULL)
LIMIT 20000;
