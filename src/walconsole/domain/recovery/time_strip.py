"""Time in a given number of cells: to which moments a restore can go, and to which it cannot.

A cell is as bad as the worst moment in it, so that no hole vanishes, however short it is. What lies before
and after the window is no fault of the archive's: a cell in which it begins or ends counts as restorable.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.records import record
from walconsole.domain.recovery.recoverability import Recoverability, Window


class Moments(StrEnum):
    """What a stretch of time is to a restore, the worst first."""

    HOLE = "not restorable"
    UNKNOWN = "not known"
    RESTORABLE = "restorable"
    AFTER = "not archived yet"
    BEFORE = "no backup yet"


@record
class TimeStretch:
    """From `begin` to `end`, seconds since the epoch. A hole whose ends nothing tells apart has no length."""

    begin: float
    end: float
    moments: Moments


@record
class TimeCell:
    """One cell: its ends (seconds since the epoch), its worst moments, how long of it can be restored."""

    begin: float
    end: float
    moments: Moments
    restorable_s: float


def time_span(found: Sequence[Recoverability], now: float) -> tuple[float, float] | None:
    """What strips of these shall show alike: from the first base backup to now, seconds since the epoch.

    None where no time is known, or none but now.
    """
    known = [now]
    for each in found:
        known += (at for window in each.windows for at in (window.since, window.until) if at is not None)
        known += (at for held in each.backups if (at := held.backup.stopped) is not None)
    first, last = min(known), max(known)
    return (first, last) if first < last else None


def time_stretches(windows: Sequence[Window]) -> tuple[TimeStretch, ...]:
    """All of time, from minus to plus infinity, in the windows' order (oldest first), without an overlap."""
    made: list[TimeStretch] = []
    at, before = float("-inf"), Moments.BEFORE
    for index, window in enumerate(windows):
        following = next((each.since for each in windows[index + 1 :] if each.since is not None), None)
        begin = at if window.since is None else max(at, window.since)
        made.append(TimeStretch(at, begin, before))
        end = window.until
        if end is None:
            end = float("inf") if following is None else following
        end = max(begin, end)
        sure = window.since is not None and window.until is not None
        made.append(TimeStretch(begin, end, Moments.RESTORABLE if sure else Moments.UNKNOWN))
        at, before = end, Moments.HOLE
    ends_well = bool(windows) and windows[-1].stop is None
    made.append(TimeStretch(at, float("inf"), Moments.AFTER if ends_well else before))
    return tuple(each for each in made if each.begin < each.end or _is_told(each, windows))


def _is_told(stretch: TimeStretch, windows: Sequence[Window]) -> bool:
    """Whether it is told though it has no length: a hole between windows, a window of one moment."""
    finite = float("-inf") < stretch.begin < float("inf")
    return finite and bool(windows) and stretch.moments in (Moments.HOLE, Moments.RESTORABLE)


def time_strip(windows: Sequence[Window], span: tuple[float, float], width: int) -> tuple[TimeCell, ...]:
    """`span` in `width` cells of one length, which tile it; none where there is no room, or no time."""
    begin, end = span
    if width <= 0 or not begin < end:
        return ()
    edges = [begin + (end - begin) * at / width for at in range(width)] + [end]
    stretches = time_stretches(windows)
    ends = [each.end for each in stretches]
    return tuple(
        _cell(low, high, stretches[bisect_left(ends, low) :], last=high == end)
        for low, high in pairwise(edges)
    )


def _cell(begin: float, end: float, stretches: Sequence[TimeStretch], *, last: bool) -> TimeCell:
    inside = list(_within(begin, end, stretches, last=last))
    ranks = list(Moments)
    worst = min((each.moments for each in inside), key=ranks.index, default=Moments.BEFORE)
    restorable_s = sum(
        min(end, each.end) - max(begin, each.begin) for each in inside if each.moments is Moments.RESTORABLE
    )
    return TimeCell(begin, end, worst, restorable_s)


def _within(
    begin: float, end: float, stretches: Sequence[TimeStretch], *, last: bool
) -> Iterator[TimeStretch]:
    """Those that share time with a cell; what has no length belongs to the cell that begins with it."""
    for each in stretches:
        if each.begin > end:
            return
        if each.begin < each.end:
            shared = each.begin < end and each.end > begin
        else:
            shared = begin <= each.begin and (each.begin < end or last)
        if shared:
            yield each


def cell_of(cells: Sequence[TimeCell], moment: float) -> int | None:
    """The number of the cell that holds a moment; None outside of them."""
    if not cells or not cells[0].begin <= moment <= cells[-1].end:
        return None
    return max(0, bisect_right(cells, moment, key=lambda cell: cell.begin) - 1)


def switch_times(
    history: TimelineHistory | None, times: Sequence[StoredTimes], segment_bytes: int
) -> tuple[tuple[float, int], ...]:
    """When the archive went on in another timeline (seconds since the epoch), and in which.

    It is when the last segment before the switch was stored, by the earliest of the copies' `times`; where
    none tells, the switch is left out, and so is a timeline of which nothing is replayed.
    """
    if history is None:
        return ()
    found = []
    for switch, child in _passed(history):
        number = max(0, switch.lsn - 1) // segment_bytes
        told = [at for each in times if (at := each.about(switch.parent, number)) is not None]
        if told:
            found.append((min(told), child))
    return tuple(found)


def _passed(history: TimelineHistory) -> tuple[tuple[Switch, int], ...]:
    """Where a replay goes on in another timeline, and in which, in the order of places.

    Recovered once more to before the last recovery's end, a timeline descends from one that it never comes
    to: its history names that with a lower place than the one before it.
    """
    passed: list[tuple[Switch, int]] = []
    child = history.timeline
    for switch in reversed(history.switches):
        if passed and switch.lsn >= passed[-1][0].lsn:
            last, after = passed.pop()
            passed.append((Switch(switch.parent, last.lsn), after))
        else:
            passed.append((switch, child))
        child = switch.parent
    return tuple(reversed(passed))
