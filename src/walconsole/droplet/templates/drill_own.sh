# -- Another tool's archive, by that tool's own commands. From here on its functions stand for ours of the same names.

own=@OWN@    # pgBackRest or barman-cloud; empty: our own archive
own_before() { @OWN_BEFORE@ "$@"; }    # env X=y, or nothing

inherited() { tr '\000\n' '\n ' 2>/dev/null <"/proc/$1/environ" | grep -E '^((AWS|PGBACKREST)_[A-Z0-9_]*|HOME)='; }

# take_environment: what the server's archive command has from the server: Amazon's variables, pgBackRest's, PATH, HOME.
take_environment() {
    row=$(ask "SELECT pg_read_file('postmaster.pid', 0, 20)") || return 0
    process=$(printf '%s\n' "$row" | head -n 1)
    case $process in '' | *[!0-9]*) return 0 ;; esac
    # one by one, and in no file: keys are among them
    for variable in $(inherited "$process" | sed 's/=.*//'); do
        told=$(inherited "$process" | sed -n "s/^$variable=//p" | head -n 1)
        export "$variable=$told"
    done
    case $HOME in /nonexistent) HOME=$(getent passwd "$os_user" | cut -d : -f 6) && export HOME ;; esac
}

# with_own: the tool's settings for a drill: none of what production works with is taken, or written to, but that before
# there is a restored cluster its own tells whose archive it is.
with_own() {
    if [ -n "$data" ]; then
        PGBACKREST_PG1_PATH=$data
        export PGBACKREST_PG1_PATH
    fi
    PGBACKREST_ARCHIVE_ASYNC=n PGBACKREST_LOCK_PATH=$temp/own PGBACKREST_SPOOL_PATH=$temp/own
    PGBACKREST_LOG_LEVEL_FILE=off PGBACKREST_LOG_LEVEL_CONSOLE=warn
    export PGBACKREST_ARCHIVE_ASYNC PGBACKREST_LOCK_PATH PGBACKREST_SPOOL_PATH
    export PGBACKREST_LOG_LEVEL_FILE PGBACKREST_LOG_LEVEL_CONSOLE
    [ -d "$temp/own" ] || mkdir -m 700 "$temp/own"
}

# own_fetch NAME PATH: of the tool's archive; 1 where it is not there.
own_fetch() {
    case $own in
        pgBackRest) own_before @OWN_PROGRAM@pgbackrest @OWN_WHENCE@ archive-get "$1" "$2" ;;
        *) own_before @OWN_PROGRAM@barman-cloud-wal-restore @OWN_WHENCE@ "$1" "$2" ;;
    esac
}

# own_command: the same, as a restore_command.
own_command() { printf '%s\n' @OWN_GET@; }

# own_blames STATUS: whether the tool proves that what is stored is at fault. pgBackRest ends with its error's own number: of a
# checksum, an invalid file, a format, a missing file, which must be one of the repository's. Barman's last line says it; of an
# object that came in part it says how much of it was read.
own_blames() {
    case $own$1 in
        pgBackRest26 | pgBackRest28 | pgBackRest29) return 0 ;;
        pgBackRest55) grep -qE "^ERROR: .*unable to open missing file '[^']*/backup/" "$temp/said.own" ;;
        pgBackRest*) return 1 ;;
        *) tail -n 1 "$temp/said.own" | grep -qE "ERROR: (Missing file [^ ]+ for server |Barman cloud restore exception: \
(unexpected end of data|empty file|truncated header|invalid header|bad checksum|not a gzip file|Not a gzipped file|CRC check failed|\
Compressed (file|data) ended before|Error -[0-9]+ while decompressing|Invalid data stream|file could not be opened successfully))" ;;
    esac
}

