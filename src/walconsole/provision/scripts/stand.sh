# Files in folders that may be somebody else's, in POSIX sh: nothing else of the console's writes to one as root.
#
# Whoever may write to a folder can make any name in it a link to another file, or swap what is there while it is
# looked at. So root does nothing by a path: `stand` goes into the folder of a file step by step, looking at each where
# it stands, and what follows is done by `./NAME` as `keeper`: root where nobody else can change what is in that
# folder, else the folder's owner, whom any link leads only to what that owner may touch anyway. A shell that is
# not root's does everything as itself.
#
# Prepended by standing.py: READ, WRITE, TAKE and CHANGE (small scripts for the keeper: stand_*.sh), most (bytes).
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
# (others may add to it, and change what is theirs), open (root's, and others may write to it), theirs.
look_round() {
    # shellcheck disable=SC2046  # three words
    set -- $(stat -c '%u %g %a' .)
    owner=$1 kind=theirs
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
    here=$(stat -c '%d %i' .) before=$kind of=$owner
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
    [ "$before" = own ] || [ "$(stat -c '%d %i' ..)" = "$here" ] ||
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

# stand_at PATH: the same for a file that is to be read or changed, through links that root made.
stand_at() {
    stand "$1"
    hops=0
    while [ -L "./$name" ] && [ "$kind" != theirs ]; do
        hops=$((hops + 1))
        [ "$hops" -le 40 ] || refuse "it is no regular file: too many links"
        leads=$(readlink -- "./$name")
        case $leads in /*) ;; *) leads=$(pwd -P)/$leads ;; esac
        stand "$leads"
    done
    [ "$hops" = 0 ] || [ -e "./$name" ] || refuse "it is no regular file: it leads to nothing"
}

# whose PATH: who writes it; a line, empty for this shell's own user. It may not be there yet.
whose() (
    stand "$1" peek
    printf '%s\n' "$keeper"
)

# whose_at PATH: who reads it, or changes its mode.
whose_at() (
    stand_at "$1"
    printf '%s\n' "$keeper"
)

# read_out PATH: MODE USER GROUP UID GID BYTES on a line, then its bytes in base64. Ends with 3 where it is not there.
read_out() (
    stand_at "$1"
    by /bin/sh -c "$READ" sh "$name" "$keeper" "$most"
)

# put_in PATH MODE OWNER GROUP BYTES: standard input, so many bytes, becomes the file, in one step, on the disk.
# OWNER and GROUP (may be empty) count where root does it.
put_in() (
    umask 022
    stand "$1" make
    by /bin/sh -c "$WRITE" sh "$name" "$2" "$3" "$4" "$5"
)

# take_out PATH
take_out() (
    stand "$1"
    by /bin/sh -c "$TAKE" sh "$name"
)

# change PATH PROGRAM ARGUMENTS...: chmod or chown a file that is there.
change() (
    stand_at "$1"
    shift
    by /bin/sh -c "$CHANGE" sh "$name" "$@"
)

# roots FILE [make]: go to a file in a folder that must be root's alone.
roots() {
    stand "$@"
    [ -z "$keeper" ] || refuse "$(pwd -P) is ${keeper}'s: what walconsole keeps must lie where nobody else may write"
    [ ! -L "./$name" ] || refuse "$(pwd -P)/$name is a link"
}

# take_in: after `stand_at`, the file into `said` (its bytes in base64), `mode`, `uid`, `gid` and `bytes`. Nothing that
# the keeper says of it is taken for more than digits.
take_in() {
    said=$(by /bin/sh -c "$READ" sh "$name" "$keeper" "$most") || {
        [ $? != 3 ] || said='it is not there'
        refuse "$said"
    }
    IFS=' ' read -r mode _ _ uid gid bytes <<HEAD
${said%%"
"*}
HEAD
    case $mode$uid$gid$bytes in *[!0-9]* | '') refuse "it could not be read: $mode" ;; esac
    said=${said#*"
"}
    mode=$(printf %o $((0$mode & 0777)))
}

# keep PATH FILE: a copy of it, with mode and owner.
keep() (
    stand_at "$1"
    take_in
    umask 077
    roots "$2" make
    printf '%s\n' "$said" | base64 -d >"./$name" && [ "$(wc -c <"./$name")" -eq "$bytes" ] ||
        refuse "not all of it could be kept"
    [ "$(id -u)" != 0 ] || chown "$uid:$gid" "./$name"
    chmod "$mode" "./$name"
    sync "./$name" 2>/dev/null || sync
)

# rework PATH PROGRAM: what awk's PROGRAM makes of standard input and then the file becomes the file, in one step. Where
# PROGRAM fails it stays, and this ends with 5.
rework() (
    LC_ALL=C
    stand_at "$1"
    take_in
    now=$({ cat && printf '%s\n' "$said" | base64 -d; } | awk "$2" && echo .) || exit 5
    now=${now%.}
    printf %s "$now" | by /bin/sh -c "$WRITE" sh "$name" "$mode" "$uid" "$gid" "${#now}"
)

# put_back PATH FILE: what `keep` kept, back in its place, with mode and owner.
put_back() (
    to=$1
    roots "$2"
    [ -f "./$name" ] || refuse "$2, where it was kept, is not there"
    exec 3<"./$name"
    # shellcheck disable=SC2046  # words
    set -- $(stat -c '%a %u %g %s' "./$name")
    put_in "$to" "$@" <&3 3<&-
)
