"""The five panes: coverage over the full width, below it what is known, and the keys.

A pane of keys has names of columns below its title, and says a word when other rows come into view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from walconsole.ui.board.layout import GAP, THREE_COLUMNS, TWO_COLUMNS, Box, Wish, stacked
from walconsole.ui.board.rows_pane import RowsPane, TablePane

if TYPE_CHECKING:
    from textual import events

    from walconsole.ui.board.content import Line, Span


PANES = ("coverage", "answers", "primary", "dr", "object")
KEYS = ("primary", "dr")
_FEW_ROWS = 3
_LEAST_OBJECT = 6
_TWO_LEFT, _THREE_LEFT = 44, 32
"""Percent of the width for the answers, beside one pane of keys and beside two."""


def arrange(
    width: int,
    height: int,
    focused: str,
    needs: Mapping[str, int],
    *,
    maximised: bool = False,
    bucket: str = "primary",
) -> dict[str, Box]:
    """A box for every visible pane. `bucket` is the pane of keys that shows where there is room for one.

    Below 100 columns they stand on each other: coverage stays short, the pane in focus opens, the rest fold.
    """
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        opened = "answers" if focused == "coverage" else focused
        return stacked(width, height, PANES, _wishes(height, opened, focused, needs), rest=opened)
    top = 1 + min(max(_FEW_ROWS, needs.get("coverage", 1)), max(_FEW_ROWS, height // 3))
    beside = width >= THREE_COLUMNS
    left = width * (_THREE_LEFT if beside else _TWO_LEFT) // 100
    rest = height - top
    answers = max(1 + _FEW_ROWS, min(1 + needs.get("answers", 1), rest - max(_LEAST_OBJECT, rest * 2 // 5)))
    boxes = {
        "coverage": Box(0, 0, width, top),
        "answers": Box(0, top, left, answers),
        "object": Box(0, top + answers, left, rest - answers),
    }
    x = left + GAP
    if not beside:
        shown = focused if focused in KEYS else bucket
        return boxes | {shown: Box(x, top, width - x, rest)}
    each = (width - x - GAP) // 2
    second = x + each + GAP
    return boxes | {"primary": Box(x, top, each, rest), "dr": Box(second, top, width - second, rest)}


def _wishes(height: int, opened: str, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """Coverage stays short, with a little more room while it is in focus."""
    wanted = needs.get("coverage", 1) if focused == "coverage" else _FEW_ROWS
    top = min(max(_FEW_ROWS, wanted), max(_FEW_ROWS, height // 3))
    return [Wish("coverage", top), Wish(opened, height)]


class KeysPane(TablePane):
    """Rows that are fetched when they are seen."""

    class Scrolled(Message):
        """Other rows of `pane` are in view."""

        def __init__(self, pane: KeysPane) -> None:
            self.pane = pane
            super().__init__()

    def show(
        self,
        rows: Sequence[Line],
        title: str,
        note: tuple[Span, ...] = (),
        *,
        summary: tuple[Span, ...] = (),
        cursor: int = -1,
    ) -> None:
        """Show other rows, and tell that they are in view."""
        super().show(rows, title, note, summary=summary, cursor=cursor)
        self.post_message(self.Scrolled(self))

    def _show(self, top: int, cursor: int) -> None:
        scrolled = top != self.top
        super()._show(top, cursor)
        if scrolled:
            self.post_message(self.Scrolled(self))

    def on_resize(self) -> None:
        """Other rows fit now. Textual calls the base classes' too."""
        self.clamp()
        self.refresh()
        self.post_message(self.Scrolled(self))


# -- The pane of the coverage strip: its cursor is a cell, not a row.


class CoveragePane(RowsPane):
    """Keeps the rows above and below its cursor in view: base backups and the caret."""

    class CellClicked(Message):
        """The mouse pointed at column `x` of row `row`."""

        def __init__(self, row: int, x: int) -> None:
            self.row, self.x = row, x
            super().__init__()

    def _put(self, index: int) -> None:
        """With its neighbours in view where there is room for them."""
        cursor = max(0, min(index, self.rows - 1))
        lowest = min(cursor + 1, self.rows - 1) - self.page + 1
        self.top = max(0, min(max(self.top, lowest), max(0, cursor - 1), max(0, self.rows - self.page)))
        if not self.top <= cursor < self.top + self.page:
            self.top = max(0, cursor - self.page + 1)
        self.cursor = cursor

    def on_resize(self) -> None:
        """More or fewer rows fit now. Textual calls the base classes' too."""
        self.centre(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """A click chooses a cell."""
        if event.chain == 1 and event.y > 0:
            event.prevent_default()
            self.post_message(self.CellClicked(self.top + event.y - 1, event.x))
