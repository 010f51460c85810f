#!/bin/sh
# Lint beside the tests: most of them four at a time (they wait for servers more than they compute), the longest files
# first (tests/durations.py), then those in real terminals, two at a time.
#
# Many tests bound a time, and on a machine that is busy with others some bound is missed now and then. So where a few
# files fail they are run once more, whole and alone, and what failed at first is named: what is broken fails again.
# $1: the folder of the tools. ARGS: more arguments for pytest (then nothing else is run).
set -u
bin=$1
# What is compiled once is kept (in __pycache__, which git ignores): each of the workers imports every file of tests,
# and each of some hundred programs that the tests start imports the package.
unset PYTHONDONTWRITEBYTECODE
if [ -n "${ARGS:-}" ]; then
    # shellcheck disable=SC2086  # several arguments
    exec "$bin/pytest" $ARGS
fi
MOST_AGAIN=6
status=0
slow=''
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# failed_files: the files with a failure in the last run, in a line; nothing where they are more than a busy machine
# explains, or where pytest itself failed.
failed_files() {
    "$bin/python" - $MOST_AGAIN <<'PYTHON'
import json, pathlib, sys
kept = pathlib.Path(".pytest_cache/v/cache/lastfailed")
files = sorted({name.partition("::")[0] for name in json.loads(kept.read_text())}) if kept.exists() else []
print(*files if 0 < len(files) <= int(sys.argv[1]) and all("::" in name for name in json.loads(kept.read_text())) else ())
PYTHON
}

# tests ARGUMENTS...: run them, and what failed once more.
tests() {
    rm -f .pytest_cache/v/cache/lastfailed
    "$bin/pytest" -q "$@" && return
    files=$(failed_files)
    [ -n "$files" ] || { status=1; return; }
    echo "== pytest, what failed once more, alone: $files"
    # shellcheck disable=SC2086  # several files
    if "$bin/pytest" -q $files; then slow="$slow $files"; else status=1; fi
}

sh "$(dirname "$0")/lint.sh" "$bin" >"$said" 2>&1 &
lint=$!
trap 'kill "$lint" 2>/dev/null; exit 130' INT TERM HUP
"$bin/pytest" -q --collect-only >/dev/null 2>&1    # compiles; what is wrong in there the next line tells
echo "== pytest, four at a time"
tests -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/e2e
wait "$lint" || status=1
cat "$said"
echo "== pytest, in real terminals"
tests -n 2 --dist loadfile tests/e2e
[ -z "$slow" ] || echo "walconsole: failed beside others, and passed alone:$slow" >&2
[ "$status" = 0 ] && echo "walconsole: everything passed" || echo "walconsole: something FAILED, see above" >&2
exit $status
