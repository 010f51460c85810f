"""`walconsole explain`: the page of a failure mode, or the list of them."""

import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from difflib import get_close_matches
from textwrap import wrap

from walconsole.domain.failures import FAMILIES, MODES
from walconsole.domain.standing.mode import page_text
from walconsole.errors import UsageError
from walconsole.process.stop import Stop

WIDEST = 100


def declare(command: str, parser: ArgumentParser) -> None:
    """Its arguments."""
    parser.description = "Prints the page of a failure mode, or lists them all."
    parser.add_argument("rule", nargs="?", metavar="ID", help="as findings name it, `key-403`")


def start(options: Namespace, stop: Stop) -> int:
    """Print it; 0. Raises UsageError for an id that there is none of."""
    return explain(options.rule)


def explain(rule: str | None) -> int:
    """Print it; 0. Raises UsageError for an id that there is none of."""
    width = min(WIDEST, shutil.get_terminal_size((80, 24)).columns)
    lines = _list(width) if rule is None else _page(rule, width)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _page(rule: str, width: int) -> Iterator[str]:
    mode = MODES.get(rule)
    if mode is None:
        near = get_close_matches(rule, MODES, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else "`walconsole explain` lists them"
        raise UsageError(f"explaining {rule!r}", "there is no failure mode of that id", remedy)
    return page_text(mode, width)


def _list(width: int) -> Iterator[str]:
    longest = max(map(len, MODES))
    for family, modes in FAMILIES:
        yield family
        for mode in modes:
            first, *rest = wrap(mode.page.title, width - longest - 4) or [""]
            yield f"  {mode.id:<{longest}}  {first}"
            yield from (f"{'':<{longest + 4}}{line}" for line in rest)
        yield ""
