"""Unbroken runs of segment numbers: memory by the gaps, not by the segments."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

HIGHEST = 2**64 - 1
"""The highest number that there can be."""


class Runs:
    """A set of numbers kept as sorted, disjoint, non-adjacent intervals.

    Numbers are from 0 to HIGHEST. Intervals may be added in any order, overlapping or not. `count` is
    how many numbers are in it.
    """

    __slots__ = ("_firsts", "_lasts", "count")

    def __init__(self) -> None:
        self._firsts = array("Q")
        self._lasts = array("Q")
        self.count = 0

    @classmethod
    def from_intervals(cls, firsts: Sequence[int], lasts: Sequence[int]) -> Self:
        """The set of these intervals, first and last number of each, sorted, disjoint and non-adjacent.

        Raises ValueError where they are not.
        """
        if len(firsts) != len(lasts):
            raise ValueError(f"{len(firsts)} intervals begin and {len(lasts)} end")
        ends = zip(firsts, lasts, strict=True)
        if not all(0 <= first <= last <= HIGHEST for first, last in ends):
            raise ValueError(f"an interval ends before it begins, or is not from 0 to {HIGHEST}")
        if not all(last + 1 < first for last, first in zip(lasts, firsts[1:], strict=False)):
            raise ValueError("the intervals are not in order, or touch")
        return cls._of(firsts, lasts)

    @classmethod
    def _of(cls, firsts: Iterable[int], lasts: Iterable[int]) -> Self:
        runs = cls()
        runs._firsts, runs._lasts = array("Q", firsts), array("Q", lasts)
        runs.count = _numbers(runs._firsts, runs._lasts)
        return runs

    def copy(self) -> Self:
        """Another with the same numbers."""
        twin = type(self)()
        twin._firsts, twin._lasts, twin.count = self._firsts[:], self._lasts[:], self.count
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Runs):
            return NotImplemented
        return self._firsts == other._firsts and self._lasts == other._lasts

    def __repr__(self) -> str:
        return f"<Runs: {self.count} numbers in {len(self)} runs>"

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The runs, first and last number of each."""
        return zip(self._firsts, self._lasts, strict=True)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._firsts) and self._firsts[at] <= number

    @property
    def first(self) -> int:
        """The lowest number. Raises IndexError when there is none."""
        return self._firsts[0]

    @property
    def last(self) -> int:
        """The highest number. Raises IndexError when there is none."""
        return self._lasts[-1]

    def add(self, first: int, last: int) -> int:
        """Add `first` to `last`, both included; how many of them were new."""
        touching_from = bisect_left(self._lasts, first - 1) if first else 0
        touching_to = bisect_right(self._firsts, last + 1)
        if touching_from == touching_to:
            self._firsts.insert(touching_from, first)
            self._lasts.insert(touching_from, last)
            self.count += last - first + 1
            return last - first + 1
        return self._merge(touching_from, touching_to, first, last)

    def _merge(self, start: int, stop: int, first: int, last: int) -> int:
        """Replace the runs from `start` up to `stop` by the one run that they become."""
        firsts, lasts = self._firsts, self._lasts
        first, last = min(first, firsts[start]), max(last, lasts[stop - 1])
        before = sum(lasts[at] - firsts[at] + 1 for at in range(start, stop))
        firsts[start], lasts[start] = first, last
        del firsts[start + 1 : stop]
        del lasts[start + 1 : stop]
        added = last - first + 1 - before
        self.count += added
        return added

    def extend(self, firsts: Sequence[int], lasts: Sequence[int]) -> int:
        """Add many sorted, disjoint, non-adjacent intervals at once; how many numbers were new.

        Where they fall between what is there already, as a page's do, it is one insertion.
        """
        start = bisect_left(self._lasts, max(0, firsts[0] - 1))
        stop = bisect_right(self._firsts, lasts[-1] + 1)
        known = _numbers(self._firsts[start:stop], self._lasts[start:stop])
        if start < stop:
            parts = (
                *zip(firsts, lasts, strict=True),
                *zip(self._firsts[start:stop], self._lasts[start:stop], strict=True),
            )
            firsts, lasts = _united(sorted(parts))
        self._firsts[start:stop] = array("Q", firsts)
        self._lasts[start:stop] = array("Q", lasts)
        added = _numbers(firsts, lasts) - known
        self.count += added
        return added

    def gaps(self) -> Iterator[tuple[int, int]]:
        """What is missing between the runs, first and last number of each gap."""
        return map(self.gap, range(len(self) - 1))

    def gap(self, at: int) -> tuple[int, int]:
        """First and last number of the gap between run `at` and the next."""
        return self._lasts[at] + 1, self._firsts[at + 1] - 1

    def run_of(self, number: int) -> tuple[int, int] | None:
        """First and last number of the run that `number` is in, None where it is in none."""
        at = bisect_left(self._lasts, number)
        if at == len(self) or self._firsts[at] > number:
            return None
        return self._firsts[at], self._lasts[at]

    def first_from(self, number: int) -> int | None:
        """The lowest of its numbers that is not below `number`, None where there is none."""
        at = bisect_left(self._lasts, number)
        return max(number, self._firsts[at]) if at < len(self) else None

    def last_until(self, number: int) -> int | None:
        """The highest of its numbers that is not above `number`, None where there is none."""
        at = bisect_right(self._firsts, number) - 1
        return min(number, self._lasts[at]) if at >= 0 else None

    def count_between(self, first: int, last: int) -> int:
        """How many of the numbers from `first` to `last`, both included, are in it."""
        start, stop = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        if start >= stop or first > last:
            return 0
        within = _numbers(self._firsts[start:stop], self._lasts[start:stop])
        return within - max(0, first - self._firsts[start]) - max(0, self._lasts[stop - 1] - last)

    def at(self, position: int) -> int:
        """The number that `position` others are lower than. Raises IndexError where there is none."""
        if not 0 <= position < self.count:
            raise IndexError(f"no number {position} among {self.count}")
        start, stop = 0, len(self)
        while stop - start > 1:
            middle = (start + stop) // 2
            lower = _numbers(self._firsts[start:middle], self._lasts[start:middle])
            if position < lower:
                stop = middle
            else:
                start, position = middle, position - lower
        return self._firsts[start] + position

    def common(self, other: "Runs") -> "Runs":
        """The numbers that are in both."""
        return _runs(_overlaps(self._firsts, self._lasts, other._firsts, other._lasts))

    def shared(self, firsts: Sequence[int], lasts: Sequence[int]) -> list[tuple[int, int]]:
        """What of these sorted, disjoint intervals is in it, as intervals. They are not to be empty.

        It takes as long as what lies between the first and the last of them; nothing where nothing does.
        """
        start, stop = bisect_left(self._lasts, firsts[0]), bisect_right(self._firsts, lasts[-1])
        if start == stop:
            return []
        return list(_overlaps(self._firsts[start:stop], self._lasts[start:stop], firsts, lasts))

    def minus(self, other: "Runs") -> "Runs":
        """The numbers that are in it and not in `other`."""
        if not other.count:
            return self.copy()
        firsts = [0, *(last + 1 for last in other._lasts)]
        lasts = [*(first - 1 for first in other._firsts), HIGHEST]
        if not other.first:
            del firsts[0], lasts[0]
        return _runs(_overlaps(self._firsts, self._lasts, firsts, lasts))

    def keep_highest(self, count: int) -> None:
        """Drop the lowest of its numbers where there are more than `count`, which is at least one."""
        if self.count <= count:
            return
        lowest = self.at(self.count - count)
        start = bisect_left(self._lasts, lowest)
        del self._firsts[:start]
        del self._lasts[:start]
        self._firsts[0] = lowest
        self.count = count


def _numbers(firsts: Sequence[int], lasts: Sequence[int]) -> int:
    """How many numbers the intervals hold."""
    return sum(lasts) - sum(firsts) + len(firsts)


def _runs(intervals: Iterable[tuple[int, int]]) -> Runs:
    """The set of sorted, disjoint, non-adjacent intervals."""
    parts = list(intervals)
    return Runs._of((first for first, _ in parts), (last for _, last in parts))


def _overlaps(
    firsts: Sequence[int], lasts: Sequence[int], other_firsts: Sequence[int], other_lasts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """What two lists of sorted, disjoint intervals have in common; none of it touches, where they do not."""
    at, other = 0, 0
    while at < len(firsts) and other < len(other_firsts):
        first, last = max(firsts[at], other_firsts[other]), min(lasts[at], other_lasts[other])
        if first <= last:
            yield first, last
        if lasts[at] < other_lasts[other]:
            at += 1
        else:
            other += 1


def _united(intervals: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """The firsts and lasts of sorted intervals, those joined that overlap or touch."""
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in intervals:
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts
