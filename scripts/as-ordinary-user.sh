#!/bin/sh
# Run a part of the tests as a user who is made for it, on a copy of the checkout, with the distribution's Python:
# `possible` tells whether that can be done here (as root, on a system with a python3 that is new enough);
# `run TOOLS` does it, and takes user, copy and processes away again. TOOLS is a virtual environment's bin folder.
set -eu
. "$(dirname "$0")/took.sh"
PYTHON=/usr/bin/python3

possible() {
    [ "$(id -u)" = 0 ] || return 1
    for program in useradd userdel setpriv tar; do command -v "$program" >/dev/null || return 1; done
    [ -x $PYTHON ] && $PYTHON -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

minor() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# copy_environment OLD NEW: the virtual environment OLD as NEW, with the distribution's Python of the same version.
copy_environment() {
    cp -a "$1" "$2"
    rm -f "$2"/bin/python*
    $PYTHON -m venv --without-pip --upgrade "$2"
    grep -rlIF "$1" "$2"/bin "$2"/lib/python*/site-packages/*.pth | xargs -r sed -i "s|$1|$2|g"
    sed -i "s|$(pwd)/src|$home/checkout/src|g" "$2"/lib/python*/site-packages/*.pth
}

end() {    # its processes first, or they write into what is taken away
    trap '' INT TERM HUP
    for _ in 1 2 3; do pkill -KILL -u "$user" 2>/dev/null || break; sleep 0.2; done
    userdel "$user" >/dev/null 2>&1 || true
    rm -rf "$home"
}

run() {
    since=$(date +%s)
    user=walconsole-$$
    home=$(mktemp -d /tmp/walconsole-ordinary-XXXXXX)
    trap end EXIT
    trap 'exit 130' INT TERM HUP
    useradd --no-create-home --home-dir "$home" --shell /bin/sh --user-group "$user"
    mkdir "$home/checkout"
    tar --exclude=./.venv --exclude=./.git --exclude=__pycache__ --exclude='./.*_cache' --exclude=./.hypothesis \
        -cf - . | tar -xf - -C "$home/checkout"
    tools=$(cd "$1/.." && pwd)
    if [ "$(minor "$tools/bin/python")" = "$(minor $PYTHON)" ]; then
        copy_environment "$tools" "$home/checkout/.venv"
        touch "$home/checkout/.venv/.dev-installed"
    fi
    chown -R "$user:" "$home"
    chmod 755 "$home"    # as a home often is: the servers' user goes through it
    as_user make --no-print-directory .venv/.dev-installed
    took "a user of its own, with a copy of everything" "$since"
    as_user sh scripts/run-tests.sh .venv/bin
}

# as_user COMMAND...: not in the foreground, where a signal to this shell would wait for its end.
as_user() { in_its_place "$@" & wait $!; }

in_its_place() {
    cd "$home/checkout"
    exec setpriv --reuid="$user" --regid="$user" --init-groups env -i HOME="$home" USER="$user" LOGNAME="$user" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG="${LANG:-C.UTF-8}" CI=true \
        PART=ordinary EVERYTHING="${EVERYTHING:-}" PYTHON=$PYTHON "$@" </dev/null
}

case $1 in
    possible) possible ;;
    run) run "$2" ;;
esac
