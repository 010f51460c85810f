# Where PostgreSQL logs now. Prepended by log_sources.py and server_log.py: data (the data directory), log (what
# pg_lsclusters calls its log file).

# pick: sets `target` to the file to follow, to `journal`, or to nothing.
pick() {
    target=
    if [ -r "$data/current_logfiles" ]; then
        while read -r kind file; do
            case $file in /*) ;; *) file=$data/$file ;; esac
            # The first of stderr, csvlog and jsonlog, which is their order in the file.
            [ -n "$target" ] || target=$file
        done <"$data/current_logfiles"
        [ -r "$target" ] && return
        target=
    fi
    case $log in /*) [ -r "$log" ] && target=$log && return ;; esac
    if IFS= read -r pid 2>/dev/null <"$data/postmaster.pid" && [ -f "/proc/$pid/fd/2" ]; then
        target=$(readlink "/proc/$pid/fd/2") && [ -r "$target" ] && return
        target=
    fi
    command -v journalctl >/dev/null 2>&1 && [ ! -e "$log" ] && target=journal
}
