"""The last line: the keys that apply, and whose server this is."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from walconsole.ui.board.tones import palette


class KeyBar(Widget):
    """As many keys as fit; what stands at the right end goes first when there is no room."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; width: 100%; }"

    def __init__(self, hints: tuple[tuple[str, str], ...], note: str) -> None:
        super().__init__()
        self.hints, self.note = hints, note

    def show(self, hints: tuple[tuple[str, str], ...], note: str) -> None:
        """Other keys apply now, or the note reads differently."""
        if (hints, note) != (self.hints, self.note):
            self.hints, self.note = hints, note
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        styles, width = palette(self.app.current_theme), self.size.width
        segments: list[Segment] = []
        used = 0
        for key, label in self.hints:
            size = cell_len(key) + cell_len(label) + 3
            if used + size > width:
                break
            segments += [Segment(f" {key} ", styles["strong"]), Segment(f"{label} ", styles["label"])]
            used += size
        rest = width - used - cell_len(self.note) - 1
        if rest > 0:
            segments += [Segment(" " * rest, styles.base), Segment(self.note, styles["muted"])]
        return Strip(segments).crop_extend(0, width, styles.base)
