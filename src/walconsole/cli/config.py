"""`walconsole config`: the configuration file."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from walconsole.cli.opening import config_file, config_path
from walconsole.cli.options import shared
from walconsole.cli.table import Takes
from walconsole.config.choose import choose
from walconsole.config.reader import load
from walconsole.config.resolve import Resolved, described
from walconsole.config.writer import write_example, written_for
from walconsole.domain.redaction import safe
from walconsole.process.stderr import say
from walconsole.process.stop import Stop


def declare(command: str, parser: ArgumentParser) -> None:
    """Its actions."""
    parser.description = "The configuration file."
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    for name, (summary, _) in _ACTIONS.items():
        action = actions.add_parser(
            name, help=summary, description=summary, parents=[shared(Takes.NOTHING)], allow_abbrev=False
        )
        if name == "show":
            action.add_argument("target", nargs="?", metavar="PROFILE | HOST", help="whose values")
            action.add_argument(
                "--ask", action="store_true", help="ask the host too, as is done for one that has no profile"
            )
        if name == "init":
            action.add_argument(
                "target", nargs="?", metavar="HOST", help="ask this host, and write its profile"
            )


def start(options: Namespace, stop: Stop) -> int:
    """Do it; 0. Raises ConfigError, UsageError."""
    return _ACTIONS[options.action][1](options)


def _init(options: Namespace) -> int:
    path = config_path(options)
    if options.target is not None:
        return _init_for(options, path)
    write_example(path)
    return _print(f"{path} is written: put your host into it, then run `walconsole config check`")


def _init_for(options: Namespace, path: Path) -> int:
    """A profile of that host, as the host itself says it."""
    if path.exists():
        write_example(path)  # it says so before anything is asked
    resolved = _asked(choose(options.target, load(path, required=False), os.environ))
    if resolved is None:
        return _NOT_ASKED
    name = resolved.profile.name
    write_example(path, written_for(resolved, name))
    return _print(f"{path} is written, with what {resolved.profile.ssh} says: `walconsole {name}` opens it")


_NOT_ASKED = 3
"""As for all that could not be told (docs/exit-codes.md)."""


def _asked(resolved: Resolved) -> Resolved | None:
    """With what the host says, which is told besides; None where it cannot be asked."""
    from walconsole.session.ask_host import ask_host  # asyncssh: a sixth of a second

    answer, told = ask_host(resolved)
    for line in told:
        say(line)
    return answer


def _path(options: Namespace) -> int:
    return _print(str(config_path(options)))


def _check(options: Namespace) -> int:
    file = load(config_path(options), required=True)
    for warning in file.warnings:
        say(warning)
    return _print(f"{file.path}: nothing is wrong; profiles: {', '.join(file.profiles) or 'none'}")


def _show(options: Namespace) -> int:
    file = config_file(options)
    resolved = choose(options.target, file, os.environ)
    if options.ask or (options.target is not None and options.target not in file.profiles):
        resolved = _asked(resolved) or resolved
    return _print(*described(resolved))


def _print(*lines: str) -> int:
    for line in lines:
        sys.stdout.write(f"{safe(line)}\n")
    return 0


_ACTIONS = {
    "init": ("write a commented example, or a host's own profile; never overwrites", _init),
    "path": ("print where the configuration file is", _path),
    "check": ("say with line numbers what is wrong in it", _check),
    "show": ("print every value that holds for a profile or host, and where it comes from", _show),
}
