# below PID: every process that it started, and that those did.
below() {
    grep -s '^PPid:' /proc/[0-9]*/status | awk -F '[/:\t ]+' -v top="$1" '
        { parent[$3] = $NF }
        END {
            for (pid in parent) {
                up = parent[pid]
                for (n = 0; up != top && (up in parent) && n < 99; n++) up = parent[up]
                if (up == top) print pid
            }
        }'
}

# A shell's trap waits for what runs in its foreground, and what runs in its background takes no notice of INT and
# QUIT: so the processes are told one by one, whichever of them the signal reached.
end_jobs() {
    for process in $(below $$); do
        kill "$process" 2>/dev/null
    done
}
