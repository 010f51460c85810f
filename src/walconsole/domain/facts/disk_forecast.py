"""When pg_wal's file system will be full: by what pg_wal takes itself, and by what all else there takes.

What pg_wal takes ends at max_wal_size where nothing keeps WAL: checkpoints recycle it. What keeps WAL is a
backlog or a slot; then it goes on until nothing is free, as other programs' writes may.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import StrEnum

from walconsole.domain.records import record

WINDOW_S = 300.0
URGENT_S, CALM_S = 3600.0, 7200.0
"""Full within the one is urgent, and stays so until it is not within the other."""
_MIN_SPAN_S = 4.0
_STILL = 3
"""It goes on, where the last third of a window shows it too."""
_WINDOWS_S = (10.0, 20.0, 40.0, 80.0, 120.0, WINDOW_S)
_ENOUGH_S, _SHARE = 120.0, 4.0
"""A forecast holds that was watched for two minutes, or for a quarter of the time that it leaves."""
_LONG_ENOUGH_S, _TIMES_AS_FAR = 240.0, 60.0
"""One that is not urgent holds for sixty times as long as it was watched, after four minutes for any time."""
_SPARE_SEGMENTS = 2
_LOW_BACKLOG = 3
_OVERSHOOT = 1.25
"""max_wal_size is a soft limit (documentation of PostgreSQL, WAL configuration)."""


@record
class DiskSample:
    """At `at`: bytes in pg_wal, bytes free on its file system, and the .ready files."""

    at: float
    wal_bytes: int | None
    free_bytes: int
    ready_count: int | None


@record
class Forecast:
    """Of a stretch of samples: how fast free space goes, how fast pg_wal grows, and when nothing is free.

    Bytes a second; `wal` is None where pg_wal cannot be read, `full_in_s` where it does not fill.
    """

    taken: float
    wal: float | None
    full_in_s: float | None


@record
class Limits:
    """A segment's bytes, and what pg_wal grows to where nothing keeps WAL (None: not known, or kept)."""

    segment_bytes: int
    wal_bytes: int | None = None


def forecast(samples: Sequence[DiskSample], seconds: float, limits: Limits) -> Forecast | None:
    """By the samples of the last `seconds`; None for fewer than two moments."""
    last = samples[-1]
    recent = [sample for sample in samples if sample.at >= last.at - seconds]
    free = slope(recent, lambda sample: sample.free_bytes)
    if free is None:
        return None
    wal = slope(recent, lambda sample: sample.wal_bytes)
    return Forecast(-free, wal, _full_in(last.free_bytes, -free, wal, _room(last, limits), limits))


def _room(last: DiskSample, limits: Limits) -> float | None:
    """What pg_wal may still grow by before it recycles; None where nothing bounds it."""
    if limits.wal_bytes is None or last.wal_bytes is None or last.ready_count is None:
        return None
    room = _OVERSHOOT * limits.wal_bytes - last.wal_bytes
    return room if room >= 0 and last.ready_count <= _LOW_BACKLOG else None


def _full_in(free: int, taken: float, wal: float | None, room: float | None, limits: Limits) -> float | None:
    noise = _noise(limits)
    if taken <= noise:
        return None
    if wal is None or wal <= 0 or room is None:
        return free / taken
    until_recycled = room / wal
    left, others = free - taken * until_recycled, taken - wal
    if left <= 0:
        return free / taken
    return until_recycled + left / others if others > noise else None


def outlook_in_s(samples: Sequence[DiskSample], limits: Limits) -> tuple[float, float] | None:
    """The soonest and the latest time to full, by the whole window and by its last third; None: not filling.

    Both must show it: what one burst of writes took, and does no more, is no trend.
    """
    watched = _span(samples)
    if watched < _MIN_SPAN_S:
        return None
    last = samples[-1]
    seen = [forecast(samples, seconds, limits) for seconds in (watched, watched / _STILL)]
    ends = [each.full_in_s for each in seen if each is not None]
    full = [end for end in ends if end is not None]
    if not full or len(full) < len(ends):
        return None
    soonest, latest = min(full), max(full)
    if last.free_bytes and watched < min(_LONG_ENOUGH_S, latest / _TIMES_AS_FAR):
        return None  # a few seconds' writes say nothing of tonight
    return soonest, latest


