"""A tool's own commands as somebody at a shell types them, with the environment that the server gives."""

from shlex import quote

from walconsole.domain.archivers.asking import of_text, own_commands
from walconsole.domain.archivers.calls import Call
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.target import NO_COMMANDS, OwnCommands
from walconsole.domain.archivers.whence import VARIABLES_THAT_SAY_WHERE
from walconsole.domain.redaction import safe


def typed(call: Call, command: str, look: Look) -> OwnCommands:
    """What `call`'s tool is asked with. `command` is archive_command, whose own words go first where they do.

    None that may hold a secret, and none where a script sets variables of its own: without them the tool
    would look elsewhere.
    """
    inherited = {
        name: value for name, value in look.seen.environ.items() if name.startswith(VARIABLES_THAT_SAY_WHERE)
    }
    direct = of_text(command, look.seen.data, call.name)
    if direct == NO_COMMANDS:
        own = {
            name: each.value
            for name, each in call.environment.items()
            if name.startswith(VARIABLES_THAT_SAY_WHERE)
        }
        if any(inherited.get(name) != value for name, value in own.items()):
            return NO_COMMANDS
        direct = own_commands((call.program, *call.words), look.seen.data)
    made = {name: _as_called(text, call, look) for name, text in direct.named() if safe(text) == text}
    return OwnCommands(
        **{
            name: _with_environment(text, look) if inherited and look.seen.data else text
            for name, text in made.items()
        }
    )


def _as_called(command: str, call: Call, look: Look) -> str:
    """By the user that runs the tool, where that is another than the server's."""
    other = call.user and call.user != look.seen.user
    return f"sudo -n -u {quote(call.user)} {command}" if other else command


def _with_environment(command: str, look: Look) -> str:
    """The postmaster's variables, which may be secrets: they are in no argument that others could see."""
    pid = f'"$(head -n 1 {quote(f"{look.seen.data}/postmaster.pid")})"'
    script = f'while IFS= read -rd "" each; do export "$each"; done </proc/{pid}/environ; exec {command}'
    return f"bash -c {quote(script)}"
