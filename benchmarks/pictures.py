"""`make pictures`: the README's pictures, taken of the running demo in a pseudo-terminal."""

import io
import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pyte.screens
from rich.console import Console
from rich.style import Style
from rich.text import Text

from benchmarks.droplet import droplet
from benchmarks.harness import Terminal
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import Profile

COLUMNS, ROWS = 120, 36
STARTS_WITHIN_S = 60.0
LIST_WITHIN_S = 180.0

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ display: none; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""Rich's picture of a terminal without its fonts from elsewhere: a picture must not call anybody."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A scenario, what must stand on its screen, and how long its numbers then move before it is taken.

    `keys` are pressed before that, to come to another screen, which must show `then`.
    """

    scenario: str
    shows: tuple[str, ...]
    settle_s: float
    name: str = ""
    keys: str = ""
    then: tuple[str, ...] = ()


PICTURES = (
    Picture("incident", (r"archiving is OFF", r"bucket does not exist", r"archive_mode +off"), 6.0),
    Picture("healthy", (r"restorable to any moment", r"● exists"), 20.0),
    Picture("failing", (r"FAILING|failing", r"AccessDenied"), 8.0),
    Picture(
        "key-403", (r"FAILS", r"refuses"), 3.0, "triage", "i", (r"Time line", r"lacks the grant|AccessDenied")
    ),
    Picture("incident", (r"archiving is OFF",), 4.0, "provisioning", "s", (r"steps to do",)),
    Picture(
        "holes",
        (r"nothing after .* can be restored",),
        4.0,
        "archive",
        "b",
        (r"only in DR|not in DR", r"restorable"),
    ),
)


def take(picture: Picture, folder: Path) -> Path:
    """Run the demo and write its screen as an SVG. Raises TimeoutError when it shows otherwise."""
    program = Path(sys.executable).parent / "walconsole"
    with Terminal([program, "demo", "--scenario", picture.scenario], columns=COLUMNS, rows=ROWS) as terminal:
        _until(terminal, picture, picture.shows)
        if picture.keys:
            terminal.press(picture.keys.encode())
            _until(terminal, picture, picture.then)
        terminal.idle(picture.settle_s)
        path = folder / f"{picture.name or picture.scenario}.svg"
        path.write_text(drawn(terminal.cells(), f"walconsole demo --scenario {picture.scenario}"))
    return path


LISTED = {
    "healthy": ("ledger", "shop-eu", "shop-us", "wiki"),
    "failing": ("billing",),
    "incident": ("legacy",),
}
"""The clusters of the list by the scenario that each is in; besides one whose host does not answer."""
NOBODY_THERE = "search"


def take_list(folder: Path) -> Path:
    """The list of many clusters, upon embedded droplets. Raises TimeoutError when it shows otherwise."""
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walconsole-pictures-")))
        profiles: dict[str, Profile] = {}
        for scenario, names in LISTED.items():
            profile = stack.enter_context(droplet(scenario))
            profiles |= {name: replace(profile, tags=("production",)) for name in names}
        elsewhere = replace(profiles["wiki"].ssh, port=1)
        profiles[NOBODY_THERE] = replace(profiles["wiki"], ssh=elsewhere)
        config = own / "walconsole.toml"
        config.write_text("".join(profile_as_toml(profile, name) for name, profile in profiles.items()))
        program: list[str | Path] = [Path(sys.executable).parent / "walconsole", "fleet", "--config", config]
        terminal = stack.enter_context(
            Terminal(program, columns=COLUMNS, rows=ROWS, env={"XDG_STATE_HOME": str(own)})
        )
        told = re.compile(rf"{len(profiles)} clusters: 2 critical, 1 unknown, {len(LISTED['healthy'])} ok")
        terminal.until(lambda: bool(told.search(terminal.lines()[0])), "the list", LIST_WITHIN_S)
        terminal.idle(3.0)
        path = folder / "list.svg"
        path.write_text(drawn(terminal.cells(), "walconsole fleet"))
    return path


def _until(terminal: Terminal, picture: Picture, shows: tuple[str, ...]) -> None:
    patterns = [re.compile(pattern) for pattern in shows]
    terminal.until(
        lambda: all(any(pattern.search(line) for line in terminal.lines()) for pattern in patterns),
        f"the {picture.scenario} scenario's picture",
        STARTS_WITHIN_S,
    )


def drawn(rows: list[list[pyte.screens.Char]], title: str) -> str:
    """The cells as an SVG."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), color_system="truecolor")
    for row in rows:
        line = Text(no_wrap=True)
        for style, cells in groupby(row, _style):
            line.append("".join(cell.data for cell in cells), style)
        console.print(line)
    return console.export_svg(title=title, code_format=SVG, unique_id="walconsole")


def _style(cell: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str | None:
    """pyte says `default`, a name or six hexadecimal digits."""
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return {"brown": "yellow"}.get(name, re.sub(r"^bright(?=\w)", "bright_", name))


def main() -> None:
    """Take all pictures into the folder that is named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        print(take(picture, folder), flush=True)
    print(take_list(folder), flush=True)


if __name__ == "__main__":
    main()
