"""Rates and trends over what the console watched: segments a minute, the backlog, the disk."""

from dataclasses import dataclass
from itertools import pairwise

from walconsole.domain.history import DiskSample, History
from walconsole.domain.snapshot import Snapshot

TREND_WINDOW_S = 300.0
_TREND_MIN_SPAN_S = 4.0
_LONG_ENOUGH_S, _TIMES_AS_FAR = 240.0, 60.0
"""A trend holds for sixty times as long as it was watched, and for as long as you like after four minutes."""


@dataclass(frozen=True, slots=True)
class DiskOutlook:
    """Where pg_wal's file system is going; None where the console has not watched long enough.

    `full_in_s` is None when it is not filling.
    """

    free_change_bytes_per_s: float | None
    backlog_per_min: float | None
    full_in_s: float | None
    watched_s: float


def archived_per_minute(
    history: History, now: float, bins: int = 30, bin_s: float = 60.0
) -> tuple[float | None, ...]:
    """Segments archived a minute in `bins` spans of `bin_s` seconds up to `now`, oldest first.

    None where the console did not watch.
    """
    return _rates([(sample.at, float(sample.archived)) for sample in history.archiver], now, bins, bin_s)


def segments_per_minute(
    history: History, now: float, bins: int = 30, bin_s: float = 60.0
) -> tuple[float | None, ...]:
    """Segments' worth of WAL written a minute, as `archived_per_minute`."""
    points = [(sample.at, sample.lsn / history.segment_bytes) for sample in history.archiver]
    return _rates(points, now, bins, bin_s)


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
    disk = snapshot.wal_disk.value
    if disk is None:
        return None
    samples = [sample for sample in snapshot.history.disk if now - sample.at <= TREND_WINDOW_S]
    watched = samples[-1].at - samples[0].at if samples else 0.0
    if watched < _TREND_MIN_SPAN_S:
        return DiskOutlook(None, None, None, watched)
    change = _free_slope(samples)
    backlog = _backlog_slope(samples)
    # Half a segment a minute is noise: files are recycled, logs rotate.
    floor = -snapshot.history.segment_bytes / 120
    full_in = disk.free_bytes / -change if change is not None and change < floor else None
    if full_in is not None and watched < min(_LONG_ENOUGH_S, full_in / _TIMES_AS_FAR):
        full_in = None  # a few seconds' writes say nothing of tonight
    return DiskOutlook(change, None if backlog is None else backlog * 60, full_in, watched)


def _free_slope(samples: list[DiskSample]) -> float | None:
    """How free space changes, bytes a second: over all, or over the last third where that goes down less.

    What one burst of writes took, and does no more, is no trend.
    """
    points = [(sample.at, float(sample.free_bytes)) for sample in samples]
    recent = _slope([point for point in points if point[0] >= points[-1][0] - _span(points) / 3])
    slopes = [slope for slope in (_slope(points), recent) if slope is not None]
    return max(slopes) if slopes else None


def _span(points: list[tuple[float, float]]) -> float:
    return points[-1][0] - points[0][0]


def _backlog_slope(samples: list[DiskSample]) -> float | None:
    points = [(sample.at, float(sample.ready_count)) for sample in samples if sample.ready_count is not None]
    return _slope(points)


def _slope(points: list[tuple[float, float]]) -> float | None:
    """The least-squares slope a second; None for fewer than two moments."""
    if len(points) < 2 or points[-1][0] == points[0][0]:
        return None
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread
