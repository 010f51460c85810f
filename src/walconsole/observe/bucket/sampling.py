"""A few segments from the midst of an archive, chosen by chance: whether they are what their names say.

The newest and the oldest tell nothing of those between them, and a listing no more than their sizes. It is no
proof of all the others: that takes a drill.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.side_by_side import all_of

SAMPLED = 2
"""Of all that lie between the ends, and one more of the newest, which pg_wal may have still."""
RECENT = 16

Identified = Callable[[Segment], Awaitable[SegmentIdentity | None]]
"""Reads one segment's head; None where it is not there any more."""


async def sampled(
    holding: Holding, known: Sequence[SegmentIdentity], identified: Identified
) -> tuple[SegmentIdentity, ...]:
    """Of what is there: others than last time, and again what could not be read then (`known`).

    Raises what `identified` does.
    """
    again = [_segment(each, holding) for each in known if each.problem]
    chosen = dict.fromkeys([*filter(None, again), *_chosen(holding)])
    found = await all_of(identified(each) for each in chosen)
    return tuple(each for each in found if each is not None)


def _segment(identity: SegmentIdentity, holding: Holding) -> Segment | None:
    segment = Segment.parse(identity.name, holding.segment_bytes)
    return segment if holding.holds(segment) else None


def _chosen(holding: Holding) -> Iterator[Segment]:
    """Between the newest and the oldest, which are read anyway; without what its size tells is none."""
    newest, damaged = holding.newest, holding.damaged()
    if newest is None:
        return
    ends = (newest, oldest_of(holding))
    between: dict[int, Runs] = {}
    for timeline, runs in holding.timelines.items():
        read = Runs()
        for each in ends:
            if each.timeline == timeline:
                read.add(each.number, each.number)
        between[timeline] = runs.minus(damaged.get(timeline, Runs())).minus(read)
    total = sum(runs.count for runs in between.values())
    for position in random.sample(range(total), min(SAMPLED, total)):
        yield _at(between, position)
    runs = between.get(newest.timeline, Runs())
    recent = range(max(0, runs.count - RECENT), runs.count)
    if recent:
        yield Segment(newest.timeline, runs.at(random.choice(recent)))  # noqa: S311  # no secret


def _at(between: Mapping[int, Runs], position: int) -> Segment:
    for timeline, runs in between.items():
        if position < runs.count:
            return Segment(timeline, runs.at(position))
        position -= runs.count
    raise IndexError(position)


def oldest_of(holding: Holding) -> Segment:
    """The lowest segment of the oldest timeline."""
    timeline = min(timeline for timeline, runs in holding.timelines.items() if runs.count)
    return Segment(timeline, holding.timelines[timeline].first)
