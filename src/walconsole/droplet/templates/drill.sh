#!/bin/sh
# @ME@ [--if-due|--told]: a restore drill of @PROFILE@. Installed by walconsole.
# Restores its newest base backup beside the server, replays all WAL up to now, proves both sides of that moment, reads
# the result, and takes it all away.
# --if-due: not where one was proved lately.
# --told: on another host than production's, of which @STATE@/told says what it was asked, and its witnesses.
#   0  proved                                 4  FAILED: what is archived could not be restored
#   1  not drilled now: try again             5  proved, but what it says is not in every copy
#   2  called or installed wrongly, or this   6  refused: no room for it here
#      cluster cannot be drilled so           9  interrupted by a signal
#   3  another one runs, or a lock lies in a copy
#
# Production is never touched: the drill's server listens to no network, archives nothing, replicates nothing, reads none
# of the old configuration, and is never promoted. What is written to production is two empty transactions and a switch of
# the WAL; beside a standby nothing. What it proves is stored in each copy as walconsole/drills/ID.json. What a killed run left the next one takes
# away first, its server as well.
#
# shellcheck disable=SC2030,SC2031,SC2317  # functions are called by their names, the phases are jobs
set -u
@COMMON@

@ANSWERS@

@JOBS@

@SWEEP@

@PHASES@

@DRILL_LOCK@

@HASHING@

@DRILL_FILES@

@DRILL_SERVER@

@DRILL_WORDS@

@DRILL_READING@

@DRILL_PRUNE@

@DRILL_TOLD@

@DRILL_RESULT@

@PGCLUSTER@
os_user=@OS_USER@
state=@STATE@
tag=@TAG@
primary=@PRIMARY@
dr=@DR@    # empty: there is no second copy
restore=@RESTORE@    # the installed restore command; one that the server has in force goes before it
folder=@FOLDER@    # where there is room for the whole cluster
patience=@PATIENCE_S@ poll=@POLL_S@ limit=@LIMIT_S@    # seconds
every=@EVERY_S@    # after so many seconds another one is due
reserve_mib=@RESERVE_MIB@    # so much stays free on that disk, whatever comes
kept_results=@KEPT_RESULTS@    # so many stay in each copy
statement_s=@STATEMENT_S@    # for one statement that reads
identity=@IDENTITY@    # a file of age's secret keys, for what is encrypted; empty: none is here
temp_root=@TEMP_ROOT@
temp='' place='' data='' id='' backup='' copy='' chain='' server='' working='' stage=starting locked='' nonce='' elsewhere=''
target_moment='' target_lsn='' last=''
undone='not drilled' purpose='a restore drill' its_server="the drill's server" detached='' signal=recovery.signal
began=$(date +%s) deadline=$((began + limit)) level=0 notes=''
done_bytes=null total_bytes=null segments=null segments_done=null lsn='' reached=''

# end STATUS MESSAGE: the last word; all that the drill made is gone before it.
end() {
    trap '' HUP INT QUIT TERM
    tear_down
    say "$2"
    case $1 in
        0 | 5) kind=proved level_word=info ;;
        4) kind=failed level_word=err ;;
        6) kind=refused level_word=warning ;;
        *) kind=not-drilled level_word=warning ;;
    esac
    log "$level_word" "restore drill: $2"
    tell $kind "$1" "$2" || say "$state/status.json cannot be written"
    exit "$1"
}

interrupted() {
    trap '' HUP INT QUIT TERM
    end 9 "interrupted by a signal: nothing was proved"
}

# tear_down: what was started, the files, the lock.
tear_down() {
    if [ -n "$working" ]; then
        end_jobs
        wait "$working" 2>/dev/null
        working=''
    fi
    [ -z "$place" ] || take_away "$place"
    place=''
    [ -z "$temp" ] || rm -rf -- "$temp"
    temp=''
    [ -z "$locked" ] || release_lock
    [ -z "$elsewhere" ] || forget_told
}

