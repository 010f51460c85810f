# Where PostgreSQL logs now. Prepended by logs/sources.py and logs/server_log.py: data (the data directory), log (what
# pg_lsclusters calls its log file), ident (syslog_ident where it logs to syslog alone, else empty), root (what stands
# before /var/log), owner (the server's user, may be empty).

# as_server PROGRAM ARGUMENTS...: in place of this shell. The server's user chooses where it logs, and in its folders a
# link may lead to any file of root's: so root reads a log as that user, and what that user may not read is not shown.
as_server() {
    [ -n "$uid" ] || exec "$@"
    gid=$(id -g -- "$owner")
    command -v setpriv >/dev/null && exec setpriv --reuid="$uid" --regid="$gid" --init-groups "$@"
    command -v runuser >/dev/null && exec runuser -u "$owner" -- "$@"
    exec su -s /bin/sh -c 'exec "$@"' "$owner" sh "$@"
}
uid=''
if [ "$(id -u)" = 0 ]; then
    owner=${owner:-$(stat -c %U -- "$data" 2>/dev/null)}
    uid=$(id -u -- "${owner:-nobody}" 2>/dev/null) || uid=65534 owner=nobody
    [ "$uid" != 0 ] || uid=''
fi

# reads FILE PROGRAM ARGUMENTS...: as whoever may read it; the system's own log is root's.
reads() (
    case ${ident:+$1} in "$root/var/log/syslog" | "$root/var/log/messages") uid='' ;; esac
    shift
    as_server "$@"
)

may_read() { [ -r "$1" ] && { [ -z "$uid" ] || reads "$1" test -r "$1"; }; }

# pick: sets `target` to the file to follow, to `journal`, or to nothing; and `beside` to the file that has what
# programs print to standard error, where that is another one: for csvlog, jsonlog and syslog hold the server's own
# words alone. `collected`: the logging collector names it, and will begin others.
pick() {
    target='' beside='' collected=''
    if [ -r "$data/current_logfiles" ]; then
        while read -r kind file; do
            [ -n "$kind" ] || continue
            case $file in /*) ;; *) file=$data/$file ;; esac
            # The first of stderr, csvlog and jsonlog, which is their order in the file.
            [ -n "$target" ] || target=$file
        done <<FILES
$(reads '' head -c 4096 -- "$data/current_logfiles" 2>/dev/null)
FILES
        if may_read "$target"; then
            collected=1
            case $target in
                *.csv | *.json)
                    for file in "${target%.*}.log" "${target%.*}"; do
                        [ -n "$beside" ] || ! may_read "$file" || beside=$file
                    done
                    ;;
            esac
            return
        fi
        target=
    fi
    if [ -n "${ident-}" ]; then
        printed && beside=$target
        target=
        for file in "$root/var/log/syslog" "$root/var/log/messages"; do
            [ -n "$target" ] || ! may_read "$file" || target=$file
        done
        [ -n "$target" ] || ! command -v journalctl >/dev/null 2>&1 || target=journal
        [ -z "$target" ] || return
        target=$beside beside=''
        [ -n "$target" ]
        return
    fi
    printed && return
    command -v journalctl >/dev/null 2>&1 && [ ! -e "$log" ] && target=journal
}

# printed: sets `target` to the file that the postmaster's standard error goes to.
printed() {
    case $log in /*) may_read "$log" && target=$log && return ;; esac
    if IFS= read -r pid 2>/dev/null <"$data/postmaster.pid" && [ -f "/proc/$pid/fd/2" ]; then
        target=$(readlink "/proc/$pid/fd/2") && may_read "$target" && return
        target=
    fi
    return 1
}
