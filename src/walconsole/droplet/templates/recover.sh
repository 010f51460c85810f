#!/bin/sh
# @ME@ VERB: a recovery of @PROFILE@, phase by phase. Installed by walconsole, which calls it; docs/recovery.md.
#   begin [--pgbackrest CALL] [--identity PATH] ID BACKUP primary|dr TIMELINE WORK OLD|- VERSION/NAME|/PATH|- TO [VALUE [on|off]]
#                                   what shall be done: noted, nothing else; -: OLD is not known; in OLD's place
#   restore                         the base backup, into WORK/data: fetched, unpacked, compared
#   replay TO [VALUE [on|off]]      by a private server, up to the target: time, lsn, xid, name, immediate, latest
#   keep-wal                        what lies in OLD/pg_wal and was not archived, into WORK/saved
#   promote                         opened for writing, and stopped: it still archives nothing
#   take-place                      WORK/data into OLD's place, OLD moved aside
#   take-place CONFIG NEW PORT      beside it, as VERSION/NAME, with a copy of the folder CONFIG in NEW
#   take-place CONFIG|-             into /PATH, with the configuration in the folder CONFIG
#   take-place - [PORT]             on another host: VERSION/NAME, which is told Debian then; /PATH, with that port
#   stop                            the private server ended
#   note NAME VALUE                 a phase, what became of the old server; identity: the path of age's secret keys;
#                                   pgbackrest: how it is called, up to --stanza, where BACKUP is one of its own;
#                                   elsewhere: production's host, where this is another; preloaded: what its server loads
#   0  done                                   4  FAILED: what is archived cannot be restored so
#   1  not now: try again                     6  refused: no room for it here
#   2  called wrongly, or it cannot be        9  interrupted by a signal: the same call goes on
#   3  another one runs, or a lock lies in a copy
#
# The private server listens to no network, archives nothing, replicates nothing, and reads none of the old
# configuration: what must never be otherwise stands on its command line. It is a standby (standby.signal): where its
# archive ends, or has a hole, it waits, and never opens by itself. Nothing of the old cluster is touched, nothing is
# deleted but what this script unpacked by half.
#
# shellcheck disable=SC2030,SC2031,SC2317  # functions are called by their names, the phases are jobs
# shellcheck disable=SC2034,SC2154  # what is kept is assigned and read by its name
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

@RECOVER_THEIRS@

@RECOVER_PLACE@

@PGCLUSTER@
os_user=@OS_USER@
state=@STATE@
tag=@TAG@
primary=@PRIMARY@
dr=@DR@    # empty: there is no second copy
restore=@RESTORE@    # the installed restore command
poll=@POLL_S@    # seconds
reserve_mib=@RESERVE_MIB@    # half of it stays free on that disk, whatever comes
temp_root=@TEMP_ROOT@
undone='not recovered' purpose='a recovery' its_server="the recovery's server" signal=standby.signal
temp='' place='' data='' chain='' server='' working='' stage=starting locked='' renewed=0 roles=''
began=$(date +%s) notes='' done_bytes=null total_bytes=null segments=null segments_done=null
no_further='' sockets=$state libraries='' folder='' last='that of the target'

# -- What is known of it: $state/recovery, lines of NAME=VALUE, replaced whole; a copy lies in its own folder.

fields='id phase backup copy timeline work old into to value inclusive lsn reached reached_target kept stopped_old'
fields="$fields bin version segment_bytes tree identity pgbackrest elsewhere preloaded"
for field in $fields; do eval "$field=''"; done

recall() {
    [ -f "$state/recovery" ] || return 0
    while IFS= read -r line; do
        name=${line%%=*} told=${line#*=}
        case " $fields " in *" $name "*) eval "$name=\$told" ;; esac
    done <"$state/recovery"
    place=$work data=$work/data folder=$work
    # options alone: an earlier console's
    case $pgbackrest in -*) pgbackrest="pgbackrest $pgbackrest" ;; esac
}

