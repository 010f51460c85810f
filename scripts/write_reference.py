"""Write docs/commands.md, the man page and the pages' lists of keys from the tables of commands and keys."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from walconsole import __version__
from walconsole.cli.arguments import UNREACHED
from walconsole.cli.console import ABOUT, ENVIRONMENT
from walconsole.cli.options import add_shared
from walconsole.cli.table import COMMANDS, OPEN, Command, module_of
from walconsole.errors import EXIT_CODES, PLUGIN_EXIT_CODES, SIGNAL_EXIT_CODES
from walconsole.ui.board.key_actions import Action
from walconsole.ui.board.keys import PAST, own

DOCS = Path(__file__).parents[1] / "docs"
FILES = (
    ("~/.config/walconsole/config.toml", "profiles; `walconsole config init` writes a commented example"),
    ("~/.config/walconsole/themes/NAME.toml", "your own colour themes"),
    ("~/.ssh/config, ~/.ssh/known_hosts", "read as ssh(1) reads them"),
    ("~/.local/state/walconsole/walconsole.log", "messages and tracebacks"),
    ("~/.local/state/walconsole/incidents/PROFILE.json", "what is remembered of incidents"),
    ("~/.local/state/walconsole/watch/PROFILE.state", "what a watcher told, and what is still to be told"),
    ("~/.local/state/walconsole/history.db", "what was read and said, thinner further back"),
)
KEY_PAGES = {
    "console.md": ("dashboard",),
    "archive.md": ("archive",),
    "configuration-screen.md": ("configuration",),
    "provisioning.md": ("provision",),
    "triage.md": ("triage",),
    "recovery.md": ("recovery", "moments", "recover"),
    "commands-run.md": ("commands",),
    "history.md": (),
    "fleet.md": ("fleet",),
}
"""The pages with lists of keys, and the screens that each is about; of the past it is every screen."""
NAMES = {
    "question_mark": "?", "slash": "/", "plus": "+", "equals_sign": "=", "minus": "-", "space": "Space",
    "enter": "Enter", "escape": "Esc", "tab": "Tab", "home": "Home", "end": "End",
    "pageup": "PgUp", "pagedown": "PgDn", "up": "Up", "down": "Down", "left": "Left", "right": "Right",
    "f1": "F1", "exclamation_mark": "!", "colon": ":", "less_than_sign": "<", "greater_than_sign": ">",
    "number_sign": "#", "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip
"""How Textual's names of keys are written."""
_LIST = re.compile(r"(\| key \| what it does \|\n\|---\|---\|\n)(?:\|.*\n)+")
INTRODUCTION = """\
# Commands

`walconsole` with a profile, a host or nothing opens the console. A command's name does something else; each
has its own `--help`, and `man walconsole` tells all of them. Options that several commands share (`--config`,
`--log-file` and so on) may stand before the command, too. No profile can be called like a command; a host
that is called so is written with its port (`check:22`).
"""


def files() -> Iterator[tuple[Path, str]]:
    """Every file with what it shall hold."""
    yield DOCS / "commands.md", page()
    yield DOCS / "man" / "walconsole.1", man_page()
    for name in KEY_PAGES:
        yield DOCS / name, with_tables((DOCS / name).read_text("utf-8"), key_tables(name))


def stale() -> list[str]:
    """The files that are not as they shall be."""
    return [str(path) for path, text in files() if not path.exists() or path.read_text("utf-8") != text]


def page() -> str:
    """docs/commands.md."""
    rows = [f"| `walconsole {one.name}` | {one.summary} | [{one.page}]({one.page}) |" for one in COMMANDS]
    completion = declared(next(one for one in COMMANDS if one.name == "completion"))
    table = ["| command | what it does | more |", "|---|---|---|", *rows, ""]
    how = [f"    {line}" if line else "" for line in (completion.epilog or "").splitlines()]
    parts = ["## Completion", "", f"`walconsole completion SHELL` {_lower(completion.description)}", ""]
    return "\n".join([INTRODUCTION, *table, *parts, *how, ""])


def _lower(text: str | None) -> str:
    return f"{(text or '')[:1].lower()}{(text or '')[1:]}"


def key_tables(name: str) -> list[str]:
    """The lists of keys on a page, in its order: on the console's one a scope, else one a screen."""
    if name == "console.md":
        scopes = ("console", "pane", "log")
        return [_rows(action for action in own("dashboard") if action.scope == scope) for scope in scopes]
    if name == "history.md":
        return [_rows(PAST)]
    return [_rows(own(screen)) for screen in KEY_PAGES[name]]


def _rows(actions: Iterable[Action]) -> str:
    return "".join(
        f"| {', '.join(f'`{_key(key)}`' for key in action.keys.split(','))} | {action.title} |\n"
        for action in actions
    )


def _key(name: str) -> str:
    *modifiers, key = name.split("+")
    return "-".join(
        [*(one.capitalize() for one in modifiers), NAMES.get(key, key.upper() if modifiers else key)]
    )


