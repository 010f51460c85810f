"""What may stand on the command line, made from the table of commands."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, NoReturn

from walconsole.cli.options import DEFAULTS, add_shared, shared
from walconsole.cli.table import BY_NAME, COMMANDS, OPEN, Command, Takes, module_of
from walconsole.errors import EXIT_CODES, PLUGIN_EXIT_CODES, PLUGIN_UNKNOWN, SIGNAL_EXIT_CODES

PROGRAM = "walconsole"
UNREACHED = "The console itself never ends with 4 to 7: it keeps trying, and ends with 0 when it is left."
EVERYTHING = Takes.SERVER | Takes.CONSOLE


class PluginParser(argparse.ArgumentParser):
    """Ends with 3 for what it does not understand: 2 would page somebody."""

    def error(self, message: str) -> NoReturn:
        """Say it and end."""
        self.print_usage(sys.stderr)
        self.exit(PLUGIN_UNKNOWN, f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; `command` is `open` or a command's name. Ends the program for --help and for errors."""
    named = BY_NAME.keys() & set(arguments)
    first, before = _peek(arguments) if named else ("", set[str]())
    command = BY_NAME.get(first)
    if command is None:
        return _parse_open(arguments)
    parser, chosen = _parser_for(command)
    if "--help" in before:
        chosen.print_help()
        chosen.exit()
    foreign = before - _names(command.takes)
    if foreign:
        chosen.error(f"unrecognized arguments: {' '.join(sorted(foreign))}")
    options, left = parser.parse_known_args(arguments, argparse.Namespace(**DEFAULTS))
    if left:
        chosen.error(f"unrecognized arguments: {' '.join(left)}")
    return _with_target(options)


def _with_target(options: argparse.Namespace) -> argparse.Namespace:
    """`target` is the one that was named, where it is one."""
    if len(options.targets) == 1:
        (options.target,) = options.targets
    return options


def _peek(arguments: Sequence[str]) -> tuple[str, set[str]]:
    """The first word that is neither an option nor an option's value: a command or a server, empty for
    none; and the options before it, by name. What stands after `--` is no command.
    """
    peek = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, exit_on_error=False, argument_default=argparse.SUPPRESS
    )
    options = add_shared(peek, EVERYTHING)
    for action in options:
        action.type = None  # a wrong value is for the command's own parser to refuse, in its own way
    options.append(peek.add_argument("--help", "-h", action="store_true"))
    peek.add_argument("first", nargs="?", default="")
    peek.add_argument("rest", nargs=argparse.REMAINDER)
    words = list(takewhile(lambda word: word != "--", arguments))
    try:
        seen = vars(peek.parse_known_args(words)[0])
    except argparse.ArgumentError:  # an option without its value
        return "", set()
    return seen["first"], {action.option_strings[0] for action in options if action.dest in seen}


def _names(takes: Takes) -> set[str]:
    return {action.option_strings[0] for action in add_shared(argparse.ArgumentParser(), takes)}


def _parse_open(arguments: Sequence[str]) -> argparse.Namespace:
    parser = open_parser()
    options, left = parser.parse_known_args(arguments, argparse.Namespace(command=OPEN.name, **DEFAULTS))
    first, *others = options.targets or (options.target or "",)
    near = get_close_matches(first, BY_NAME, n=1)
    if left or (near and others):
        meant = f"; did you mean `{PROGRAM} {near[0]}`?" if near else ""
        parser.error(f"unrecognized arguments: {' '.join([*(others if near else ()), *left])}{meant}")
    return _with_target(options)


def open_parser() -> argparse.ArgumentParser:
    """The parser where no command stands."""
    parser = argparse.ArgumentParser(PROGRAM, parents=[shared(OPEN.takes)], **_MANNERS)
    parser.usage = (
        f"{PROGRAM} [PROFILE | [user@]host[:port]]... [options]\n       {PROGRAM} {{{','.join(BY_NAME)}}} ..."
    )
    _declare(OPEN, parser)
    return parser


def _parser_for(command: Command) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The program's parser with this command alone declared, and the command's."""
    kind = PluginParser if command.plugin else argparse.ArgumentParser
    parser = kind(PROGRAM, parents=[shared(command.takes)], **_MANNERS)
    return parser, _add_commands(parser, [command])[command.name]


def whole_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The program's parser with every command declared, and theirs by name: what completion is made from."""
    parser = argparse.ArgumentParser(PROGRAM, parents=[shared(EVERYTHING)], **_MANNERS)
    return parser, _add_commands(parser, COMMANDS)


def _add_commands(
    parser: argparse.ArgumentParser, commands: Sequence[Command]
) -> dict[str, argparse.ArgumentParser]:
    adding = parser.add_subparsers(dest="command", metavar="COMMAND", prog=PROGRAM)
    made = {}
    for command in commands:
        made[command.name] = adding.add_parser(
            command.name, help=command.summary, parents=[shared(command.takes)], **_MANNERS
        )
        _declare(command, made[command.name])
    return made


_MANNERS: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}


def _declare(command: Command, parser: argparse.ArgumentParser) -> None:
    module_of(command).declare(command.name, parser)
    parser.epilog = f"{parser.epilog or ''}\n{_exit_codes(plugin=command.plugin)}"


def _exit_codes(*, plugin: bool) -> str:
    title = "exit codes, as monitoring plugins have them:" if plugin else "exit codes:"
    codes = (PLUGIN_EXIT_CODES if plugin else EXIT_CODES) | SIGNAL_EXIT_CODES
    lines = [f"  {code:<7} {meaning}" for code, meaning in codes.items()]
    return "\n".join([title, *lines, *([] if plugin else [UNREACHED])])
