# Every configuration file of PostgreSQL on the host, in one round trip, in POSIX sh and awk.
#
# Prepended by configuration_answer.py: token (begins each record), config (the live postgresql.conf,
# may be empty), data (the data directory, may be empty), cluster (VERSION/NAME of Debian's, may be
# empty), owner (the server's operating-system user, may be empty), more (paths asked for by name, one
# a line), and the limits max_files, max_bytes (of one file) and max_total (of all).
#
# The answer is records: newline token space key space path \000 body, as far as the next record. The
# token is not to be guessed, so that no file can break out of its record. Standard error is closed:
# what a program complains of must not mix with a file's bytes.

exec 2>/dev/null
LC_ALL=C
export LC_ALL
PATH=${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/sbin:/sbin
nl='
'
IFS=$nl
set -f
looked_at=
real=

say() { printf '\n%s %s %s\000%s' "$token" "$1" "$2" "$3"; }

# no PATH: sets `obstacle` to why it is not there for us.
no() {
    obstacle=missing
    if [ -h "$1" ]; then
        readlink -f -- "$1" >/dev/null || obstacle=loop
        return
    fi
    up=${1%/*}
    while [ -n "$up" ] && [ ! -d "$up" ]; do up=${up%/*}; done
    [ -x "${up:-/}" ] || obstacle=denied
}

# real_folder FILE: sets `real` to where its folder really is; asked once for all files of a folder.
real_folder() {
    case $1 in */*) ;; *) real= && return ;; esac
    [ "${1%/*}" != "$looked_at" ] || return 0
    looked_at=${1%/*}
    real=$(CDPATH='' cd -P -- "${looked_at:-/}" && pwd -P)
}

# say_files PATH...: each one with its bytes, or why not. Sets `text` to those that were read.
say_files() {
    text=
    for file in "$@"; do
        if [ ! -e "$file" ]; then no "$file"
        elif [ -d "$file" ]; then obstacle=directory
        elif [ ! -f "$file" ]; then obstacle=special
        elif [ ! -r "$file" ]; then obstacle=denied
        else
            if [ "$files" -ge "$max_files" ]; then
                say no "$file" too_many
                continue
            fi
            files=$((files + 1))
            case $file in */../* | */./*) other_name=yes ;; *) other_name= ;; esac
            real_folder "$file"
            [ "${real:-$looked_at}" = "$looked_at" ] || other_name=yes
            [ -n "$other_name" ] || [ -h "$file" ] && say link "$file" "$(readlink -f -- "$file")"
            text=$text$file$nl
            continue
        fi
        say no "$file" "$obstacle"
    done
    [ -n "$text" ] || return 0
    say modified "$#"
    stat -L -c '%Y %n' -- $text
    while IFS=' ' read -r size file; do
        case $file in /*) ;; *) continue ;; esac
        [ "$size" -gt "$max_bytes" ] && size=$((max_bytes + 1))
        if [ $((total + size)) -gt "$max_total" ]; then
            say no "$file" too_many
            continue
        fi
        total=$((total + size))
        say file "$file"
        head -c "$((max_bytes + 1))" <"$file" || say no "$file" gone
    done <<SIZES
$(wc -c -- $text)
SIZES
}

# say_dir PATH: its entries (kind space name \000), links followed. Sets `entries` to its files' paths.
say_dir() {
    entries=
    case $dirs in *"$nl$1$nl"*) return ;; esac
    dirs=$dirs$1$nl
    if [ ! -e "$1" ]; then no "$1"; say nodir "$1" "$obstacle"; return; fi
    if [ ! -d "$1" ]; then say nodir "$1" not_directory; return; fi
    if [ ! -r "$1" ] || [ ! -x "$1" ]; then say nodir "$1" denied; return; fi
    say dir "$1"
    set +f
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -f "$entry" ]; then
            kind=file
            case $entry in *"$nl"*) ;; *) entries=$entries$entry$nl ;; esac
        elif [ -d "$entry" ]; then kind=directory
        elif [ -h "$entry" ]; then kind=dangling
        elif [ -e "$entry" ]; then kind=special
        else continue
        fi
        printf '%s %s\000' "$kind" "${entry##*/}"
    done
    set -f
}

# want PATH: to be read in the next round, unless it was.
want() {
    case $seen in *"$nl$1$nl"*) return ;; esac
    seen=$seen$1$nl
    queue=$queue$1$nl
}

