"""A tool's own commands as somebody at a shell types them, with the environment that the server gives."""

import re
from collections.abc import Mapping
from dataclasses import replace
from shlex import quote

from walconsole.domain.archivers.asking import own_commands
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import UNKNOWN
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.places import home_of
from walconsole.domain.archivers.target import NO_COMMANDS, Found, OwnCommands
from walconsole.domain.archivers.whence import VARIABLES_THAT_SAY_WHERE
from walconsole.domain.redaction import may_hold_secret, safe

_ENVDIR = re.compile(r"(?<![\w./-])[\w./-]*(?:envdir|chpst)(?=\s)")


def typed(call: Call, command: str, look: Look) -> OwnCommands:
    """What `call`'s tool is asked with. `command` is archive_command, which may run it by a script.

    None that may hold a secret, and none where variables that say where the archive is come from elsewhere
    than the server, one folder of envdir, one file that is read in, or words that may be told: without them
    the tool would look elsewhere.
    """
    inherited = {
        name: value for name, value in look.seen.environ.items() if name.startswith(VARIABLES_THAT_SAY_WHERE)
    }
    own = {
        name: found
        for name, found in call.environment.items()
        if name.startswith(VARIABLES_THAT_SAY_WHERE) and inherited.get(name) != found.value
    }
    gone = UNKNOWN in call.environment or any(name not in call.environment for name in inherited)
    if gone and not _is_anothers(call, look):  # of another user it is sudo that takes it, here as there
        return NO_COMMANDS
    way = _Way.through(own, call, command, look)
    if way is None:
        return NO_COMMANDS
    home = home_of(call.environment, look)
    words = [look.path(word, home) if word.startswith("~/") else word for word in call.words]
    direct = own_commands((call.program, *words), look.seen.data, call.name)
    if way.reads:
        direct = replace(direct, listed="")  # nothing is read in by a look that nobody asked for
    made = {name: _as_called(way.of(text), call, look) for name, text in direct.named() if safe(text) == text}
    return OwnCommands(
        **{
            name: _with_environment(text, look) if inherited and look.seen.data else text
            for name, text in made.items()
        }
    )


class _Way:
    """What stands before the tool, so that it finds the variables that the archive command gives it."""

    def __init__(self, before: str = "", shell: str = "", reads: str = "") -> None:
        self._before, self._shell, self.reads = before, shell, reads

    @classmethod
    def through(cls, own: Mapping[str, Found[str]], call: Call, command: str, look: Look) -> "_Way | None":
        """None where there is none that can be typed."""
        if not own:
            return cls()
        sources = {found.source for found in own.values()}
        folders = {source.rpartition("/")[0] for source in sources}
        if len(folders) == 1 and (folder := folders.pop()) in look.seen.folders:
            found = _ENVDIR.search(command)
            program = found[0] if found is not None else "envdir"
            return cls(f"{program}{' -e' if program.endswith('chpst') else ''} {quote(folder)} ")
        files = {source.partition(" line ")[0] for source in sources}
        itself = {"archive_command", call.source.partition(" line ")[0]}
        if len(files) == 1 and not files & itself and (file := files.pop()) in look.seen.files:
            return cls(shell="bash" if "bash" in command or call.source.startswith("/") else "sh", reads=file)
        plain = files <= itself  # the script that makes the call is not read in: it would make the call
        hidden = any(UNKNOWN in each.value or _may_be_secret(name, each.value) for name, each in own.items())
        if not plain or hidden:
            return None
        return cls("env " + "".join(f"{name}={quote(found.value)} " for name, found in own.items()))

    def of(self, text: str) -> str:
        """The tool's command by that way."""
        if self.reads:
            script = f"set -a; . {quote(self.reads)}; exec {text}"
            return f"{self._shell} -c {quote(script)}"
        return self._before + text


def _may_be_secret(name: str, value: str) -> bool:
    """A path of a file with secrets, as AWS_SHARED_CREDENTIALS_FILE has, is none."""
    text = f"{name}={value}"
    return may_hold_secret(text) and not (value.startswith("/") and safe(text) == text)


def _as_called(command: str, call: Call, look: Look) -> str:
    """By the user that runs the tool, where that is another than the server's."""
    return f"sudo -n -u {quote(call.user)} {command}" if _is_anothers(call, look) else command


def _is_anothers(call: Call, look: Look) -> bool:
    return bool(call.user) and call.user != look.seen.user


def _with_environment(command: str, look: Look) -> str:
    """The postmaster's variables, which may be secrets: they are in no argument that others could see."""
    pid = f'"$(head -n 1 {quote(f"{look.seen.data}/postmaster.pid")})"'
    script = f'while IFS= read -rd "" each; do export "$each"; done </proc/{pid}/environ; exec {command}'
    return f"bash -c {quote(script)}"
