"""Accepted gaps: what an operator knows to be lost, and why. It stays visible and does not alarm."""

import re
from bisect import bisect_right
from collections.abc import Iterable

from walconsole.domain.records import record

_NAME = re.compile(r"[0-9A-F]{24}")


@record
class AcceptedGap:
    """Segments `first` to `last` (names, one timeline) of one archive are known to be lost.

    The archive is `endpoint`, `bucket` and `root` (the profile's prefix and the place's root).
    `accepted_at` is seconds since the epoch, `by` the local login.
    """

    endpoint: str
    bucket: str
    root: str
    first: str
    last: str
    reason: str
    accepted_at: float
    by: str = ""


class AcceptedRanges:
    """What one archive's accepted gaps cover. Those whose names are no range of one timeline cover nothing.

    Segment names are compared as the numbers that their 24 digits make, which keep their order for
    any wal_segment_size.
    """

    __slots__ = ("_firsts", "_furthest")

    def __init__(self, accepted: Iterable[AcceptedGap]) -> None:
        ranges = sorted(
            ((int(each.first, 16), int(each.last, 16), each) for each in accepted if _is_range(each)),
            key=lambda ends: ends[:2],
        )
        self._firsts = [first for first, _, _ in ranges]
        self._furthest: list[tuple[int, AcceptedGap]] = []
        for _, last, each in ranges:
            before = self._furthest[-1] if self._furthest else None
            self._furthest.append(before if before and before[0] >= last else (last, each))

    def __bool__(self) -> bool:
        """Whether they cover anything."""
        return bool(self._firsts)

    def covering(self, first: int, last: int) -> AcceptedGap | None:
        """One that covers all from `first` to `last` of one timeline, None where none does.

        Of those that begin no later, the one that reaches furthest covers it, if any does.
        """
        at = bisect_right(self._firsts, first) - 1
        if at < 0:
            return None
        furthest, accepted = self._furthest[at]
        return accepted if last <= furthest else None


def _is_range(accepted: AcceptedGap) -> bool:
    names = (accepted.first, accepted.last)
    if not all(_NAME.fullmatch(name) for name in names):
        return False
    return accepted.first[:8] == accepted.last[:8] and accepted.first <= accepted.last


# -- A gap: segments that are missing between two that are there.


@record
class Gap:
    """First and last missing name, and how many.

    `at_switch`: it lies where a timeline was left or begun. `until_at` is when the first segment
    after it was stored (seconds since the epoch, None: not known): the gap is at least that old.
    `accepted` is set where an operator knows that it is lost.

    `lost_from` is set for what was there once and is gone at the archive's ends, or with all of it: the root
    of the place that held it. `with_backups`: base backups began in it, and none is left.
    """

    timeline: int
    first: str
    last: str
    segments: int
    at_switch: bool = False
    until_at: float | None = None
    accepted: AcceptedGap | None = None
    lost_from: str | None = None
    with_backups: bool = False