# includes FILE...: `f path` and `d path` for what they include, as the server would open it. Before version 15
# it leaves . and .. to the file system, so such a path is said both ways: the console knows which one counts.
includes() {
    awk '
    function canonical(path,   parts, n, i, out, depth) {
        n = split(path, parts, "/"); depth = 0
        for (i = 1; i <= n; i++) {
            if (parts[i] == "" || parts[i] == ".") continue
            if (parts[i] == "..") { if (depth) depth--; continue }
            out[++depth] = parts[i]
        }
        path = ""
        for (i = 1; i <= depth; i++) path = path "/" out[i]
        return path == "" ? "/" : path
    }
    function octal(digits,   value, i) {
        value = 0
        for (i = 1; i <= length(digits); i++) value = value * 8 + substr(digits, i, 1)
        return sprintf("%c", value % 256)
    }
    function unquote(text,   out, i, c, digits) {
        out = ""
        for (i = 2; i <= length(text); i++) {
            c = substr(text, i, 1)
            if (c == "\047") { if (substr(text, i + 1, 1) != "\047") break; i++ }
            else if (c == "\\") {
                c = substr(text, ++i, 1)
                if (c ~ /[0-7]/) {
                    digits = c
                    while (length(digits) < 3 && substr(text, i + 1, 1) ~ /[0-7]/) digits = digits substr(text, ++i, 1)
                    c = octal(digits)
                }
            }
            out = out c
        }
        return out
    }
    tolower($0) ~ /^[ \t\r]*include(_dir|_if_exists)?[^A-Za-z_0-9]/ {
        line = $0
        sub(/^[ \t\r]*/, "", line)
        match(line, /^[A-Za-z_]+/)
        kind = tolower(substr(line, 1, RLENGTH)) == "include_dir" ? "d" : "f"
        line = substr(line, RLENGTH + 1)
        sub(/^[ \t\r]*=?[ \t\r]*/, "", line)
        if (substr(line, 1, 1) == "\047") value = unquote(line)
        else { sub(/[ \t\r#].*/, "", line); value = line }
        if (value !~ /[^ \t\r\n]/) next
        if (substr(value, 1, 1) != "/") {
            folder = FILENAME
            sub(/\/[^\/]*$/, "", folder)
            sub(/^(\.\/)+/, "", value)
            written = folder "/" value
            gsub(/\/+/, "/", written)
            value = canonical(written)
            if (written != value) print kind " " written
        }
        print kind " " value
    }' "$@"
}

# follow: read all of `queue`, and all that it includes.
follow() {
    rounds=0
    while [ -n "$queue" ] && [ "$rounds" -le 11 ]; do
        rounds=$((rounds + 1))
        batch=$queue
        queue=
        say_files $batch
        [ -n "$text" ] || continue
        for found in $(includes $text); do
            path=${found#? }
            case $found in
            'f '*) want "$path" ;;
            'd '*)
                say_dir "$path"
                [ -n "$entries" ] || continue
                base=$(printf '%s/' "$path" | tr -s /)
                for entry in $entries; do want "$base${entry##*/}"; done
                ;;
            esac
        done
    done
    queue=
}

# look_into DIR: the files in it that look like configuration, and its conf.d.
look_into() {
    [ -d "$1" ] || return
    say_dir "$1"
    subfolders=
    for entry in $entries; do
        case ${entry##*/} in
        pg_hba.conf* | pg_ident.conf* | .pgpass) ;;
        *.conf | *.conf[~._-]* | *.conf~ | \#*.conf\# | environment) want "$entry" ;;
        esac
    done
    if [ -d "$1/conf.d" ]; then
        say_dir "$1/conf.d"
        for entry in $entries; do want "$entry"; done
    fi
}

# folders PATTERN...: those that are there.
folders() {
    set +f
    IFS=
    for folder in $1; do [ -d "$folder" ] && printf '%s\n' "$folder"; done
    IFS=$nl
    set -f
}

say_version() {
    [ -n "$data" ] && [ -r "$data/PG_VERSION" ] || return
    say version "$data"
    head -c 32 <"$data/PG_VERSION"
}

say_process() {
    [ -n "$data" ] && [ -r "$data/postmaster.pid" ] || return
    IFS= read -r pid <"$data/postmaster.pid"
    IFS= read -r comm <"/proc/$pid/comm"
    case $comm in postgres | postmaster) ;; *) return ;; esac
    say argv "$pid"
    cat "/proc/$pid/cmdline"
    if [ -r "/proc/$pid/environ" ]; then
        say environ "$pid"
        tr '\000\n' '\n ' <"/proc/$pid/environ" | grep -E '^(PWD|PG(DATA|PORT|DATESTYLE|OPTIONS|HOST))='
    else
        say noenviron "$pid" denied
    fi
    say cgroup "$pid"
    cat "/proc/$pid/cgroup"
    while IFS= read -r line; do
        case $line in
        */user@*.service/*) ;;
        */ssh.service | */sshd.service | */ssh@*.service | */sshd@*.service | */cron*.service | */atd.service) ;;
        *.service) unit=${line##*/} ;;
        esac
    done <"/proc/$pid/cgroup"
}

