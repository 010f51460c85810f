# One look at what provisioning needs to know of a droplet, in POSIX sh. It changes nothing.
#
# Prepended by surveying.py: part (droplet: as the shell's own user; server: as PostgreSQL's), token (ends the
# droplet's part), path (where the installed scripts look for programs), config (rclone's configuration), root
# (what stands before /run), pid (the postmaster's, may be empty), folders (one a line), ask_region (1: ask the
# metadata service), psql (a command line without its statement) and sql.
#
# The answer is records: \001 key space value \000, each written by one printf. Of rclone's configuration only
# names, types, key ids, endpoints, regions and providers leave the droplet.

LC_ALL=C
export LC_ALL
PATH=$path
export PATH

say() { printf '\001%s %s\000' "$1" "$2"; }

tools() {
    for name in rclone timeout zstd gzip psql perl flock age systemctl cron crond logrotate logger runuser setpriv sudo \
        curl wget pgbackrest apt-get; do
        place=$(command -v "$name" 2>/dev/null) && printf '%s %s\n' "$name" "$place"
    done
}

# remotes: the sections of rclone's configuration, without a line that could hold a secret.
remotes() {
    awk '
    NR == 1 { sub(/^\357\273\277/, "") }
    { sub(/\r$/, ""); gsub(/[\001-\010\016-\037]/, "") }
    /^[ \t]*RCLONE_ENCRYPT_V/ { print "!encrypted"; exit }
    /^[ \t]*\[[^]]*\][ \t]*$/ {
        gsub(/^[ \t]*\[[ \t]*|[ \t]*\][ \t]*$/, "")
        print "[" substr($0, 1, 200)
        next
    }
    /^[ \t]*[#;]/ { next }
    {
        at = index($0, "=")
        if (!at) next
        name = tolower(substr($0, 1, at - 1))
        value = substr($0, at + 1)
        gsub(/^[ \t]+|[ \t]+$/, "", name)
        gsub(/^[ \t]+|[ \t]+$/, "", value)
        if (name ~ /^(type|access_key_id|endpoint|region|provider|env_auth)$/) print name "=" substr(value, 1, 300)
    }' <"$config" 2>/dev/null
}

say_remotes() { [ ! -f "$config" ] || [ ! -r "$config" ] || say rclone.remotes "$(remotes)"; }

region() {
    address=http://169.254.169.254/metadata/v1/region
    if command -v curl >/dev/null 2>&1; then curl -sf --noproxy '*' -m 1 "$address"
    elif command -v wget >/dev/null 2>&1; then wget -q --no-proxy -T 1 -t 1 -O - "$address"
    fi 2>/dev/null
}

free() {
    printf '%s\n' "$folders" | while IFS= read -r folder; do
        place=$folder
        while [ -n "$place" ] && [ ! -d "$place" ]; do place=${place%/*}; done
        kib=$(df -Pk -- "${place:-/}" 2>/dev/null | awk 'NR > 1 { print $4 }')
        [ -z "$kib" ] || printf '%s %s\n' "$kib" "$folder"
    done
}

droplet_part() {
    say login "${SUDO_USER:-$(id -un)}"
    say uid "$(id -u)"
    say tools "$(tools)"
    [ ! -d "$root/run/systemd/system" ] || say systemd 1
    [ ! -d "$root/etc/cron.d" ] || say crontabs 1
    say rclone.version "$(TCELL_MINIMIZE=1 GOGC=400 rclone --config /dev/null version 2>/dev/null | head -n 1)"
    if [ -e "$config" ]; then say rclone.stat "$(stat -L -c '%a %U %G %F' -- "$config" 2>/dev/null)"; fi
    say_remotes
    say free "$(free)"
    if [ -n "$pid" ] && [ -r "/proc/$pid/environ" ]; then
        say environ "$(tr '\000\n' '\n ' 2>/dev/null <"/proc/$pid/environ" |
            sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p; s/^\(RCLONE_[A-Za-z0-9_]*\)=.*/\1/p')"
    fi
    [ "$ask_region" = 0 ] || say region "$(region)"
}

server_part() {
    say server.user "$(id -un)"
    [ ! -f "$config" ] || [ ! -r "$config" ] || say rclone.readable 1
    say_remotes
    [ -n "$psql" ] || return 0
    PGCONNECT_TIMEOUT=5
    export PGCONNECT_TIMEOUT
    # apart: what psql warns of while it goes well is no part of its answer
    said=$({ complaints=$(eval "$psql -c \"\$sql\"" 2>&1 >&4 4>&-); status=$?; } 4>&1
        [ "$status" = 0 ] || printf '%s' "$complaints"
        exit "$status")
    say server.status "$?"
    say server.said "$said"
}

case $part in
    droplet) droplet_part ;;
    server) server_part ;;
esac
