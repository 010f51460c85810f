#!/bin/sh
# Lint beside the tests: most of them four at a time (they wait for servers more than they compute; with more, tests that bound a time fail), the longest files
# first (tests/durations.py), then those in real terminals, two at a time.
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
status=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT
sh "$(dirname "$0")/lint.sh" "$bin" >"$said" 2>&1 &
lint=$!
trap 'kill "$lint" 2>/dev/null; exit 130' INT TERM HUP
"$bin/pytest" -q --collect-only >/dev/null 2>&1    # compiles; what is wrong in there the next line tells
echo "== pytest, four at a time"
"$bin/pytest" -q -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/e2e || status=1
wait "$lint" || status=1
cat "$said"
echo "== pytest, in real terminals"
"$bin/pytest" -q -n 2 --dist loadfile tests/e2e || status=1
[ "$status" = 0 ] && echo "walconsole: everything passed" || echo "walconsole: something FAILED, see above" >&2
exit $status
