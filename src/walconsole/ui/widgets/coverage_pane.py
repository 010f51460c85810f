"""The pane of the coverage strip: its cursor is a cell, not a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from walconsole.ui.widgets.rows_pane import RowsPane

if TYPE_CHECKING:
    from textual import events


class CoveragePane(RowsPane):
    """Keeps the rows above and below its cursor in view: base backups and the caret."""

    class CellClicked(Message):
        """The mouse pointed at column `x` of row `row`."""

        def __init__(self, row: int, x: int) -> None:
            self.row, self.x = row, x
            super().__init__()

    def centre(self, index: int) -> None:
        """Put the cursor on a row, with its neighbours in view where there is room for them."""
        cursor = max(0, min(index, self.rows - 1))
        lowest = min(cursor + 1, self.rows - 1) - self.page + 1
        self.top = max(0, min(max(self.top, lowest), max(0, cursor - 1), max(0, self.rows - self.page)))
        if not self.top <= cursor < self.top + self.page:
            self.top = max(0, cursor - self.page + 1)
        self.cursor = cursor
        self.refresh()

    def on_resize(self) -> None:
        """More or fewer rows fit now. Textual calls the base classes' too."""
        self.centre(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """A click chooses a cell."""
        if event.chain == 1 and event.y > 0:
            event.prevent_default()
            self.post_message(self.CellClicked(self.top + event.y - 1, event.x))
