"""The lines that start, prepare and end shells on the host."""

import secrets
from collections.abc import Iterable

from walconsole.domain.patience import HANGS, seconds_text
from walconsole.errors import ShellError

PROGRAMS = "command -v id >/dev/null || { PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin; export PATH; }"
"""Where programs are looked for when none is found: bash reads a ~/.bashrc for every command, which may leave
no PATH."""
_PROLOGUE = f"LC_ALL=C; export LC_ALL; {PROGRAMS}; unset LANGUAGE CDPATH ENV; cd /\n"

LONGEST_SCRIPT_S = 360.0
"""More than any script of the shell is given by whoever sends it. The host ends one that has run so long by
itself, at twice this at the latest, though nobody should ask for it any more."""
LEFT_ALONE_S = 5
"""How long what runs in the shell when its connection ends may take to end by itself."""
_RELENTLESS_S = 2
"""How long after TERM what is still there is killed."""

_PROCESSES = "{ ps -A -o pid= -o ppid= -o args= || ps -o pid,ppid,args; } 2>/dev/null"
"""All there are, a line each; BusyBox's ps knows none of these options, prints all and a heading."""

# Prints the processes of the shell called $NAME (it is in its arguments) and all that they started.
_FAMILY = """\
{processes} | NAME={name} awk '
{{ parent[$1] = $2; if (index($0, ENVIRON["NAME"])) found[$1] = 1 }}
END {{
    do {{ more = 0
        for (pid in parent) if (!(pid in found) && (parent[pid] in found)) {{ found[pid] = 1; more = 1 }}
    }} while (more)
    for (pid in found) print pid
}}'"""

# A command whose reader goes away would run on until it next prints. The watcher sees the end of
# standard input, which is the end of the channel, and ends the command with all that it started: the
# list is taken first, since what loses its parent is nobody's child, and has the watcher in it. All of it
# is one command of the shell's, which reads it whole before it begins: no half of it runs unwatched.
_STREAM = """\
{{
printf '%s\\n' {name}
exec 3<&0
{{ {command}
}} </dev/null 2>&1 3<&- &
child=$!
( trap '' TERM; cat; me=$(exec /bin/sh -c 'echo $PPID'); family=$({family}); kill $family; kill "$child"
  sleep {relentless}; for pid in $family; do [ "$pid" = "$me" ] || kill -s KILL "$pid"; done
) <&3 >/dev/null 2>&1 3<&- &
watcher=$!
wait "$child"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
}}
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
_BECOME_ROOT = (
    '{programs}; test "$(id -u)" = 0 || {{ LC_ALL=C; export LC_ALL; exec sudo -n {shell}; }}; '
    'read -r script; eval "$script"'
)

# The shell reads its scripts from a pipe that a feeder fills, since nobody else could see the end of its
# standard input while a script runs. When that ends, so does all that runs in the shell: by itself, or it
# is ended. Beside it a watch ends a script that runs for ever on a connection nobody cut. `listed` prints
# the processes of the shell (not those around it: they are called with -c) and all that they started; with
# `old` the scripts that run now, a colon, and of these only such as stand in the second argument already.
# What the shells around it would say of its end goes nowhere: writing to a closed channel ends who writes.
# One line, as `read` wants it.
_SERVE = " ".join(
    line.strip()
    for line in r"""