class NoEnd(StrEnum):
    """Why no time to full can be told while free space goes."""

    REUSED = "reused"
    """pg_wal stops at max_wal_size, and nothing else takes space."""
    LITTLE = "little"
    """So little goes that recycled files and rotated logs explain it."""
    UNSTEADY = "unsteady"
    """It went for a while, and does not go on."""
    TOO_SHORT = "too short"
    """It was not watched for long enough to say what is as far away."""


def no_end(samples: Sequence[DiskSample], limits: Limits) -> NoEnd | None:
    """Why `outlook_in_s` tells no time; None where nothing goes."""
    watched = _span(samples)
    whole = forecast(samples, watched, limits) if samples else None
    if whole is None or round(60 * whole.taken) <= 0:
        return None
    if whole.taken <= _noise(limits):
        return NoEnd.LITTLE
    if whole.full_in_s is None:
        return NoEnd.REUSED
    recent = forecast(samples, watched / _STILL, limits)
    return NoEnd.UNSTEADY if recent is not None and recent.full_in_s is None else NoEnd.TOO_SHORT


def at_least_s(free_bytes: int, limits: Limits) -> float:
    """Seconds that are left at least where no more goes than LITTLE."""
    return free_bytes / _noise(limits)


def _noise(limits: Limits) -> float:
    """Bytes a second: half a segment a minute, for files are recycled and logs rotate."""
    return limits.segment_bytes / 120


def urgent_in_s(samples: Sequence[DiskSample], limits: Limits) -> tuple[float, float] | None:
    """The soonest and the latest time to full, where that is within the hour and was watched long enough.

    Ten seconds suffice where forty are left, two minutes for all of the hour: so a burst of another program's
    writes is no alarm, and with minutes left no more than a third of them is waited for.
    """
    watched, free = _span(samples), [sample.free_bytes for sample in samples]
    if max(free) - min(free) < free[-1] / URGENT_S * _WINDOWS_S[0] / 2:
        return None  # what is usual, told without arithmetic: too little goes for any of the windows
    for seconds in _WINDOWS_S:
        if watched < 0.9 * seconds:
            break
        whole = forecast(samples, seconds, limits)
        full = whole.full_in_s if whole is not None else None
        if full is None or full >= URGENT_S or seconds < min(_ENOUGH_S, full / _SHARE):
            continue
        parts = [_third(samples, seconds, limits, first=first) for first in (False, True)]
        ends = [part.full_in_s for part in parts if part is not None]
        if all(end is not None and end < URGENT_S for end in ends):
            recent = ends[0] if parts[0] is not None and ends[0] is not None else full
            return min(full, recent), max(full, recent)
    return None


def _third(samples: Sequence[DiskSample], seconds: float, limits: Limits, *, first: bool) -> Forecast | None:
    """By the last third of the last `seconds`, for it goes on; by the first, for it did not just begin."""
    now = samples[-1].at
    if not first:
        return forecast(samples, seconds / _STILL, limits)
    early = [each for each in samples if 0 <= each.at - (now - seconds) <= seconds / _STILL]
    return forecast(early, seconds, limits) if early else None


def is_urgent(samples: Sequence[DiskSample], limits: Limits, *, before: bool) -> bool:
    """Whether the last sample is cause for alarm; `before`: the one before it was.

    Where not even two segments have room it is, whatever the trend.
    """
    if not samples:
        return False
    last = samples[-1]
    if last.free_bytes < _SPARE_SEGMENTS * limits.segment_bytes:
        return True
    window = samples[bisect_left(samples, last.at - WINDOW_S, key=lambda sample: sample.at) :]
    if urgent_in_s(window, limits) is not None:
        return True
    if not before:
        return False
    still = outlook_in_s(window, limits)
    return still is not None and still[1] < CALM_S


def slope(samples: Sequence[DiskSample], of: Callable[[DiskSample], int | None]) -> float | None:
    """The least-squares slope a second of what is known; None for fewer than two moments."""
    points = [(sample.at, float(value)) for sample in samples if (value := of(sample)) is not None]
    if len(points) < 2 or points[-1][0] == points[0][0]:
        return None
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread


def _span(samples: Sequence[DiskSample]) -> float:
    return samples[-1].at - samples[0].at if samples else 0.0