keep() {
    if ! {
        echo format=1
        for field in $fields; do eval "printf '%s=%s\n' \"\$field\" \"\$$field\""; done
        printf 'data=%s\nsocket=%s\n' "$data" "$sockets"
    } >"$state/.recovery.$$" || ! mv -f -- "$state/.recovery.$$" "$state/recovery"; then
        end 1 "$undone: $state cannot be written (is the disk full?)"
    fi
    [ ! -d "$work" ] || cp -f -- "$state/recovery" "$work/recovery" 2>/dev/null
}

reach() {
    phase=$1
    keep
}

# end STATUS MESSAGE: the last word. What was reached stays, its server as well.
end() {
    trap '' HUP INT QUIT TERM
    tear_down
    say "$2"
    case $1 in
        0) level_word=info ;;
        4) level_word=err ;;
        *) level_word=warning ;;
    esac
    log "$level_word" "recovery: $2"
    tell "${phase:-none}" "$1" "$2" || say "$state/status.json cannot be written"
    exit "$1"
}

interrupted() {
    trap '' HUP INT QUIT TERM
    end 9 "interrupted by a signal: the same call goes on"
}

tear_down() {
    if [ -n "$working" ]; then
        end_jobs
        wait "$working" 2>/dev/null
        working=''
    fi
    [ -z "$temp" ] || rm -rf -- "$temp"
    temp=''
    [ -z "$locked" ] || release_lock
}

fail_drill() {
    must_note
    end 4 "FAILED ($1): $2"
}
refuse() { end 6 "refused ($1): $2"; }

keep_bounds() {
    free_mib=$(free_mib "$place")
    [ "$free_mib" -gt $((reserve_mib / 2)) ] ||
        refuse no-room "the disk of $place has $free_mib MiB left ($stage): it ends before anything else feels it"
    keep_notes
    [ -z "$locked" ] || hold_lock
}

# each_copy: those that answer. A recovery is made when things are broken: one copy is enough.
each_copy() { echo "$roles"; }

find_copies() {
    for role in primary dr; do
        where=$(target_of "$role")
        [ -n "$where" ] || continue
        if again bounded 60 lsf "${where}walconsole/" --files-only; then
            roles="$roles${roles:+ }$role"
        else
            say "$where cannot be listed, and is left out: $(reason $? "$answer")"
        fi
    done
    [ -n "$roles" ] || end 1 "$undone: no copy of the archive can be listed: $(reason 1 "$answer")"
}

# ask SQL: of the old server, which may be gone.
ask() { answer_of timeout --foreground -k 5 30 psql -XAtq -F '|' -v ON_ERROR_STOP=1 @PSQL_OPTIONS@ -c "$1"; }

# reach_archive: the copies that answer, locked; pgBackRest asks its own.
reach_archive() {
    must_note
    if [ -n "$pgbackrest" ]; then
        for word in $pgbackrest; do
            case $word in pgbackrest | */pgbackrest) command -v "$word" >/dev/null || end 2 "$word is not there, which made $backup" ;; esac
        done
        return
    fi
    for needed in zstd rclone sha256sum; do
        command -v "$needed" >/dev/null || end 2 "$needed is not installed"
    done
    [ -r "$config" ] || end 2 "$config cannot be read as user $os_user; it should belong to root:$(id -gn), mode 0640"
    find_copies
}

# -- The verbs.

