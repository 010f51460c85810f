#!/bin/sh
# Lint, then the tests: most of them three at a time, then those that watch the clock of a real terminal, alone.
# $1: the folder of the tools. ARGS: more arguments for pytest (then nothing else is run).
set -u
bin=$1
export PYTHONDONTWRITEBYTECODE=1
if [ -n "${ARGS:-}" ]; then
    # shellcheck disable=SC2086  # several arguments
    exec "$bin/pytest" $ARGS
fi
status=0
sh "$(dirname "$0")/lint.sh" "$bin" || status=1
echo "== pytest, three at a time"
"$bin/pytest" -q -n 3 --dist loadfile --ignore tests/e2e || status=1
echo "== pytest, in real terminals"
"$bin/pytest" -q tests/e2e || status=1
[ "$status" = 0 ] && echo "walconsole: everything passed" || echo "walconsole: something FAILED, see above" >&2
exit $status