def with_tables(text: str, tables: list[str]) -> str:
    """The page with its lists of keys in the place of those that it has. Raises ValueError for too few."""
    rest = iter(tables)
    made = _LIST.sub(lambda found: found[1] + next(rest), text)
    if next(rest, None) is not None:
        raise ValueError(f"the page has room for fewer than {len(tables)} lists of keys")
    return made


def declared(command: Command) -> argparse.ArgumentParser:
    """A parser with nothing but what is the command's own."""
    parser = argparse.ArgumentParser(add_help=False)
    module_of(command).declare(command.name, parser)
    return parser


def man_page() -> str:
    """In the man macros that groff and mandoc understand, without a date: the same at every build."""
    return "\n".join(_man_lines()) + "\n"


def _man_lines() -> Iterator[str]:
    yield '.\\" Made by `make docs` from the table of commands; do not edit.'
    yield f'.TH WALCONSOLE 1 "" "walconsole {__version__}" "User Commands"'
    yield from (".SH NAME", r"walconsole \- the operator's console for PostgreSQL continuous archiving")
    yield from (".SH SYNOPSIS", ".B walconsole", f"[{_roff(_target(OPEN))}] [options]", ".br")
    yield from (".B walconsole", "COMMAND [options]", ".SH DESCRIPTION", _roff(ABOUT.strip()))
    yield from (".SH OPTIONS", "Those of the console; commands share some of them.")
    own, shared = declared(OPEN), argparse.ArgumentParser()
    shared.add_argument("--version", action="version", help="show the version and exit")
    add_shared(shared, OPEN.takes)
    yield from _arguments([*own._actions, *shared._actions])
    yield ".SH COMMANDS"
    for command in COMMANDS:
        yield from _command(command)
    yield ".SH ENVIRONMENT"
    for names, meaning in ENVIRONMENT:
        yield from _item(_bold(names), meaning)
    yield ".SH EXIT STATUS"
    for code, meaning in (EXIT_CODES | SIGNAL_EXIT_CODES).items():
        yield from _item(_bold(str(code)), meaning)
    plugins = " and ".join(f"`walconsole {one.name}`" for one in COMMANDS if one.plugin)
    yield from (".PP", _roff(UNREACHED), ".PP", _roff(f"In the place of 0 to 12 {plugins} have:"))
    for code, meaning in PLUGIN_EXIT_CODES.items():
        yield from _item(_bold(str(code)), meaning)
    yield ".SH FILES"
    for name, meaning in FILES:
        yield from _item(_bold(name), meaning)


def _command(command: Command) -> Iterator[str]:
    parser = declared(command)
    positional = [one for one in parser._actions if not one.option_strings]
    needed = [f"{one.option_strings[0]} {_value(one)}" for one in parser._actions if _is_needed(one)]
    words = [*(f"[{_value(one)}]" if one.nargs in ("?", "*") else _value(one) for one in positional), *needed]
    yield from (f'.SS "{_roff(" ".join(["walconsole", command.name, *words, "[options]"]))}"',)
    yield _roff((parser.description or "").strip())
    yield from _arguments([one for one in parser._actions if one.dest not in ("target", "targets")])
    shared = [one.option_strings[0] for one in add_shared(argparse.ArgumentParser(), command.takes)]
    yield from (".PP", _roff(f"And: {', '.join(shared)}."))
    if parser.epilog:
        yield from (".PP", ".nf", *(_roff(line) for line in parser.epilog.strip().splitlines()), ".fi")


def _is_needed(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.required


def _arguments(actions: list[argparse.Action]) -> Iterator[str]:
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                yield from _item(_bold(one.dest), one.help or "")
            continue
        names = ", ".join(_bold(name) for name in action.option_strings)
        takes_value = action.nargs != 0 or not action.option_strings
        value = f"\\fI{_roff(_value(action))}\\fR" if takes_value else ""
        yield from _item(" ".join(part for part in (names, value) if part), action.help or "")


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return f"{{{','.join(map(str, action.choices))}}}"
    return action.dest.upper()


def _target(command: Command) -> str:
    return next(_value(one) for one in declared(command)._actions if one.dest in ("target", "targets"))


def _item(head: str, body: str) -> tuple[str, ...]:
    return (".TP", head, *([_roff(body)] if body else []))


def _bold(text: str) -> str:
    return f"\\fB{_roff(text)}\\fR"


def _roff(text: str) -> str:
    """As roff wants it: `words` bold, signs that it would change as they are typed, no line a request."""
    lines = []
    for line in text.splitlines():
        marked = line.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace('"', "\\(dq")
        marked = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", marked)
        lines.append(f"\\&{marked}" if marked[:1] in (".", "'") else marked)
    return "\n".join(lines)


def main() -> int:
    """Write them, or with --check say which are stale."""
    if "--check" in sys.argv[1:]:
        for name in stale():
            sys.stderr.write(f"{name} is not what the commands say: run `make docs`\n")
        return 1 if stale() else 0
    (DOCS / "man").mkdir(exist_ok=True)
    for file, text in files():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
