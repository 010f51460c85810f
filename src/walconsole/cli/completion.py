"""`walconsole completion`: what completes commands and options in a shell, made from their table."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from walconsole.process.stop import Stop

SHELLS = ("bash", "zsh", "tcsh", "fish")


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.description = "Prints a script that completes walconsole's commands and options in a shell."
    parser.epilog = """\
for one shell, or for every new one:
  bash    eval "$(walconsole completion bash)"
          walconsole completion bash > ~/.local/share/bash-completion/completions/walconsole
  zsh     walconsole completion zsh > DIRECTORY/_walconsole, where DIRECTORY is in $fpath before compinit
  fish    walconsole completion fish > ~/.config/fish/completions/walconsole.fish
  tcsh    walconsole completion tcsh > FILE, and `source FILE` in ~/.tcshrc
"""
    parser.add_argument("shell", choices=SHELLS)


def start(options: argparse.Namespace, stop: Stop) -> int:
    """Print it; 0."""
    import shtab  # neither of them before it is asked for: every command's module comes with the parser

    from walconsole.cli.arguments import whole_parser

    parser, commands = whole_parser()
    for action in _arguments([parser, *commands.values()]):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's way to say what completes it
    sys.stdout.write(f"{shtab.complete(parser, options.shell)}\n")
    return 0


def _arguments(parsers: list[argparse.ArgumentParser]) -> Iterator[argparse.Action]:
    """Those of the commands of commands, too. argparse has no public way to ask a parser for them."""
    for parser in parsers:
        for action in parser._actions:
            yield action
            if isinstance(action, argparse._SubParsersAction):
                yield from _arguments(list(action.choices.values()))
