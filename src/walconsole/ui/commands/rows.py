"""The commands that were run as rows: a line each, and all of the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.command_register import HERE, CommandKind
from walconsole.domain.units import duration_text, plural
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import GUTTER, clock_text, fit, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from walconsole.command_register import CommandEntry
    from walconsole.ui.board.glyphs import Glyphs

TITLES = ("last", "times", "exit", "took", "where", "command")
_TIME, _TIMES, _EXIT, _TOOK = 10, 7, 6, 9
_MOST_WHERE = 24
_NO_COMMANDS = (CommandKind.SQL, CommandKind.HTTP)


def told_of(entries: Sequence[CommandEntry]) -> str:
    """How many there are, and how many of them failed; requests apart, where there are any."""
    requests = [entry.failed for entry in entries if entry.kind is CommandKind.HTTP]
    commands = [entry.failed for entry in entries if entry.kind is not CommandKind.HTTP]
    text = f"{plural(len(commands), 'command')}, {sum(commands):,} did not end with 0"
    refused = f"; {plural(len(requests), 'request')}, {sum(requests):,} refused or not answered"
    return f"{text}{refused}" if requests else text


def ending(entry: CommandEntry) -> str:
    """Its exit status, or a word for why there is none."""
    if entry.running:
        return "runs"
    if entry.status is None:
        return "none"
    return "ok" if entry.kind is CommandKind.SQL and not entry.status else str(entry.status)


def took(entry: CommandEntry) -> str:
    """How long the last time lasted."""
    seconds = entry.last.seconds
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration_text(seconds)


def cells(entry: CommandEntry, now: float) -> tuple[str, ...]:
    """What a row says, as for `TITLES`."""
    times = f"x{entry.count:,}" if entry.count > 1 else ""
    what = f"{entry.kind}: {entry.line}" if entry.kind in _NO_COMMANDS else entry.line
    return (clock_text(entry.last.at, now), times, ending(entry), took(entry), entry.where, what)


def rows(
    entries: Sequence[CommandEntry], now: float, width: int, glyphs: Glyphs
) -> tuple[str, tuple[Line, ...]]:
    """The names of the columns, and a row for each entry; its text is what is copied."""
    wide = max((len(entry.where) for entry in entries), default=0)
    where = max(len("where"), min(wide, _MOST_WHERE, width // 4)) + 1
    widths = (_TIME, _TIMES, _EXIT, _TOOK, where)
    head = " " * GUTTER + "".join(pad(title, size) for title, size in zip(TITLES, widths, strict=False))
    lines = []
    for entry in entries:
        *short, what = cells(entry, now)
        parts = [
            pad(fit(text, size - 1, glyphs.more), size) for text, size in zip(short, widths, strict=True)
        ]
        tones = (Tone.MUTED, Tone.LABEL, _tone(entry), Tone.TEXT, Tone.LABEL)
        spans = [Span(" " * GUTTER), *(Span(part, tone) for part, tone in zip(parts, tones, strict=True))]
        room = max(0, width - GUTTER - sum(widths) - 1)
        spans.append(Span(fit(what, room, glyphs.more), Tone.TEXT))
        lines.append(Line(tuple(spans), "command_run", entry.where, entry.text))
    return f"{head}command", tuple(lines)


def _tone(entry: CommandEntry) -> Tone:
    if entry.running:
        return Tone.LABEL
    return Tone.WARNING if entry.failed else Tone.OK


def detail(entry: CommandEntry, now: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """All that is known of it, then the command, line by line."""
    page = Page(width, glyphs)
    request = entry.kind is CommandKind.HTTP
    page.fact("where", entry.where if request or entry.where == HERE else f"{entry.where}, over SSH")
    page.fact("run by", entry.kind.value)
    status = "it runs" if entry.running else "none" if entry.status is None else str(entry.status)
    page.fact(
        "answer" if request else "exit status",
        f"{status}{f': {entry.problem}' if entry.problem else ''}",
        _tone(entry),
    )
    if not entry.running:
        page.fact("so ended", plural(entry.count, "time"))
    for number, ran in enumerate(reversed(entry.times)):
        lasted = "runs" if ran.seconds is None else duration_text(ran.seconds)
        lasted = f"{ran.seconds * 1000:.0f} ms" if ran.seconds is not None and ran.seconds < 1 else lasted
        page.fact("" if number else "last at", f"{clock_text(ran.at, now)}, {lasted}")
    page.heading(
        "what was asked, without values that may be a signature"
        if request
        else "what was run, without secrets and files' contents"
    )
    indent = " " * GUTTER
    text = entry.text.split("\n")
    return (
        *page,
        *(Line((Span(indent + line, Tone.TEXT),), "command_run", "", line or " ") for line in text),
    )