name={name};
listed() {{ {processes} | NAME="/bin/sh -s $name" OLD=$1 SEEN=$2 awk '
    {{ parent[$1] = $2; if (index($0, ENVIRON["NAME"])) shell[$1] = 1 }}
    END {{
        for (pid in shell) if (!(parent[pid] in shell)) root = pid;
        if (root == "") exit;
        if (ENVIRON["OLD"] == "") found[root] = 1;
        else {{
            for (pid in parent) if (parent[pid] == root) {{
                printf "%s ", pid; if (index(ENVIRON["SEEN"], " " pid " ")) found[pid] = 1 }}
            printf ": " }}
        do {{ more = 0;
            for (pid in parent) if (!(pid in found) && (parent[pid] in found)) {{ found[pid] = 1; more = 1 }}
        }} while (more);
        for (pid in found) printf "%s ", pid
    }}'; }};
finish() {{ [ -z "$1" ] || {{ kill $1; sleep {relentless}; kill -s KILL $1; }}; }};
feed() {{
    /bin/sh -c 'echo $$; exec cat' || return; exec >/dev/null; waited=0;
    while running=$(listed); [ -n "$running" ] && [ "$waited" -lt {alone} ]; do
        sleep 1; waited=$((waited + 1));
    done;
    finish "$running"; }};
watch() {{
    trap 'kill "$pause"; exit' TERM; seen=;
    while sleep {longest} & pause=$!; wait "$pause"; do
        look=$(listed old " $seen"); [ -n "$look" ] || exit; seen=${{look%%:*}}; finish "${{look#*:}}";
    done; }};
feed 2>/dev/null | {{
    exec 3>&2 2>/dev/null; read -r feeder; watch </dev/null >/dev/null 3>&- & watch=$!;
    (exec /bin/sh -s $name 2>&3 3>&-); status=$?;
    kill "$watch"; kill -s KILL "$feeder"; exit "$status"; }}
""".strip().splitlines()
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
    become = f"test $(id -u) = 0 && exec {shell}; export LC_ALL=C; exec sudo -n {shell}"
    return f"exec /bin/sh -c '{PROGRAMS}; {become}'"


def launch_served(name: str) -> str:
    """The command of the exec channel of a shell that bounds what runs in it: it reads serving() first."""
    return f"exec {_read_script(name)}"


def serving(name: str, *, sudo: bool) -> str:
    """What makes the served shell, root's with `sudo`; what follows it on standard input are its scripts."""
    serve = _SERVE.format(
        processes=_PROCESSES,
        name=name,
        relentless=_RELENTLESS_S,
        alone=LEFT_ALONE_S,
        longest=f"{LONGEST_SCRIPT_S:g}",
    )
    become = _BECOME_ROOT.format(programs=PROGRAMS, shell=_read_script(name)) + "\n" if sudo else ""
    return f"{become}{PROGRAMS}; {serve}\n"


def _read_script(name: str) -> str:
    return f"/bin/sh -c 'read -r script; eval \"$script\"' {name}"


def prologue(given_up: Iterable[str], streams: Iterable[str] = ()) -> str:
    """What a new shell reads first: a neutral locale, and the end of those that were `given_up`.

    Of `streams` whose connection was lost: they are asked to end, as their own watchers do, which know of it
    only once sshd does. In a network that swallows all that is not before its keepalives, if ever.
    """
    reaping = "".join(
        f"{{ kill -s KILL $({_family(name)}); }} </dev/null >/dev/null 2>&1 &\n" for name in given_up
    )
    ending = "".join(
        f'{{ family=$({_family(name)}); [ -z "$family" ] || {{ kill $family; sleep {_RELENTLESS_S}; '
        f"kill -s KILL $family; }}; }} </dev/null >/dev/null 2>&1 &\n"
        for name in streams
    )
    return _PROLOGUE + reaping + ending


def stream(name: str, command: str) -> str:
    """The script of a stream: prints `name` on a line of its own, then what `command` prints."""
    return _PROLOGUE + _STREAM.format(
        name=name, command=command, family=_family(name), relentless=_RELENTLESS_S
    )


def _family(name: str) -> str:
    return _FAMILY.format(processes=_PROCESSES, name=name)


def begins_not(tried: str, said: str, waited_s: float) -> ShellError:
    """A shell that had not begun after `waited_s`, and what came in its stead, safe to show."""
    for sign, why, remedy in _SUDO_REMEDIES:
        if sign in said:
            return ShellError(tried, f"{why}: {said}", remedy, code="Sudo")
    why = f"the shell had not begun after {seconds_text(waited_s)}{f'; it said: {said}' if said else ''}"
    return ShellError(
        tried, why, "look at the host's load, and at what its login shell and sudo do", code=HANGS
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
