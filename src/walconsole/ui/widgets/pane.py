"""A pane: a rule with its title, source and age, and rows below it that scroll under a cursor line.

Drawn by the line API: a changed row is one dirty line, never the whole pane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from walconsole.ui.messages import NeedChanged, PaneToggled
from walconsole.ui.tones import palette

if TYPE_CHECKING:
    from textual import events

    from walconsole.ui.panes.catalogue import PaneSpec
    from walconsole.ui.panes.model import Line, Span
    from walconsole.ui.tones import Palette

_WHEEL_ROWS = 3


class Pane(Widget, can_focus=True):
    """What every pane does; `rows`, `line` and the title's parts are its own."""

    ALLOW_SELECT = False

    def __init__(self, spec: PaneSpec, rule: str = "─", cursor_sign: str = "▸") -> None:
        super().__init__(id=spec.name)
        self.spec = spec
        self.top = 0
        self.cursor = 0
        self.left = 0
        self._rule, self._cursor_sign = rule, cursor_sign
        self._title_drawn: Strip | None = None

    # What a pane is made of.

    @property
    def rows(self) -> int:
        """How many rows there are to scroll through."""
        raise NotImplementedError

    def line(self, index: int) -> Line:
        """The row at `index`."""
        raise NotImplementedError

    def title_spans(self, width: int) -> tuple[Span, ...]:
        """What stands at the right end of the title: source and age, or that it is stale."""
        raise NotImplementedError

    def summary(self) -> tuple[Span, ...]:
        """The line that stands for the rows while the pane is folded."""
        return ()

    # Geometry.

    @property
    def page(self) -> int:
        """Rows that are visible at once."""
        return max(0, self.size.height - 1)

    @property
    def folded(self) -> bool:
        """Whether only the title is visible."""
        return self.size.height <= 1

    @property
    def palette(self) -> Palette:
        """The current theme's styles."""
        return palette(self.app.current_theme)

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """One line of the pane: its title, or a row."""
        if y == 0:
            self._title_drawn = self._title()
            return self._title_drawn
        index = self.top + y - 1
        if index >= self.rows:
            return Strip.blank(self.size.width)
        return self._row(index, y)

    def _row(self, index: int, y: int) -> Strip:
        styles, width = self.palette, self.size.width
        strip = Strip([Segment(span.text, styles[span.tone]) for span in self.line(index).spans])
        strip = strip.crop_extend(self.left, self.left + width, None)
        if self.rows > self.page > 0:
            strip = Strip([*strip.crop(0, width - 1), self._scrollbar(y - 1)], width)
        if index == self.cursor and self.has_focus:
            strip = strip.apply_style(styles.cursor)
        return strip

    def _scrollbar(self, y: int) -> Segment:
        page, rows = self.page, self.rows
        size = max(1, page * page // rows)
        start = 0 if rows <= page else self.top * (page - size) // (rows - page)
        here = start <= y < start + size
        return Segment("┃" if here else "│", self.palette["label" if here else "rule"])

    def _title(self) -> Strip:
        styles, width = self.palette, self.size.width
        focused = self.has_focus
        name_style = styles["focus"] if focused else styles["label"]
        sign = self._cursor_sign if focused else self._rule
        head = [
            Segment(sign, name_style if focused else styles["rule"]),
            Segment(f"{self.spec.number} ", styles["muted"]),
            Segment(f"{self.spec.title} ", name_style),
        ]
        used = sum(cell_len(segment.text) for segment in head)
        middle = self.summary() if self.folded else ()
        middle_width = sum(cell_len(span.text) for span in middle)
        tail = self.title_spans(width - used - (min(middle_width, width // 2) if middle else 0) - 6)
        tail_width = sum(cell_len(span.text) for span in tail)
        space = width - used - (tail_width + 2 if tail else 0)
        parts = [Segment(span.text, styles[span.tone]) for span in middle]
        if middle:
            cut = Strip(parts).crop(0, max(0, space - 2))
            parts = [*cut, Segment(" ")]
            space -= cut.cell_length + 1
        rule = Segment(self._rule * max(0, space), styles["rule"])
        end = [Segment(" "), *(Segment(span.text, styles[span.tone]) for span in tail)] if tail else []
        return Strip([*head, *parts, rule, *end]).crop_extend(0, width, None)

    def repaint_rows(self, indexes: list[int]) -> None:
        """Mark those of the rows that are visible as dirty."""
        width = self.size.width
        visible = range(self.top, self.top + self.page)
        regions = [Region(0, index - self.top + 1, width, 1) for index in indexes if index in visible]
        if regions:
            self.refresh(*regions)

    def repaint_title(self) -> None:
        """Mark the title as dirty when it would read differently."""
        if self.size.width and (self._title_drawn is None or self._title() != self._title_drawn):
            self.refresh(Region(0, 0, self.size.width, 1))

    # Moving.

    def move(self, rows: int) -> None:
        """Move the cursor by `rows`, and the view with it."""
        self.go_to(self.cursor + rows)

    def go_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        cursor = max(0, min(index, self.rows - 1))
        top = min(self.top, cursor) if cursor < self.top else max(self.top, cursor - self.page + 1)
        self._show(max(0, top), cursor)

    def scroll_rows(self, rows: int) -> None:
        """Move the view by `rows`, and the cursor only as far as it would leave it."""
        top = max(0, min(self.top + rows, self.rows - self.page))
        cursor = max(top, min(self.cursor, top + self.page - 1)) if self.page else self.cursor
        self._show(top, min(cursor, max(0, self.rows - 1)))

    def sideways(self, cells: int) -> None:
        """Move the view to the right, for lines that are longer than it is wide."""
        self.left = max(0, self.left + cells)
        self.refresh()

    def _show(self, top: int, cursor: int) -> None:
        if top != self.top:
            self.top, self.cursor = top, cursor
            self.refresh()
        elif cursor != self.cursor:
            before, self.cursor = self.cursor, cursor
            self.repaint_rows([before, cursor])

    def clamp(self) -> None:
        """Keep view and cursor within rows that became fewer."""
        self.top = max(0, min(self.top, self.rows - max(1, self.page)))
        self.cursor = max(0, min(self.cursor, self.rows - 1))

    # Events.

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def on_resize(self) -> None:
        """Other rows fit now."""
        self.clamp()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll what is under the mouse."""
        event.stop()
        self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll what is under the mouse."""
        event.stop()
        self.scroll_rows(-_WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor; a double click maximises, or restores."""
        if event.chain == 2:
            self.post_message(PaneToggled())
        elif event.y > 0:
            self.go_to(self.top + event.y - 1)

    def need_changed(self) -> None:
        """Ask the board for another height."""
        self.post_message(NeedChanged())
