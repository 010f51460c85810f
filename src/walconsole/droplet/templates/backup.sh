#!/bin/sh
# @ME@ [--fast] [--incremental | --in-turn]: a base backup of @PROFILE@ into every copy of its archive. Installed by
# walconsole.
# Below base/ID/ of each copy: base.tar.zst, backup_manifest and, last of all, backup.json. Without backup.json it is no
# backup. --fast: an immediate checkpoint, where otherwise the server spreads it. --incremental: what changed since the
# newest one; a full one, and why, where that cannot be. --in-turn: the same, but a full one after so many of them.
#   0  every copy holds it, read back         4  stored, but not as it was sent
#   1  not taken now: try again               5  one copy holds it, the other does not
#   2  called or installed wrongly, or this   9  interrupted by a signal
#      cluster cannot be backed up so         3  another one runs
#
# pg_basebackup | zstd | rclone, without a file on the disk, to both copies at once. A pipe whose first part was killed
# ends well for all others, so each part is asked how it ended, and while it flows the tar's content is compared with the
# manifest that the server made of it. Then every copy is read back. On any end but success what was stored is deleted,
# uploads are aborted, the server's session is ended; what a killed run left, the next one clears away.
#
# shellcheck disable=SC2030,SC2031,SC2317  # functions are called by their names, each copy has jobs of its own
set -u
@COMMON@

@ANSWERS@

@LOOK@

@JOBS@

@SWEEP@

@RECIPIENTS_FAULT@

@HASHING@

@STORING@

@BUILDING@

@STREAMING@

@PROVING@

@PGCLUSTER@
os_user=@OS_USER@
state=@STATE@
tag=@TAG@
primary=@PRIMARY@
dr=@DR@    # empty: no second copy is written
placed=@SOCKET@    # the server's socket folder, where it is not the server's own word
recipients=@RECIPIENTS@    # a file of age's public keys; empty: not encrypted
read_mib_s=@READ_MIB_S@ send_mib_s=@SEND_MIB_S@    # at most so much a second, the latter to each copy; 0: as it comes
patience=@PATIENCE_S@ poll=@POLL_S@    # seconds
checkpoint=@CHECKPOINT@
in_turn=@INCREMENTAL@    # so many incremental ones follow a full one
memory_root=@MEMORY_ROOT@ disk_root=@TEMP_ROOT@
temp='' id='' working='' chain='' upon='' instead='' wanted=full began=$(date +%s)

clean_up() { [ -z "$temp" ] || rm -rf -- "$temp"; }
trap clean_up EXIT

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

@TELLING@

@ALONE@

interrupted() {
    trap '' HUP INT QUIT TERM
    end_all
    undo_own
    end 9 "interrupted by a signal$(standing)"
}

# end_all: what was started, with all that it started, which is waited for: an upload that still ends could store what
# is just being deleted.
end_all() {
    [ -n "$working" ] || return 0
    told=$(below $$)
    # Those that were found before: once $working is gone they are nobody's below this shell.
    # shellcheck disable=SC2086  # words
    kill "$working" $told 2>/dev/null
    end_jobs
    wait "$working" 2>/dev/null
    # shellcheck disable=SC2086  # words
    await_end $told
}

# await_end PROCESSES...: until they are gone; what takes longer than 15 s is killed.
await_end() {
    for patiently in $(seq 200); do
        left=''
        for process in "$@"; do
            if grep -qs '^State:.[^ZX]' "/proc/$process/status"; then left="$left $process"; fi
        done
        [ -n "$left" ] || return 0
        # shellcheck disable=SC2086  # words
        [ "$patiently" -lt 150 ] || kill -KILL $left 2>/dev/null
        sleep 0.1
    done
}

# known_by FILE COMMAND...: the command, its number in the file.
known_by() {
    # shellcheck disable=SC2016  # that shell's
    sh -c 'echo $$ >"$0"; exec "$@"' "$@"
}

# ask SQL: one row, within half a minute.
ask() { answer_of timeout --foreground -k 5 30 psql -XAtq -F '|' -v ON_ERROR_STOP=1 @PSQL_OPTIONS@ -c "$1"; }

