"""Segments of an archive that are read to their ends as somebody asked: up to a bound, the newest first."""

import random
from collections.abc import Iterator

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.listing import ReadThrough
from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.heads import read_whole
from walconsole.observe.bucket.locate import locate
from walconsole.ports import ObjectStore, Plain

BUDGET_BYTES = 64 * 1024 * 1024
MOST_SEGMENTS = 200
_NEWEST = 16
_TOO_LARGE_AT_MOST = 8
"""So many that do not fit are passed over; then what is left of the budget stays unused."""


async def read_through(
    holding: Holding, store: ObjectStore, plain: Plain, now: float, budget_bytes: int = BUDGET_BYTES
) -> tuple[ReadThrough, tuple[SegmentIdentity, ...]]:
    """What was read, and what each says. Raises errors.ObjectStoreError, SshError."""
    left, too_large = budget_bytes, 0
    found: list[SegmentIdentity] = []
    for segment in _chosen(holding):
        if len(found) >= MOST_SEGMENTS or too_large >= _TOO_LARGE_AT_MOST:
            break
        stored = await locate(store, holding, segment, now)
        if not stored:
            continue
        if stored[0].size > left:
            too_large += 1
            continue
        left -= stored[0].size
        found.append(await read_whole(segment.name(holding.segment_bytes), stored[0], store, plain, now))
    unfit = tuple(each.name for each in found if each.problem)
    read = ReadThrough(len(found), budget_bytes - left, holding.segments, unfit, too_large)
    return read, tuple(found)


def _chosen(holding: Holding) -> Iterator[Segment]:
    """The newest ones, newest first; then others by chance, each once."""
    every = [
        (timeline, at)
        for timeline, runs in holding.timelines.items()
        for at in range(max(0, runs.count - MOST_SEGMENTS), runs.count)
    ]
    newest = sorted(every, key=lambda each: (each[0], holding.timelines[each[0]].at(each[1])))[-_NEWEST:]
    others = [(timeline, at) for timeline, runs in holding.timelines.items() for at in _some(runs.count)]
    random.shuffle(others)
    for timeline, at in dict.fromkeys([*reversed(newest), *others]):
        yield Segment(timeline, holding.timelines[timeline].at(at))


def _some(count: int) -> list[int]:
    return random.sample(range(count), min(count, MOST_SEGMENTS))
