"""Every command, once: its name, its line in the help, the module that declares and starts it.

Parser, dispatch, the names that no profile may have, completion, the man page and docs/commands.md follow
from this table. A command's module is imported only when it is the one that was asked for.
"""

from enum import Flag, auto
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from walconsole.process.stop import Stop


class Takes(Flag):
    """Options that several commands share; they may stand before the command as well."""

    NOTHING = 0
    SERVER = auto()
    """a profile or a host, and --name"""
    LOG = auto()
    """--log-file"""
    SCREEN = auto()
    """what the console looks like and how often it reads"""
    CONSOLE = LOG | SCREEN


class Command(NamedTuple):
    """`summary` is one line; `page` the one in docs/ that tells more.

    A `plugin` ends with 0 to 3 as monitoring plugins do, whatever happens. What `imports_on` has garbage
    collected only when all that it needs is imported: between, to look through it all costs 3 to 9 ms.
    """

    name: str
    summary: str
    module: str
    takes: Takes
    page: str
    plugin: bool = False
    imports_on: bool = False


class CommandModule(Protocol):
    """What a command's module has."""

    def declare(self, command: str, parser: "ArgumentParser") -> None:
        """Say what the command is for (`description`, `epilog`) and which arguments it takes."""

    def start(self, options: "Namespace", stop: "Stop") -> int:
        """Do it; the exit code. Raises WalconsoleError."""


_FULL = Takes.SERVER | Takes.CONSOLE

OPEN = Command("open", "the console", "console", _FULL, "console.md", imports_on=True)
"""What no command's name stands for: `walconsole [PROFILE | HOST]`."""

_PLUGIN = Takes.SERVER | Takes.LOG

COMMANDS = (
    Command(
        "demo", "the console on an embedded droplet, for trying it out",
        "demo", Takes.CONSOLE, "console.md",
    ),
    Command(
        "fleet", "many clusters in one list, the worst first",
        "fleet", Takes.CONSOLE, "fleet.md", imports_on=True,
    ),
    Command(
        "config", "the configuration file: init, path, check, show",
        "config", Takes.NOTHING, "configuration.md",
    ),
    Command(
        "provision", "set continuous archiving up, by a screen or without one",
        "provisioning", _FULL, "provisioning.md",
    ),
    Command(
        "undo", "take back what `provision` and `fix` changed",
        "provisioning", _FULL, "provisioning.md",
    ),
    Command(
        "backup", "take a base backup now, and see it arrive in every copy",
        "provisioning", _FULL, "recovery.md",
    ),
    Command(
        "drill", "restore the newest base backup beside the server, and prove it",
        "provisioning", _FULL, "recovery.md",
    ),
    Command(
        "expire", "delete base backups and WAL that no rule of the profile keeps",
        "provisioning", _FULL, "recovery.md",
    ),
    Command(
        "moment", "find the moment to go back to: what was dropped or deleted around a time",
        "moment", Takes.SERVER | Takes.LOG, "recovery.md",
    ),
    Command(
        "recover", "recover the cluster: to a moment, paused there to look, then promoted or given up",
        "recovering", Takes.SERVER | Takes.LOG, "recovery.md",
    ),
    Command(
        "fix", "make one fix that a finding offers",
        "provisioning", _FULL, "triage.md",
    ),
    Command(
        "probe", "dig deeper: the way to the store, call by call, the archive command by hand",
        "provisioning", _FULL, "triage.md",
    ),
    Command(
        "check", "look once, say it in a line, JSON or metrics; exit 0 to 3 as plugins do",
        "checking", _PLUGIN, "monitoring.md", plugin=True, imports_on=True,
    ),
    Command(
        "report", "the incident report, for a post-mortem",
        "checking", _PLUGIN, "monitoring.md", plugin=True, imports_on=True,
    ),
    Command(
        "watch", "the same observer without a screen: serves metrics, tells who does not look",
        "watching", Takes.LOG, "watch.md",
    ),
    Command(
        "incidents", "what is remembered of incidents, over all clusters; the report of one",
        "incidents", Takes.NOTHING, "history.md",
    ),
    Command(
        "record", "what was seen of a cluster in the last days, redacted, in one file",
        "recording", Takes.SERVER | Takes.LOG, "history.md",
    ),
    Command(
        "replay", "play such a file on the console's screens; nothing is connected",
        "recording", Takes.CONSOLE, "history.md",
    ),
    Command(
        "explain", "a failure mode: what it means, how to see it, what to do",
        "explain", Takes.NOTHING, "findings.md",
    ),
    Command(
        "completion", "a script that completes commands and options in your shell",
        "completion", Takes.NOTHING, "commands.md",
    ),
)  # fmt: skip
"""In the order of the help."""

BY_NAME = {command.name: command for command in COMMANDS}


def module_of(command: Command) -> CommandModule:
    """Its module, imported now."""
    return cast("CommandModule", import_module(f"walconsole.cli.{command.module}"))
