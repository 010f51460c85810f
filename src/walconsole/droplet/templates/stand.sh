# Files in folders that may be somebody else's. Whoever may write to a folder can make any name in it a link to another
# file, or swap what is there while it is looked at. So root does nothing by a path: `stand` goes into the folder of a
# file step by step, looking at each where it stands, and what follows is done by `./NAME` as `keeper`: root where
# nobody else can change what is in that folder, else the folder's owner, whom any link leads only to what that owner
# may touch anyway. A shell that is not root's does everything as itself.
#
# Ends with 3 where there is no such folder, with 4 where it cannot be done safely, and says why on standard error.

refuse() {
    printf '%s\n' "$1" >&2
    exit 4
}

# nobody_in GID: nobody but root is in that group.
nobody_in() {
    command -v getent >/dev/null || return 1
    ! getent group "$1" | awk -F '[:,]' '{ for (n = 4; n <= NF; n++) if ($n != "" && $n != "root") found = 1 }
        END { exit !found }' || return 1
    ! getent passwd | awk -F : -v gid="$1" '$4 == gid && $3 != 0 { found = 1 } END { exit !found }'
}

# look_round: whose the folder is that this stands in. `kind`: own (nobody but root can change what is in it), sticky
# (others may add to it, and change what is theirs), open (root's, and others may write to it), theirs. `spot` is the
# folder itself, `above` the one that it lies in. One process for all of it: a path has many folders.
look_round() {
    # shellcheck disable=SC2046  # five words each
    set -- $(stat -c '%u %g %a %d %i' . ..)
    owner=$1 kind=theirs spot="$4 $5" above="${9:-} ${10:-}"
    [ "$owner" = 0 ] || return 0
    kind=own
    [ $((0$3 & 022)) != 0 ] || return 0
    if [ $((0$3 & 2)) = 0 ] && nobody_in "$2"; then return 0; fi
    kind=open
    [ $((0$3 & 01000)) = 0 ] || kind=sticky
}

# choose_keeper: who touches what is in this folder. Empty: this shell's own user.
choose_keeper() {
    keeper=''
    [ "$kind" = theirs ] || return 0
    keeper=$(stat -c %U .)
    [ "$keeper" != UNKNOWN ] || refuse "$(pwd -P) belongs to the user id $owner, whom this host does not know"
}

# by PROGRAM ARGUMENTS...: as the keeper, standing here.
by() {
    if [ -z "$keeper" ]; then
        "$@"
        return
    fi
    uid=$(id -u -- "$keeper") gid=$(id -g -- "$keeper")
    if setpriv --reuid="$uid" --regid="$gid" --init-groups true 2>/dev/null; then
        setpriv --reuid="$uid" --regid="$gid" --init-groups "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$keeper" -- "$@"
    elif command -v su >/dev/null; then
        # shellcheck disable=SC2016  # for that shell
        su -s /bin/sh -c 'exec "$@"' "$keeper" sh "$@"
    else
        refuse "$(pwd -P) is ${keeper}'s, and there is no setpriv, runuser or su to do it as ${keeper}: install util-linux"
    fi
}

# turn NAME: what is to be gone to next is a link, which root made.
turn() {
    turns=$((turns + 1))
    [ "$turns" -le 40 ] || refuse "$way: too many links"
    [ "$kind" = own ] || [ "$(stat -c %u -- "./$1")" = 0 ] ||
        refuse "$(pwd -P)/$1 is a link that is not root's: it is not followed"
    leads=$(readlink -- "./$1")
    case $leads in /*) cd / ;; esac
    look_round
    rest=$leads/$rest
}

# enter NAME [make | peek]
enter() {
    here=$spot before=$kind of=$owner
    if [ ! -e "./$1" ] && [ ! -L "./$1" ]; then
        choose_keeper
        case ${2:-} in
            make) ;;
            peek)
                rest='' kind=none
                return
                ;;
            *) exit 3 ;;
        esac
        by mkdir -- "./$1" || exit 4
    fi
    cd -P -- "./$1" 2>/dev/null || refuse "$(pwd -P)/$1 is no folder that can be entered"
    look_round
    # A link: one that a folder's owner made may lead to what is that owner's, and to nothing else.
    [ "$before" = own ] || [ "$above" = "$here" ] ||
        { [ "$before $kind" = 'theirs theirs' ] && [ "$owner" = "$of" ]; } ||
        refuse "$way: $1 is a link that is not root's, to what is another's: it is not followed"
}

# stand PATH [make | peek]: go into the folder of PATH. Where it is not there, make it, or stay above it. Sets `name`
# and `keeper`.
stand() {
    way=$1 name=${1##*/} rest=${1%/*} keeper='' kind='' turns=0
    case $name in '' | . | ..) refuse "$way is no file's path" ;; esac
    if [ "$(id -u)" != 0 ]; then
        [ -d "${rest:-/}" ] || [ "${2:-}" != make ] || mkdir -p -- "${rest:-/}" || exit 4
        [ -e "${rest:-/}" ] || [ "${2:-}" = peek ] || exit 3
        [ "${2:-}" != peek ] || return 0
        cd -P -- "${rest:-/}" || exit 4
        return
    fi
    cd /
    look_round
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
        case $part in
            '' | .) ;;
            *)
                if [ -L "./$part" ] && [ "$kind" != theirs ]; then turn "$part"; else enter "$part" "${2:-}"; fi
                ;;
        esac
    done
    case $kind in
        open | sticky)
            refuse "$(pwd -P) is root's, and others may write to it: nothing is touched there as root; chmod go-w it, \
or chown it to whom it is for"
            ;;
    esac
    [ "$kind" = none ] || choose_keeper
}
