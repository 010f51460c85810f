# The archiver's process with all that runs below it, and .ready files without their WAL file.
#
# Prepended by command.py: token (ends the answer), data (the data directory), postmaster (its pid, may be empty),
# orphans (1: look for .ready files without a WAL file). The answer is records: \001 key space value \000.

LC_ALL=C
export LC_ALL

say() { printf '\001%s %s\000' "$1" "$2"; }

# children PID: its children, one a line, whether the kernel lists them or not.
children() {
    if [ -r "/proc/$1/task/$1/children" ]; then
        tr ' ' '\n' <"/proc/$1/task/$1/children" 2>/dev/null
    else
        for stat in /proc/[0-9]*/stat; do
            IFS= read -r line 2>/dev/null <"$stat" || continue
            line=${line##*) }
            line=${line#* }
            [ "${line%% *}" != "$1" ] || { stat=${stat#/proc/} && printf '%s\n' "${stat%/stat}"; }
        done
    fi
}

archiver() {
    for pid in $(children "$postmaster"); do
        case $(tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
            postgres:*archiver*) printf '%s\n' "$pid" && return ;;
        esac
    done
}

# sockets PID: the remote addresses of its open TCP sockets, one a line.
sockets() {
    nodes=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' ' ')
    [ -n "$nodes" ] || return 0
    awk -v nodes="$nodes" '
        BEGIN { count = split(nodes, list, " "); for (i = 1; i <= count; i++) mine[list[i]] = 1 }
        function value(text,  i, n) {
            for (i = 1; i <= length(text); i++) n = n * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1
            return n
        }
        FNR > 1 && $10 in mine && $4 != "0A" {
            split($3, remote, ":")
            address = remote[1]
            if (length(address) == 8) {
                text = ""
                for (i = 7; i >= 1; i -= 2) text = text (text == "" ? "" : ".") value(substr(address, i, 2))
            } else text = "[" address "]"
            print text ":" value(remote[2]) ($4 == "02" ? " (connecting)" : "")
        }' "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null | head -n 8
}

look_child() {
    [ -r "/proc/$1/stat" ] || return 0
    IFS= read -r line 2>/dev/null <"/proc/$1/stat" || return 0
    say child "$1"
    say child.stat "${line##*) }"
    printf '\001child.argv '
    od -An -v -tx1 -N 2048 "/proc/$1/cmdline" 2>/dev/null
    printf '\000'
    waits=$(cat "/proc/$1/wchan" 2>/dev/null)
    [ "$waits" = 0 ] || say child.wchan "$waits"
    say child.sockets "$(sockets "$1")"
}

below() {
    for child in $(children "$1"); do
        look_child "$child"
        [ "$2" -ge 6 ] || below "$child" $(($2 + 1))
    done
}

if [ -n "$postmaster" ]; then
    pid=$(archiver)
    if [ -n "$pid" ]; then
        say uptime "$(cut -d ' ' -f 1 /proc/uptime)"
        say ticks "$(getconf CLK_TCK 2>/dev/null || echo 100)"
        say archiver "$pid"
        look_child "$pid"
        below "$pid" 1
    fi
fi
if cd -P -- "$data/pg_wal" 2>/dev/null; then
    if [ "$orphans" = 1 ]; then
        printf '\001orphans '
        wal='([0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history)'
        ls -1q archive_status 2>/dev/null | grep -E "^$wal\.ready\$" | head -n 500 | sed 's/\.ready$//' |
            while IFS= read -r name; do [ -e "$name" ] || printf '%s\n' "$name"; done
        printf '\000'
    fi
else
    say missing "pg_wal"
fi
say end "$token"