# begin: how its backup is brought is noted with it: whoever goes on after a death knows it, too.
begin() {
    call='' keys=''
    while [ $# -gt 1 ]; do
        case $1 in
            --pgbackrest) call=$2 ;;
            --identity) keys=$2 ;;
            *) break ;;
        esac
        shift 2
    done
    if [ $# -lt 8 ] || [ $# -gt 10 ]; then
        fail 2 "usage: $me begin [--pgbackrest CALL] [--identity PATH] ID BACKUP primary|dr TIMELINE WORK OLD|- VERSION/NAME|/PATH|- TO [VALUE [on|off]]"
    fi
    can_be_called "$call"
    case $phase in
        '' | done | given-up) ;;
        *)
            [ "$id" = "$1" ] || end 2 "the recovery $id is $phase: go on with it, or give it up"
            end 0 "the recovery $id is noted already"
            ;;
    esac
    for field in $fields; do eval "$field=''"; done
    id=$1 backup=$2 copy=$3 timeline=$4 work=$5 old=${6#-} into=${7#-} phase=restoring
    to=$8 value=${9:-} inclusive=${10:-} pgbackrest=$call identity=$keys
    place=$work data=$work/data
    case $work$old$into in *[!-A-Za-z0-9/._+@,:]*) end 2 "$work, $old, $into: such a name of a folder cannot be handled" ;; esac
    [ "$(stat -c '%U %F' -- "$work" 2>/dev/null)" = "$os_user directory" ] ||
        end 2 "$work is not a folder of ${os_user}'s"
    keep
    end 0 "the recovery $id is noted"
}

restore_backup() {
    case $phase in
        restoring) ;;
        '') end 2 "no recovery was begun" ;;
        *) end 0 "$backup is unpacked already" ;;
    esac
    reach_archive
    # what an earlier call unpacked by half, in this recovery's own folder
    [ -f "$place/recovery" ] || end 2 "$place is not this recovery's folder"
    rm -rf -- "$place/parts" "$place/tablespaces" "$data"
    if [ -n "$pgbackrest" ]; then restore_theirs; else restore_ours; fi
    judge_tablespaces
    cp -f -- "$temp/told.$backup" "$place/backup.json" || end 1 "$undone: $place cannot be written"
    reach restored
    end 0 "$backup is unpacked in $data, and is what its manifest says: brought in $((took_fetch / 1000)) s, \
compared in $((took_verify / 1000)) s"
}

restore_ours() {
    case " $roles " in *" $copy "*) ;; *) end 1 "$undone: the copy that has $backup ($copy) cannot be listed" ;; esac
    target=$(target_of "$copy")
    describe_backup "$backup" || fail_drill no-base-backup "$backup has no backup.json in $target any more"
    segment_bytes=$(told "$backup" wal_segment_size) identifier=$(told "$backup" system_identifier)
    find_programs "$(told "$backup" server_version_num)"
    take_lock
    trace
    total_bytes=$(sum_of bytes)
    timed fetch fetching bring_all
    timed verify verifying verify_all
}

target_settings() {
    case $to in
        latest) ;;
        immediate) setting recovery_target immediate ;;
        *) setting "recovery_target_$to" "$value" ;;
    esac
    case $inclusive in on | off) setting recovery_target_inclusive "$inclusive" ;; esac
    setting recovery_target_timeline "$timeline"
}

replay_to() {
    case $phase in
        restored | replaying | paused | ended) ;;
        *) end 2 "there is nothing to replay: the recovery is ${phase:-not begun}" ;;
    esac
    case ${1:-} in
        time | lsn | xid | name | immediate | latest) to=$1 value=${2:-} inclusive=${3:-} ;;
        *) end 2 "usage: $me replay time|lsn|xid|name|immediate|latest [VALUE [on|off]]" ;;
    esac
    [ -n "$pgbackrest" ] || [ -x "$restore" ] || end 2 "$restore is not installed"
    reach_archive
    [ -n "$pgbackrest" ] || take_lock
    stop_server
    reach replaying
    prepare_server
    timed replay replaying replay_on
    how=$(cat "$temp/how")
    [ -n "$how" ] || full_temp
    [ "$how" != ended ] || drill_ask "SELECT pg_wal_replay_pause()" >/dev/null
    stage=replaying
    look_how_far
    reached_target=yes
    case $how$to$inclusive in
        ended | endedlatest*) ;;
        endedlsnoff) if all_before "$value"; then how=paused reached_target=end; else reached_target=no; fi ;;
        ended*) reached_target=no ;;
    esac
    reach "$how"
    case $reached_target$how in
        noended) end 0 "the target is not in what could be had: all is replayed, up to $lsn, the last commit of ${reached:-n/a}" ;;
        endpaused) end 0 "all before the target is replayed, which is where what could be had ends: at $lsn, the last commit of ${reached:-n/a}" ;;
        yesended) end 0 "all that could be had is replayed, up to $lsn, the last commit of ${reached:-n/a}" ;;
        *) end 0 "it stands at the target, at $lsn, the last commit of ${reached:-n/a}" ;;
    esac
}