# say_units: systemd's own word about the unit in which the server runs and about the one that is to start it,
# in this order, and the files from which the latter comes.
say_units() {
    names=$unit
    if [ -n "$cluster" ]; then
        instance=postgresql@${cluster%%/*}-${cluster#*/}.service
        unit=${unit:-$instance}
        names="$instance${nl}postgresql@.service"
        [ "$unit" = "$instance" ] || names=$unit$nl$names
    elif [ -z "$unit" ]; then
        case $data in
        */pgsql/*/data)
            version=${data%/data}
            unit=postgresql-${version##*/}.service
            ;;
        *) [ -n "$pid" ] || unit=postgresql.service ;;
        esac
        names=$unit
    fi
    [ -n "$unit" ] || return
    shown=
    for name in $unit ${instance:-}; do
        [ "$name" != "$shown" ] || continue
        shown=$name
        say unit "$name"
        systemctl show --no-pager -p Id -p LoadState -p ActiveState -p MainPID -p FragmentPath -p DropInPaths \
            -p Environment -p EnvironmentFiles -p ExecStart "$name"
    done
    for home in "$root/etc/systemd/system" "$root/run/systemd/system" "$root/usr/lib/systemd/system" \
        "$root/lib/systemd/system"; do
        [ -d "$home" ] || continue
        for name in $names; do
            [ -f "$home/$name" ] && say_unit_file "$home/$name"
            set +f
            for dropin in "$home/$name.d"/*.conf; do [ -f "$dropin" ] && say_unit_file "$dropin"; done
            set -f
        done
    done
}

say_unit_file() {
    case $unit_files in *"$nl$1$nl"*) return ;; esac
    unit_files=$unit_files$1$nl
    say unitfile "$1"
    head -c 65536 <"$1"
    for named in $(sed -n 's/^[ ]*Environment=.*PGDATA=\([^"'"'"' ]*\).*/\1/p' "$1"); do
        pgdatas=$pgdatas$named$nl
    done
}

# say_denied PATH...: those that the server's own user may not read, asked as that user: what lies in a folder
# that it may not enter is not even there to it.
say_denied() {
    [ "$(id -u)" = 0 ] && [ -n "$owner" ] && [ "$owner" != root ] || return
    gid=$(id -g -- "$owner") || return
    say asked "$owner"
    setpriv --reuid="$owner" --regid="$gid" --init-groups /bin/sh -c '
        printf "asked\000"
        for path; do [ -r "$path" ] || printf "%s\000" "$path"; done' sh "$@"
}

files=0 total=0 pid= unit= queue= pgdatas= text=
seen=$nl dirs=$nl unit_files=$nl
root=
case $config in */etc/postgresql/*/*/postgresql.conf) root=${config%/etc/postgresql/*} ;; esac
conf_root=${PG_CLUSTER_CONF_ROOT:-$root/etc/postgresql}

[ -n "$config" ] && want "$config"
for path in $more; do want "$path"; done
[ -n "$data" ] && want "$data/postgresql.auto.conf"
follow
for path in $more; do say_dir "$path"; for entry in $entries; do want "$entry"; done; done
read_live=$seen$dirs
say_version
say_process
say_units
[ -n "$config" ] && look_into "${config%/*}"
[ -n "$data" ] && look_into "$data"
while IFS= read -r line; do
    case $line in PGDATA=*) pgdatas=$pgdatas${line#PGDATA=}$nl ;; esac
done <<ENVIRON
$([ -n "$pid" ] && tr '\000' '\n' <"/proc/$pid/environ" | grep '^PGDATA=')
ENVIRON
for folder in $pgdatas; do case $folder in /*) look_into "$folder" ;; esac; done
for folder in $(folders "$conf_root/*/*") $(folders "$root/var/lib/postgresql/*/*") \
    $(folders "$root/var/lib/pgsql/*/data") $(folders "$root/var/lib/pgsql/data"); do
    look_into "$folder"
done
follow
say_denied $read_live
say end "$token"
