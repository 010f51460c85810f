"""What the operator looks at: how far the coverage is zoomed, the segment under its cursor, the next gap."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from walconsole.domain.archive.coverage import Cell, Cover, extent, strip
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import Segment

if TYPE_CHECKING:
    from walconsole.domain.archive.coverage import Cell
    from walconsole.domain.archive.growth import Compressibility
    from walconsole.ui.archive.picture import ArchivePicture, FoundGap

# -- The cells of every timeline on one scale, for a part of the archive and a width.

Span = tuple[int, int]
"""First and last segment number."""


class Cells:
    """Cells of `width` or fewer for each timeline of a picture; the same numbers stand below each other."""

    def __init__(self, picture: ArchivePicture, span: Span, width: int) -> None:
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


_FIRST_WIDTH = 80


class ArchiveViewState:
    """Decides what the coverage shows. Knows nothing of widgets.

    `at` is the segment under the cursor, stored or not. `measured` is what zstd made of samples, or why that
    is not known.
    """

    def __init__(self, picture: ArchivePicture) -> None:
        self.picture = picture
        self.measured: Compressibility | str = ""
        self._zooms: list[tuple[Span, Segment]] = []
        self.cells = Cells(picture, picture.span, _FIRST_WIDTH)
        self.at = self._first_look()

    def _first_look(self) -> Segment:
        """The newest gap that alarms, else the newest segment."""
        alarming = [gap for gap in self.picture.gaps if not gap.is_accepted]
        if alarming:
            return Segment(alarming[-1].timeline, alarming[-1].first)
        main = self.picture.main
        newest = main.holding.newest if main is not None and main.holding is not None else None
        return newest or Segment(next(iter(self.picture.timelines), 1), self.picture.span[1])

    # What is known.

    def take(self, picture: ArchivePicture) -> None:
        """A newer picture; what is looked at stays, unless there was nothing before."""
        empty = not self.picture.timelines
        self.picture = picture
        if empty:
            self._zooms = []
            self.at = self._first_look()
        self._cut()

    def resize(self, width: int) -> None:
        """The strip has `width` cells now."""
        if max(1, width) != self.cells.width:
            self._cut(width)

    def _cut(self, width: int | None = None) -> None:
        span = self._zooms[-1][0] if self._zooms else self.picture.span
        self.cells = Cells(self.picture, span, self.cells.width if width is None else width)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to cover."""
        return not self.picture.timelines

    @property
    def depth(self) -> int:
        """How many times it is zoomed."""
        return len(self._zooms)

    @property
    def cell(self) -> Cell:
        """The cell under the cursor."""
        return self.cells.at(self.at.timeline, self.at.number)

    @property
    def gaps_here(self) -> tuple[FoundGap, ...]:
        """The gaps in the cell under the cursor: first the one that it is on, then those that alarm."""
        if self.empty:
            return ()
        cell, number = self.cell, self.at.number
        inside = [
            gap
            for gap in self.picture.gaps
            if gap.timeline == self.at.timeline and gap.first <= cell.last and gap.last >= cell.first
        ]
        return tuple(
            sorted(inside, key=lambda gap: (not gap.first <= number <= gap.last, gap.is_accepted, gap.rank))
        )

    @property
    def gap(self) -> FoundGap | None:
        """The gap under the cursor."""
        return next(iter(self.gaps_here), None)

    # Moving.

    def step(self, cells: int) -> None:
        """To another cell of the same timeline."""
        made = self.cells.of(self.at.timeline)
        index = max(0, min(len(made) - 1, self.cells.index(self.at.timeline, self.at.number) + cells))
        self.at = self._into(self.at.timeline, made[index])

    def ends(self, end: int) -> None:
        """To the first or the last cell in which the timeline has anything."""
        made = self.cells.of(self.at.timeline)
        held = [cell for cell in made if cell.cover is not Cover.NOTHING] or list(made)
        self.at = self._into(self.at.timeline, held[-1 if end else 0])

    def step_timeline(self, steps: int) -> bool:
        """To another timeline at the same place; False where there is none."""
        timelines = self.picture.timelines
        if self.at.timeline not in timelines:
            return False
        index = timelines.index(self.at.timeline) + steps
        if not 0 <= index < len(timelines):
            return False
        self.choose(timelines[index])
        return True

    def choose(self, timeline: int, cell: int | None = None) -> None:
        """To a timeline, and to one of its cells by number."""
        made = self.cells.of(timeline)
        if cell is None:
            self.at = Segment(timeline, self.at.number)
        elif 0 <= cell < len(made):
            self.at = self._into(timeline, made[cell])

    def _into(self, timeline: int, cell: Cell) -> Segment:
        """The segment of a cell to stand on: its first gap's that alarms, else its first."""
        if cell.cover in (Cover.MISSING, Cover.ACCEPTED):
            inside = [
                gap
                for gap in self.picture.gaps
                if gap.timeline == timeline and gap.first <= cell.last and gap.last >= cell.first
            ]
            if inside:
                worst = min(inside, key=lambda gap: (gap.is_accepted, gap.rank))
                return Segment(timeline, max(worst.first, cell.first))
        return Segment(timeline, cell.first)

    def go_to(self, segment: Segment) -> None:
        """To a segment, stored or not; zooms out as far as it takes to see it."""
        self.at = segment
        while self._zooms and not self._zooms[-1][0][0] <= segment.number <= self._zooms[-1][0][1]:
            self._zooms.pop()
        self._cut()

    def zoom_in(self) -> bool:
        """Into the cell under the cursor; False where it is a single segment, or all that there is."""
        cell = self.cell
        span = zoomed(cell, self.cells.span, self.cells.width)
        if cell.first == cell.last or span == self.cells.span:
            return False
        self._zooms.append((span, self.at))
        self._cut()
        self.at = self._worst_of(cell)
        return True

    def _worst_of(self, cell: Cell) -> Segment:
        """Where to stand in what was one cell."""
        target = self._into(self.at.timeline, cell)
        if cell.cover in (Cover.MISSING, Cover.ACCEPTED, Cover.BOTH, Cover.NOTHING):
            return target
        inside = [
            one
            for one in self.cells.of(self.at.timeline)
            if one.last >= cell.first and one.first <= cell.last
        ]
        same = [one for one in inside if one.cover is cell.cover]
        return Segment(self.at.timeline, max(cell.first, same[0].first)) if same else target

    def zoom_out(self) -> bool:
        """Back to where it was before the last zoom; False where it is not zoomed."""
        if not self._zooms:
            return False
        _, self.at = self._zooms.pop()
        self._cut()
        return True

    def next_gap(self, role: BucketRole | None = None) -> FoundGap | None:
        """Go to the gap after the cursor, round to the first one; of one copy alone where `role` is given."""
        gaps = [gap for gap in self.picture.gaps if role is None or role in gap.by_role]
        if not gaps:
            return None
        here = self.at.timeline, self.at.number
        gap = next((gap for gap in gaps if gap.place > here), gaps[0])
        self.go_to(Segment(gap.timeline, gap.first))
        return gap
