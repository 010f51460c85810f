# One look at the host, in POSIX sh, mostly of builtins: a fork costs more than twenty of them.
#
# Prepended by host_script.py: token (ends the answer), full (1: everything, 0: what changes),
# pick (the observed cluster's data directory, empty: not known yet), pick_pid (its postmaster as of
# the last look), heartbeat (a file), verifier, timer and cron (what provisioning installs to renew it),
# list (1: count the files in pg_wal), run_state and run_name with base_backup.sh behind them, drills (the folder in
# which restore drills keep what they proved).
#
# The answer is records: \001 key space value \000. A value holds any byte but NUL; anything between
# records is noise. What could not be read is left out, or said in a `missing` record.

export LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/sbin:/sbin

say() { printf '\001%s %s\000' "$1" "$2"; }

# say_line KEY FILE
say_line() { IFS= read -r line 2>/dev/null <"$2" && say "$1" "$line"; }

say_clock() {
    if [ -n "${EPOCHREALTIME-}" ]; then
        say clock "$EPOCHREALTIME"
    else
        say clock "$(date +%s.%N)"
    fi
}

say_host() {
    say_line hostname /proc/sys/kernel/hostname || say hostname "$(uname -n)"
    say_line kernel /proc/sys/kernel/osrelease || say kernel "$(uname -r)"
    if [ -r /etc/os-release ]; then
        while IFS= read -r line; do
            case $line in PRETTY_NAME=*) say system "${line#PRETTY_NAME=}" ;; esac
        done </etc/os-release
    fi
    say uid "$(id -u)"
}

# is_server PID: a process of that number is a postgres whose parent is none, and no zombie. Sets `z` to its state.
is_server() {
    IFS= read -r comm 2>/dev/null <"/proc/$1/comm" || return 1
    case $comm in postgres|postmaster) ;; *) return 1 ;; esac
    IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    z=${stat%% *}
    case $z in Z) return 1 ;; esac
    stat=${stat#* }
    IFS= read -r comm 2>/dev/null <"/proc/${stat%% *}/comm" || return 0
    case $comm in postgres|postmaster) return 1 ;; esac
}

# boxed PID: a cgroup of a container that this shell is not in itself.
boxed() {
    IFS= read -r own 2>/dev/null </proc/self/cgroup || return 1
    IFS= read -r its 2>/dev/null <"/proc/$1/cgroup" || return 1
    is_box "$its" && ! is_box "$own"
}

is_box() { case $1 in *docker* | *libpod* | *kubepods* | *containerd* | */lxc*) ;; *) return 1 ;; esac; }

say_argv() {
    printf '\001cluster.argv '
    od -An -v -tx1 "/proc/$1/cmdline" 2>/dev/null
    printf '\000'
}

# say_server DATA: from its postmaster.pid (storage/pidfile.h): process, directory, start, port,
# socket directory, two more, state. A server in single-user mode has a minus before its process.
# Sets `server` to the process when it runs. `other` is one that may have another number there.
say_server() {
    server=
    if [ ! -x "$1" ]; then
        [ -e "$1" ] && say cluster.unreadable "$1"
        return
    fi
    [ -f "$1/postmaster.pid" ] || return
    if [ ! -r "$1/postmaster.pid" ]; then
        say cluster.unreadable "$1/postmaster.pid"
        return
    fi
    { IFS= read -r pid && IFS= read -r dir && IFS= read -r began && IFS= read -r port &&
        IFS= read -r socket; read -r line; read -r line; read -r state; } 2>/dev/null <"$1/postmaster.pid"
    [ -n "$port" ] || return
    case $pid in -*)
        grep -q ^postgres "/proc/${pid#-}/comm" 2>/dev/null && say cluster.state "single $began"
        return ;;
    esac
    # else it may be the number that another PID namespace has for $other
    if ! is_server "$pid"; then
        pid=$other
        is_server "$pid" && [ "/proc/$pid/cwd" -ef "$1" ] || return
    fi
    server=$pid
    say cluster.pid "$pid"
    say cluster.port "$port"
    say cluster.socket "$socket"
    say cluster.state "${state%% *} $began $z"
    [ "$full" = 0 ] && [ "$pid" = "$pick_pid" ] || say_argv "$pid"
}

