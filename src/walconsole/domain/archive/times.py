"""When segments were stored: a bounded sample, from which times between are estimated.

A listing in key order tells each object's time; keeping all of them would cost memory by the
segment. Kept are the ends of pages and the newest ones; of too many those are dropped that stand
closest to their neighbours, so that what is left lies evenly over the archive, however it was listed.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from walconsole.domain.wal import Segment

SAMPLES_KEPT = 2048
"""For each timeline."""


CLOCKS_AGREE_S = 2.0
"""A store tells its time in whole seconds: clocks that are closer than this are taken as one."""


def age_s(stored_at: float, now: float, clock_offset_s: float | None) -> float:
    """Seconds since the store's own clock showed `stored_at`, never below 0.

    `now` is the console's clock, `clock_offset_s` how far the store's is ahead of it (None: not known).
    """
    offset = clock_offset_s or 0.0
    return max(0.0, now - stored_at + (offset if abs(offset) > CLOCKS_AGREE_S else 0.0))


class StoredTimes:
    """Seconds since the epoch at which segments were stored, by timeline and number."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: dict[int, tuple[array[int], array[float]]] = {}

    def note(self, timeline: int, number: int, at: float) -> None:
        """Segment `number` was stored at `at`."""
        numbers, times = self._samples.setdefault(timeline, (array("Q"), array("d")))
        place = bisect_left(numbers, number)
        if place < len(numbers) and numbers[place] == number:
            times[place] = at
            return
        numbers.insert(place, number)
        times.insert(place, at)
        if len(numbers) > SAMPLES_KEPT:
            self._thin(timeline)

    def _thin(self, timeline: int) -> None:
        """Drop a third of the older three quarters, no two neighbours at once; the newest stay exact."""
        numbers, times = self._samples[timeline]
        old = len(numbers) * 3 // 4
        dropped: set[int] = set()
        for at in sorted(range(1, old), key=lambda at: numbers[at + 1] - numbers[at - 1]):
            if len(dropped) < old // 3 and at - 1 not in dropped and at + 1 not in dropped:
                dropped.add(at)
        keep = [at for at in range(len(numbers)) if at not in dropped]
        self._samples[timeline] = (
            array("Q", [numbers[at] for at in keep]),
            array("d", [times[at] for at in keep]),
        )

    def exact(self, timeline: int, number: int) -> float | None:
        """When that segment was stored, None where it is not among the samples."""
        numbers, times = self._samples.get(timeline, (array("Q"), array("d")))
        place = bisect_left(numbers, number)
        return times[place] if place < len(numbers) and numbers[place] == number else None

    def about(self, timeline: int, number: int) -> float | None:
        """When that segment was stored, on the straight line between the samples around it.

        Beyond the ends it is the end's own time. None where the timeline has no sample.
        """
        numbers, times = self._samples.get(timeline, (array("Q"), array("d")))
        if not numbers:
            return None
        place = bisect_left(numbers, number)
        if place == len(numbers):
            return times[-1]
        if numbers[place] == number or place == 0:
            return times[place]
        return _between(numbers[place - 1], times[place - 1], numbers[place], times[place], number)

    def segment_near(self, at: float) -> Segment | None:
        """The segment that was stored nearest to `at`, over all timelines, as `about` reckons.

        Of several the newest timeline's, and of that the highest number. None without any sample. It
        need not be there: between two samples there may be gaps.
        """
        candidates = (
            (abs(stored_at - at), -timeline, -number)
            for timeline in self._samples
            for number, stored_at in self._around(timeline, at)
        )
        best = min(candidates, default=None)
        return None if best is None else Segment(-best[1], -best[2])

    def _around(self, timeline: int, at: float) -> Iterator[tuple[int, float]]:
        """The samples, and between those that `at` lies between the two numbers next to it, with times."""
        samples = self.samples(timeline)
        yield from samples
        for (low, low_at), (high, high_at) in pairwise(samples):
            if high - low > 1 and min(low_at, high_at) < at < max(low_at, high_at):
                number = low + math.floor((high - low) * ((at - low_at) / (high_at - low_at)))
                for near in (number, number + 1):
                    if low < near < high:
                        yield near, _between(low, low_at, high, high_at, near)

    def samples(self, timeline: int) -> list[tuple[int, float]]:
        """Number and time of each sample, by number."""
        numbers, times = self._samples.get(timeline, (array("Q"), array("d")))
        return list(zip(numbers, times, strict=True))

    def timelines(self) -> list[int]:
        """The timelines that have samples, ascending."""
        return sorted(self._samples)

    def copy(self) -> "StoredTimes":
        """Another with the same samples."""
        twin = StoredTimes()
        twin._samples = {key: (numbers[:], times[:]) for key, (numbers, times) in self._samples.items()}
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredTimes):
            return NotImplemented
        return self._samples == other._samples


def _between(low: int, low_at: float, high: int, high_at: float, number: int) -> float:
    """The time of `number` on the straight line from `low` to `high`."""
    return low_at + (number - low) / (high - low) * (high_at - low_at)
