"""How fast an archive grows, and what its compression makes of a segment."""

from collections.abc import Sequence

from walconsole.domain.archive.holding import Holding
from walconsole.domain.records import record

DAY_S = 86400.0
WINDOW_S = 7 * DAY_S
LEAST_S = 600.0
"""A shorter history than this is none to reckon with."""


@record
class Growth:
    """What was stored a day, as measured over the last `measured_s` seconds."""

    segments_per_day: float
    bytes_per_day: float
    measured_s: float


@record
class Compressibility:
    """What zstd made of samples of stored segments: `ratio` is compressed / plain.

    `per_forced` is the share of sampled segments that a forced switch cut short: their tail is zeroes.
    """

    ratio: float
    segments: int
    per_forced: float
    read_at: float


def growth(holding: Holding, now: float) -> Growth | None:
    """How fast it grew in the last seven days, or since the newest timeline began where that is later.

    By the times (the store's clock) at which segments of that timeline were stored, up to `now`:
    silence counts. None with less than ten minutes of history. Segments that were pushed again later
    carry that later time and do not count as new ones.
    """
    if holding.newest is None:
        return None
    timeline = holding.newest.timeline
    samples, runs = holding.times.samples(timeline), holding.timelines.get(timeline)
    if not samples or runs is None:
        return None
    now = max(now, *(at for _, at in samples))
    oldest_at = min(at for _, at in samples)
    begin = max(oldest_at, now - WINDOW_S)
    if now - begin < LEAST_S:
        return None
    reached = _reached(samples, begin)
    segments = sum(last - max(first, reached + 1) + 1 for first, last in runs if last > reached)
    per_day = segments * DAY_S / (now - begin)
    return Growth(per_day, per_day * (stored_bytes_each(holding) or 0.0), now - begin)


def _reached(samples: Sequence[tuple[int, float]], begin: float) -> int:
    """The segment that was the newest at `begin`, on the straight line to the sample after it.

    `begin` is not before the first of the times.
    """
    at = max(place for place, (_, stored_at) in enumerate(samples) if stored_at <= begin)
    number, stored_at = samples[at]
    if at + 1 == len(samples):
        return number
    next_number, next_at = samples[at + 1]
    return number + int((next_number - number) * (begin - stored_at) / (next_at - stored_at))


def stored_bytes_each(holding: Holding) -> float | None:
    """What a whole segment takes in the store, on average; None where it holds none, or no size is known."""
    objects = sum(holding.suffixes.values()) or holding.segments
    return holding.stored_bytes / objects if objects and holding.stored_bytes else None


def compression(holding: Holding) -> float | None:
    """Stored bytes per byte of WAL: 1 uncompressed, 0.25 at a quarter. None where it is not known."""
    each = stored_bytes_each(holding)
    return None if each is None else each / holding.segment_bytes
