"""Timelines: what a `.history` file says, and which timeline a restore ends on.

Facts from PostgreSQL's access/transam/timeline.c: a history file has a line for each ancestor,
oldest first: its timeline, the LSN at which it was left, the reason; `#` begins a comment.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from walconsole.domain.archive.runs import Runs
from walconsole.domain.records import record
from walconsole.domain.wal import Segment

_LINE = re.compile(r"\s*(?P<parent>[0-9]{1,10})\s+(?P<high>[0-9A-Fa-f]{1,8})/(?P<low>[0-9A-Fa-f]{1,8})(?!\S)")
_LINE_ENDS = re.compile(r"\r?\n")
_HIGHEST = 2**32 - 1
_SHOWN = 60


@record
class Switch:
    """`parent` was left at `lsn`."""

    parent: int
    lsn: int
    reason: str = ""


@record
class TimelineHistory:
    """`timeline` and how it descends: a switch from each of its ancestors, oldest first."""

    timeline: int
    switches: tuple[Switch, ...]


def parse_history(timeline: int, text: str) -> TimelineHistory:
    """What `timeline`'s history file says.

    Refused is what PostgreSQL refuses (readTimeLineHistory), and a history without any ancestor,
    which nobody writes: ValueError with the number of the line and an excerpt of it.
    """
    switches: list[Switch] = []
    for number, line in enumerate(_LINE_ENDS.split(text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise _refused(timeline, number, line, "is not a timeline and the LSN at which it was left")
        parent, lsn = int(match["parent"]), int(match["high"], 16) << 32 | int(match["low"], 16)
        if switches and parent <= switches[-1].parent:
            raise _refused(timeline, number, line, f"is not above timeline {switches[-1].parent} before it")
        if not 0 < parent < timeline:
            raise _refused(timeline, number, line, f"names no ancestor of timeline {timeline}")
        switches.append(Switch(parent, lsn, line[match.end() :].strip()))
    if not switches:
        raise ValueError(f"{timeline:08X}.history names no ancestor: it is empty, or has comments alone")
    return TimelineHistory(timeline, tuple(switches))


def _refused(timeline: int, number: int, line: str, why: str) -> ValueError:
    return ValueError(f"{timeline:08X}.history, line {number} {why}: {line[:_SHOWN]!r}")


def latest_timeline(start: int, known: Collection[int]) -> int:
    """Where recovery_target_timeline = 'latest' ends that begins on `start`.

    Like PostgreSQL's findNewestTimeLine: counts up and stops before the first timeline of which no
    .history exists; `known` are those of which one does. One beyond is never found.
    """
    newest = start
    while newest + 1 in known and newest < _HIGHEST:
        newest += 1
    return newest


def ancestry(timeline: int, histories: Mapping[int, TimelineHistory]) -> tuple[int, ...]:
    """The ancestors of `timeline`, oldest first, and itself; itself alone where its history is not there."""
    history = histories.get(timeline)
    parents = (switch.parent for switch in history.switches) if history is not None else ()
    return (*parents, timeline)


# -- Which segments a restore reads: from which timeline each, and what of that is missing.

FIRST_SEGMENT = 1
"""Segment 0 of log 0 is never written (access/xlog_internal.h)."""


@record
class Leg:
    """A restore reads `timeline` from segment number `first` to `last`; None: to the newest there is."""

    timeline: int
    first: int
    last: int | None


@record
class Stretch:
    """What is stored on a path lies from segment number `first` to `last`, between two of its legs."""

    legs: tuple[Leg, ...]
    first: int
    last: int

    def segment(self, number: int) -> Segment:
        """The segment of that number (from `first` to `last`) which a restore reads."""
        leg = next(leg for leg in reversed(self.legs) if leg.first <= number)
        return Segment(leg.timeline, number)


class Hole(NamedTuple):
    """Segments `first` to `last` (numbers) of `timeline` are needed and missing."""

    timeline: int
    first: int
    last: int
    at_switch: bool


def restore_path(target: int, history: TimelineHistory | None, segment_bytes: int) -> tuple[Leg, ...]:
    """What a restore to `target` reads, ancestors first, without gaps between the legs.

    A segment is taken from the newest timeline that had begun in it or before (PostgreSQL's
    XLogFileReadAnyTLI), so an ancestor is read up to the segment *before* the one in which it was left,
    and not at all where its child was left in the segment in which it began. Without a history
    the target stands alone.
    """
    switches = history.switches if history is not None else ()
    begun = [FIRST_SEGMENT, *(switch.lsn // segment_bytes for switch in switches)]
    timelines = [*(switch.parent for switch in switches), target]
    path: list[Leg] = []
    last: int | None = None
    for timeline, first in zip(reversed(timelines), reversed(begun), strict=True):
        if last is None or first <= last:
            path.append(Leg(timeline, first, last))
            last = first - 1
    return tuple(reversed(path))


def stored_stretch(path: tuple[Leg, ...], timelines: Mapping[int, Runs]) -> Stretch | None:
    """From the lowest to the highest segment of the path that is stored; None where none is.

    What an ancestor holds from beyond the point where it was left is not of the path.
    """
    ends = [
        (at, first, last)
        for at, leg in enumerate(path)
        if leg.timeline in timelines
        for first, last in _ends_within(timelines[leg.timeline], leg)
    ]
    if not ends:
        return None
    (begin, first, _), (end, _, last) = ends[0], ends[-1]
    return Stretch(path[begin : end + 1], first, last)


def _ends_within(runs: Runs, leg: Leg) -> Iterator[tuple[int, int]]:
    """The lowest and the highest number in `runs` that the leg reads, nothing where it reads none."""
    highest = runs.last if runs.count else 0
    last = highest if leg.last is None else min(leg.last, highest)
    begun: int | None = None
    ended = 0
    for lower, upper in runs:
        if lower > last:
            break
        if upper >= leg.first:
            begun = max(lower, leg.first) if begun is None else begun
            ended = min(upper, last)
    if begun is not None:
        yield begun, ended


def holes(stretch: Stretch, timelines: Mapping[int, Runs]) -> Iterator[Hole]:
    """What is missing within the stretch, in the order in which a restore needs it, a leg at a time."""
    for leg in stretch.legs:
        first = max(leg.first, stretch.first)
        last = stretch.last if leg.last is None else min(leg.last, stretch.last)
        for low, high in _missing(timelines.get(leg.timeline), first, last):
            yield Hole(leg.timeline, low, high, low == leg.first or high == leg.last)


def _missing(runs: Runs | None, first: int, last: int) -> Iterator[tuple[int, int]]:
    """What `runs` lacks from `first` to `last`, as intervals."""
    expected = first
    for lower, upper in runs or ():
        if upper < expected:
            continue
        if lower > last:
            break
        if lower > expected:
            yield expected, lower - 1
        expected = upper + 1
    if expected <= last:
        yield expected, last
