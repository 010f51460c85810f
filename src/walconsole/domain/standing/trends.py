"""Rates and trends over what the console watched: segments a minute, the backlog, the disk."""

from itertools import pairwise

from walconsole.domain.facts.disk_forecast import (
    WINDOW_S,
    Limits,
    NoEnd,
    at_least_s,
    forecast,
    no_end,
    outlook_in_s,
    slope,
    urgent_in_s,
)
from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.units import duration_text

_MIN_SPAN_S = 4.0
_ONE_TIME = 1.2
"""The soonest and the latest time are told as one where they differ by less."""


@record
class DiskOutlook:
    """Where pg_wal's file system is going; None where the console has not watched long enough.

    `full_in_s` is None when it is not filling, `soonest_s` how early it may be full. `urgent`: within the
    hour, watched for long enough, and going on; or next to nothing is left (`full_in_s` may be None then).
    `wal_change_bytes_per_s` is how fast pg_wal itself grows, None where that cannot be read. `no_end` is why
    `full_in_s` is None though free space goes; where that is LITTLE it takes `at_least_s` seconds.
    """

    free_change_bytes_per_s: float | None
    backlog_per_min: float | None
    full_in_s: float | None
    watched_s: float
    wal_change_bytes_per_s: float | None = None
    soonest_s: float | None = None
    urgent: bool = False
    no_end: NoEnd | None = None
    at_least_s: float | None = None

    @property
    def full_in_text(self) -> str:
        """`9 min 10 s`, or `7 min 02 s to 9 min 10 s`; `n/a` where it is not filling."""
        if self.full_in_s is None or self.soonest_s is None or self.full_in_s < _ONE_TIME * self.soonest_s:
            return duration_text(self.full_in_s)
        return f"{duration_text(self.soonest_s)} to {duration_text(self.full_in_s)}"


def archived_per_minute(
    history: History, now: float, bins: int = 30, bin_s: float = 60.0
) -> tuple[float | None, ...]:
    """Segments archived a minute in `bins` spans of `bin_s` seconds up to `now`, oldest first.

    None where the console did not watch.
    """
    return _rates([(sample.at, float(sample.archived)) for sample in history.archiver], now, bins, bin_s)


def _rates(
    points: list[tuple[float, float]], now: float, bins: int, bin_s: float
) -> tuple[float | None, ...]:
    """A growing counter's rate a minute in each bin, the growth between two looks spread evenly."""
    growth, watched = [0.0] * bins, [0.0] * bins
    start = now - bins * bin_s
    for (at, count), (later, more) in pairwise(points):
        if later <= at:
            continue
        slope = max(0.0, more - count) / (later - at)
        first, last = int((at - start) // bin_s), int((later - start) // bin_s)
        for index in range(max(0, first), min(bins - 1, last) + 1):
            edge = start + index * bin_s
            overlap = min(later, edge + bin_s) - max(at, edge)
            if overlap > 0:
                growth[index] += slope * overlap
                watched[index] += overlap
    return tuple(60 * grown / seen if seen else None for grown, seen in zip(growth, watched, strict=True))


def disk_outlook(snapshot: Snapshot, now: float) -> DiskOutlook | None:
    """Trends of free space and backlog over the last minutes that the console watched."""
    disk, history = snapshot.wal_disk.value, snapshot.history
    if disk is None:
        return None
    samples = [sample for sample in history.disk if now - sample.at <= WINDOW_S]
    watched = samples[-1].at - samples[0].at if samples else 0.0
    urgent = bool(samples) and history.disk_urgent
    limits = Limits(
        history.segment_bytes, snapshot.retention.value.wal_limit if snapshot.retention.value else None
    )
    seen = forecast(samples, watched, limits) if watched >= _MIN_SPAN_S else None
    if seen is None:
        return DiskOutlook(None, None, None, watched, urgent=urgent)
    backlog = slope(samples, lambda sample: sample.ready_count)
    full = (urgent_in_s(samples, limits) if urgent else None) or outlook_in_s(samples, limits)
    why = no_end(samples, limits) if full is None else None
    return DiskOutlook(
        free_change_bytes_per_s=-seen.taken,
        backlog_per_min=None if backlog is None else backlog * 60,
        full_in_s=full[1] if full else None,
        watched_s=watched,
        wal_change_bytes_per_s=seen.wal,
        soonest_s=full[0] if full else None,
        urgent=urgent,
        no_end=why,
        at_least_s=at_least_s(disk.free_bytes, limits) if why is NoEnd.LITTLE else None,
    )
