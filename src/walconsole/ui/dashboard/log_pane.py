"""The log: a bounded run of lines that streams, filters, pauses and follows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from walconsole.ui.board.matching import matcher
from walconsole.ui.board.pane import Pane
from walconsole.ui.board.timers import sure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from walconsole.domain.facts.log_line import LogLine
    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.content import Line, Span
    from walconsole.ui.board.glyphs import Glyphs

KEPT = 20_000
FLUSH_S = 0.1


class LogPane(Pane):
    """Lines of the server's log and the verifier's journal, newest last."""

    def __init__(self, spec: PaneSpec, glyphs: Glyphs) -> None:
        super().__init__(spec, glyphs)
        self.following, self.paused, self.archiving_only = True, False, True
        self.wrapping = False
        self.pattern = ""
        self._matches: Callable[[str], bool] | None = None
        self._all: deque[LogLine] = deque(maxlen=KEPT)
        self._shown: deque[LogLine] = deque(maxlen=KEPT)
        self._parts: deque[tuple[LogLine, int]] = deque(maxlen=KEPT)
        """While lines wrap: every row's line, and the cell of its text at which the row begins."""
        self._held: deque[LogLine] = deque(maxlen=KEPT)
        self._meanwhile: deque[LogLine] | None = None
        """While other lines are shown instead: all that there are."""
        self._dirty = self.begun = False
        self._wrapped_at = 0

    # Taking lines in.

    def extend(self, lines: Sequence[LogLine]) -> None:
        """More lines, oldest first."""
        self.begin()
        if self._meanwhile is not None:
            self._meanwhile.extend(lines)
        elif self.paused:
            self._held.extend(lines)
        else:
            self._take(lines)
        self._soon()

    def show_instead(self, lines: Sequence[LogLine] | None) -> None:
        """These lines and no others; None: those that there are, with what came meanwhile."""
        if lines is None:
            if self._meanwhile is not None:
                self._all, self._meanwhile = self._meanwhile, None
                self._refilter()
            return
        if self._meanwhile is None:
            self._meanwhile = self._all
        self.begin()
        self._all = deque(lines, maxlen=KEPT)
        self._refilter()

    def _soon(self) -> None:
        """Flush at a steady pace while lines come in, however fast; nothing ticks while none do."""
        if not self._dirty:
            self._dirty = True
            sure(self.set_timer(FLUSH_S, self._flush))

    def begin(self) -> None:
        """Observation began: say so when there is no line."""
        if not self.begun:
            self.begun = True
            self._soon()

    def _take(self, lines: Sequence[LogLine]) -> None:
        self._all.extend(lines)
        fresh = list(self._wanted(lines))
        before, parts = self.rows, self._wrapped(fresh)
        lost = max(0, before + len(parts if self.wrapping else fresh) - KEPT)
        self._shown.extend(fresh)
        self._parts.extend(parts)
        if lost and not self.following:
            self.top, self.cursor = max(0, self.top - lost), max(0, self.cursor - lost)

    def _wanted(self, lines: Iterable[LogLine]) -> Iterable[LogLine]:
        matches = self._matches
        return (
            line
            for line in lines
            if (line.about_archiving or not self.archiving_only) and (matches is None or matches(line.text))
        )

    def _flush(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        if self.following and not self.paused:
            self.cursor = max(0, self.rows - 1)
            self.top = max(0, self.rows - self.page)
        if self.is_mounted and self.size.height:
            self.refresh()

    # What is shown.

    @property
    def rows(self) -> int:
        """Lines that pass the filter."""
        return max(1, len(self._parts if self.wrapping else self._shown)) if self.begun else 0

    def line(self, index: int) -> Line:
        """The line at `index`, or why there is none."""
        from walconsole.ui.dashboard.log import empty_line, log_line, part_of

        if not self._shown:
            return empty_line(len(self._all), filtered=bool(self.pattern))
        if self.wrapping:
            line, start = self._parts[index]
            return part_of(log_line(line, self.glyphs), start, self._text_width)
        return log_line(self._shown[index], self.glyphs)

    def lines(self) -> tuple[LogLine, ...]:
        """Everything that passes the filter."""
        return tuple(self._shown)

    def title_spans(self, width: int) -> tuple[Span, ...]:
        """What is filtered, and whether it follows."""
        if not self.begun:
            return ()
        from walconsole.ui.dashboard.log import state_spans

        return state_spans(
            width,
            self.glyphs,
            shown=len(self._shown),
            held=len(self._held) if self.paused else None,
            following=self.following,
            archiving_only=self.archiving_only,
            wrapping=self.wrapping,
            pattern=self.pattern,
        )

    def summary(self) -> tuple[Span, ...]:
        """The last line."""
        return self.line(len(self._shown) - 1).spans[1:] if self._shown else ()

    # What the operator does.

    def filter(self, pattern: str) -> None:
        """Show only lines that match. Raises ValueError for a broken expression."""
        self._matches = matcher(pattern) if pattern else None
        self.pattern = pattern
        self._refilter()

    def toggle_all(self) -> None:
        """Lines about archiving, or all of them."""
        self.archiving_only = not self.archiving_only
        self._refilter()

    def toggle_wrap(self) -> None:
        """Set lines over as many rows as they need, or one row each; the cursor stays on its line."""
        line = self._line_at(self.cursor)
        self.wrapping = not self.wrapping
        self.left, self.mark = 0, None
        self._wrap_again()
        if line is not None and not self.following:
            self.cursor = self._row_of(line)
            self.top = max(0, min(self.cursor - self.page // 2, self.rows - self.page))
        self._dirty = True
        self._flush()

    def _line_at(self, row: int) -> LogLine | None:
        lines: Sequence[LogLine] = [line for line, _ in self._parts] if self.wrapping else self._shown
        return lines[row] if row < len(lines) else None

    def _row_of(self, line: LogLine) -> int:
        rows = (one for one, _ in self._parts) if self.wrapping else iter(self._shown)
        return next((row for row, one in enumerate(rows) if one is line), 0)

    @property
    def _text_width(self) -> int:
        """Cells of a row for a line's text, behind its time and sign, before the scroll bar."""
        return max(8, self.size.width - 1)

    def _wrapped(self, lines: Iterable[LogLine]) -> list[tuple[LogLine, int]]:
        from walconsole.ui.dashboard.log import log_line, starts

        if not self.wrapping:
            return []
        width = self._text_width
        return [(line, at) for line in lines for at in starts(log_line(line, self.glyphs), width)]

    def _wrap_again(self) -> None:
        self._parts = deque(self._wrapped(self._shown), maxlen=KEPT)
        self._wrapped_at = self.size.width

    def _refilter(self) -> None:
        self._shown = deque(self._wanted(self._all), maxlen=KEPT)
        self._wrap_again()
        self.mark = None
        self.clamp()
        self._dirty = True
        self._flush()

    def toggle_pause(self) -> None:
        """Hold new lines back, or let them in."""
        self.paused = not self.paused
        if not self.paused:
            held, self._held = list(self._held), deque(maxlen=KEPT)
            self._take(held)
        self._dirty = True
        self._flush()

    def toggle_follow(self) -> None:
        """Stay at the newest line, or stay where the view is."""
        self.following = not self.following
        self._dirty = True
        self._flush()

    def go_to(self, index: int) -> None:
        """Going anywhere but to the end stops following; going to the end follows."""
        self.following = index >= self.rows - 1
        super().go_to(index)
        self.repaint_title()

    def scroll_rows(self, rows: int) -> None:
        """As `go_to`."""
        super().scroll_rows(rows)
        self.following = self.top >= self.rows - self.page
        self.repaint_title()

    def on_resize(self) -> None:
        """Keep the end in view while following; wrap for the new width."""
        if self.wrapping and self.size.width != self._wrapped_at:
            self._wrap_again()
        super().on_resize()
        self._dirty = True
        self._flush()
