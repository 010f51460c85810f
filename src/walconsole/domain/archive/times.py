"""When segments were stored: a bounded sample, from which times between are estimated.

A listing in key order tells each object's time; keeping all of them would cost memory by the
segment. Kept are the ends of pages and the newest ones, and of too many every other is dropped.
"""

from array import array
from bisect import bisect_left

SAMPLES_KEPT = 2048
"""For each timeline."""


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
        """Drop every other of the older three quarters; the newest stay exact."""
        numbers, times = self._samples[timeline]
        old = len(numbers) * 3 // 4
        keep = [*range(0, old, 2), *range(old, len(numbers))]
        self._samples[timeline] = (
            array("Q", (numbers[at] for at in keep)),
            array("d", (times[at] for at in keep)),
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
        share = (number - numbers[place - 1]) / (numbers[place] - numbers[place - 1])
        return times[place - 1] + share * (times[place] - times[place - 1])

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
