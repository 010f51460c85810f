#!/bin/sh
# Asks the catalogues of today for the names of relations. Changes nothing. A JSON array a line.
set -u
exec 2>&1
@COMMON@
@PGCLUSTER@
PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=20s -c lock_timeout=2s -c search_path=pg_catalog'
export PGOPTIONS

# ask OID NUMBERS: the relations of one database. Its name stands in the environment: as an argument it could be taken
# for more than a name.
ask() {
    name=$(psql -XAtq @PSQL_OPTIONS@ -c "SELECT datname FROM pg_database WHERE oid = $1 AND datallowconn" </dev/null)
    if [ -z "$name" ]; then
        printf '["unasked", %s, "it is not there, or nobody may connect"]\n' "$1"
        return
    fi
    PGDATABASE=$name psql -XAtq @PSQL_SERVER@ -v wanted="{$2}" -v ON_ERROR_STOP=1 2>/dev/null <<'SQL' ||
@QUERY@
SQL
        printf '["unasked", %s, "its catalogue could not be read"]\n' "$1"
}
psql -XAtq @PSQL_OPTIONS@ -c "SELECT json_build_array('database', oid::int8, datname) FROM pg_database" </dev/null
@ASKED@
