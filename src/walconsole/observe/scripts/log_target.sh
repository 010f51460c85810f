# Where PostgreSQL logs now. Prepended by log_sources.py and server_log.py: data (the data directory), log (what
# pg_lsclusters calls its log file), ident (syslog_ident where it logs to syslog alone, else empty), root (what stands
# before /var/log).

# pick: sets `target` to the file to follow, to `journal`, or to nothing; and `beside` to the file that has what
# programs print to standard error, where that is another one: for csvlog, jsonlog and syslog hold the server's own
# words alone.
pick() {
    target='' beside=''
    if [ -r "$data/current_logfiles" ]; then
        while read -r kind file; do
            case $file in /*) ;; *) file=$data/$file ;; esac
            # The first of stderr, csvlog and jsonlog, which is their order in the file.
            [ -n "$target" ] || target=$file
        done <"$data/current_logfiles"
        if [ -r "$target" ]; then
            case $target in
                *.csv | *.json)
                    for file in "${target%.*}.log" "${target%.*}"; do
                        [ -n "$beside" ] || [ ! -r "$file" ] || beside=$file
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
            [ -n "$target" ] || [ ! -r "$file" ] || target=$file
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
    case $log in /*) [ -r "$log" ] && target=$log && return ;; esac
    if IFS= read -r pid 2>/dev/null <"$data/postmaster.pid" && [ -f "/proc/$pid/fd/2" ]; then
        target=$(readlink "/proc/$pid/fd/2") && [ -r "$target" ] && return
        target=
    fi
    return 1
}