# all_before LSN: there is no more of it, and what comes next would begin there, or after it.
all_before() { [ "$(drill_ask "SELECT pg_last_wal_replay_lsn() >= '$1'::pg_lsn")" = t ]; }

# prepare_server: its configuration, and whence its WAL comes: the archive, then what was kept of the old server's.
prepare_server() {
    cp -f -- "$place/backup.json" "$temp/told.$backup"
    "$bin/pg_controldata" "$data" >"$temp/control" 2>&1 ||
        end 1 "$undone: its control file cannot be read: $(plain "$(cat "$temp/control")")"
    libraries=$("$bin/pg_config" --pkglibdir 2>/dev/null)
    [ -n "$elsewhere" ] || preloaded=$(ask "SHOW shared_preload_libraries") || preloaded=''
    fetching=$restore
    [ -z "$pgbackrest" ] || fetch_by_theirs
    command="$fetching \"%f\" \"%p\" || { s=\$?; [ \$s = 1 ] || exit \$s; exec cp -- \"$place/saved/%f\" \"%p\" 2>/dev/null; }"
    [ -z "$no_further" ] || command="$(up_to "$no_further")$command"
    if command -v setsid >/dev/null; then detached=setsid; fi
    configure
    : >"$place/log"
}

# up_to SEGMENT: what stands before a restore command that brings nothing after it, of whichever timeline. A name as it is
# there has 24 digits; histories have a dot.
up_to() {
    # shellcheck disable=SC2016  # for that shell
    printf 'case "%%f" in *.*) ;; *) [ "$({ echo "%%f"; echo %s; } | cut -c 9-24 | sort | tail -n 1)" = %s ] || ' "$1" "${1#????????}"
    printf '{ echo "%%f is not in the archive" >&2; exit 1; } ;; esac; '
}

# last_replayed: the name of the segment in which what was replayed ends, by `lsn`.
last_replayed() {
    high=${lsn%/*} low=${lsn#*/} each_high=$((4294967296 / segment_bytes))
    number=$(((0x$high * 4294967296 + 0x$low - 1) / segment_bytes))
    printf '%08X%08X%08X' "${timeline:-1}" $((number / each_high)) $((number % each_high))
}

# server_of: the process of its server, if it lives.
server_of() {
    process=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
    case $process in '' | *[!0-9]*) return ;; esac
    tr '\000' ' ' 2>/dev/null <"/proc/$process/cmdline" | grep -qF -- "-D $data " || return
    echo "$process"
}

stop_server() {
    process=$(server_of)
    if [ -n "$process" ]; then
        kill -s INT "$process" 2>/dev/null
        for patiently in $(seq 600); do
            lives "$process" || break
            [ "$patiently" != 500 ] || kill -s QUIT "$process" 2>/dev/null
            sleep 0.1
        done
        ! lives "$process" || end 1 "$undone: the recovery's server ($process) does not end"
    fi
    set -- "$data/postmaster.pid" "$sockets"/.s.PGSQL.*.lock
    [ -e "$1" ] || [ -e "$2" ] || return 0
    # it was killed: its number may be a dead process's or another's, and no server starts beside these files
    for patiently in $(seq 300); do
        users=$(readlink /proc/[0-9]*/cwd 2>/dev/null | grep -cxF -- "$data")
        [ "$users" != 0 ] || break
        sleep 0.1
    done
    [ "$users" = 0 ] || end 1 "$undone: processes of a killed server still work in $data"
    for left; do [ ! -e "$left" ] || mv -f -- "$left" "$place/${left##*/}.was"; done
}

