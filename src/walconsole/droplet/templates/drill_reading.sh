# -- Whether it can be read, and what its witnesses say.

# reading OPTIONS: for statements of the drill. While it is paused before a DROP's commit that table is locked for ever.
reading() {
    PGOPTIONS="-c default_transaction_read_only=on -c lock_timeout=5s -c statement_timeout=${statement_s}s $1"
    export PGOPTIONS
}

drill_psql() { psql -XAtq -F '|' -h "$sockets" -p "$drill_port" -U @DATABASE_USER@ -w "$@"; }

no_time='ERROR:  (55P03|57014): '    # lock_not_available, query_canceled
no_look='ERROR:  (25006|42601|0A000): '    # read_only_sql_transaction, syntax_error, feature_not_supported

# For each relation a statement that reads all of it: the catalogue, the largest tables, some others.
relations_sql="
WITH own AS (
    SELECT c.oid, n.nspname, c.relname, c.relpages
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpages::bigint * 8192 < 4294967296
), sample AS (
    (SELECT * FROM own ORDER BY relpages DESC LIMIT 5) UNION (SELECT * FROM own ORDER BY random() LIMIT 15)
)
SELECT format('SELECT count(*) FROM %I.%I', nspname, relname) FROM sample
UNION ALL
SELECT format('SELECT count(*) FROM pg_catalog.%I', relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace AND relname <> 'pg_largeobject'
\\gexec"

# unreadable STATUS REASON MESSAGE: of what psql found. A server, or a part of it, that was killed says nothing of what it
# read; one that crashed by itself does.
unreadable() {
    if by_signal "$1" || grep -q 'was terminated by signal 9' "$place/log" ||
        ! { lives "$(cat "$temp/server")" || grep -qE 'PANIC|terminated by signal' "$place/log"; }; then
        verdict cannot killed "$its_server, or what read in it, was killed (is memory short?)"
    fi
    verdict failed "$2" "$3"
}

read_all() {
    trap - EXIT HUP INT QUIT TERM
    read_databases
    echo 3 >"$temp/level"
    ask_queries
    check_sums
}

read_databases() {
    reading ''
    drill_psql -d @DATABASE@ -v ON_ERROR_STOP=1 -c "SELECT format('dbname=''%s''', \
replace(replace(datname, E'\\\\', E'\\\\\\\\'), '''', E'\\\\''')) FROM pg_database \
WHERE datallowconn AND datname !~ E'[\\\\n\\\\r]' ORDER BY datname" >"$temp/databases" 2>"$temp/said.databases" ||
        unreadable $? not-readable "pg_database cannot be read: $(plain "$(cat "$temp/said.databases")")"
    note_collations
    : >"$temp/relations"
    while read -r database; do
        read_database "$database" </dev/null
    done <"$temp/databases"
    wc -l <"$temp/databases" | tr -d ' ' >"$temp/database_count"
    wc -l <"$temp/relations" | tr -d ' ' >"$temp/relation_count"
    [ "$(cat "$temp/relation_count")" -gt 0 ] || verdict failed not-readable "no relation could be read"
}

# note_collations: the databases whose text is sorted otherwise by what this host has (asked so of 15 and later): their indexes
# may miss rows here.
note_collations() {
    [ "$version" -ge 150000 ] || return 0
    others=$(drill_psql -d @DATABASE@ -c "SELECT string_agg(format('%s (%s, here %s)', datname, datcollversion,
        pg_database_collation_actual_version(oid)), ', ' ORDER BY datname) FROM pg_database
        WHERE datcollversion <> pg_database_collation_actual_version(oid)" 2>/dev/null)
    [ -z "$others" ] || echo "text is sorted otherwise on this host than where the indexes were built: REINDEX after a \
restore here: $(plain "$others")" >>"$temp/notes"
}

# read_database CONNECTION: each error counts, but for a lock that the replay holds, and what takes too long.
read_database() {
    reading '-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off'
    printf '%s\n' "$relations_sql" >"$temp/relations.sql"
    drill_psql -d "$1" -v VERBOSITY=verbose -f "$temp/relations.sql" >>"$temp/relations" 2>"$temp/said.reading" ||
        unreadable $? not-readable "$(plain "$1") cannot be connected to: $(plain "$(cat "$temp/said.reading")")"
    wrong=$(grep -E 'ERROR:  |FATAL:  |PANIC:  |server closed' "$temp/said.reading" | grep -vE "$no_time" | head -n 1)
    [ -z "$wrong" ] || unreadable 1 not-readable "$(plain "$1"): $(plain "$wrong")"
    if grep -qE "$no_time" "$temp/said.reading"; then
        echo "a relation was locked by what is being replayed, or took longer than $statement_s s" >>"$temp/notes"
    fi
    [ -x "$bin/pg_amcheck" ] || return 0
    has=$(drill_psql -d "$1" -c "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'" 2>/dev/null)
    [ "$has" = 1 ] || return 0
    reading '-c statement_timeout=0'
    if "$bin/pg_amcheck" -h "$sockets" -p "$drill_port" -U @DATABASE_USER@ -w "$1" >"$temp/said.amcheck" 2>&1; then
        echo true >"$temp/amcheck"
        return
    fi
    # it names each relation that is damaged; a lock that is held, or a version without it, is no damage
    wrong=$(grep -E '^(heap table|btree index) ' -A 1 "$temp/said.amcheck" | grep -v '^--' | head -n 2)
    case $wrong in
        '' | *'lock timeout'*) echo "pg_amcheck in $1 came to no end: $(plain "$(tail -n 1 "$temp/said.amcheck")")" >>"$temp/notes" ;;
        *) unreadable 1 not-readable "pg_amcheck in $(plain "$1"): $(plain "$wrong")" ;;
    esac
}

