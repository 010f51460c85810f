#!/bin/sh
# Lint, then the tests: most of them four at a time (they wait for servers more than they compute), then those in real
# terminals, two at a time.
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
echo "== pytest, four at a time"
"$bin/pytest" -q -n 4 --dist loadfile --ignore tests/e2e || status=1
echo "== pytest, in real terminals"
"$bin/pytest" -q -n 2 --dist loadfile tests/e2e || status=1
[ "$status" = 0 ] && echo "walconsole: everything passed" || echo "walconsole: something FAILED, see above" >&2
exit $status
