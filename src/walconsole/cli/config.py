"""`walconsole config`: the configuration file."""

import os
import sys
from argparse import ArgumentParser, Namespace

from walconsole.cli.opening import config_file, config_path
from walconsole.cli.options import shared
from walconsole.cli.table import Takes
from walconsole.config.choose import choose
from walconsole.config.reader import load
from walconsole.config.resolve import described
from walconsole.config.writer import write_example
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


def start(options: Namespace, stop: Stop) -> int:
    """Do it; 0. Raises ConfigError, UsageError."""
    return _ACTIONS[options.action][1](options)


def _init(options: Namespace) -> int:
    path = config_path(options)
    write_example(path)
    return _print(f"{path} is written: put your host into it, then run `walconsole config check`")


def _path(options: Namespace) -> int:
    return _print(str(config_path(options)))


def _check(options: Namespace) -> int:
    file = load(config_path(options), required=True)
    for warning in file.warnings:
        say(warning)
    return _print(f"{file.path}: nothing is wrong; profiles: {', '.join(file.profiles) or 'none'}")


def _show(options: Namespace) -> int:
    return _print(*described(choose(options.target, config_file(options), os.environ)))


def _print(*lines: str) -> int:
    for line in lines:
        sys.stdout.write(f"{safe(line)}\n")
    return 0


_ACTIONS = {
    "init": ("write a commented example; never overwrites", _init),
    "path": ("print where the configuration file is", _path),
    "check": ("say with line numbers what is wrong in it", _check),
    "show": ("print every value that holds for a profile or host, and where it comes from", _show),
}
