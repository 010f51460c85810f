#!/bin/sh
# Make the virtual environment $1 and install walconsole with its extra $2 (demo, dev or bench) into it, editable.
# Tried when the machine is bare: no venv module, no ensurepip, an old python3 beside a newer one.
set -eu
venv=$1 extra=$2

fail() { printf 'walconsole: %s\n' "$@" >&2; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$name"; then command -v "$name"; return; fi
    done
    found=$("${PYTHON:-python3}" --version 2>&1) || found='no python3 at all'
    fail "Python 3.11 or newer is needed, and this machine has $found." \
        "Install one (Debian/Ubuntu: apt-get install python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3 ..."
}

without_ensurepip() {    # Debian's python3 without python3-venv: a virtual environment, but no pip to put into it
    "$python" -m pip --version >/dev/null 2>&1 || return 1
    "$python" -m venv --without-pip "$venv" && "$python" -m pip --python "$venv/bin/python" install --quiet pip
}

make_venv() {
    echo "walconsole: making $venv with $("$python" --version)"
    if output=$("$python" -m venv --clear "$venv" 2>&1); then return; fi
    rm -rf "$venv"
    if "$python" -m virtualenv --quiet "$venv" 2>/dev/null; then return; fi
    if command -v virtualenv >/dev/null && virtualenv --quiet --python "$python" "$venv"; then return; fi
    if without_ensurepip; then return; fi
    rm -rf "$venv"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$output" "$python cannot make a virtual environment in $(pwd)." \
        "Where its venv module is missing, install it (Debian/Ubuntu: apt-get install python$version-venv)."
}

install() {
    PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-60} PIP_RETRIES=${PIP_RETRIES:-8} \
        "$venv/bin/python" -m pip install --quiet --editable ".[$extra]" </dev/null
}

if ! new_enough "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    make_venv
fi
echo "walconsole: installing walconsole[$extra] into $venv (the first time this downloads for a minute)"
for pause in 3 15 -; do
    if install; then touch "$venv/.$extra-installed"; exit; fi
    if [ "$pause" != - ]; then
        echo "walconsole: pip failed; once more in $pause s" >&2
        sleep "$pause"
    fi
done
fail "pip could not install walconsole[$extra]: its message is above. Is the network there? Then run make again."
