"""The cells of every timeline on one scale, for a part of the archive and a width."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from walconsole.domain.archive.coverage import Cell, Cover, strip
from walconsole.domain.profile import BucketRole

if TYPE_CHECKING:
    from walconsole.ui.archive.picture import FoundGap, Picture

Span = tuple[int, int]
"""First and last segment number."""


class Cells:
    """Cells of `width` or fewer for each timeline of a picture; the same numbers stand below each other."""

    def __init__(self, picture: Picture, span: Span, width: int) -> None:
        self.picture, self.span, self.width = picture, span, max(1, width)
        self.of = lru_cache(maxsize=64)(self._make)
        """The cells of one timeline; equally many for each."""

    def _make(self, timeline: int) -> tuple[Cell, ...]:
        picture = self.picture
        made = strip(
            picture.runs(BucketRole.PRIMARY, timeline),
            picture.runs(BucketRole.DR, timeline),
            self.span,
            self.width,
            accepted=picture.accepted.get(timeline),
            labels=picture.labels.get(timeline, ()),
        )
        edges = [gap for gap in picture.gaps if gap.timeline == timeline and gap.gap.at_switch]
        return tuple(_with_edges(cell, edges) for cell in made) if edges else made

    def index(self, timeline: int, number: int) -> int:
        """The cell that holds a segment; the nearest one for segments outside the span."""
        cells = self.of(timeline)
        return max(0, bisect_right(cells, number, key=lambda cell: cell.first) - 1)

    def at(self, timeline: int, number: int) -> Cell:
        """The same cell itself."""
        return self.of(timeline)[self.index(timeline, number)]


def _with_edges(cell: Cell, edges: list[FoundGap]) -> Cell:
    """What is missing where a timeline was left or begun lies beyond its stored segments."""
    if cell.cover is not Cover.NOTHING:
        return cell
    inside = [gap for gap in edges if gap.first <= cell.last and gap.last >= cell.first]
    if not inside:
        return cell
    lost = sum(min(gap.last, cell.last) - max(gap.first, cell.first) + 1 for gap in inside)
    known = all(gap.is_accepted for gap in inside)
    return replace(cell, cover=Cover.ACCEPTED if known else Cover.MISSING, missing=lost)


def zoomed(cell: Cell, span: Span, width: int) -> Span:
    """The part of `span` to look at for a cell: all of it, and around it as much as fits anyway."""
    first, last = cell.first, cell.last
    spare = width - (last - first + 1)
    if spare > 0:
        first = max(span[0], first - spare // 2)
        last = min(span[1], first + width - 1)
        first = max(span[0], last - width + 1)
    return first, last
