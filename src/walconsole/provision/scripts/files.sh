# Files on the droplet, in POSIX sh: read, written, kept, put back and taken away, and nothing by a path as root.
#
# Prepended by keepers.py: droplet/templates/stand.sh; READ, WRITE, TAKE and CHANGE (small scripts for the keeper of a
# folder: keeper_*.sh), most (bytes).

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

# own_folder PATH OWNER: a folder of OWNER's, in one that nobody but root may change.
own_folder() (
    stand "$1" make
    [ -z "$keeper" ] || refuse "$(pwd -P) is ${keeper}'s: what is $2's must lie where nobody else may write"
    if [ -L "./$name" ] || { [ -e "./$name" ] && [ ! -d "./$name" ]; }; then refuse "$(pwd -P)/$name is no folder"; fi
    [ -d "./$name" ] || mkdir -m 0750 -- "./$name" || exit 4
    [ "$(id -u)" != 0 ] || chown -h -- "$2:" "./$name"
)

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
    case $said in
        *"
"*)
            said=${said#*"
"}
            ;;
        *) said='' ;; # it is empty
    esac
    mode=$(printf %o $((0$mode & 0777)))
}

# keep PATH FILE: a copy of it, with mode and owner.
keep() (
    stand_at "$1"
    take_in
    umask 077
    roots "$2" make
    printf '%s\n' "$said" | base64 -d >"./$name" || refuse "it could not be kept"
    [ "$(wc -c <"./$name")" -eq "$bytes" ] || refuse "not all of it could be kept"
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
