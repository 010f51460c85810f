"""The first line: the verdict, as a sign, a word and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from walconsole.ui.board.tones import palette

if TYPE_CHECKING:
    from textual.geometry import Size

    from walconsole.domain.standing.model import Level

_MOST_LINES = 3
_LOW = 30
"""A terminal of fewer rows than this has better use for them than a sentence's end."""


class VerdictLine(Widget):
    """Wraps to a second line, and a third, rather than lose its end.

    `most_when_low` is how many lines it may take on a terminal with few rows.
    """

    class Chosen(Message):
        """It was clicked on."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "VerdictLine { height: auto; width: 100%; }"

    def __init__(self, text: str, most_when_low: int = _MOST_LINES) -> None:
        super().__init__()
        self._most_when_low = most_when_low
        self.sign, self.word, self.text, self.tone, self.note = "", "", text, "muted", ""
        self._lines: list[Strip] = []
        self._set_for = -1

    def on_click(self) -> None:
        """Whoever shows it may lead on from here."""
        self.post_message(self.Chosen())

    def show(self, sign: str, word: str, text: str, tone: str, note: str = "") -> None:
        """Show another verdict; `note` (paused) stands before it."""
        if (sign, word, text, tone, note) == (self.sign, self.word, self.text, self.tone, self.note):
            return
        self.sign, self.word, self.text, self.tone, self.note = sign, word, text, tone, note
        before, self._set_for = len(self._lines), -1
        self._set(self.size.width or self.app.size.width)
        self.refresh(layout=len(self._lines) != before)

    def tell(self, sign: str, level: Level, text: str, note: str = "") -> None:
        """Show a verdict with its level's word and colour. The text may hold what a remote program said."""
        from walconsole.domain.redaction import safe
        from walconsole.ui.board.content import TONE_OF_LEVEL

        self.show(sign, level.value, safe(text), TONE_OF_LEVEL[level].value, note)

    def repaint(self) -> None:
        """The theme changed."""
        self._set_for = -1
        self.refresh()

    def _set(self, width: int) -> None:
        if self._set_for == width:
            return
        from walconsole.ui.board.cells import fit, wrapped

        self._set_for = width
        styles = palette(self.app.current_theme)
        style = styles[self.tone]
        # The badge has the colour; the sentence is never dimmer than what stands below it.
        said = styles["strong"] if self.word else style
        head = f" {self.sign} {self.word.upper()} " if self.word else " "
        body = f"{self.note}{self.text}"
        badge = [Segment(head, styles.badge[self.tone] if self.word else style), Segment(" ", styles.base)]
        first, *rest = wrapped(body, width - 2, first=width - len(head) - 2)
        most = self._most_when_low if self.app.size.height < _LOW else _MOST_LINES
        if most == 1:
            first, rest = fit(body, width - len(head) - 2), []
        elif len(rest) >= most:
            rest = [*rest[: most - 2], fit(" ".join(rest[most - 2 :]), width - 2)]
        below = [Strip([Segment(f" {line}", said)]) for line in rest]
        self._lines = [Strip([*badge, Segment(first, said)]), *below]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the sentence needs."""
        self._set(width)
        return max(1, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """One line of the verdict."""
        self._set(self.size.width)
        base = palette(self.app.current_theme).base
        return (
            self._lines[y].extend_cell_length(self.size.width, base)
            if y < len(self._lines)
            else Strip.blank(self.size.width, base)
        )
