# -- The drill's own server; a recovery's is like it until it is promoted. `sockets` is the folder of its socket.

drill_port=5499

# drill_ask SQL: of the drill's server. Role and database may have come later than the moment that is restored: then whoever
# made the cluster asks, in the database that each has.
drill_ask() {
    said_of=$(asked_by @DATABASE_USER@ @DATABASE@ "$1")
    asked_so=$?
    case $asked_so$said_of in
        [!0]*'FATAL:  role "'*'" does not exist'* | [!0]*'FATAL:  database "'*'" does not exist'*)
            asked_by "$os_user" template1 "$1"
            return
            ;;
    esac
    printf '%s\n' "$said_of"
    return "$asked_so"
}

# asked_by ROLE DATABASE SQL
asked_by() {
    answer_of timeout --foreground -k 5 30 psql -XAtq -F '|' -v ON_ERROR_STOP=1 -h "$sockets" -p "$drill_port" -U "$1" -w \
        -d "$2" -c "$3"
}

# setting NAME VALUE: a line of the configuration.
setting() { printf "%s = '%s'\n" "$1" "$(printf '%s' "$2" | sed -e 's/\\/\\\\/g' -e "s/'/''/g")"; }

# stay_inside: what the server writes lies in its folder. Whoever restored it may have made a link of the old cluster's again:
# to its pg_wal, or a tablespace of its.
stay_inside() {
    within=$(readlink -f -- "$place")
    for each in "$data" "$data"/base "$data"/global "$data"/pg_* "$data"/pg_tblspc/*; do
        [ -L "$each" ] || continue
        leads=$(readlink -m -- "$each")
        case $leads in "$within"/*) continue ;; esac
        case $each in */pg_log | */pg_hba.conf | */pg_ident.conf) continue ;; esac    # neither is used
        end 2 "${each#"$place/"} of $backup leads to $leads, which may be the old cluster's: nothing is started upon it"
    done
}

# configure: none of the old server's settings but what the control file demands, and what it loads as far as it is here. Opened
# for writing, as a recovery's is in the end, it must not go on with the old server's subscriptions.
configure() {
    stay_inside
    rm -f -- "$data/standby.signal" "$data/recovery.signal"
    [ -e "$place/old.auto.conf" ] || mv -f -- "$data/postgresql.auto.conf" "$place/old.auto.conf" 2>/dev/null
    : >"$data/postgresql.auto.conf"
    present=''
    for library in $(printf '%s' "$preloaded" | tr -d '"' | tr ',' ' '); do
        library=$(basename -- "$library" .so)
        if [ -e "$libraries/$library.so" ]; then
            present="$present${present:+,}$library"
        else
            notes="$notes${notes:+; }$library is preloaded by the server and not in $libraries"
        fi
    done
    wal_mib=$((segment_bytes / 1048576))
    if ! {
        sed -n -e 's/_xacts setting/_transactions setting/' -e 's/_per_xact setting/_per_transaction setting/' \
            -e 's/^\(max_[a-z_]*\) setting: *\([0-9]*\)$/\1 = \2/p' "$temp/control"
        setting data_directory "$data"
        setting hba_file "$place/pg_hba.conf"
        setting ident_file "$place/pg_ident.conf"
        setting unix_socket_directories "$sockets"
        setting shared_preload_libraries "$present"
        setting restore_command "$command"
        target_settings
        cat <<SETTINGS
port = $drill_port
cluster_name = '$purpose'
recovery_target_action = pause
hot_standby = on
shared_buffers = 128MB
huge_pages = off
max_wal_size = $((16 * wal_mib > 512 ? 16 * wal_mib : 512))MB
min_wal_size = $((5 * wal_mib > 80 ? 5 * wal_mib : 80))MB
checkpoint_timeout = 30s
wal_retrieve_retry_interval = 1s
autovacuum = off
lc_messages = C
logging_collector = off
log_destination = stderr
log_min_messages = warning
max_parallel_workers_per_gather = 0
max_logical_replication_workers = 0
ssl = off
SETTINGS
    } >"$place/postgresql.conf"; then end 1 "not drilled: $place cannot be written"; fi
    echo 'local all all trust' >"$place/pg_hba.conf"
    : >"$place/pg_ident.conf"
    : >"$data/$signal"
}

