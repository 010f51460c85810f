"""Rows of details: a label in its column, paragraphs, headings."""

from collections.abc import Iterator

from rich.cells import cell_len

from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.typeset import GUTTER, pad, wrapped

LABEL = 12


class Page:
    """Collects rows for a pane of `width` cells. What comes in was made safe before."""

    def __init__(self, width: int, glyphs: Glyphs) -> None:
        self.width, self.glyphs = width, glyphs
        self.lines: list[Line] = []

    def fact(
        self, label: str, text: str, tone: Tone = Tone.TEXT, *, copied: str = "", spot: Spot | None = None
    ) -> None:
        """A labelled value, on as many lines as it needs."""
        for index, part in enumerate(wrapped(text, self.width - GUTTER - LABEL - 1)):
            head = Span(" " * GUTTER + pad("" if index else label, LABEL), Tone.LABEL)
            self._add((head, Span(part, tone)), label, copied or text, spot)

    def paragraph(
        self, text: str, tone: Tone = Tone.TEXT, *, spot: Spot | None = None, lead: str = ""
    ) -> None:
        """A text over the whole width, after `lead`."""
        self.block((Span(lead, tone),) if lead else (), text, tone, spot=spot)

    def block(
        self,
        lead: tuple[Span, ...],
        text: str,
        tone: Tone,
        *,
        below: tuple[Span, ...] | None = None,
        struck: bool = False,
        copied: str = "",
        spot: Spot | None = None,
    ) -> None:
        """A text after `lead`; its further lines follow `below`, else blanks as wide as `lead`."""
        indent = sum(cell_len(span.text) for span in lead)
        after = (Span(" " * indent),) if below is None else below
        for index, part in enumerate(wrapped(text, self.width - GUTTER - indent - 1)):
            gutter = Span(" " * GUTTER)
            spans = (gutter, *(after if index else lead), Span(part, tone, struck))
            self._add(spans, "", copied or text, spot)

    def heading(self, text: str) -> None:
        """What the rows below are, after an empty row unless it is the first one."""
        if self.lines:
            self.lines.append(Line((Span(""),), "detail"))
        self.lines.append(Line((Span(" " * GUTTER + text, Tone.LABEL),), "detail"))

    def _add(self, spans: tuple[Span, ...], label: str, copied: str, spot: Spot | None) -> None:
        where = "" if spot is None else f"{spot.path}:{spot.line}" if spot.line else spot.path
        self.lines.append(Line(spans, "detail", label, where or copied, spot=spot))

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)
