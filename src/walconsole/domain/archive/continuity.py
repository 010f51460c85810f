"""Would it replay: gaps and the unbroken run along the timelines that a restore follows."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from walconsole.domain.archive.gaps import AcceptedGap, AcceptedRanges, Gap
from walconsole.domain.archive.layouts import LOG_BYTES
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import (
    Hole,
    Leg,
    Stretch,
    TimelineHistory,
    ancestry,
    holes,
    latest_timeline,
    restore_path,
    stored_stretch,
)
from walconsole.domain.records import record
from walconsole.domain.wal import Segment, check_segment_bytes

__all__ = ["Continuity", "Leg", "UnbrokenRun", "continuity"]

MISSING_HISTORIES_NAMED = 8
"""Of the histories that `latest` would need to reach a timeline far beyond, the first few are named."""


@record
class UnbrokenRun:
    """Every segment from `oldest` to `newest` along the path is there; `segments` counts them."""

    oldest: Segment
    newest: Segment
    segments: int


@record
class Continuity:
    """What a restore with recovery_target_timeline = 'latest' would find.

    `target` is the timeline that it ends on, `path` what it reads, ancestors first. `gaps` are those
    on the path that nobody accepted, oldest first (of many, both ends), `gap_count` and
    `missing_segments` count all of them; `accepted_gaps` (both ends, too) and `accepted_segments` are
    what an operator knows to be lost. `run` ends at the path's newest segment and begins after its
    newest gap, accepted or not: both stop a replay.

    `missing_histories`: timelines without their .history, at which `latest` stops counting (the first
    few) or whose descent is not known. `unreachable`: timelines above the target that hold WAL.
    `branches`: timelines below it that hold WAL and are not among its ancestors.
    """

    target: int
    path: tuple[Leg, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gap_count: int = 0
    missing_segments: int = 0
    run: UnbrokenRun | None = None
    missing_histories: tuple[int, ...] = ()
    unreachable: tuple[int, ...] = ()
    branches: tuple[int, ...] = ()
    accepted_gaps: tuple[Gap, ...] = ()
    accepted_segments: int = 0


def continuity(
    timelines: Mapping[int, Runs],
    histories: Mapping[int, TimelineHistory],
    segment_bytes: int,
    *,
    known: Collection[int] = (),
    most: int = 1000,
    accepted: Sequence[AcceptedGap] = (),
) -> Continuity:
    """What the stored segments (numbers by timeline) are worth to a restore to the latest timeline.

    `latest` is counted from the oldest timeline that holds WAL. `histories` are the .history files
    that were read, `known` the timelines of which one exists, read or not. `accepted` are this archive's.
    At most `most` open and as many accepted gaps are given. What is older than the oldest stored
    segment of the path is no gap. Raises ValueError for an impossible segment size.
    """
    check_segment_bytes(segment_bytes)
    held = {timeline: runs for timeline, runs in sorted(timelines.items()) if runs.count}
    existing = {*known, *histories}
    target = latest_timeline(min(held, default=1), existing)
    path = restore_path(target, histories.get(target), segment_bytes)
    stretch = stored_stretch(path, held)
    open_gaps, known_gaps, run = _judged(stretch, held, AcceptedRanges(accepted), most, segment_bytes)
    ancestors = ancestry(target, histories)
    return Continuity(
        target,
        path,
        gaps=open_gaps.gaps(segment_bytes),
        gap_count=open_gaps.count,
        missing_segments=open_gaps.segments,
        run=run,
        missing_histories=tuple(_missing_histories(held, existing, target, ancestors)),
        unreachable=tuple(timeline for timeline in held if timeline > target),
        branches=tuple(timeline for timeline in held if timeline < target and timeline not in ancestors),
        accepted_gaps=known_gaps.gaps(segment_bytes),
        accepted_segments=known_gaps.segments,
    )


class _Tally:
    """Counts holes, and keeps the first and the last of them."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self.segments = 0
        self._first_kept = most // 2
        self._first: list[tuple[Hole, AcceptedGap | None]] = []
        self._last: deque[tuple[Hole, AcceptedGap | None]] = deque(maxlen=most - most // 2)

    def add(self, hole: Hole, accepted: AcceptedGap | None) -> None:
        self.count += 1
        self.segments += hole.last - hole.first + 1
        (self._first if self.count <= self._first_kept else self._last).append((hole, accepted))

    def gaps(self, segment_bytes: int) -> tuple[Gap, ...]:
        """Those that were kept, in their order."""
        return tuple(
            Gap(
                hole.timeline,
                Segment(hole.timeline, hole.first).name(segment_bytes),
                Segment(hole.timeline, hole.last).name(segment_bytes),
                hole.last - hole.first + 1,
                hole.at_switch,
                accepted=accepted,
            )
            for hole, accepted in (*self._first, *self._last)
        )


def _judged(
    stretch: Stretch | None, held: Mapping[int, Runs], accepted: AcceptedRanges, most: int, segment_bytes: int
) -> tuple[_Tally, _Tally, UnbrokenRun | None]:
    """Open gaps, accepted ones, and what is unbroken after the last of either."""
    still_open, known = _Tally(most), _Tally(most)
    if stretch is None:
        return still_open, known, None
    oldest, per_log = stretch.first, LOG_BYTES // segment_bytes
    for hole in holes(stretch, held):
        by = _accepted_by(hole, accepted, per_log) if accepted else None
        (still_open if by is None else known).add(hole, by)
        oldest = hole.last + 1
    run = UnbrokenRun(stretch.segment(oldest), stretch.segment(stretch.last), stretch.last - oldest + 1)
    return still_open, known, run


def _accepted_by(hole: Hole, accepted: AcceptedRanges, per_log: int) -> AcceptedGap | None:
    """By arithmetic: a name for each of very many holes would cost more than all else."""
    first, last = (
        hole.timeline << 64 | number // per_log << 32 | number % per_log for number in (hole.first, hole.last)
    )
    return accepted.covering(first, last)


def _missing_histories(
    held: Iterable[int], existing: Collection[int], target: int, ancestors: tuple[int, ...]
) -> Iterator[int]:
    """The timelines without a .history that matter, ascending.

    Timeline 1 never has one, and an ancestor needs none: its descent stands in the target's.
    """
    for timeline in held:
        if 1 < timeline <= target and timeline not in existing and timeline not in ancestors[:-1]:
            yield timeline
    beyond = max((timeline for timeline in (*held, *existing) if timeline > target), default=target)
    lacking = (timeline for timeline in range(target + 1, beyond + 1) if timeline not in existing)
    yield from islice(lacking, MISSING_HISTORIES_NAMED)
