"""The line over the days that are kept: what the first line's level was when, and where one is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.segment import Segment

if TYPE_CHECKING:
    from walconsole.ui.board.tones import Palette
    from walconsole.ui.board.travel import TimeLine

_TONES = {"ok": "ok", "warning": "warning", "critical": "critical"}
_SIGNS = {"ok": "-", "warning": "!", "critical": "x"}
"""Without colours the level is told all the same."""
_LEAST_CELLS = 10
_HERE = "|"


def time_line(line: TimeLine, width: int, styles: Palette) -> list[Segment]:
    """`width` cells: the word, from when, a cell for each stretch of time, until when."""
    span = max(1.0, line.last - line.first)
    named = "%H:%M:%SZ" if span < 86_400 else "%m-%d %H:%MZ"
    first, last = (f"{datetime.fromtimestamp(at, UTC):{named}}" for at in (line.first, line.last))
    head, tail = f" {line.word} ", f" {last} "
    cells = width - len(head) - len(first) - len(tail) - 2
    badge = Segment(head, styles.badge["unknown"])
    if cells < _LEAST_CELLS:
        return [badge, Segment(" ", styles.base)]
    here = min(cells - 1, int((line.at - line.first) / span * cells))
    made = [badge, Segment(f" {first} ", styles["label"])]
    for cell in range(cells):
        level = worst_in(line, line.first + cell * span / cells, line.first + (cell + 1) * span / cells)
        tone = _TONES.get(level, "unknown")
        if cell == here:
            made.append(Segment(_HERE, styles.badge[tone]))
        else:
            made.append(Segment(_SIGNS.get(level, "?"), styles[tone]))
    return [*made, Segment(tail, styles["label"])]


def worst_in(line: TimeLine, begin: float, end: float) -> str:
    """The worst level that was said in that time; empty where nothing is kept from so early."""
    order = ("ok", "unknown", "warning", "critical")
    levels = [level for at, level in line.levels if begin <= at < end]
    levels += [level for at, level in line.levels if at < begin][-1:]
    return max(levels, key=lambda level: order.index(level) if level in order else 1, default="")