facts_sql="
SELECT
    current_setting('server_version_num'),
    CASE WHEN pg_is_in_recovery() THEN 'true' ELSE 'false' END,
    (SELECT system_identifier FROM pg_control_system()),
    pg_size_bytes(current_setting('wal_segment_size')),
    (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
    (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
    current_setting('archive_mode'),
    coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),
    current_setting('port'),
    (SELECT setting FROM pg_config WHERE name = 'BINDIR'),
    trim(split_part(current_setting('unix_socket_directories'), ',', 1)),
    current_setting('summarize_wal', true)
FROM pg_stat_archiver"

# learn: what the server is.
learn() {
    row=$(ask "$facts_sql") || end 1 "PostgreSQL cannot be asked: $row"
    IFS='|' read -r version from_standby identifier segment_bytes tablespaces expected mode failing port bin socket summaries <<ROW
$row
ROW
    socket=${placed:-$socket}
}

# admit: whether it can be backed up so, and with how much memory.
admit() {
    [ "$version" -ge 130000 ] || end 2 "PostgreSQL 13 or newer is needed, for its manifest; this is $version"
    [ "$tablespaces" = 0 ] || end 2 "this cluster has tablespaces of its own: $tablespaces, and pg_basebackup can stream \
none of them. Nothing was written; pgBackRest stores them all: set engine = pgbackrest in the profile"
    [ "$from_standby" = true ] || [ "$mode" != off ] ||
        end 2 "archive_mode is off: a base backup without the WAL after it restores nothing"
    slept=0
    while [ "$from_standby" = false ] && [ "$failing" = t ]; do
        [ "$slept" -lt "$patience" ] ||
            end 1 "archiving fails, now for $slept s, and a base backup would wait for it without end: mend that first"
        sleep "$poll"
        slept=$((slept + poll))
        learn
    done
    # Its parts: a store takes 10,000 an object, and what compresses to nothing less is to fit too. The memory: lanes
    # parts of so many MiB for each copy, 80 at most, so that all of it stays below 256.
    mib=$((expected / 1048576))
    part=$((mib * 21 / 180000 + 1))
    [ "$part" -ge 8 ] || part=8
    [ "$part" -le 80 ] || end 2 "$((mib / 1024)) GiB are too much for one stream in 10,000 parts with 256 MiB of \
memory (up to 650 GiB): pgBackRest stores them in many"
    lanes=$((80 / part))
    [ "$lanes" -le 4 ] || lanes=4
    program=$bin/pg_basebackup
    [ -x "$program" ] || program=$(command -v pg_basebackup) || end 2 "pg_basebackup is not installed"
}

# A folder in memory for a few small files: ours on a disk that is full or slow would stop the backup for nothing.
make_room() {
    for temp_root in "$memory_root" "$disk_root"; do
        sweep
        temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) || continue
        head -c 1048576 /dev/zero 2>/dev/null >"$temp/room" && rm -f -- "$temp/room" && return
        rm -rf -- "$temp"
    done
    temp=''
    end 1 "no room for a small file in $memory_root or in $disk_root"
}

# standing: in which copies it is complete, in words.
standing() {
    for role in primary dr; do
        [ ! -e "$temp/complete.$role" ] || printf '; complete in %s' "$role"
    done
}

# attempt: one backup, under a name of its own. `status` is 6 where the server refuses an incremental one.
attempt() {
    find_id &
    working=$!
    wait "$working" || end 1 "$(cat "$temp/last_word" 2>/dev/null || echo "what looks for a name was killed")"
    adopt_id
    work 2>"$temp/noise" &
    working=$!
    wait "$working"
    status=$?
}

# work: the backup itself; ends with its status, its last word in `last_word`.
work() {
    trap - EXIT HUP INT QUIT TERM
    tell streaming
    started=$(now)
    stream
    stopped=$(now)
    judge_stream
    tell reading-back
    on_each read_back
    on_each store_manifest
    tell waiting-for-wal
    wait_for_wal
    describe >"$temp/backup.json" || give_up 1 "no room for a small file in $temp"
    on_each publish
    conclude
}

wishes "$@"
as_owner "$@"
needs psql zstd perl rclone timeout flock
[ -z "$recipients" ] || needs age
perl -MDigest::SHA -MIPC::Open2 -e 0 2>/dev/null || fail 2 "perl has no Digest::SHA: install all of perl"
reads "$config"
alone
why=${recipients:+$(recipients_fault "$recipients")}
[ -z "$why" ] || end 2 "$recipients, the public keys to encrypt for: $why. Nothing was written"
make_room
learn
admit
mend &
working=$!
wait "$working"
if [ "$wanted" != full ]; then
    choose_upon &
    working=$!
    wait "$working" || end 1 "what looks for a base backup to build upon was killed"
    adopt_upon
fi
attempt
if [ "$status" = 6 ]; then
    instead="the server says: $(cat "$temp/last_word")"
    take_back &
    working=$!
    wait "$working"
    id='' chain='' upon=''
    rm -f -- "$temp"/*
    attempt
fi
case $status in 0 | 1 | 4 | 5) ;; *) status=1 ;; esac
if [ ! -s "$temp/last_word" ]; then
    [ "$status" != 0 ] || status=1
    echo "what takes the backup was killed (is memory short?)" >"$temp/last_word"
fi
if [ "$status" != 0 ]; then
    trap '' HUP INT QUIT TERM
    end_all
    undo_own
else
    forget "$id"
fi
end "$status" "$(cat "$temp/last_word")"