# take_dead_lock: that of a call that was killed. It goes with this one's end, or it would keep retention away for its time.
take_dead_lock() {
    nonce=$(head -c 32 "$state/nonce" 2>/dev/null)
    [ -n "$nonce" ] || return 0
    roles="primary${dr:+ dr}" locked=yes
}

# replay_on: until it pauses at the target, or waits for WAL that nobody has. Of an archive that cannot be asked it waits
# for the answer; it opens never.
replay_on() {
    trap - EXIT HUP INT QUIT TERM
    start_server
    paused="pg_is_wal_replay_paused()"
    [ "$version" -lt 140000 ] || paused="pg_get_wal_replay_pause_state() = 'paused'"
    same='' since=0
    while lives "$server" || outgrow; do
        is=$(drill_ask "SELECT pg_is_in_recovery(), $paused, pg_last_wal_replay_lsn()") || { judge_answer "$is"; is=''; }
        case $is in
            't|t|'*)
                if outgrow; then
                    same='' since=0
                    continue
                fi
                echo paused >"$temp/how"
                return 0
                ;;
            'f|'*) verdict failed not-reached "$its_server ended its recovery before the target" ;;
        esac
        judge_waiting
        sleep 0.5
    done
    judge_log
}

# judge_waiting: whether the archive has said three times, in the same place, that there is no more. A copy that cannot be
# asked says nothing of that. What was kept of the old server is brought again each time it looks for more.
judge_waiting() {
    words=$(grep -E '[0-9A-F]{24} is not in the archive$|not known to be missing|is damaged, or it could' "$place/log")
    case $(printf '%s\n' "$words" | tail -n 1) in
        *'is damaged, or it could'*)
            judge_room
            verdict failed damaged-object "$(plain "$(printf '%s' "$words" | grep -oE '[^ ]* is damaged' | tail -n 1)")"
            ;;
        *'is not in the archive') ;;
        *) return ;;
    esac
    asked=$(printf '%s\n' "$words" | grep -c 'is not in the archive$')
    at=${is##*|}
    # not consistent yet, it answers nobody
    [ -n "$is" ] || at=$(grep -o 'restored log file "[0-9A-F]*"' "$place/log" | sort -u | wc -l)
    if [ "$at" != "$same" ]; then
        same=$at since=$asked
    elif [ -n "$is" ] && [ $((asked - since)) -ge 3 ]; then
        echo ended >"$temp/how"
        exit 0
    elif [ $((asked - since)) -ge 20 ]; then
        verdict failed missing-segment "it does not become consistent: $(plain "$(printf '%s\n' "$words" | tail -n 1)")"
    fi
}

promote() {
    case $phase in
        paused | ended | promoting) ;;
        promoted | taken-over) end 0 "it is promoted already" ;;
        *) end 2 "there is nothing to promote: the recovery is ${phase:-not begun}" ;;
    esac
    # without that file it was opened by an earlier call, which was killed
    if [ -e "$data/standby.signal" ]; then
        must_be_free
        server=$(server_of)
        is=''
        [ -z "$server" ] || is=$(drill_ask "SELECT pg_is_in_recovery()") || is=''
        case $is$reached_target in tno | tend) start_again ;; t*) ;; *) start_again ;; esac
        reach promoting
        said=$(drill_ask "SELECT pg_promote(false)") || end 1 "$undone: it cannot be promoted: $(plain "$said")"
    fi
    server=$(server_of)
    [ -z "$server" ] || wait_open
    stop_server
    settle_tree
    timeline_now=$("$bin/pg_controldata" "$data" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
    reach promoted
    end 0 "it is promoted onto timeline ${timeline_now:-n/a}, and stopped: it archives nothing yet"
}