# take_away FOLDER: a drill's, with every process that names it: its server, what unpacks into it.
take_away() {
    for force in INT QUIT KILL KILL; do
        left=''
        for process in $(grep -lsF -- "$1/" /proc/[0-9]*/cmdline | cut -d / -f 3 | tr '\n' ' '); do
            if [ "$process" != $$ ] && lives "$process"; then left="$left $process"; fi
        done
        [ -n "$left" ] || break
        # QUIT is PostgreSQL's immediate shutdown. What it wrote is thrown away.
        # shellcheck disable=SC2086  # words
        kill -s $force $left 2>/dev/null
        for patiently in $(seq 50); do
            still=''
            for process in $left; do
                if lives "$process"; then still=$process; fi
            done
            [ -n "$still" ] || break
            sleep 0.1
            # the server is asked once more: an INT may find it in its start
            [ "$patiently" != 20 ] || [ "$force" != INT ] || break
        done
    done
    for again in 1 2 3; do
        rm -rf -- "$1" 2>/dev/null && return
        sleep "$again"
    done
    say "$1 cannot be taken away; the next drill tries again"
}

# clear_leftovers: of runs that were killed. This one has the host's lock, so that all of them are dead.
clear_leftovers() {
    for left_over in "$folder/$me".*.*; do
        if [ ! -d "$left_over" ] || [ -L "$left_over" ]; then continue; fi
        say "a drill that was killed left $left_over: it is taken away"
        take_away "$left_over"
    done
    sweep
}

# keep_bounds: time, room, and the lock.
keep_bounds() {
    seconds=$(date +%s)
    [ "$seconds" -lt "$deadline" ] || end 1 "not drilled: it took longer than $limit s ($stage), the limit"
    free_mib=$(free_mib "$folder")
    [ "$free_mib" -gt $((reserve_mib / 2)) ] ||
        refuse no-room "the disk of $folder has $free_mib MiB left ($stage): the drill ends before production feels it"
    keep_notes
    hold_lock
}

# -- What production is asked.

ask() { answer_of timeout --foreground -k 5 30 psql -XAtq -F '|' -v ON_ERROR_STOP=1 @PSQL_OPTIONS@ -c "$1"; }

