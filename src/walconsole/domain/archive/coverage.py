"""The coverage strip: a timeline's segments in a given number of cells, in which no gap vanishes."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property

from walconsole.domain.archive.runs import Runs
from walconsole.domain.records import record


class Cover(StrEnum):
    """What a cell says, the worst of its segments first: one missing segment makes it MISSING."""

    MISSING = "missing in both"
    ACCEPTED = "missing, accepted"
    DR_ONLY = "only in DR"
    PRIMARY_ONLY = "only in primary"
    BOTH = "in both"
    NOTHING = "outside the archive"


@record
class Cell:
    """Segments `first` to `last` (numbers) of one timeline. `missing` counts those in neither copy.

    `backups` counts the base backups whose label is in it.
    """

    first: int
    last: int
    cover: Cover
    missing: int = 0
    backups: int = 0


def extent(primary: Runs | None, dr: Runs | None) -> tuple[int, int] | None:
    """The first and the last segment number that either copy holds; None where neither holds any."""
    held = [runs for runs in (primary, dr) if runs is not None and runs.count]
    if not held:
        return None
    return min(runs.first for runs in held), max(runs.last for runs in held)


def strip(
    primary: Runs | None,
    dr: Runs | None,
    span: tuple[int, int],
    width: int,
    *,
    accepted: Runs | None = None,
    labels: Sequence[int] = (),
) -> tuple[Cell, ...]:
    """The segments `span` (first and last number) of one timeline in `width` cells, or one each if fewer.

    The cells tile the span, their sizes differ by one at most, and each is as bad as the worst of its
    segments. Nothing is missing before the first and after the last segment of the two copies together.
    Of a copy that is None nothing is held: with no DR copy, PRIMARY_ONLY is the best there is.
    `accepted` are the numbers that are known to be lost, `labels` where base backups began.
    """
    first, last = span
    segments = last - first + 1
    count = max(0, min(width, segments))
    copies = _Copies(primary or Runs(), dr or Runs(), accepted or Runs())
    begun = sorted(labels)
    edges = [first + at * segments // count for at in range(count + 1)] if count else []
    return tuple(
        copies.cell(edges[at], edges[at + 1] - 1, _between(begun, edges[at], edges[at + 1] - 1))
        for at in range(count)
    )


def _between(ordered: Sequence[int], first: int, last: int) -> int:
    return bisect_right(ordered, last) - bisect_left(ordered, first)


class _Copies:
    """Two copies of one timeline. What takes a pass over all their runs is made when a cell needs it."""

    def __init__(self, primary: Runs, dr: Runs, accepted: Runs) -> None:
        self._primary, self._dr, self._accepted = primary, dr, accepted
        self._extent = extent(primary, dr)

    @cached_property
    def _common(self) -> Runs:
        return self._primary.common(self._dr)

    @cached_property
    def _known_lost(self) -> Runs:
        """What was accepted and is in neither copy: it may have been found again."""
        return self._accepted.minus(self._primary).minus(self._dr)

    def cell(self, first: int, last: int, backups: int) -> Cell:
        """Segments `first` to `last`, of which only those count that lie within the archive."""
        if self._extent is None:
            return Cell(first, last, Cover.NOTHING, backups=backups)
        low, high = max(first, self._extent[0]), min(last, self._extent[1])
        if low > high:
            return Cell(first, last, Cover.NOTHING, backups=backups)
        segments = high - low + 1
        in_primary = self._primary.count_between(low, high)
        in_dr = self._dr.count_between(low, high)
        held = max(in_primary, in_dr)
        if in_primary and in_dr and held < segments:
            held = in_primary + in_dr - self._common.count_between(low, high)
        if held < segments:
            return Cell(first, last, self._lost(low, high, segments - held), segments - held, backups)
        cover = Cover.BOTH if in_dr == segments else Cover.PRIMARY_ONLY
        if in_primary < segments:
            cover = Cover.DR_ONLY
        return Cell(first, last, cover, backups=backups)

    def _lost(self, low: int, high: int, missing: int) -> Cover:
        known = self._known_lost.count_between(low, high) if self._accepted.count else 0
        return Cover.ACCEPTED if known == missing else Cover.MISSING
