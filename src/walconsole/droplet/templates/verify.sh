#!/bin/sh
# @ME@ [--json]: does the WAL archive of @PROFILE@ work? Installed by walconsole, run by a timer or by cron.
# Silent with 0 when it does: then only @HEARTBEAT_COMMENT@ is new.
# Else 1, each fault as a line in the log, in the journal (warning) and on standard error. An idle server and a
# failure that is over are no faults. --json prints the findings instead, and leaves no trace.
set -u
@COMMON@

@ANSWERS@

@LOOK@

@STAND@

@PGCLUSTER@
os_user=@OS_USER@
heartbeat=@HEARTBEAT@
log=@LOG@
tag=@TAG@
faults=''

# fault ID TEXT: one more line of `faults`.
fault() { faults="$faults$1 $(printf '%s' "$2" | tr -s '\t\n ' ' ' | tr -cd '\40-\176' | cut -c -500)
"; }

as_server() { if [ "$(id -un)" = "$os_user" ]; then "$@"; else runuser -u "$os_user" -- "$@"; fi; }

# One row of facts. The counters are lost in a crash, so the newest .done file stands in for the last archived name.
# Another program's files in archive_status wait for nobody.
facts_sql="
WITH status AS (
    SELECT name, modification FROM pg_ls_archive_statusdir()
    WHERE name ~ '^([0-9A-F]{24}([.]partial|[.][0-9A-F]{8}[.]backup)?|[0-9A-F]{8}[.]history)[.](ready|done)\$'),
waiting AS (
    SELECT count(*) AS files, min(modification) AS since, (array_agg(name ORDER BY modification))[1] AS oldest
    FROM status WHERE name LIKE '%.ready'),
done AS (
    SELECT (array_agg(left(name, -5) ORDER BY modification DESC, name DESC))[1] AS newest
    FROM status WHERE name LIKE '%.done'),
tolerated AS (
    SELECT 5 * coalesce(nullif(setting::bigint, 0), @ARCHIVE_TIMEOUT_S@) AS s
    FROM pg_settings WHERE name = 'archive_timeout')
SELECT
    pg_is_in_recovery(),
    current_setting('archive_mode'),
    current_setting('archive_command') IN ('', '(disabled)')
        AND coalesce(current_setting('archive_library', true), '') = '',
    coalesce(last_archived_wal, done.newest),
    CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_wal END,
    date_trunc('second', last_failed_time),
    waiting.files,
    left(waiting.oldest, -6),
    extract(epoch FROM now() - waiting.since)::bigint,
    tolerated.s,
    now() - greatest(coalesce(stats_reset, '-infinity'), pg_postmaster_start_time()) < tolerated.s * interval '1 s',
    pg_size_bytes(current_setting('wal_segment_size'))
FROM pg_stat_archiver, waiting, done, tolerated"

ask_server() {
    row=$(answer_of as_server timeout --foreground -k 5 60 psql -XAtq -F '|' -v ON_ERROR_STOP=1 @PSQL_OPTIONS@ \
        -c "SET statement_timeout = '30s'" -c "$facts_sql") || {
        status=$?
        case $status in
            124 | 137) row="no answer within 60 s: it hangs, or is slow (load $(cut -c -14 /proc/loadavg))${row:+: $row}" ;;
        esac
        fault server-silent "PostgreSQL cannot be asked: ${row:-psql ended with exit status $status}"
        return 1
    }
    IFS='|' read -r recovering mode no_command last failing failed_at waiting oldest waiting_s tolerated_s \
        young segment_bytes <<EOF
$row
EOF
}

judge_server() {
    [ "$mode" != off ] || fault archive-off "archive_mode is off: nothing is archived"
    [ "$mode" = off ] || [ "$no_command" = f ] || fault command-empty "archive_command is empty"
    [ -z "$failing" ] || fault failing "archiving fails, last on $failing at $failed_at: PostgreSQL's log says why"
    [ "${waiting_s:-0}" -le "$tolerated_s" ] ||
        fault backlog "$waiting files wait to be archived, $oldest for $waiting_s s (more than $tolerated_s s)"
    [ -n "$last$waiting_s" ] || [ "$young" = t ] || [ "$mode" = off ] ||
        fault never-archived "nothing was ever archived"
}