# count_wal: of the current directory, pg_wal. PostgreSQL archives .history files first, then the
# smallest name (pgarch.c). What is named like no file of its WAL waits for nobody: it is told apart
# (-q: a line break in a name makes no second name). A segment that is marked as archived and was not there
# before its mark was listed is gone.
count_wal() {
    if [ ! -r archive_status ] || [ ! -x archive_status ]; then
        say wal.missing archive_status
    fi
    set -f
    set -- $(ls -1q -- "$PWD/." "$PWD/archive_status" 2>/dev/null | awk '
        function hex(text) { return text !~ /[^0-9A-F]/ }
        function is_wal(name, rest) {
            if (length(name) == 16) return hex(substr(name, 1, 8)) && substr(name, 9) == ".history"
            if (length(name) < 24 || !hex(substr(name, 1, 24))) return 0
            rest = substr(name, 25)
            if (rest == "" || rest == ".partial") return 1
            return length(rest) == 16 && rest ~ /^\.[0-9A-F]*\.backup$/
        }
        /^\/.*\/archive_status:$/ { status = 1; next }
        /^\/.*\/\.:$/ { status = 0; next }
        status && $0 != "" {
            name = $0
            is_ready = sub(/\.ready$/, "", name)
            is_done = is_ready || sub(/\.done$/, "", name)
            if (!is_done || !is_wal(name)) {
                name = substr($0, 1, 60)
                gsub(/[^0-9A-Za-z._+-]/, "?", name)
                if (strange++ < 3) names = names "/" name
                next
            }
            if (!is_ready) {
                if (length(name) == 24 && !(name in seen)) { gone++; last = name }
                next
            }
            ready++
            order = (name ~ /\.history$/ ? 0 : 1) name
            if (first == "" || order < first) first = order
            next
        }
        !status && length($0) >= 24 && hex(substr($0, 1, 24)) {
            rest = substr($0, 25)
            if (rest == "" || rest == ".partial") { files++; sample = $0 }
            seen[$0]
        }
        END {
            print files + 0, ready + 0, (sample == "" ? "-" : sample), (first == "" ? "-" : substr(first, 2)),
                strange + 0, names "/", gone "/" last
        }')
    set +f
    [ $# = 7 ] || return
    say wal.files "$1"
    [ -r archive_status ] && say wal.ready "$2"
    say wal.strange "$5"
    say wal.strangers "$6"
    say wal.gone "$7"
    sample=$3
    oldest=$4
    [ "$oldest" = - ] || say wal.oldest "$oldest"
}

# say_wal DATA: pg_wal may be a link to another file system.
say_wal() {
    sample=- oldest=-
    if cd -P -- "$1/pg_wal" 2>/dev/null && [ -r . ]; then
        say wal.directory "$PWD"
        target=$PWD
        # root may write everywhere, but where nobody may
        [ -w . ] || [ "$full" = 0 ] || [ "$(id -u)" != 0 ] || say wal.read_only 1
        [ "$list" = 1 ] && count_wal
    else
        say wal.missing pg_wal
        target=$1
    fi
    printf '\001wal.df '
    df -PTk -- "$target" "$1" 2>/dev/null || df -Pk -- "$target" 2>&1
    printf '\000'
    say_stat
}

# say_stat: times and sizes of the three files that matter, in one fork.
say_stat() {
    set --
    [ "$sample" = - ] || set -- "$sample"
    [ "$oldest" = - ] || set -- "$@" "archive_status/$oldest.ready"
    [ -z "$heartbeat" ] || [ ! -e "$heartbeat" ] || set -- "$@" "$heartbeat"
    [ $# = 0 ] && return
    printf '\001stat '
    stat -c '%Y %s %n' -- "$@" 2>/dev/null
    printf '\000'
}

# say_cluster DATA: what follows belongs to this cluster until the next `cluster`.
say_cluster() {
    data=$1
    say cluster "$data"
    say_server "$data"
    # Files that make the next start a recovery, or a standby's (access/transam/xlogrecovery.c).
    for s in standby recovery; do [ -e "$1/$s.signal" ] && say cluster.$s 1; done
    [ -z "$server" ] || seen="$seen $server "
    looked=$((looked + 1))
    if [ "$pick" = "$data" ] || { [ -z "$pick" ] && [ "$looked" -le 8 ]; }; then
        say_wal "$data"
    fi
}

# Debian's clusters. Columns: version, cluster, port, status, owner, data directory, log file.
list_clusters() {
    command -v pg_lsclusters >/dev/null 2>&1 || return
    if listed=$(timeout 3 pg_lsclusters -h 2>/dev/null); then
        printf '%s\n' "$listed"
    else
        by_files
    fi
}

# One bad line in any cluster's configuration, and pg_lsclusters lists no cluster at all: what keeps a
# server from starting must not hide it.
by_files() {
    for conf in "$etc"/*/*/postgresql.conf; do
        [ -r "$conf" ] || continue
        home=${conf%/*}
        name=${home##*/}
        version=${home%/*}
        version=${version##*/}
        data=$(say_setting data_directory)
        port=$(say_setting port)
        owner=$(stat -c %U -- "$data" 2>/dev/null)
        printf '%s\n' "$version $name ${port:-5432} unknown ${owner:-postgres} ${data:-/} /var/log/postgresql/postgresql-$version-$name.log"
    done
}

# say_setting NAME: its value in $conf, as far as a pattern can tell.
say_setting() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*=\{0,1\}[[:space:]]*'\{0,1\}\([^'#[:space:]]*\).*/\1/p" "$conf" | tail -n 1
}

# The data directory and the log of $rest may both have spaces: the longest beginning that is there, else all but the
# last word. Blanks that are left at either's side are nobody's.
say_debian() {
    while read -r version name port status owner rest; do
        case $rest in /*) ;; *) continue ;; esac
        data=${rest% *}
        until [ -d "$data" ]; do
            case $data in *' '*) data=${data% *} ;; *) data=${rest% *} && break ;; esac
        done
        log=${rest#"$data"}
        say_cluster "$data"
        say cluster.name "$version $name"
        say cluster.listed_port "$port"
        say cluster.status "$status"
        say cluster.owner "$owner"
        say cluster.log "$log"
        conf=$etc/$version/$name/postgresql.conf
        [ -e "$conf" ] && say cluster.config "$conf"
        # pg_createcluster(1): it does not start with the host
        grep -qsE '^ *(manual|disabled)' "${conf%/*}/start.conf" && say cluster.hand 1
        for socket in /var/run/postgresql /tmp; do
            [ -S "$socket/.s.PGSQL.$port" ] && say cluster.guessed_socket "$socket" && break
        done
    done <<LIST
$(list_clusters)
LIST
}

# Postmasters that pg_lsclusters does not list.
say_others() {
    for process in /proc/[0-9]*; do
        pid=${process#/proc/}
        case $seen in *" $pid "*) continue ;; esac
        is_server "$pid" || continue
        boxed "$pid" && say boxed "$pid" && continue
        grep -aqE -e '--(single|boot|check)' "$process/cmdline" && continue # initdb's, or somebody's own
        if cd -P -- "$process/cwd" 2>/dev/null; then data=$PWD; else data=; fi
        other=$pid
        if [ -n "$data" ]; then
            say_cluster "$data"
        else
            say cluster ''
        fi
        [ "$server" = "$other" ] || { say cluster.pid "$other"; say_argv "$other"; }
        say cluster.owner "$(stat -c %U "$process" 2>/dev/null)"
    done
}

# say_verifier: what runs it, where it is installed.
say_verifier() {
    [ -n "$verifier" ] && [ -e "$verifier" ] || return
    runs=none
    [ ! -e "$cron" ] || runs=cron
    [ ! -e "$timer" ] || runs="timer $(systemctl is-active "${timer##*/}" 2>/dev/null)"
    say verifier "$runs"
}

# say_backup: what the installed script tells of itself, where it ever ran.
say_backup() {
    [ -n "$run_state" ] || return
    if [ -d "$run_state" ] && [ ! -x "$run_state" ]; then
        say backup.missing "$run_state"
        return
    fi
    look_at_run
    if [ -n "$run_status" ]; then
        say backup.status "$run_status"
    elif [ -e "$run_state/status.json" ] || [ -h "$run_state/status.json" ]; then
        say backup.missing "$run_state/status.json"
    fi
    [ -z "$run_lives" ] || say backup.lives 1
}

seen=
looked=0
server=
etc=${PG_CLUSTER_CONF_ROOT:-/etc/postgresql}
other=$pick_pid
say_clock
say_line uptime /proc/uptime
say_line load /proc/loadavg
say_backup
if [ "$full" = 1 ]; then
    say strain "$(cd /proc && head -n3 stat meminfo pressure/memory /sys/devices/system/cpu/online)"
    say_host
    say_verifier
    # the folder is the cluster owner's, who may put anything there: links and pipes are not followed
    say drills "$(find "$drills/last.json" "$drills/proved" -type f -exec head -qc 9999 {} + 2>&1)"
    say_debian
    say_others
elif [ -n "$pick" ]; then
    say_cluster "$pick"
fi
[ -z "$heartbeat" ] || [ -e "$heartbeat" ] || say heartbeat.missing "$heartbeat"
if [ "$looked" = 0 ]; then
    sample=- oldest=-
    say_stat
fi
say end "$token"
