# The run of an installed script, in POSIX sh.
#
# Prepended: run_state (the folder in which it tells of itself), run_name (the script's own name).
# look_at_run sets run_status (the text of its status.json, empty where there is none), run_pid (the process that
# runs, as it says there) and run_lives (not empty where that process is the script).

look_at_run() {
    run_status='' run_pid='' run_lives=''
    # the folder is the cluster owner's, who may put anything there
    if [ ! -f "$run_state/status.json" ] || [ -h "$run_state/status.json" ]; then return; fi
    run_status=$(head -c 4096 -- "$run_state/status.json" 2>/dev/null)
    case $run_status in *'"exit":null'*) ;; *) return ;; esac
    run_pid=${run_status#*\"pid\":}
    run_pid=${run_pid%%[!0-9]*}
    [ -n "$run_pid" ] || return
    if tr '\000' ' ' 2>/dev/null <"/proc/$run_pid/cmdline" | grep -qF -- "$run_name"; then run_lives=lives; fi
}
