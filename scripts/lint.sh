#!/bin/sh
# Everything that reads the sources without running them. $1: the folder of the tools. All run, then the status.
set -u
. "$(dirname "$0")/took.sh"
since=$(date +%s)
status=0
step() {
    echo "== $*"
    "$@" || status=1
}
step "$1/ruff" check --quiet .
step "$1/ruff" format --check --quiet .
step "$1/mypy"
step "$1/lint-imports" --no-cache
took "lint" "$since"
exit $status