if [ -n "$own" ]; then

    take_lock() { :; }
    hold_lock() { :; }

    cannot_list() { end 1 "$undone: $own cannot be asked for its base backups: $(plain "$1")"; }

    # choose_backup: the newest that is whole, by the tool's own list. What is known of it: its first segment.
    choose_backup() {
        take_environment
        ask "SELECT oid, spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')" | tr '|' ' ' >"$temp/spaces"
        case $own in
            pgBackRest) set -- @OWN_PROGRAM@pgbackrest @OWN_WHENCE@ info --output=text ;;
            *) set -- @OWN_PROGRAM@barman-cloud-backup-list @OWN_WHENCE@ ;;
        esac
        own_before timeout --foreground -k 5 300 "$@" >"$temp/own.list" 2>"$temp/said.own"
        listed=$?
        [ "$listed" = 0 ] || cannot_list "status $listed, $(tail -n 3 "$temp/said.own")"
        case $own in
            pgBackRest) found=$(awk '
                /^    db \(prior\)/ { prior = 1 } /^    db \(current\)/ { prior = 0 }
                /^        (full|diff|incr) backup: / { label = $3; bad = prior }
                /^            wal start\/stop: / && !bad { print label, $3, $5 }' "$temp/own.list" | tail -n 1) ;;
            *) found=$(grep -oE '^[0-9]{8}T[0-9]{6} .*' "$temp/own.list" | sed -n 's/^\([^ ]*\) .* \([0-9A-F]\{24\}\).*/\1 \2/p' |
                sort | tail -n 1) ;;
        esac
        if [ -z "$found" ]; then
            # whatever fails pgBackRest says 0, and tells it in its list
            [ "$own" != pgBackRest ] || grep -qE 'error \((no valid backups|missing stanza path)\)' "$temp/own.list" ||
                cannot_list "$(head -n 8 "$temp/own.list")"
            fail_drill no-base-backup "$own lists no base backup"
        fi
        # shellcheck disable=SC2086  # words; barman-cloud tells no last segment
        set -- $found
        backup=$1 copy='' chain=$1
        printf '{"start_wal":"%s",\n"stop_wal":"%s"}\n' "$2" "${3:-$2}" >"$temp/told.$backup"
    }

    # of what is brought the tool does not say beforehand how large it is: as the cluster is by now
    sum_of() { case $1 in bytes) echo null ;; *) echo "$expected" ;; esac; }

    bring_all() {
        trap - EXIT HUP INT QUIT TERM
        mkdir -m 700 "$data" "$place/spaces" || verdict cannot disk "$place cannot be written"
        case $own in
            pgBackRest)
                set -- @OWN_PROGRAM@pgbackrest @OWN_WHENCE@ @APART@ --set="$backup" --tablespace-map-all="$place/spaces" restore
                ;;
            *)
                set -- @OWN_PROGRAM@barman-cloud-restore @OWN_WHENCE@ "$backup" "$data"
                while read -r oid space; do
                    mkdir -m 700 "$place/spaces/$oid"
                    set -- "$@" --tablespace "$space:$place/spaces/$oid"
                done <"$temp/spaces"
                ;;
        esac
        own_before "$@" >"$temp/said.own" 2>&1
        brought=$?
        [ "$brought" != 0 ] || return 0
        words=$(plain "$(grep -E 'ERROR|rror' "$temp/said.own" | tail -n 3)")
        if grep -q 'No space left' "$temp/said.own"; then
            verdict refused no-room "the disk of $folder is full"
        elif by_signal "$brought"; then
            verdict cannot killed "$own was killed while it brought $backup (is memory short?)"
        elif own_blames "$brought"; then
            verdict failed damaged-object "$own cannot restore $backup: $words"
        fi
        verdict cannot unreachable "$own does not restore $backup: $words"
    }

    # verify_all: pgBackRest compares each file with its own sums while it restores. Barman keeps none.
    verify_all() {
        trap - EXIT HUP INT QUIT TERM
        [ "$own" = pgBackRest ] || echo "barman-cloud keeps no sums of files: that they are what was stored is not compared" >>"$temp/notes"
        "$bin/pg_controldata" "$data" >"$temp/control" 2>&1 ||
            damaged $? "its control file cannot be read: $(plain "$(cat "$temp/control")")"
        is=$(sed -n 's/^Database system identifier: *//p' "$temp/control")
        [ "$is" = "$identifier" ] || verdict failed wrong-identifier "$own's $backup is another cluster's ($is, not $identifier)"
    }

    # look_for SEGMENT: ends where the tool's archive has it after all, or cannot be asked.
    look_for() {
        said=$(own_fetch "$1" "$temp/own/$1" 2>&1)
        case $? in
            0) verdict failed restore-command "the restore command did not bring $1, which $own has" ;;
            1) ;;
            *) verdict cannot unreachable "$1 was not brought, and whether $own has it cannot be asked: $(plain "$said")" ;;
        esac
    }

    is_archived() {
        with_own
        own_fetch "$1" "$temp/own/$1" >/dev/null 2>&1 && rm -f -- "$temp/own/$1"
    }

    # store_result OUTCOME REASON MESSAGE: on this host alone, for nothing of ours lies in another tool's archive.
    store_result() {
        unstored='' target_told=$(printf '%s' "${target_moment:-}" | tr ' ' T)
        result "$@" >"$temp/result.json" || end 1 "$undone: what was found cannot be noted in $temp_root (is its disk full?): $3"
        keep_here last.json
    }
fi
