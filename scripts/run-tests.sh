#!/bin/sh
# Lint beside the tests, and two parts of these beside each other, the longest files first (tests/durations.py). One is
# what needs real servers, four files at a time (they wait more than they compute). The other is the rest, three at a
# time, among them those in real terminals, which wait: it takes as long as the first. CI as root gives it to an
# ordinary user with the distribution's Python (scripts/as-ordinary-user.sh): root reads and writes what is forbidden.
#
# Many tests bound a time, and on a machine that is busy with others some bound is missed now and then. So where a few
# files fail they are run once more, whole and alone, and what failed at first is named: what is broken fails again.
# $1: the folder of the tools. ARGS: more arguments for pytest (then nothing else is run).
# EVERYTHING=yes: what is marked `long`, too, which is left out else and counted as deselected.
# PART: rest, or ordinary (the rest as an ordinary user, who also runs what root would hide); that part alone.
set -u
bin=$1
here=$(dirname "$0")
. "$here/took.sh"
began=$(date +%s)
# What is compiled once is kept (in __pycache__, which git ignores): each of the workers imports every file of tests,
# and each of some hundred programs that the tests start imports the package.
unset PYTHONDONTWRITEBYTECODE
if [ -n "${ARGS:-}" ]; then
    # shellcheck disable=SC2086  # several arguments
    exec "$bin/pytest" $ARGS
fi
short='' left=''
if [ "${EVERYTHING:-}" != yes ]; then
    short=' and not long' left=' (what is marked long is left to make test-all)'
    export PYTEST_ADDOPTS="-m 'not long'"
fi
MOST_AGAIN=6
# What waits for servers goes first, and the rest, which computes, takes what processor that leaves: beside each other as
# equals the rest was done first, and the servers' part, kept from the processor until then, waited alone to the end.
GIVES_WAY=5
# Of what needs servers the rest has what asks for few of them, and is the same for every user but for what says so.
REST='tests/unit tests/pilot tests/snapshots tests/e2e tests/integration/test_sandbox_practice.py
    tests/integration/test_sandbox_gate.py tests/integration/test_ssh_connect.py tests/integration/test_ssh_shell.py
    tests/integration/test_provision_claim.py'
# What expects one thing of root and another of anybody else is run by both.
ROOT_HIDES='tests/integration/test_provision_files.py tests/integration/test_observe_command.py'
part=${PART:-servers}
cache=.pytest_cache/$part
status=0
slow=''
said=$(mktemp -d)
started=''
trap 'rm -rf "$said"' EXIT
# shellcheck disable=SC2086  # several processes
trap 'kill $started 2>/dev/null; wait; exit 130' INT TERM HUP

# failed_files: the files with a failure in the last run, in a line; nothing where they are more than a busy machine
# explains, or where pytest itself failed.
failed_files() {
    "$bin/python" - $MOST_AGAIN "$cache" <<'PYTHON'
import json, pathlib, sys
kept = pathlib.Path(sys.argv[2]) / "v/cache/lastfailed"
files = sorted({name.partition("::")[0] for name in json.loads(kept.read_text())}) if kept.exists() else []
print(*files if 0 < len(files) <= int(sys.argv[1]) and all("::" in name for name in json.loads(kept.read_text())) else ())
PYTHON
}

# pytest ARGUMENTS...: not in the foreground, where a signal to this shell would wait for its end.
pytest() {
    "$bin/pytest" -q -o cache_dir="$cache" "$@" &
    before=$started
    started="$started $!"
    wait "$!"
    ended=$?
    started=$before
    return $ended
}

# tests ARGUMENTS...: run them, and what failed once more.
tests() {
    rm -f "$cache/v/cache/lastfailed"
    pytest "$@" && return
    files=$(failed_files)
    [ -n "$files" ] || { status=1; return; }
    echo "== pytest, what failed once more, alone: $files"
    # shellcheck disable=SC2086  # several files
    if pytest $files; then slow="$slow $files"; else status=1; fi
}

# rest MORE...: this part, for who runs this.
rest() {
    echo "== pytest as $(id -un) with $("$bin/python" --version), three at a time"
    since=$(date +%s)
    # shellcheck disable=SC2086  # several folders
    tests -n 3 --dist loadfile --no-loadscope-reorder $REST "$@"
    took "pytest, the rest, three at a time" "$since" >>"$said/took"
}

# end NAME: how long its parts took, and it in all; those beside each other are not to be added up.
end() {
    times >"$said/times"
    grep -hs '^took ' "$said"/lint "$said"/rest "$said"/took
    took "$1" "$began" "$said/times"
    [ -z "$slow" ] || echo "walconsole: failed beside others, and passed alone:$slow" >&2
    exit $status
}

# without FOLDERS...: pytest's arguments that leave these out.
without() { for each in "$@"; do echo "--ignore=$each"; done; }

# compile ARGUMENTS...: once for all workers, each of which would do it; what is wrong in there the next lines tell.
compile() {
    since=$(date +%s)
    pytest --collect-only --imports-only "$@" >/dev/null 2>&1
    took "compiling for all workers" "$since" >>"$said/took"
}

# shellcheck disable=SC2086  # several files
case $part in
    rest) rest; end "the rest, in all" ;;
    ordinary) compile $REST $ROOT_HIDES; rest $ROOT_HIDES; end "the rest, in all" ;;
esac

nice -n 10 sh "$here/lint.sh" "$bin" >"$said/lint" 2>&1 &
lint=$!
started=$lint
# Of the rest root tries what no other user can: the files that say so, for to collect all of it takes longer.
ordinary='' of_roots=''
if [ "${CI:-}" = true ] && sh "$here/as-ordinary-user.sh" possible; then
    ordinary=yes
    # shellcheck disable=SC2086  # several folders
    of_roots=$(grep -rl --include='test_*.py' 'mark\.root(' $REST)
fi
# Before the other part begins: a copy of the checkout compiles its own, but copies the tools as they are then.
# shellcheck disable=SC2046,SC2086  # several arguments
compile ${ordinary:+$(without $REST)}
if [ -n "$ordinary" ]; then
    nice -n "$GIVES_WAY" sh "$here/as-ordinary-user.sh" run "$bin" >"$said/rest" 2>&1 &
else
    PART=rest nice -n "$GIVES_WAY" sh "$0" "$bin" >"$said/rest" 2>&1 &
fi
beside=$!
started="$lint $beside"
echo "== pytest with real servers, four at a time"
since=$(date +%s)
# shellcheck disable=SC2046,SC2086  # several arguments
tests -n 4 --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=5 $(without $REST)
took "pytest, with real servers, four at a time" "$since" >>"$said/took"
if [ -n "$of_roots" ]; then
    echo "== pytest, what only root can try of the rest"
    since=$(date +%s)
    # shellcheck disable=SC2086  # several arguments
    tests -m "root$short" $of_roots
    took "pytest, what only root can try of the rest" "$since" >>"$said/took"
fi
wait "$lint" || status=1
grep -v '^took ' "$said/lint"
wait "$beside" || status=1
grep -v '^took ' "$said/rest"
[ "$status" = 0 ] && echo "walconsole: everything passed$left" || echo "walconsole: something FAILED, see above" >&2
end "everything"