# must_be_free: its place, before what cannot be undone: somebody may have made it since it was planned.
must_be_free() {
    case $into in
        '') at=$old.before-$id ;;
        /*) at=$into ;;
        *) at=${work%/*}/${into#*/} ;;
    esac
    if [ -e "$at" ] || [ -L "$at" ]; then
        end 2 "$at is there already: move it aside, and run it again; nothing is opened yet"
    fi
}

# start_again: its server is not there any more, or has a target that it did not reach, with which it would not open. What is
# opened is what was looked at, whatever was archived since.
start_again() {
    case $reached_target in no | end) to=latest value='' inclusive='' no_further=${lsn:+$(last_replayed)} ;; esac
    reach_archive
    stop_server
    prepare_server
    timed replay replaying replay_on
}

wait_open() {
    for patiently in $(seq 1200); do
        lives "$server" ||
            end 4 "FAILED (not-consistent): it ended when it was promoted: $(plain "$(grep -E 'FATAL|PANIC' "$place/log" | tail -n 2)")"
        [ "$(drill_ask "SELECT pg_is_in_recovery()")" != f ] || break
        sleep 0.5
    done
    said=$(drill_ask CHECKPOINT) || end 1 "$undone: the promoted server cannot be asked: $(plain "$said")"
}

# can_be_called CALL: of pgBackRest, empty where none is.
can_be_called() {
    case $1 in *[!-A-Za-z0-9/._=+@:,\ ]*) fail 2 "$1: such a call of pgBackRest cannot be handled" ;; esac
}

note_value() {
    case ${1:-} in
        phase) phase=$2 ;;
        stopped_old) stopped_old=$2 ;;
        kept) kept=$2 ;;
        identity) identity=$2 ;;
        pgbackrest)
            can_be_called "$2"
            pgbackrest=$2
            ;;
        elsewhere | preloaded)
            case $2 in *[!-A-Za-z0-9/._@:,\ ]*) fail 2 "$2: such a value cannot be handled" ;; esac
            eval "$1=\$2"
            ;;
        *) fail 2 "usage: $me note phase|stopped_old|kept|identity|pgbackrest|elsewhere|preloaded VALUE" ;;
    esac
    keep
    exit 0
}

verb=${1:-}
case $verb in
    begin | keep-wal | restore | replay | promote | take-place | stop | note) shift ;;
    *) fail 2 "usage: $me begin|keep-wal|restore|replay|promote|take-place|stop|note ..." ;;
esac
cd / || exit 1
if [ "$(id -un)" != "$os_user" ]; then
    [ "$(id -u)" = 0 ] || fail 2 "run it as $os_user, whose the cluster is, or as root"
    exec runuser -u "$os_user" -- "$0" "$verb" "$@"
fi
for needed in psql timeout flock tar tee; do
    command -v "$needed" >/dev/null || fail 2 "$needed is not installed"
done
[ "$(stat -c '%U %F' -- "$state" 2>/dev/null)" = "$os_user directory" ] ||
    fail 2 "$state is not a folder of ${os_user}'s: install -d -o $os_user -m 750 $state"
[ ${#state} -le 93 ] || fail 2 "$state is too long a path for a server's socket (93 characters at most)"
exec 9<"$state"
flock -n 9 || fail 3 "a phase of a recovery of @PROFILE@ runs on this host"
umask 077
recall
trap interrupted HUP INT QUIT TERM
trap tear_down EXIT
sweep
temp=$(mktemp -d "$temp_root/$me.$$.XXXXXXXX" 2>/dev/null) || case $verb in
    begin | note | stop) ;;    # what ends it takes no room there
    *) end 1 "$undone: no folder can be made in $temp_root" ;;
esac
[ "$verb" = note ] || tell starting
case $verb in
    begin) begin "$@" ;;
    keep-wal) keep_wal ;;
    restore) restore_backup ;;
    replay) replay_to "$@" ;;
    promote) promote ;;
    take-place) take_place "$@" ;;
    stop)
        stop_server
        take_dead_lock
        end 0 "the recovery's server does not run"
        ;;
    note) note_value "$@" ;;
esac
