"""Two copies of one archive: what one of them lacks."""

from walconsole.domain.archive.growth import stored_bytes_each
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.runs import Runs
from walconsole.domain.records import record
from walconsole.domain.wal import Segment


@record
class Lacking:
    """What a copy does not hold of another's.

    `oldest` and `newest` are the ends of it in the order of time (timeline, number), `bytes` about
    what the other stores for it, `oldest_at` when the other stored the oldest of it (None: unknown).
    """

    segments: int
    bytes: int = 0
    oldest: Segment | None = None
    newest: Segment | None = None
    oldest_at: float | None = None


def lacking(primary: Holding, dr: Holding | None) -> Lacking:
    """What `dr` does not hold of `primary`; all of it where there is no `dr`.

    So it is where their segment sizes differ: the same name then means other WAL. The layouts may
    differ. A segment that is stored twice counts once.
    """
    same = dr.timelines if dr is not None and dr.segment_bytes == primary.segment_bytes else {}
    missing = {
        timeline: rest
        for timeline, runs in sorted(primary.timelines.items())
        if (rest := runs.minus(same.get(timeline, Runs()))).count
    }
    if not missing:
        return Lacking(0)
    segments = sum(runs.count for runs in missing.values())
    oldest_timeline, newest_timeline = min(missing), max(missing)
    oldest = Segment(oldest_timeline, missing[oldest_timeline].first)
    return Lacking(
        segments,
        round(segments * (stored_bytes_each(primary) or 0.0)),
        oldest,
        Segment(newest_timeline, missing[newest_timeline].last),
        primary.times.about(oldest.timeline, oldest.number),
    )


def in_common(one: Holding, other: Holding) -> tuple[int, Segment | None]:
    """How many segments of one name both hold, and the highest of them, None where there is none.

    Nothing where their segment sizes differ: the same name then means other WAL.
    """
    if one.segment_bytes != other.segment_bytes:
        return 0, None
    count, newest = 0, None
    for timeline, runs in sorted(one.timelines.items()):
        both = runs.common(other.timelines.get(timeline, Runs()))
        if both.count:
            count, newest = count + both.count, Segment(timeline, both.last)
    return count, newest