facts_sql="
SELECT
    current_setting('server_version_num'),
    pg_is_in_recovery(),
    (SELECT system_identifier FROM pg_control_system()),
    pg_size_bytes(current_setting('wal_segment_size')),
    (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
    (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
    pg_size_bytes(current_setting('max_wal_size')),
    (SELECT setting FROM pg_config WHERE name = 'BINDIR'),
    (SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'),
    current_setting('shared_preload_libraries'),
    current_setting('restore_command')"

# learn: what the server is, and whether it can be drilled.
learn() {
    if [ -n "$elsewhere" ]; then
        recall_told
    else
        row=$(ask "$facts_sql") || end 1 "not drilled: PostgreSQL cannot be asked: $row"
        IFS='|' read -r version standby identifier segment_bytes tablespaces expected max_wal bin libraries preloaded in_force <<ROW
$row
ROW
    fi
    [ "$version" -ge 130000 ] || end 2 "PostgreSQL 13 or newer is needed, for its manifest; this is $version"
    [ "$tablespaces" = 0 ] || [ -n "$own" ] || end 2 "this cluster has tablespaces of its own ($tablespaces): they would be restored to \
their old paths; of pgBackRest's base backups they are mapped: set engine = pgbackrest in the profile"
    for needed in postgres pg_controldata $([ -n "$own" ] || echo pg_verifybackup); do
        [ -x "$bin/$needed" ] || end 2 "$bin/$needed is not there: install all of PostgreSQL $((version / 10000))"
    done
    command=${in_force:-$(if [ -n "$own" ]; then own_command; else echo "$restore \"%f\" \"%p\""; fi)}
    [ -n "$in_force$own" ] || [ -x "$restore" ] || end 2 "$restore is not installed, and the server has no restore_command"
}

target_settings() {
    if [ -n "$target_lsn" ]; then
        setting recovery_target_lsn "$target_lsn"
        setting recovery_target_inclusive off
    else
        setting recovery_target_time "$target_moment"
    fi
    setting recovery_target_timeline "$timeline"
}

# witness: two transactions, with the target between them, in the archive.
witness() {
    if [ -n "$elsewhere" ]; then return; fi
    message="restore drill $id"
    before=$(ask "SELECT pg_current_xact_id() FROM pg_logical_emit_message(true, 'walconsole', '$message: before')") ||
        end 1 "not drilled: no witness can be written: $before"
    target_moment=$(ask "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'") ||
        end 1 "not drilled: PostgreSQL cannot be asked: $target_moment"
    sleep 0.05
    after=$(ask "SELECT pg_current_xact_id() FROM pg_logical_emit_message(true, 'walconsole', '$message: after')") ||
        end 1 "not drilled: no witness can be written: $after"
    last=$(ask "SELECT pg_walfile_name(pg_switch_wal())") || end 1 "not drilled: the WAL cannot be switched: $last"
    slept=0
    while :; do
        archived=$(ask "SELECT coalesce(last_archived_wal, ''), failed_count FROM pg_stat_archiver") || archived=''
        # a label's name begins as its segment's, and is archived after it
        is=$(printf '%.24s' "${archived%%|*}")
        case $is in ????????????????????????) [ "$(lowest "$is" "$last")" != "$last" ] || break ;; esac
        [ "$slept" -lt "$patience" ] ||
            end 1 "not drilled: $last is not archived after $slept s (the last one is ${is:-none}): mend archiving first"
        keep_bounds
        pause "$poll"
        slept=$((slept + poll))
    done
}

# choose_backup: the newest of this cluster that has a backup.json, of the primary copy, else of the other; with all that
# it builds upon. Sets backup, copy, chain.
choose_backup() {
    strangers=''
    for role in $(each_copy); do
        target=$(target_of "$role")
        again bounded 60 lsf "${target}base/" --dirs-only || end 1 "$undone: $target cannot be listed: $(reason $? "$answer")"
        for each in $(printf '%s\n' "$answer" | sed -n 's|^\([0-9]\{8\}T[0-9]\{6\}Z\)/$|\1|p' | sort -r | head -n 50); do
            describe_backup "$each" || continue
            if [ "$(told "$each" system_identifier)" != "$identifier" ]; then
                strangers=$each
                continue
            fi
            backup=$each copy=$role
            trace
            return
        done
    done
    [ -z "$strangers" ] || fail_drill wrong-identifier "no base backup of this cluster ($identifier): the newest, \
$strangers, is another's ($(told "$strangers" system_identifier))"
    fail_drill no-base-backup "there is no base backup in $primary${dr:+ or in $dr}"
}

# count_segments LAST: sets segments, of which the replay takes so many.
count_segments() {
    segments=$(($(number_of "$1") - $(number_of "$(told "$backup" start_wal)") + 1))
    [ "$segments" -gt 0 ] || segments=1
}

# judge_room: refuses with the numbers, before anything is written.
judge_room() {
    current=$last
    if [ -z "$elsewhere" ]; then
        current=$(ask "$where_named") || end 1 "$undone: PostgreSQL cannot be asked: $current"
    fi
    count_segments "$current"
    total_bytes=$(sum_of bytes)
    unpacked=$(sum_of unpacked_bytes)
    # of a chain all parts, and the cluster that they are joined to; the replay makes it as large as it is by now
    [ "$chain" = "$backup" ] || unpacked=$((unpacked + expected))
    [ "$unpacked" -ge "$expected" ] || unpacked=$expected
    wal=$((segments * segment_bytes))
    most=$((2 * max_wal + 536870912))
    [ "$wal" -le "$most" ] || wal=$most
    needed_mib=$(((unpacked + wal) / 1048576 + reserve_mib + 1))
    free_mib=$(free_mib "$folder")
    [ "$free_mib" -ge "$needed_mib" ] || refuse no-room "$folder has $free_mib MiB free, and $needed_mib MiB are needed: \
$((unpacked / 1048576)) for the cluster, $((wal / 1048576)) for its WAL, $reserve_mib that stay free"
}

lowest() { printf '%s\n' "$1" "$2" | sort | head -n 1; }

@DRILL_STANDBY@

@DRILL_OWN@

case $# in
    0) ;;
    1)
        case $1 in
            --if-due) ;;
            --told) elsewhere=yes ;;
            *) fail 2 "usage: $me [--if-due|--told]" ;;
        esac
        ;;
    *) fail 2 "usage: $me [--if-due|--told]" ;;
