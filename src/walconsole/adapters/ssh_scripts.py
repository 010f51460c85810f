"""The lines that start, prepare and end shells on the host."""

import secrets
from collections.abc import Iterable

from walconsole.errors import ShellError

_PROLOGUE = "LC_ALL=C; export LC_ALL; unset LANGUAGE CDPATH ENV; cd /\n"

# Prints the processes of the shell called $NAME (it is in its arguments) and all that they started.
_FAMILY = """\
ps -A -o pid= -o ppid= -o args= | NAME={name} awk '
{{ parent[$1] = $2; if (index($0, ENVIRON["NAME"])) found[$1] = 1 }}
END {{
    do {{ more = 0
        for (pid in parent) if (!(pid in found) && (parent[pid] in found)) {{ found[pid] = 1; more = 1 }}
    }} while (more)
    for (pid in found) print pid
}}'"""

# A command whose reader goes away would run on until it next prints. The watcher sees the end of
# standard input, which is the end of the channel, and ends the command with all that it started.
_STREAM = """\
printf '%s\\n' {name}
exec 3<&0
{{ {command}
}} </dev/null 2>&1 3<&- &
child=$!
( trap '' TERM; cat; kill $({family}); kill "$child" ) <&3 >/dev/null 2>&1 3<&- &
watcher=$!
wait "$child"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
"""

_PASSWORD = (
    "sudo wants a password",
    "allow this user `NOPASSWD: ALL` in /etc/sudoers.d, connect as root, or set sudo = false",
)
_NOT_ALLOWED = ("this user may not use sudo", "add the user to sudoers, connect as root, or set sudo = false")
_EXPIRED = (
    "sudo says that the account or its password is expired or locked",
    "renew it on the host (chage -l, passwd), or connect as root",
)
_BROKEN = (
    "sudo cannot become root on the host: its program is not setuid root, or something forbids it",
    "look at `ls -l $(command -v sudo)`, nosuid mounts and NoNewPrivileges, or connect as root",
)
_SUDO_REMEDIES = (
    ("password is required", *_PASSWORD),
    ("authentication is required", *_PASSWORD),
    ("terminal is required to", *_PASSWORD),
    ("[sudo", *_PASSWORD),
    ("assword for ", *_PASSWORD),
    ("not in the sudoers", *_NOT_ALLOWED),
    ("afraid I can't do that", *_NOT_ALLOWED),
    ("password is expired", *_EXPIRED),
    ("account validation failure", *_EXPIRED),
    ("account management error", *_EXPIRED),
    ("no new privileges", *_BROKEN),
    ("must be owned by uid 0", *_BROKEN),
    ("effective uid is not 0", *_BROKEN),
    (
        "not allowed to",
        "this user may not become that user with sudo",
        "allow it in /etc/sudoers.d, or connect as root",
    ),
    ("must have a tty", "sudo wants a terminal", "take requiretty out of sudoers for this user"),
    ("unknown user", "the user does not exist on the host", "check os_user in the profile"),
    (
        "sudo: not found",
        "there is no sudo on the host",
        "connect as root, or set sudo = false in the profile",
    ),
    (
        "account is currently not available",
        "the user's login shell is nologin",
        "give the user a shell (chsh), or connect as another user",
    ),
)


def new_name() -> str:
    """A name by which a shell and its children can be found among the host's processes."""
    return f"walconsole-{secrets.token_hex(8)}"


def launch(name: str, *, sudo: bool) -> str:
    """The command of an exec channel: a POSIX shell that reads its standard input, root's with `sudo`.

    The login shell that sshd hands it to may be sh, bash, zsh, fish or csh: each understands it. sudo's words
    shall be in English, by which they are known.
    """
    if not sudo:
        return f"exec /bin/sh -s {name}"
    shell = f"/bin/sh -s {name}"
    return f"exec /bin/sh -c 'test $(id -u) = 0 && exec {shell}; export LC_ALL=C; exec sudo -n {shell}'"


def prologue(given_up: Iterable[str]) -> str:
    """What a new shell reads first: a neutral locale, and the end of those that were `given_up`."""
    reaping = "".join(
        f"{{ kill -s KILL $({_FAMILY.format(name=name)}); }} </dev/null >/dev/null 2>&1 &\n"
        for name in given_up
    )
    return _PROLOGUE + reaping


def stream(name: str, command: str) -> str:
    """The script of a stream: prints `name` on a line of its own, then what `command` prints."""
    return _PROLOGUE + _STREAM.format(name=name, command=command, family=_FAMILY.format(name=name))


def begins_not(tried: str, said: str, waited_s: float) -> ShellError:
    """A shell that had not begun after `waited_s`, and what came in its stead, safe to show."""
    for sign, why, remedy in _SUDO_REMEDIES:
        if sign in said:
            return ShellError(tried, f"{why}: {said}", remedy, code="Sudo")
    why = f"the shell had not begun after {waited_s:g} s{f'; it said: {said}' if said else ''}"
    return ShellError(
        tried, why, "look at the host's load, and at what its login shell and sudo do", code="Timeout"
    )


def shell_error(tried: str, said: str, status: int | None, *, began: bool) -> ShellError:
    """A shell ended by itself. `said`: its last words, safe to show; `began`: it had served before."""
    for sign, why, remedy in _SUDO_REMEDIES:
        if sign in said:
            return ShellError(tried, why, remedy, code="Sudo")
    ending = f"exit status {status}" if status is not None else "without a status"
    why = f"the shell ended, {ending}{f': {said}' if said else ''}"
    remedy = "it is started again" if began else "check the user's login shell and sshd's ForceCommand"
    return ShellError(tried, why, remedy)
