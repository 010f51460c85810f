"""A pane whose rows somebody else makes: a tuple of lines, or a sequence that makes them when seen."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from walconsole.domain.redaction import printable
from walconsole.ui.board.content import Span, Tone
from walconsole.ui.board.matching import matcher
from walconsole.ui.board.pane import Pane
from walconsole.ui.board.typeset import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.content import Line
    from walconsole.ui.board.glyphs import Glyphs


class RowsPane(Pane):
    """Shows the rows it was given; tells when its cursor moved."""

    class CursorMoved(Message):
        """The cursor of `pane` is on another row."""

        def __init__(self, pane: RowsPane) -> None:
            self.pane = pane
            super().__init__()

    class Resized(Message):
        """`pane` is of another width."""

        def __init__(self, pane: RowsPane) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, spec: PaneSpec, glyphs: Glyphs) -> None:
        super().__init__(spec, glyphs)
        self._rows: Sequence[Line] = ()
        self._given: Sequence[Line] = ()
        self._kept: list[int] | None = None
        self.pattern = ""
        self._note: tuple[Span, ...] = ()
        self._summary: tuple[Span, ...] = ()
        self._width = 0

    @property
    def rows(self) -> int:
        """As many as were given."""
        return len(self._rows)

    def line(self, index: int) -> Line:
        """The row at `index`."""
        return self._rows[index]

    @property
    def all_rows(self) -> Sequence[Line]:
        """All that were given, filtered or not."""
        return self._given

    @property
    def row(self) -> int:
        """The number of the row under the cursor among all that were given, filtered or not."""
        return (
            self.cursor if self._kept is None or self.cursor >= len(self._kept) else self._kept[self.cursor]
        )

    @property
    def current(self) -> Line | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def title_spans(self, width: int) -> tuple[Span, ...]:
        """The note, where there is room; what is filtered comes first."""
        if self.pattern:
            text = f"{len(self._rows):,} of {len(self._given):,} with {printable(self.pattern)}"
            return (Span(fit(text, max(0, width), self.glyphs.more), Tone.WARNING),)
        return self._note if sum(len(span.text) for span in self._note) <= width else ()

    def summary(self) -> tuple[Span, ...]:
        """What stands for the rows while the pane is folded."""
        return self._summary

    def show(
        self,
        rows: Sequence[Line],
        title: str,
        note: tuple[Span, ...] = (),
        *,
        summary: tuple[Span, ...] = (),
        cursor: int = -1,
    ) -> None:
        """Show other rows; the cursor stays where it is, or goes to `cursor`."""
        self._given, self._note, self._summary = rows, note, summary
        self._sift()
        if title != self.spec.title:
            self.spec = self.spec._replace(title=title)
        self.clamp()
        if cursor >= 0:
            self._put(cursor)
        self._repaint_shown()

    def _repaint_shown(self) -> None:
        """Others were shown."""
        self.refresh()

    def filter(self, pattern: str) -> None:
        """Show only rows that match; all of them again for an empty one. ValueError: no such expression."""
        matcher(pattern)
        here = self.row
        self.pattern = pattern
        self._sift()
        self.mark = None
        self.clamp()
        self.centre(here)
        self.post_message(self.CursorMoved(self))

    def _sift(self) -> None:
        """The rows that match, by what they read and by what is copied of them."""
        self._rows, self._kept = self._given, None
        if self.pattern:
            matches = matcher(self.pattern)
            kept = [n for n, line in enumerate(self._given) if matches(f"{line.text}\n{line.value}")]
            self._rows, self._kept = [self._given[number] for number in kept], kept

    def note(self, spans: tuple[Span, ...]) -> None:
        """Another right end of the title."""
        if spans != self._note:
            self._note = spans
            self.repaint_title()

    def restart(self) -> None:
        """The rows that come are others altogether: begin at the first one."""
        self.top = self.cursor = self.left = 0
        self.mark, self.pattern = None, ""

    def centre(self, index: int) -> None:
        """Put the cursor on a row, in the middle of the view where it was outside."""
        self._put(index)
        self.refresh()

    def _put(self, index: int) -> None:
        """The same, and nothing painted."""
        index = index if self._kept is None else bisect_left(self._kept, index)
        cursor = max(0, min(index, self.rows - 1))
        if self.page and not self.top <= cursor < self.top + self.page:
            self.top = max(0, min(cursor - self.page // 2, self.rows - self.page))
        self.cursor = cursor

    def _show(self, top: int, cursor: int) -> None:
        moved = cursor != self.cursor
        super()._show(top, cursor)
        if moved:
            self.post_message(self.CursorMoved(self))

    def on_resize(self) -> None:
        """Ask for rows that suit another width."""
        super().on_resize()
        if self.size.width != self._width:
            self._width = self.size.width
            self.post_message(self.Resized(self))


_MOST_STRIPS = 200
_Look = tuple[tuple[Span, ...], bool, bool]
_Frame = tuple[int, int, int, Size, str]


class TablePane(RowsPane):
    """Rows under the names of their columns, `head`, which stay where they are.

    Of rows that are shown again only those are painted that read otherwise, and what is painted again as it
    was is not made anew: all of a wide terminal takes 30 ms, in which no key is painted, and leaves thousands
    of objects that only the collector finds (Textual's Strip, and its caches that hold it).
    """

    head = ""

    def __init__(self, spec: PaneSpec, glyphs: Glyphs) -> None:
        super().__init__(spec, glyphs)
        self._drawn: dict[int, _Look] = {}
        self._strips: dict[int, tuple[tuple[object, ...], Strip]] = {}
        self._frame: _Frame | None = None

    def _look(self, index: int) -> _Look:
        under_cursor = index == self.cursor and self.has_focus
        return self.line(index).spans, under_cursor, index in self.marked

    def _row(self, index: int, y: int) -> Strip:
        look = self._drawn[index] = self._look(index)
        all_of_it = look, y, self.rows, self.page, self.top, self.left, self.size.width, self.palette
        before, strip = self._strips.get(index, ((), None))
        if strip is None or before != all_of_it:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            strip = super()._row(index, y)
            self._strips[index] = all_of_it, strip
        return strip

    def _repaint_shown(self) -> None:
        """What reads otherwise than it was painted; all of it where rows, view or columns are others."""
        frame = self.top, self.left, self.rows, self.size, self.head
        if frame != self._frame:
            self._frame = frame
            self._drawn.clear()
            self.refresh()
            return
        self.repaint_title()
        seen = range(self.top, min(self.top + self.page, self.rows))
        self.repaint_rows([index for index in seen if self._drawn.get(index) != self._look(index)])

    @property
    def page(self) -> int:
        """Rows that are visible at once, below the names of the columns."""
        return max(0, self.size.height - 2)

    def render_line(self, y: int) -> Strip:
        """The title, the names of the columns, or a row."""
        if y == 0:
            return super().render_line(0)
        if y == 1:
            strip = Strip([Segment(self.head, self.palette["label"])])
            return strip.crop_extend(0, self.size.width, self.palette.base)
        return super().render_line(y - 1)

    def repaint_rows(self, indexes: list[int]) -> None:
        """Mark those of the rows that are visible as dirty."""
        width, visible = self.size.width, range(self.top, self.top + self.page)
        regions = [Region(0, index - self.top + 2, width, 1) for index in indexes if index in visible]
        if regions:
            self.refresh(*regions)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor; not that on the names of the columns."""
        if event.chain == 1:
            event.prevent_default()
            if event.y > 1:
                self.go_to(self.top + event.y - 2)
