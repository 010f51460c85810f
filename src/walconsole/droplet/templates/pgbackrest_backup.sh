#!/bin/sh
# @ME@ [--fast] [--incremental | --in-turn]: a base backup of @PROFILE@ by pgBackRest into each of its repositories.
# Installed by walconsole.
# --fast: an immediate checkpoint, where otherwise the server spreads it. --incremental: what changed since the newest
# one; --in-turn: the same, but a full one after so many of them. Where there is none to build upon pgBackRest takes a
# full one by itself.
#   0  each repository has one                5  one repository has it, another does not
#   1  not taken now: try again               9  interrupted by a signal
#   2  called or installed wrongly            3  another one runs
#
# pgBackRest waits for the WAL that a backup needs, and notes a backup when all of it is stored: what a killed run left
# is no backup, and the next one takes up what it had stored. After a good one it expires what no rule keeps.
#
# shellcheck disable=SC2034,SC2317  # config is rclone's, as in the other scripts; functions are called by a trap
set -u
@COMMON@

@TELLING@

@ALONE@

os_user=@OS_USER@
state=@STATE@
options=@CONFIG@
tag=@TAG@
repositories='@REPOSITORIES@'    # each one's number
places='@PLACES@'    # and its bucket, in the same order
checkpoint=@CHECKPOINT@
in_turn=@INCREMENTAL@    # so many incremental ones follow a full one
id='' working='' said='' instead='' wanted=full began=$(date +%s) expected='' read_bytes=''

clean_up() { [ -z "$said" ] || rm -f -- "$said"; }
trap clean_up EXIT

# pgBackRest ends its session with the server by itself.
interrupted() {
    trap '' HUP INT QUIT TERM
    [ -z "$working" ] || kill "$working" 2>/dev/null
    [ -z "$working" ] || wait "$working"
    end 9 "interrupted by a signal${id:+; complete: $id}"
}

# builds_upon REPOSITORY: how many incremental ones follow the newest full one there, a word; `none` without a full one.
builds_upon() {
    @CALL@ --repo="$1" --output=json --log-level-console=off info 2>/dev/null | tr '{' ',' | tr ',' '\n' |
        sed -n 's/^ *"label":"\([0-9]\{8\}-[0-9]\{6\}F[_0-9DI-]*\)".*/\1/p' |
        awk '/_/ { many++; next } { full = 1; many = 0 } END { print (full ? many + 0 : "none") }'
}

# kind_for REPOSITORY: full or incr.
kind_for() {
    case $wanted in
        full) echo full ;;
        incremental) echo incr ;;
        *)
            many=$(builds_upon "$1")
            case $many in
                '' | none) echo full ;;
                *) if [ "$many" -lt "$in_turn" ]; then echo incr; else echo full; fi ;;
            esac
            ;;
    esac
}

# take REPOSITORY: a backup there; `label` is its name, else `why` has pgBackRest's last word.
take() {
    label='' why=''
    @CALL@ --repo="$1" --type="$(kind_for "$1")" $start --log-level-console=info --log-level-stderr=off \
        --log-timestamp=n backup >"$said" 2>&1 &
    working=$!
    wait "$working"
    ended=$?
    working=''
    label=$(sed -n 's/.*new backup label = \([0-9]\{8\}-[0-9]\{6\}F[_0-9DI-]*\).*/\1/p' "$said" | tail -n 1)
    if [ "$ended" = 0 ] && [ -n "$label" ]; then return 0; fi
    why=$(grep -A 3 'ERROR:' "$said" | head -n 4 | sed 's/^.*ERROR: *//')
    why="pgBackRest ended with $ended: ${why:-$(tail -n 2 "$said")}"
    label=''
    return 1
}

wishes "$@"
as_owner "$@"
needs pgbackrest flock
reads "$options"
alone
said=$(mktemp "$state/.said.XXXXXXXX") || end 1 "no room for a small file in $state"
case $checkpoint in fast) start=--start-fast ;; *) start=--no-start-fast ;; esac
taken='' missed=''
# shellcheck disable=SC2086  # words
set -- $places
for repository in $repositories; do
    tell streaming
    if take "$repository"; then
        id="${id:+$id }$label"
        taken="${taken:+$taken, }$label in $1"
    else
        missed="${missed:+$missed; }$1: $why"
    fi
    shift
done
[ -n "$missed" ] || end 0 "$taken: complete, with its WAL"
[ -z "$taken" ] || end 5 "$taken: complete; not in $missed"
end 1 "no repository has it: $missed"
