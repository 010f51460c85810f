"""All that the archive screen shows, computed once a listing: both copies on one scale, and what is wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from walconsole.domain.archive.comparison import Lacking, lacking
from walconsole.domain.archive.growth import Growth, compression, growth
from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from walconsole.domain.archive.gaps import Gap
    from walconsole.domain.archive.holding import Holding
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.facts.snapshot import Snapshot


@record
class FoundGap:
    """A gap in one copy or, with the same ends, in both. `first` and `last` are segment numbers."""

    timeline: int
    first: int
    last: int
    by_role: Mapping[BucketRole, Gap] = field(compare=False)

    @property
    def place(self) -> tuple[int, int]:
        """Gaps are gone through in this order."""
        return self.timeline, self.first

    @property
    def role(self) -> BucketRole:
        """The copy that it is told of: the primary where it is in both."""
        return next(iter(self.by_role))

    @property
    def rank(self) -> tuple[bool, int]:
        """What matters more comes first: the primary's gaps."""
        return self.role is not BucketRole.PRIMARY, self.first

    @property
    def gap(self) -> Gap:
        """As that copy's index has it."""
        return self.by_role[self.role]

    @property
    def is_beyond(self) -> bool:
        """Whether it may lie beyond what the timeline holds now."""
        return self.gap.at_switch or self.gap.lost_from is not None

    @property
    def is_accepted(self) -> bool:
        """Whether nobody alarms about it."""
        return all(gap.accepted is not None for gap in self.by_role.values())

    @property
    def segments(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


@record
class ArchivePicture:
    """Both copies, None where a bucket was not read. `span` has the first and last segment number of all.

    `accepted` and `labels` are segment numbers by timeline. `lacking` is what the DR copy lacks, None where
    it cannot be told. `growth` and `compression` are the main copy's: the primary, else DR.
    """

    primary: BucketFacts | None
    dr: BucketFacts | None
    segment_bytes: int
    timelines: tuple[int, ...]
    span: tuple[int, int]
    accepted: Mapping[int, Runs]
    labels: Mapping[int, tuple[int, ...]]
    gaps: tuple[FoundGap, ...]
    lacking: Lacking | None
    growth: Growth | None
    compression: float | None

    def facts(self, role: BucketRole) -> BucketFacts | None:
        """One copy."""
        return self.primary if role is BucketRole.PRIMARY else self.dr

    @property
    def main(self) -> BucketFacts | None:
        """The copy that the answers are about: the primary, where that is known."""
        known = self.primary is not None and self.primary.holding is not None
        return self.primary if known or self.dr is None else self.dr

    def runs(self, role: BucketRole, timeline: int) -> Runs | None:
        """The segments of a timeline in one copy, none where it holds none; None where it is not known.

        While a copy is listed for the first time it is known only if there is nothing else.
        """
        facts = self.facts(role)
        if facts is None or (not facts.complete and facts is not self.main):
            return None
        held = facts.holding.timelines.get(timeline) if facts.holding is not None else None
        return held if held is not None else Runs()

    def held_elsewhere(self, gap: FoundGap) -> Mapping[BucketRole, int]:
        """How many of a gap's segments each copy without that gap holds, where it holds any."""
        held: dict[BucketRole, int] = {}
        for role in BucketRole:
            runs = self.runs(role, gap.timeline) if role not in gap.by_role else None
            count = runs.count_between(gap.first, gap.last) if runs is not None else 0
            if count:
                held[role] = count
        return held

    @property
    def first_listing(self) -> bool:
        """Whether the main copy is still being listed: what is missing there may only not be listed yet."""
        return self.main is not None and not self.main.complete


def same_picture(before: Snapshot, after: Snapshot) -> bool:
    """Whether both buckets are as they were."""
    return before.primary.value is after.primary.value and before.dr.value is after.dr.value


def picture_of(snapshot: Snapshot, now: float) -> ArchivePicture:
    """What both buckets' readings say."""
    primary, dr = snapshot.primary.value, snapshot.dr.value
    holdings = [facts.holding for facts in (primary, dr) if facts is not None and facts.holding is not None]
    main = holdings[0] if holdings else None
    runs = [runs for held in holdings for runs in held.timelines.values() if runs.count]
    told = next((facts.segment_bytes for facts in (primary, dr) if facts and facts.segment_bytes), None)
    size = main.segment_bytes if main is not None else told or DEFAULT_SEGMENT_BYTES
    gaps = found_gaps(primary, dr, size)
    first = min([runs.first for runs in runs] + [gap.first for gap in gaps], default=0)
    last = max([runs.last for runs in runs] + [gap.last for gap in gaps], default=0)
    return ArchivePicture(
        primary=primary,
        dr=dr,
        segment_bytes=size,
        timelines=_timelines(holdings, gaps),
        span=(first, last),
        accepted=_accepted(primary, dr, size),
        labels=_labels(holdings),
        gaps=gaps,
        lacking=_lacking(primary, dr),
        growth=growth(main, now) if main is not None else None,
        compression=compression(main) if main is not None else None,
    )


def _timelines(holdings: Iterable[Holding], gaps: Iterable[FoundGap]) -> tuple[int, ...]:
    """Those of which anything is there, or was."""
    held = {timeline for each in holdings for timeline, runs in each.timelines.items() if runs.count}
    return tuple(sorted(held | {gap.timeline for gap in gaps}))


def _lacking(primary: BucketFacts | None, dr: BucketFacts | None) -> Lacking | None:
    if primary is None or dr is None or not (primary.complete and dr.complete):
        return None
    if primary.holding is None or dr.holding is None:
        return None
    return lacking(primary.holding, dr.holding)


def found_gaps(
    primary: BucketFacts | None, dr: BucketFacts | None, segment_bytes: int
) -> tuple[FoundGap, ...]:
    """The gaps of both copies, accepted ones too, by timeline and place."""
    found: dict[tuple[int, int, int], dict[BucketRole, Gap]] = {}
    for facts in (primary, dr):
        if facts is None or not facts.complete:
            continue
        for gap in _all_gaps(facts):
            with suppress(ValueError):  # a name from outside that is none
                first, last = (Segment.parse(name, segment_bytes) for name in (gap.first, gap.last))
                found.setdefault((gap.timeline, first.number, last.number), {})[facts.role] = gap
    return tuple(
        FoundGap(*place, by_role) for place, by_role in sorted(found.items(), key=lambda one: one[0])
    )


def _all_gaps(facts: BucketFacts) -> Iterator[Gap]:
    """What is missing between segments, and what is gone from where the archive ended."""
    yield from facts.lost
    if facts.continuity is None:
        yield from facts.gaps
        return
    yield from facts.continuity.gaps
    yield from facts.continuity.accepted_gaps


def _accepted(primary: BucketFacts | None, dr: BucketFacts | None, segment_bytes: int) -> dict[int, Runs]:
    """What an operator knows to be lost, by timeline."""
    found: dict[int, Runs] = {}
    for facts in (primary, dr):
        for gap in facts.accepted_gaps if facts is not None else ():
            with suppress(ValueError):  # the file is the operator's to edit
                first, last = (Segment.parse(name, segment_bytes) for name in (gap.first, gap.last))
                if first.timeline == last.timeline and first.number <= last.number:
                    found.setdefault(first.timeline, Runs()).add(first.number, last.number)
    return found


def _labels(holdings: list[Holding]) -> dict[int, tuple[int, ...]]:
    found: dict[int, set[int]] = {}
    for held in holdings:
        for segment in held.labels:
            found.setdefault(segment.timeline, set()).add(segment.number)
    return {timeline: tuple(sorted(numbers)) for timeline, numbers in found.items()}