esac
cd / || exit 1
if [ "$(id -un)" != "$os_user" ]; then
    [ "$(id -u)" = 0 ] || fail 2 "run it as $os_user, whose the cluster is, or as root"
    if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
        exec systemd-run --quiet --scope -p CPUWeight=20 -p IOWeight=20 runuser -u "$os_user" -- "$0" "$@"
    fi
    exec runuser -u "$os_user" -- "$0" "$@"
fi
programs='psql timeout flock'
[ -n "$own" ] || programs="$programs zstd rclone tar tee sha256sum"
for needed in $programs; do
    command -v "$needed" >/dev/null || fail 2 "$needed is not installed"
done
[ -n "$own" ] || [ -r "$config" ] || fail 2 "$config cannot be read as user $os_user; it should belong to root:$(id -gn), mode 0640"
[ "$(stat -c '%U %F' -- "$state" 2>/dev/null)" = "$os_user directory" ] ||
    fail 2 "$state is not a folder of ${os_user}'s: install -d -o $os_user -m 750 $state"
exec 9<"$state"
flock -n 9 || fail 3 "another restore drill of @PROFILE@ runs on this host"
# half a day early, or a night's jitter would make it a night late
if [ "${1:-}" = --if-due ] && [ "$(($(date +%s) - $(stat -c %Y -- "$state/proved" 2>/dev/null || echo 0)))" -lt $((every - 43200)) ]; then
    exit 0
fi
renice -n @NICE@ -p $$ >/dev/null 2>&1
ionice -c 3 -p $$ 2>/dev/null
umask 077
trap interrupted HUP INT QUIT TERM
trap tear_down EXIT
tell starting
if [ ! -d "$folder" ] || [ ! -w "$folder" ]; then end 2 "$folder is no folder that $os_user may write to"; fi
clear_leftovers
temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) || end 1 "not drilled: no folder can be made in $temp_root"
must_note
# A socket's path has 107 bytes at most, and that folder holds the drill's: a server that cannot have it says nothing of
# the archive.
[ ${#temp} -le 93 ] || end 1 "not drilled: $temp is too long a path for the socket of the drill's server (93 characters at most)"
id=$(date -u +%Y%m%dT%H%M%SZ)
learn
# Its own psql, not the Perl program that Debian puts before it (30 ms instead of 7): replay asks five times a second.
PATH=$bin:$PATH
take_lock
choose_backup
judge_room
stage=witnessing
tell witnessing
if [ "$standby" = t ]; then witness_of_primary; else witness; fi
timeline=$((0x$(printf '%.8s' "$last")))
count_segments "$last"
place=$(mktemp -d "$folder/$me.$$.XXXXXXXX" 2>/dev/null) || end 1 "not drilled: no folder can be made in $folder"
data=$place/data sockets=$temp
[ -z "$own" ] || with_own
timed fetch fetching bring_all
timed verify verifying verify_all
level=1
configure
timed replay replaying replay
look_at_witnesses
level=2
timed check reading read_all
level=$(cat "$temp/level")
[ -n "$level" ] || full_temp
conclude
