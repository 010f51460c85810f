"""The last line: the keys that apply, and whose server this is, which is always in view.

While the past is shown, the time line stands above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from walconsole.ui.board.tones import palette

if TYPE_CHECKING:
    from walconsole.ui.board.travel import TimeLine

Hints = tuple[tuple[str, str], ...]
READ_ONLY = "READ-ONLY"


class Footnote(NamedTuple):
    """Whose server this is (profile and host), whether it may be changed, how often it is read.

    `line` is there while what is shown is not now.
    """

    title: str
    read_only: bool = False
    pace: str = ""
    line: TimeLine | None = None


class Shared(NamedTuple):
    """The keys that are shown; what stands at the right end, "" for none: a badge, the title, the pace."""

    hints: Hints
    badge: str
    title: str
    pace: str


def share(hints: Hints, note: Footnote, width: int) -> Shared:
    """The line's `width` cells: first whose server it is, then as many keys as fit, in their order.

    The title has three fifths at most, what is cut of it is marked; the pace goes before a key does.
    """
    badge = READ_ONLY if note.read_only else ""
    most = max(0, min(width * 3 // 5, width - 1 - (len(badge) + 3 if badge else 0)))
    title = note.title
    if cell_len(title) > most:
        title = set_cell_size(title, max(0, most - 1)).rstrip() + "…" if most else ""
    left = width - (cell_len(title) + 1 if title else 0) - (len(badge) + 3 if badge else 0)
    shown: list[tuple[str, str]] = []
    for key, label in hints:
        size = cell_len(key) + cell_len(label) + 3
        if size > left:
            break
        shown.append((key, label))
        left -= size
    pace = note.pace if note.pace and cell_len(note.pace) + 2 <= left else ""
    return Shared(tuple(shown), badge, title, pace)


class KeyBar(Widget):
    """As many keys as fit beside the footnote."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; width: 100%; }"

    def __init__(self, hints: Hints, note: Footnote) -> None:
        super().__init__()
        self.hints, self.note = hints, note

    def on_mount(self) -> None:
        """As high as what it shows."""
        self.styles.height = 1 if self.note.line is None else 2

    def show(self, hints: Hints, note: Footnote) -> None:
        """Other keys apply now, or the note reads differently."""
        if (hints, note) != (self.hints, self.note):
            self.hints, self.note = hints, note
            self.styles.height = 1 if note.line is None else 2
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The keys; above them the time line, where there is one."""
        styles, width = palette(self.app.current_theme), self.size.width
        if y == 0 and self.note.line is not None:
            from walconsole.ui.board.time_line import time_line

            return Strip(time_line(self.note.line, width, styles)).crop_extend(0, width, styles.base)
        shared = share(self.hints, self.note, width)
        keys: list[Segment] = []
        for key, label in shared.hints:
            keys += [Segment(f" {key} ", styles["strong"]), Segment(f"{label} ", styles["label"])]
        end: list[Segment] = []
        if shared.badge:
            end += [Segment(f" {shared.badge} ", styles.badge["unknown"]), Segment(" ", styles.base)]
        if shared.title:
            end.append(Segment(f"{shared.title} ", styles["strong"]))
        if shared.pace:
            end.append(Segment(f" {shared.pace} ", styles["warning"]))
        rest = width - sum(segment.cell_length for segment in [*keys, *end])
        return Strip([*keys, Segment(" " * max(0, rest), styles.base), *end]).crop_extend(
            0, width, styles.base
        )
