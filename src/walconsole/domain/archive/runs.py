"""Unbroken runs of segment numbers: memory by the gaps, not by the segments."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence


class Runs:
    """A set of numbers kept as sorted, disjoint, non-adjacent intervals.

    Intervals may be added in any order, overlapping or not. `count` is how many numbers are in it.
    """

    __slots__ = ("_firsts", "_lasts", "count")

    def __init__(self) -> None:
        self._firsts = array("Q")
        self._lasts = array("Q")
        self.count = 0

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
        known = sum(self._lasts[start:stop]) - sum(self._firsts[start:stop]) + stop - start
        if start < stop:
            parts = (
                *zip(firsts, lasts, strict=True),
                *zip(self._firsts[start:stop], self._lasts[start:stop], strict=True),
            )
            firsts, lasts = _united(sorted(parts))
        self._firsts[start:stop] = array("Q", firsts)
        self._lasts[start:stop] = array("Q", lasts)
        added = sum(lasts) - sum(firsts) + len(firsts) - known
        self.count += added
        return added

    def gaps(self) -> Iterator[tuple[int, int]]:
        """What is missing between the runs, first and last number of each gap."""
        return map(self.gap, range(len(self) - 1))

    def gap(self, at: int) -> tuple[int, int]:
        """First and last number of the gap between run `at` and the next."""
        return self._lasts[at] + 1, self._firsts[at + 1] - 1


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
