# -- How a base backup's script begins: what is wished for, as whom, and alone on this host.

# wishes OPTIONS...: into `checkpoint` and `wanted`.
wishes() {
    for given in "$@"; do
        case $given in
            --fast) checkpoint=fast ;;
            --incremental) wanted=incremental ;;
            --in-turn) wanted=turn ;;
            *) fail 2 "usage: $me [--fast] [--incremental | --in-turn]" ;;
        esac
    done
}

# as_owner OPTIONS...: root becomes the cluster's owner, and begins again with them.
as_owner() {
    cd / || exit 1
    [ "$(id -un)" != "$os_user" ] || return 0
    [ "$(id -u)" = 0 ] || fail 2 "run it as $os_user, whose the cluster is, or as root"
    exec runuser -u "$os_user" -- "$0" "$@"
}

# needs PROGRAMS...
needs() {
    for needed in "$@"; do
        command -v "$needed" >/dev/null || fail 2 "$needed is not installed"
    done
}

# reads FILE: one with keys.
reads() {
    [ -r "$1" ] || fail 2 "$1 cannot be read as user $os_user; it should belong to root:$(id -gn), mode 0640"
}

# alone: one at a time, behind whatever else runs here; `interrupted` is what a signal does from now on.
alone() {
    [ "$(stat -c '%U %F' -- "$state" 2>/dev/null)" = "$os_user directory" ] ||
        fail 2 "$state is not a folder of ${os_user}'s: install -d -o $os_user -m 750 $state"
    exec 9<"$state"
    flock -n 9 || fail 3 "another base backup of @PROFILE@ runs on this host"
    renice -n @NICE@ -p $$ >/dev/null 2>&1
    ionice -c 3 -p $$ 2>/dev/null
    trap interrupted HUP INT QUIT TERM
    tell starting
}
