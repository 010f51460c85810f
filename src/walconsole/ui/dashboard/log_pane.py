"""The log: a bounded run of lines that streams, filters, pauses and follows."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from walconsole.ui.board.pane import Pane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from walconsole.domain.facts.log_line import LogLine
    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.content import Line, Span
    from walconsole.ui.board.glyphs import Glyphs

KEPT = 20_000
FLUSH_S = 0.1


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text has `pattern` in it, whatever its case; a regular expression between slashes.

    Raises ValueError when the expression is not one.
    """
    if len(pattern) > 1 and pattern.startswith("/"):
        try:
            found = re.compile(pattern[1:].removesuffix("/"), re.IGNORECASE).search
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return lambda text: found(text) is not None
    wanted = pattern.casefold()
    return lambda text: wanted in text.casefold()


class LogPane(Pane):
    """Lines of the server's log and the verifier's journal, newest last."""

    def __init__(self, spec: PaneSpec, glyphs: Glyphs) -> None:
        super().__init__(spec, glyphs)
        self.following, self.paused, self.archiving_only = True, False, True
        self.pattern = ""
        self._matches: Callable[[str], bool] | None = None
        self._all: deque[LogLine] = deque(maxlen=KEPT)
        self._shown: deque[LogLine] = deque(maxlen=KEPT)
        self._held: deque[LogLine] = deque(maxlen=KEPT)
        self._dirty = self.begun = False

    # Taking lines in.

    def extend(self, lines: Sequence[LogLine]) -> None:
        """More lines, oldest first."""
        self.begin()
        if self.paused:
            self._held.extend(lines)
        else:
            self._take(lines)
        self._soon()

    def _soon(self) -> None:
        """Flush at a steady pace while lines come in, however fast; nothing ticks while none do."""
        if not self._dirty:
            self._dirty = True
            self.set_timer(FLUSH_S, self._flush)

    def begin(self) -> None:
        """Observation began: say so when there is no line."""
        if not self.begun:
            self.begun = True
            self._soon()

    def _take(self, lines: Sequence[LogLine]) -> None:
        self._all.extend(lines)
        fresh = list(self._wanted(lines))
        lost = max(0, len(self._shown) + len(fresh) - KEPT)
        self._shown.extend(fresh)
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
        return max(1, len(self._shown)) if self.begun else 0

    def line(self, index: int) -> Line:
        """The line at `index`, or why there is none."""
        from walconsole.ui.dashboard.log import empty_line, log_line

        if not self._shown:
            return empty_line(filtered=bool(self._all))
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

    def _refilter(self) -> None:
        self._shown = deque(self._wanted(self._all), maxlen=KEPT)
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
        """Keep the end in view while following."""
        super().on_resize()
        self._dirty = True
        self._flush()