# start_server: what must never be otherwise stands on the command line, which no file overrides.
start_server() {
    # shellcheck disable=SC2086  # nothing, or a word
    $detached "$bin/postgres" -D "$data" -c "config_file=$place/postgresql.conf" -c archive_mode=off -c archive_command= \
        -c listen_addresses= -c primary_conninfo= -c "unix_socket_directories=$sockets" -c unix_socket_permissions=0700 \
        </dev/null >"$place/log" 2>&1 9>&- &
    server=$!
    echo "$server" >"$temp/server"
}

# look_how_far: sets what is told.
look_how_far() {
    case $stage in
        fetching)
            process=$(cat "$temp/tee" 2>/dev/null)
            read_bytes=$(sed -n 's/^rchar: //p' "/proc/${process:-none}/io" 2>/dev/null)
            done_bytes=${read_bytes:-$done_bytes}
            ;;
        replaying)
            segments_done=$(grep -cs 'restored log file' "$place/log")
            segments_done=${segments_done:-0}
            waits=$(grep -sE 'not known to be missing|restored log file' "$place/log" | tail -n 1 | sed -n '/not known/s/^[^:]*: //p')
            where=$(drill_ask "SELECT pg_last_wal_replay_lsn(), to_char(pg_last_xact_replay_timestamp() \
AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')") || return 0
            lsn=${where%%|*} reached=${where#*|}
            ;;
    esac
}

# outgrow: where it paused, or ended, since the server that wrote the WAL was given higher limits after the base backup: that is
# no target. By then its control file has them, with which it is started once more.
grown=0
outgrow() {
    lower=$(grep -E 'is a lower setting than on the (primary|master) server' "$place/log" | tail -n 1)
    [ -n "$lower" ] || return 1
    [ "$grown" -lt 20 ] || verdict cannot limits "$its_server has lower limits than the one that wrote the WAL: $(plain "$lower")"
    grown=$((grown + 1))
    for patiently in $(seq 600); do
        lives "$server" || break
        [ $((patiently % 100)) != 1 ] || kill -s INT "$server" 2>/dev/null
        [ "$patiently" != 500 ] || kill -s QUIT "$server" 2>/dev/null
        sleep 0.1
    done
    "$bin/pg_controldata" "$data" >"$temp/control" 2>&1 ||
        verdict cannot limits "its control file cannot be read: $(plain "$(cat "$temp/control")")"
    configure
    start_server
}

# replay: until the server pauses at the target. It is followed itself: it answers long before its recovery has ended, and
# may still fail.
replay() {
    trap - EXIT HUP INT QUIT TERM
    start_server
    paused="pg_is_wal_replay_paused()"
    [ "$version" -lt 140000 ] || paused="pg_get_wal_replay_pause_state() = 'paused'"
    while lives "$server" || outgrow; do
        is=$(drill_ask "SELECT pg_is_in_recovery(), $paused") || { judge_answer "$is"; is=''; }
        case $is in
            't|t') outgrow || return 0 ;;
            f*) verdict failed not-reached "$its_server ended its recovery before the target" ;;
        esac
        sleep 0.2
    done
    judge_log
}

# look_for SEGMENT: ends where a copy has it after all: a command that fails alike in an outage makes an end of it.
look_for() {
    for role in $(each_copy); do
        where=$(target_of "$role")
        look_in "$where" "$1" ||
            verdict cannot unreachable "$1 was not brought, and whether $where has it cannot be asked: $(reason $? "$answer")"
        [ -z "$found" ] || verdict failed restore-command "the restore command did not bring $1, which is in $where"
    done
}

# look_in TARGET SEGMENT: whether it is there, as it is or compressed: `found`; fails where it cannot be asked.
look_in() {
    answer=$(printf '%s\n' "$2" "$2.zst" "$2.gz" | bounded 60 lsf "$1" --files-from - --no-traverse 2>&1) || return
    found=$(printf '%s\n' "$answer" | grep -xE "$2([.](zst|gz))?")
    return 0
}

# asked_for SEGMENT: whether the archive gave it, for all that the server says.
asked_for() { ! grep -qsF -- "$1 is not in the archive" "$place/log"; }

# next_segment SEGMENT: the one after it; of none the backup's first.
next_segment() {
    if [ -z "$1" ]; then
        told "$backup" start_wal
        return
    fi
    number=$(($(number_of "$1") + 1)) each_high=$((4294967296 / segment_bytes))
    printf '%.8s%08X%08X\n' "$1" $((number / each_high)) $((number % each_high))
}
