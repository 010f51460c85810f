"""A pane: a rule with its title, source and age, and rows below it that scroll under a cursor line.

Drawn by the line API: a changed row is one dirty line, never the whole pane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from walconsole.ui.board.messages import NeedChanged, PaneToggled
from walconsole.ui.board.tones import palette
from walconsole.ui.board.whole_lines import WholeLines

if TYPE_CHECKING:
    from textual import events

    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.content import Line, Span
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.tones import Palette

_WHEEL_ROWS = 3


class Pane(WholeLines, Widget, can_focus=True):
    """What every pane does; `rows`, `line` and the title's parts are its own."""

    ALLOW_SELECT = False

    def __init__(self, spec: PaneSpec, glyphs: Glyphs) -> None:
        super().__init__(id=spec.name)
        self.spec = spec
        self.top = 0
        self.cursor = 0
        self.left = 0
        self.mark: int | None = None
        self.glyphs = glyphs
        self._title_drawn: Strip | None = None
        self._title_next: Strip | None = None

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

    # Lines that are marked, from where that began to the cursor.

    @property
    def marked(self) -> range:
        """The rows that are marked; none where no mark was set."""
        if self.mark is None:
            return range(0)
        return range(min(self.mark, self.cursor), min(max(self.mark, self.cursor) + 1, self.rows))

    def toggle_mark(self) -> None:
        """Begin to mark at the cursor, or mark nothing any more."""
        self.mark = self.cursor if self.mark is None and self.rows else None
        self.refresh()

    def copied(self, rows: range) -> str:
        """What is copied of rows, a line each: its value, else what it reads.

        A paragraph that is set over several rows is copied once.
        """
        parts: list[str] = []
        before = ""
        for line in map(self.line, rows):
            is_part = bool(line.value) and line.value not in line.text
            if not (is_part and line.value == before):
                parts.append(line.value or line.text.strip())
            before = line.value if is_part else ""
        return "\n".join(parts)

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
            self._title_drawn, self._title_next = self._title_next or self._title(), None
            return self._title_drawn
        index = self.top + y - 1
        if index >= self.rows:
            return Strip.blank(self.size.width, self.palette.base)
        return self._row(index, y)

    def _row(self, index: int, y: int) -> Strip:
        styles = self.palette
        bar = [self._scrollbar(y - 1)] if self.rows > self.page > 0 else []
        space = self.size.width - len(bar)
        under_cursor = index == self.cursor and self.has_focus
        whole = self._strip(self.line(index).spans, under_cursor=under_cursor)
        seen = self._cut(whole.crop(self.left), space)
        strip = Strip([*seen.extend_cell_length(space, styles.base), *bar])
        if index in self.marked:
            strip = Strip(Segment.apply_style(strip, post_style=styles.marked), strip.cell_length)
        if under_cursor:
            strip = Strip(Segment.apply_style(strip, post_style=styles.cursor), strip.cell_length)
        return strip

    def _scrollbar(self, y: int) -> Segment:
        page, rows = self.page, self.rows
        size = max(1, page * page // rows)
        start = 0 if rows <= page else self.top * (page - size) // (rows - page)
        here = start <= y < start + size
        sign = self.glyphs.thumb if here else self.glyphs.track
        return Segment(sign, self.palette["label" if here else "rule"])

    def _title(self) -> Strip:
        styles, width, focused = self.palette, self.size.width, self.has_focus
        name_style = styles["focus" if focused else "label"]
        rule_style = styles["label" if focused else "rule"]
        head = Strip(
            [
                Segment(
                    self.glyphs.cursor if focused else self.glyphs.rule, name_style if focused else rule_style
                ),
                Segment(f"{self.spec.number} ", styles["muted"]),
                Segment(f"{self.spec.title} ", name_style),
            ]
        )
        space = width - head.cell_length
        summary = self._strip(self.summary()) if self.folded else Strip([])
        tail = self._strip(self.title_spans(space - min(summary.cell_length, space * 3 // 4) - 3))
        if tail:
            tail = Strip([Segment(" ", styles.base), *tail])
        if summary:
            summary = self._cut(summary, max(0, space - tail.cell_length - 2))
            summary = Strip([*summary, Segment(" ", styles.base)])
        rule = Segment(self.glyphs.rule * max(0, space - tail.cell_length - summary.cell_length), rule_style)
        return Strip([*head, *summary, rule, *tail]).crop_extend(0, width, styles.base)

    def _strip(self, spans: tuple[Span, ...], *, under_cursor: bool = False) -> Strip:
        styles = self.palette
        segments: list[Segment] = []
        for span in spans:
            ink = styles.on_cursor(span.tone) if under_cursor else styles[span.tone]
            ink = ink + styles.struck if span.struck else ink
            words = span.text.strip(" ")
            if span.tone in styles.grounds and words:  # not below the blanks that set them apart
                before, _, after = span.text.partition(words)
                segments += [Segment(before, styles.base), Segment(words, ink), Segment(after, styles.base)]
            else:
                segments.append(Segment(span.text, ink))
        return Strip(segments)

    def _cut(self, strip: Strip, width: int) -> Strip:
        """The strip in `width` cells; what is cut is marked."""
        if strip.cell_length <= width:
            return strip
        more = self.glyphs.more
        return Strip([*strip.crop(0, max(0, width - len(more))), Segment(more, self.palette["label"])])

    def repaint_rows(self, indexes: list[int]) -> None:
        """Mark those of the rows that are visible as dirty."""
        width = self.size.width
        visible = range(self.top, self.top + self.page)
        regions = [Region(0, index - self.top + 1, width, 1) for index in indexes if index in visible]
        if regions:
            self.refresh(*regions)

    def repaint_title(self) -> None:
        """Mark the title as dirty when it would read differently."""
        width = self.size.width
        if not width:
            return
        title = self._title()
        if title != (self._title_next or self._title_drawn):
            self.refresh(Region(0, 0, width, 1))
            self._title_next = title

    def refresh(self, *regions: Region, **how: bool) -> Self:
        """As every widget's; what was set for a title before is set anew."""
        self._title_next = None
        return super().refresh(*regions, **how)

    # Moving.

    def move(self, rows: int) -> None:
        """Move the cursor by `rows`, and the view with it."""
        self.go_to(self.cursor + rows)

    def go_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        cursor = max(0, min(index, self.rows - 1))
        self._show(self._top_for(cursor), cursor)

    def _top_for(self, cursor: int) -> int:
        """Where the view begins with that row in it, as near to where it begins now as can be."""
        if not self.page:
            return self.top
        return max(0, min(max(self.top, cursor - self.page + 1), cursor))

    def scroll_rows(self, rows: int) -> None:
        """Move the view by `rows`, and the cursor only as far as it would leave it."""
        top = max(0, min(self.top + rows, self.rows - self.page))
        cursor = max(top, min(self.cursor, top + self.page - 1)) if self.page else self.cursor
        self._show(top, min(cursor, max(0, self.rows - 1)))

    def sideways(self, cells: int) -> None:
        """Move the view to the right, as far as the longest line that is seen is longer than it is wide."""
        seen = range(self.top, min(self.top + self.page, self.rows))
        widest = max((cell_len(self.line(index).text) for index in seen), default=0)
        furthest = max(self.left, widest + 1 - self.size.width) if cells > 0 else self.left
        self.left = max(0, min(self.left + cells, furthest))
        self.refresh()

    def _show(self, top: int, cursor: int) -> None:
        if top != self.top:
            self.top, self.cursor = top, cursor
            self.refresh()
        elif cursor != self.cursor:
            before, self.cursor = self.cursor, cursor
            between = range(min(before, cursor), max(before, cursor) + 1)
            self.repaint_rows([before, cursor] if self.mark is None else list(between))

    def clamp(self) -> None:
        """Keep view and cursor within rows that became fewer."""
        self.top = max(0, min(self.top, self.rows - max(1, self.page)))
        self.cursor = max(0, min(self.cursor, self.rows - 1))
        if self.mark is not None:
            self.mark = max(0, min(self.mark, self.rows - 1))

    # Events.

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def on_resize(self) -> None:
        """Other rows fit now; what was painted for the new size began where the view did before."""
        top = self.top
        self.clamp()
        self.top = self._top_for(self.cursor)
        if self.top != top:
            self.refresh()

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
