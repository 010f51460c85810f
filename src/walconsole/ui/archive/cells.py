"""The cells of every timeline on one scale, for a part of the archive and a width."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from walconsole.domain.archive.coverage import Cell, Cover, extent, strip
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
        primary, dr = (picture.runs(role, timeline) for role in BucketRole)
        known, labels = picture.accepted.get(timeline), picture.labels.get(timeline, ())
        made = strip(primary, dr, self.span, self.width, accepted=known, labels=labels)
        edges = [gap for gap in picture.gaps if gap.timeline == timeline and gap.is_beyond]
        held = extent(primary, dr)
        return tuple(_with_edges(cell, edges, held) for cell in made) if edges else made

    def index(self, timeline: int, number: int) -> int:
        """The cell that holds a segment; the nearest one for segments outside the span."""
        cells = self.of(timeline)
        return max(0, bisect_right(cells, number, key=lambda cell: cell.first) - 1)

    def at(self, timeline: int, number: int) -> Cell:
        """The same cell itself."""
        return self.of(timeline)[self.index(timeline, number)]


def _with_edges(cell: Cell, edges: list[FoundGap], held: Span | None) -> Cell:
    """What is missing where a timeline was left or begun, or is gone, lies beyond what is `held` of it."""
    for gap in edges:
        lost = _common(cell, gap.first, gap.last)
        if held is not None:
            lost -= _common(cell, max(gap.first, held[0]), min(gap.last, held[1]))
        if lost:
            cover = Cover.ACCEPTED if gap.is_accepted else Cover.MISSING
            worst = Cover.MISSING if Cover.MISSING in (cover, cell.cover) else cover
            cell = replace(cell, cover=worst, missing=cell.missing + lost)
    return cell


def _common(cell: Cell, first: int, last: int) -> int:
    return max(0, min(cell.last, last) - max(cell.first, first) + 1)


def zoomed(cell: Cell, span: Span, width: int) -> Span:
    """The part of `span` to look at for a cell: all of it, and around it as much as fits anyway."""
    first, last = cell.first, cell.last
    spare = width - (last - first + 1)
    if spare > 0:
        first = max(span[0], first - spare // 2)
        last = min(span[1], first + width - 1)
        first = max(span[0], last - width + 1)
    return first, last
