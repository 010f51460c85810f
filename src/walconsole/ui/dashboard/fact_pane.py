"""A pane that shows what its render function makes of the snapshot."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from walconsole.ui.board.pane import Pane

if TYPE_CHECKING:
    from collections.abc import Callable

    from walconsole.ui.board.content import Content, Line, Span, View


class FactPane(Pane):
    """Rows from `ui/dashboard/NAME.py`; between two snapshots only what changed is drawn again."""

    content: Content | None = None
    view: View | None = None
    _draw: Callable[[View], Content] | None = None

    @property
    def rows(self) -> int:
        """As many as there are to show."""
        return len(self.content.lines) if self.content else 0

    @property
    def need(self) -> int:
        """The rows that it would fill."""
        return (self.content.wished if self.content else 0) or self.rows

    @property
    def first(self) -> int:
        """The rows that stay in view whatever pane is in focus."""
        return self.content.first if self.content else 0

    def line(self, index: int) -> Line:
        """The row at `index`."""
        assert self.content is not None  # noqa: S101  # rows was 0 before
        return self.content.lines[index]

    def summary(self) -> tuple[Span, ...]:
        """What the content says of itself."""
        return self.content.summary if self.content else ()

    def title_spans(self, width: int) -> tuple[Span, ...]:
        """Sources and ages; of a folded pane not that a source is dead where its summary says so."""
        if self.content is None or self.view is None:
            return ()
        from walconsole.domain.facts.snapshot import Freshness
        from walconsole.ui.board.typeset import stamp_spans

        stamps = self.content.stamps
        if self.folded:
            said = "".join(span.text for span in self.summary())
            stamps = tuple(
                one for one in stamps if not (one.freshness is Freshness.FAILED and one.dead in said)
            )
        return stamp_spans(stamps, width, self.view.glyphs)

    @property
    def _in_view(self) -> int:
        """All rows where the pane has the board for itself: there one can scroll through them."""
        return 0 if self.folded or getattr(self.parent, "maximised", False) else self.page

    def show(self, view: View) -> None:
        """Draw the view: `view.width` is replaced by the pane's own."""
        from dataclasses import replace

        if self._draw is None:
            self._draw = import_module(f"walconsole.ui.dashboard.{self.spec.name}").render
        self.view = replace(view, width=max(1, self.size.width or view.width), rows=self._in_view)
        before, self.content = self.content, self._draw(self.view)
        self._repaint(before, self.content)

    def _repaint(self, before: Content | None, after: Content) -> None:
        old = before.lines if before else ()
        if before is not None and (before.wished, before.first) != (after.wished, after.first):
            self.need_changed()
        if len(old) != len(after.lines):
            self.clamp()
            self.need_changed()
            self.refresh()
        elif self.folded:
            self.repaint_title()
        else:
            changed = [i for i, (was, now) in enumerate(zip(old, after.lines, strict=True)) if was != now]
            self.repaint_rows(changed)
            self.repaint_title()

    def on_resize(self) -> None:
        """Set the rows for the new size."""
        view = self.view
        if (
            view is not None
            and self.size.width
            and (view.width, view.rows) != (self.size.width, self._in_view)
        ):
            self.show(view)
        super().on_resize()
