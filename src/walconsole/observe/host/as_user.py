"""Run a script on the droplet as another user, by the first way there is."""

from shlex import quote


def as_user(user: str, script: str) -> str:
    """POSIX sh that runs `script` as `user`; directly where that is who runs it.

    The exit status is the script's; 125 where nobody of that name exists or nothing lets one become it. What
    sudo itself says (a host's name that is not resolved, a lecture) is no part of the script's output.
    """
    name, inner = quote(user), quote(script)
    quiet = quote(f"exec 2>&1\n{script}")
    return f"""(
u=$(id -u -- {name} 2>/dev/null) || {{ echo "there is no user "{name} >&2; exit 125; }}
cd / || exit 125
if [ "$(id -u)" = "$u" ]; then exec /bin/sh -c {inner}; fi
if [ "$(id -u)" = 0 ]; then
    g=$(id -g -- {name})
    if setpriv --reuid="$u" --regid="$g" --init-groups true 2>/dev/null; then
        exec setpriv --reuid="$u" --regid="$g" --init-groups /bin/sh -c {inner}
    fi
    if command -v runuser >/dev/null; then exec runuser -u {name} -- /bin/sh -c {inner}; fi
    exec su -s /bin/sh {name} -c {inner}
fi
said=$(sudo -n -u {name} true 2>&1) || {{ printf '%s\n' "$said" >&2; exit 125; }}
exec sudo -n -u {name} /bin/sh -c {quiet} 2>/dev/null
)"""
