"""The WAL that a restore can be given: what the copies hold together, and how far one path goes on in it.

Questions are answered by bisection in each copy, so that a million segments cost as much as the gaps that
one copy fills for the other.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import Leg, TimelineHistory, restore_path
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Unreadable
from walconsole.domain.wal import Segment

ASKED_BEFORE_JOINED = 20_000
"""Where copies complement each other segment by segment, so many questions cost what joining them does."""


@record
class ArchiveCopy:
    """One copy of an archive, and the base backups in its bucket.

    `timelines` are the stored segments' numbers, `damaged` those of them that are known to be of no use.
    `histories` are the .history files that were read, `known_histories` the timelines of which one exists.
    `times` is when segments were stored. `read_by_restore`: the restore command asks this copy for WAL; base
    backups are fetched by hand, from any. `listed`: its listing is complete, and nothing of it is in doubt.
    `system_identifier` is what its WAL says, None where none was looked at. `clock_offset_s` is how far the
    store's clock is ahead of the console's, None where it is not known. `stored_as` is how another tool than
    the installed script lays its WAL out, empty where the script does.
    """

    role: BucketRole
    timelines: Mapping[int, Runs]
    backups: tuple[BaseBackup, ...] = ()
    histories: Mapping[int, TimelineHistory] = field(default_factory=dict)
    known_histories: Collection[int] = ()
    times: StoredTimes = field(default_factory=StoredTimes)
    damaged: Mapping[int, Runs] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    read_by_restore: bool = True
    listed: bool = True
    system_identifier: int | None = None
    clock_offset_s: float | None = None
    stored_as: str = ""

    def usable(self) -> Mapping[int, Runs]:
        """The segments that are there and not damaged."""
        return {
            timeline: runs.minus(self.damaged[timeline]) if timeline in self.damaged else runs
            for timeline, runs in self.timelines.items()
            if runs.count
        }


@record
class SegmentSources:
    """How many of the segments that a restore reads are in which copy: in all, and in that alone."""

    segments: int
    held: Mapping[BucketRole, int]
    only: Mapping[BucketRole, int]


class WalSupply:
    """The segments of those copies that the restore command reads, as one."""

    def __init__(self, copies: Sequence[ArchiveCopy]) -> None:
        self.copies = tuple(copies)
        self._asked = 0
        self._joined: dict[int, Runs] = {}
        self._usable = tuple((copy, copy.usable() if copy.read_by_restore else {}) for copy in self.copies)

    def timelines(self) -> set[int]:
        """The timelines of which any segment can be read."""
        return {timeline for _, held in self._usable for timeline in held}

    def run_end(self, timeline: int, number: int) -> int | None:
        """The last segment of an unbroken run from `number` on, which one copy has or all together.

        None: it is in none.
        """
        self._asked += 1
        if self._asked > ASKED_BEFORE_JOINED:
            run = self._joined_runs(timeline).run_of(number)
            return None if run is None else run[1]
        ends = [
            run[1]
            for _, held in self._usable
            if timeline in held and (run := held[timeline].run_of(number)) is not None
        ]
        return max(ends, default=None)

    def _joined_runs(self, timeline: int) -> Runs:
        joined = self._joined.get(timeline)
        if joined is None:
            joined = self._joined[timeline] = Runs()
            for _, held in self._usable:
                firsts_lasts = list(zip(*held.get(timeline, ()), strict=True))
                if firsts_lasts:
                    joined.extend(*firsts_lasts)
        return joined

    def first_from(self, timeline: int, number: int) -> int | None:
        """The lowest segment from `number` on, None where there is none."""
        firsts = (held[timeline].first_from(number) for _, held in self._usable if timeline in held)
        return min((first for first in firsts if first is not None), default=None)

    def last_until(self, timeline: int, number: int | None) -> int | None:
        """The highest segment up to `number` (None: of all), None where there is none."""
        lasts = (
            held[timeline].last_until(number if number is not None else held[timeline].last)
            for _, held in self._usable
            if timeline in held and held[timeline].count
        )
        return max((last for last in lasts if last is not None), default=None)

    def stored_at(self, segment: Segment) -> float | None:
        """When it was stored first, by the samples of the copies that can give it; None where none tells.

        A copy that was made later, or by hand, tells a later time: the earliest is the nearest to the
        moment at which the server was done with it.
        """
        times = (
            copy.times.about(segment.timeline, segment.number)
            for copy, held in self._usable
            if segment.number in held.get(segment.timeline, ())
        )
        return min((at for at in times if at is not None), default=None)

    def damaged_in(self, segment: Segment) -> tuple[BucketRole, ...]:
        """The copies that the restore command reads and in which it is of no use."""
        return tuple(
            copy.role
            for copy in self.copies
            if copy.read_by_restore and segment.number in copy.damaged.get(segment.timeline, ())
        )

    def unread_in(self, segment: Segment) -> tuple[BucketRole, ...]:
        """The copies that have it and are not asked."""
        return tuple(
            copy.role
            for copy in self.copies
            if not copy.read_by_restore
            and segment.number in copy.timelines.get(segment.timeline, ())
            and segment.number not in copy.damaged.get(segment.timeline, ())
        )

    def counts(self, timeline: int, first: int, last: int) -> dict[BucketRole, int]:
        """How many of those segments each copy can give."""
        return {
            copy.role: held[timeline].count_between(first, last) if timeline in held else 0
            for copy, held in self._usable
            if copy.read_by_restore
        }


class RestorePath:
    """What a restore to one timeline reads, in the order of positions, and how far it gets in the supply."""

    def __init__(
        self, target: int, history: TimelineHistory | None, segment_bytes: int, supply: WalSupply
    ) -> None:
        self.target, self.history = target, history
        self._legs = restore_path(target, history, segment_bytes)
        self._lasts = [leg.last if leg.last is not None else 2**64 for leg in self._legs]
        self._supply = supply
        self._known = 0, -1
        self.newest = self._newest()

    @property
    def ancestors(self) -> tuple[int, ...]:
        """The target's, oldest first."""
        return tuple(switch.parent for switch in self.history.switches) if self.history is not None else ()

    @property
    def begins_at(self) -> int:
        """Where the target left its parent (bytes); 0 where it has none, or its history was not read."""
        return self.history.switches[-1].lsn if self.history is not None else 0

    def timeline_at(self, lsn: int) -> int:
        """The timeline to which that position belongs (PostgreSQL's tliOfPointInHistory).

        Asked from the newest on: of a recovery towards one timeline that ended before that one began, the
        history names both (writeTimeLineHistory), and its places do not rise.
        """
        switches = self.history.switches if self.history is not None else ()
        newest, begun = self.target, [*switches]
        while begun and lsn < begun[-1].lsn:
            newest = begun.pop().parent
        return newest

    def segment(self, number: int) -> Segment:
        """The segment of that number which is read."""
        return Segment(self._leg(number).timeline, number)

    def stored_at(self, number: int) -> float | None:
        """When the segment of that number was stored, as `WalSupply.stored_at` reckons."""
        return self._supply.stored_at(self.segment(number))

    def first_from(self, number: int) -> int | None:
        """The lowest segment (number) on the path from `number` on that any copy can give."""
        for leg in self._legs[bisect_left(self._lasts, number) :]:
            first = self._supply.first_from(leg.timeline, max(number, leg.first))
            if first is not None and (leg.last is None or first <= leg.last):
                return first
        return None

    def _leg(self, number: int) -> Leg:
        return self._legs[bisect_left(self._lasts, number)]

    def _newest(self) -> int | None:
        """The highest segment on the path that any copy can give."""
        for leg in reversed(self._legs):
            last = self._supply.last_until(leg.timeline, leg.last)
            if last is not None and last >= leg.first:
                return last
        return None

    def reach(self, number: int) -> int | None:
        """The last segment up to which all are there from `number` on; None where that itself is not.

        Asked from the highest number down, it never walks a stretch twice.
        """
        low, high = self._known
        if low <= number <= high:
            return high
        at = number
        while not low <= at <= high:
            leg = self._leg(at)
            end = self._supply.run_end(leg.timeline, at)
            if end is None:
                break
            at = (end if leg.last is None else min(end, leg.last)) + 1
        else:
            at = high + 1
        if at == number:
            return None
        self._known = number, at - 1
        return at - 1

    def hole_at(self, number: int) -> tuple[int, int] | None:
        """First and last number of what is missing from `number` on; None where nothing comes after it."""
        first = self.first_from(number)
        return None if first is None else (number, first - 1)

    def astray_at(self, number: int) -> Segment | None:
        """What a server reads instead of that missing segment: an ancestor's of the same number.

        It holds what the ancestor wrote after it was left. None where there is none, or where no switch is.
        """
        leg = self._leg(number)
        older = (each for each in reversed(self.ancestors) if each < leg.timeline)
        for timeline in older:
            if leg.first == number and self._supply.run_end(timeline, number) is not None:
                return Segment(timeline, number)
        return None

    def sources(self, first: int, last: int) -> SegmentSources:
        """From which copies the segments `first` to `last` come, all of which are there."""
        held: dict[BucketRole, int] = {}
        for leg in self._legs:
            low = max(first, leg.first)
            high = last if leg.last is None else min(last, leg.last)
            if low <= high:
                for role, count in self._supply.counts(leg.timeline, low, high).items():
                    held[role] = held.get(role, 0) + count
        segments = last - first + 1
        only = {role: self._only(role, held, segments) for role in held}
        return SegmentSources(segments, held, only)

    @staticmethod
    def _only(role: BucketRole, held: Mapping[BucketRole, int], segments: int) -> int:
        """With two copies: what the other lacks."""
        others = [count for other, count in held.items() if other is not role]
        return segments - others[0] if others else segments