# ask_queries: the operator's own; each must give a row.
ask_queries() {
    reading ''
    asked=0 locked_out=''    # yes: one of them had no answer, which tells nothing of what was restored
@QUERIES@
    echo "$asked" >"$temp/query_count"
    [ "$asked" = 0 ] || [ -n "$locked_out" ] || echo 4 >"$temp/level"
}

# complained OF: the first line of what psql said of it that is no warning.
complained() { grep -vE '^(WARNING|DETAIL|HINT|LOCATION): ' "$temp/said.$1" | head -n 1; }

query() {
    asked=$((asked + 1))
    drill_psql -d @DATABASE@ -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -c "$1" >"$temp/row" 2>"$temp/said.query"
    query_ended=$?
    if [ "$query_ended" != 0 ]; then
        # which says nothing of what was restored
        if grep -qE "$no_time" "$temp/said.query"; then
            locked_out=yes
            echo "drill_queries, the ${asked}. one was locked out by what is being replayed, or took longer than $statement_s s" \
                >>"$temp/notes"
            return
        fi
        # it would have been refused wherever it was asked so
        if grep -qE "$no_look" "$temp/said.query"; then
            locked_out=yes
            echo "drill_queries, the ${asked}. one cannot be asked of what is paused, and is to be written otherwise: \
$(plain "$(complained query)")" >>"$temp/notes"
            return
        fi
        unreadable "$query_ended" query "drill_queries, the ${asked}. one: $(plain "$(complained query)")"
    fi
    [ -s "$temp/row" ] || verdict failed query "drill_queries, the ${asked}. one gives no row"
}

# check_sums: of every page, where the cluster has them; the server is stopped for it.
check_sums() {
    server=$(cat "$temp/server")
    kill -s INT "$server" 2>/dev/null
    for patiently in $(seq 600); do
        lives "$server" || break
        [ "$patiently" != 500 ] || kill -s QUIT "$server" 2>/dev/null
        sleep 0.1
    done
    [ -x "$bin/pg_checksums" ] || return 0
    [ "$(sed -n 's/^Data page checksum version: *//p' "$temp/control")" != 0 ] || return 0
    if "$bin/pg_checksums" --check -D "$data" >"$temp/said.sums" 2>&1; then
        echo true >"$temp/checksums"
    elif grep -qE 'checksum verification failed|Bad checksums:  *[1-9]' "$temp/said.sums"; then
        verdict failed not-readable "pg_checksums: $(plain "$(grep -E 'failed|Bad' "$temp/said.sums" | head -n 2)")"
    fi
}

# must_have_answered STATUS TEXT: psql's. Without the server's own word nobody knows of a witness.
must_have_answered() {
    [ "$1" = 1 ] || end 1 "$undone: $its_server cannot be asked of its witnesses: $(plain "${2:-psql was killed}")"
}

# look_at_witnesses: both sides of the target.
look_at_witnesses() {
    is_before=$(drill_ask "SELECT pg_xact_status('$before'::xid8)") || must_have_answered $? "$is_before"
    is_after=$(drill_ask "SELECT pg_xact_status('$after'::xid8)") ||
        case $is_after in *'is in the future'*) is_after='not there' ;; *) must_have_answered $? "$is_after" ;; esac
    is_before=$(plain "$is_before") is_after=$(plain "$is_after")
    [ "$is_before" = committed ] ||
        fail_drill not-reached "the transaction before the target ($before) is not there: ${is_before:-forgotten}"
    case $is_after in
        'in progress' | 'not there') ;;
        *) fail_drill not-reached "the transaction after the target ($after) should not be there: ${is_after:-forgotten}" ;;
    esac
    stage=replaying
    look_how_far
    # beside a standby the target is a place: its moment is that of the last commit before it
    [ -n "$target_moment" ] || target_moment=$reached
}
