"""Which segments hold what happened in a span of time, by when they were stored; how much room they take.

A segment was stored after all that is in it was written. So the first one that was stored after the span's
begin may hold its beginning, and what comes after its end may be in the segment after that. Where the
archiver was behind, segments were stored long after what they hold: then the times that were read tell that
more is needed.
"""

from collections.abc import Iterable
from itertools import groupby

from walconsole.domain.moments.targets import ArchiveEnd
from walconsole.domain.records import record
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.wal_supply import RestorePath
from walconsole.domain.units import bytes_text, plural
from walconsole.domain.wal import Segment

MOST_SEGMENTS = 64
"""1 GiB of the usual ones, and about a minute to read."""
RESERVE_BYTES = 2 * 1024**3
"""What stays free at least on the droplet's disk, or a tenth of it where that is more: PostgreSQL may be on
it.
"""


@record
class WalSpan:
    """`segments` are to be read, in the order of the WAL, without a hole. `end` is where the archive ends on
    that path.

    `notes` say, in words, what of the time asked for is not in them.
    """

    segments: tuple[Segment, ...]
    segment_bytes: int
    end: ArchiveEnd
    notes: tuple[str, ...] = ()
    has_more: bool = False
    """There are segments after them: more can be read."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names."""
        return tuple(segment.name(self.segment_bytes) for segment in self.segments)

    @property
    def runs(self) -> tuple[tuple[Segment, ...], ...]:
        """By timeline: pg_waldump reads one at a time."""
        return tuple(tuple(run) for _, run in groupby(self.segments, key=lambda segment: segment.timeline))

    @property
    def room_bytes(self) -> int:
        """What they take on the droplet at most, the compressed ones beside the plain ones."""
        return 2 * len(self.segments) * self.segment_bytes


class NothingToReadError(ValueError):
    """There is no WAL of that time; says why."""


def wal_span(found: Recoverability, since: float, until: float, *, most: int = MOST_SEGMENTS) -> WalSpan:
    """The segments for `since` to `until` (seconds since the epoch), `most` of them at most.

    Raises NothingToReadError.
    """
    path, size = found.path(), found.cluster.segment_bytes
    oldest = None if path is None else path.first_from(0)
    if path is None or path.newest is None or oldest is None:
        raise NothingToReadError("no WAL of this timeline is in the archive")
    first, last = _around(path, oldest, path.newest, since, until)
    notes = []
    stored = path.stored_at(oldest)
    if first == oldest and stored is not None and since < stored:
        notes.append("the archive's first segment is among them: what was before is not archived")
    if last - first + 1 > most:
        notes.append(
            f"the time asked for takes {plural(last - first + 1, 'segment')}; the middle {most} are read:"
            " ask for a shorter time, or for more segments"
        )
        first += (last - first + 1 - most) // 2
        last = first + most - 1
    there, last = _unbroken(path, first, last, _first_stored(path, oldest, path.newest, (since + until) / 2))
    if there > first:
        notes.append(f"{path.segment(there - 1).name(size)} is missing: what was before it is not read")
    after = path.first_from(last + 1)
    if after is not None and after > last + 1:
        notes.append(f"{path.segment(last + 1).name(size)} is missing: what follows it is not read")
    numbers = range(there, last + 1)
    return _span(path, numbers, size, tuple(notes))


def _unbroken(path: RestorePath, first: int, last: int, middle: int) -> tuple[int, int]:
    """First and last of a stretch in that range without a hole: the one with `middle`, else that before
    it.
    """
    there = path.first_from(first)
    if there is None or there > last:
        raise NothingToReadError("the segments of that time are not in the archive")
    reach = path.reach(there)
    while reach is not None and reach < middle:
        after = path.first_from(reach + 1)
        if after is None or after > min(middle, last):
            break
        there, reach = after, path.reach(after)
    return there, last if reach is None else min(last, reach)


def _span(path: RestorePath, numbers: Iterable[int], size: int, notes: tuple[str, ...]) -> WalSpan:
    segments = tuple(path.segment(number) for number in numbers)
    newest = path.newest or 0
    stored = path.stored_at(newest)
    at_end = segments[-1].number >= newest
    end = ArchiveEnd((newest + 1) * size, None if stored is None else int(stored * 1_000_000), at_end)
    return WalSpan(segments, size, end, notes, not at_end)


def _around(path: RestorePath, oldest: int, newest: int, since: float, until: float) -> tuple[int, int]:
    """First and last number: one more at either side, since times between samples are estimated."""
    first = max(oldest, _first_stored(path, oldest, newest, since) - 1)
    last = min(newest, _first_stored(path, oldest, newest, until) + 1)
    return min(first, last), last


def _first_stored(path: RestorePath, oldest: int, newest: int, at: float) -> int:
    """The lowest number that was stored at `at` or later; the newest where none was."""
    low, high = oldest, newest
    while low < high:
        middle = (low + high) // 2
        there = path.first_from(middle)
        stored = None if there is None else path.stored_at(there)
        if stored is None or stored < at:
            low = middle + 1
        else:
            high = middle
    return low


def refused_for_room(needed: int, free: int | None, total: int | None) -> str:
    """Why the droplet's disk has no room for it, in words; empty where it has."""
    if free is None:
        return "how much room is on the droplet's disk could not be told"
    reserve = max(RESERVE_BYTES, (total or 0) // 10)
    if needed + reserve <= free:
        return ""
    return (
        f"it takes {bytes_text(needed)}, and {bytes_text(reserve)} shall stay free: {bytes_text(free)} are;"
        " ask for a shorter time, or make room"
    )