# judge_copy ROLE TARGET: is the last archived file there? Sets `state`.
judge_copy() {
    state=unknown
    look "$2" "$last" "$last.zst" "$last.gz" || {
        fault "$1-unknown" "$last: cannot tell whether it is in $2: $(reason $? "$answer")"
        return
    }
    state=missing
    for line in $answer; do
        IFS=';' read -r held held_bytes _ <<EOF
$line
EOF
        case $held in
            *.zst | *.gz | *.history | *.backup) [ "$held_bytes" -eq 0 ] || state=present ;;
            *) [ "$held_bytes" -ne "$segment_bytes" ] || state=present ;;
        esac
    done
    [ $state = present ] || fault "$1-missing" "$last was archived, says PostgreSQL, but is not (or not whole) in $2"
}

text() { if [ -n "$1" ]; then printf '"%s"' "$(printf '%s' "$1" | tr -cd '\40-\176' | sed 's/[\\"]/\\&/g')"
    else printf null; fi; }

number() { case $1 in '' | *[!0-9]*) printf null ;; *) printf '%s' "$1" ;; esac; }

as_json() {
    printf '{"checked_at": %s, "clean": %s, ' "$(date +%s)" "$([ -z "$faults" ] && echo true || echo false)"
    printf '"in_recovery": %s, ' "$(case ${recovering:-} in t) echo true ;; f) echo false ;; *) echo null ;; esac)"
    printf '"archive_mode": %s, "last_archived_wal": %s, ' "$(text "${mode:-}")" "$(text "${last:-}")"
    printf '"failing_wal": %s, "waiting": %s, ' "$(text "${failing:-}")" "$(number "${waiting:-}")"
    printf '"oldest_waiting": %s, "oldest_waiting_s": %s, ' "$(text "${oldest:-}")" "$(number "${waiting_s:-}")"
    printf '"primary": %s, "dr": %s, "faults": [' "$(text "${primary_state:-}")" "$(text "${dr_state:-}")"
    separator=''
    printf '%s' "$faults" | while read -r id words; do
        printf '%s{"id": %s, "text": %s}' "$separator" "$(text "$id")" "$(text "$words")"
        separator=', '
    done
    printf ']}\n'
}

# append LINE: to the log, as whoever alone may write to its folder.
append() (
    umask 022
    stand "$log" make
    by /bin/sh -c 'printf "%s\n" "$2" >>"./$1"' sh "$name" "$1"
)

# touch_heartbeat: the same with the heartbeat.
touch_heartbeat() (
    stand "$heartbeat"
    by /bin/sh -c ': >"./$1"' sh "$name"
)

report() {
    printf '%s' "$faults" | while read -r id words; do
        say "$words"
        logger -t "$tag" -p daemon.warning -- "$id: $words" || say "the journal takes no messages (logger failed)"
        append "$(date -u +%Y-%m-%dT%H:%M:%SZ) ALARM: $id: $words" 2>/dev/null || say "$log cannot be written"
    done
}

case ${1:-} in
    '' | --json) ;;
    *) fail 2 "usage: $me [--json]" ;;
esac
cd / || exit 1
if ask_server; then
    # an archiver of a standby is its primary's business, unless it is told to archive always
    if [ "$recovering" = f ] || [ "$mode" = always ]; then
        judge_server
        if [ -n "$last" ] && [ "$mode" != off ]; then
            judge_copy primary @PRIMARY@
            primary_state=$state
            dr=@DR@
            if [ -n "$dr" ]; then
                judge_copy dr "$dr"
                dr_state=$state
            fi
        fi
    fi
fi
if [ "${1:-}" = --json ]; then
    as_json
elif [ -n "$faults" ]; then
    report
elif ! touch_heartbeat 2>/dev/null; then
    fault heartbeat "the archive works, but $heartbeat cannot be written"
    report
fi
[ -z "$faults" ]
