"""When segments were stored: what is sampled, what is reckoned between, and what is dropped."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.times import SAMPLES_KEPT, StoredTimes
from walconsole.domain.wal import Segment

moments = st.floats(0, 2e9, allow_nan=False)
samples = st.dictionaries(st.integers(0, 40), moments)


def sampled(noted: Mapping[int, float], timeline: int = 1) -> StoredTimes:
    """Those times by number."""
    times = StoredTimes()
    for number, at in noted.items():
        times.note(timeline, number, at)
    return times


@given(samples)
def test_few_samples_are_all_kept_in_order(noted: dict[int, float]) -> None:
    times = sampled(noted)
    assert times.samples(1) == sorted(noted.items())
    assert times.timelines() == ([1] if noted else [])
    assert {number: times.exact(1, number) for number in range(41)} == {
        number: noted.get(number) for number in range(41)
    }
    assert times.exact(2, 1) is None


@given(samples, st.integers(0, 45))
def test_between_samples_it_is_a_straight_line(noted: dict[int, float], number: int) -> None:
    about = sampled(noted).about(1, number)
    if not noted:
        assert about is None
        return
    numbers = sorted(noted)
    low = numbers[max(0, bisect_right(numbers, number) - 1)]
    high = numbers[min(len(numbers) - 1, bisect_left(numbers, number))]
    wanted = noted[low]
    if low < high:
        wanted += (noted[high] - noted[low]) * (number - low) / (high - low)
    assert about == pytest.approx(wanted)


@given(st.dictionaries(st.integers(1, 3), samples, max_size=3), moments)
def test_the_segment_near_a_time_is_the_nearest_of_all(noted: dict[int, dict[int, float]], at: float) -> None:
    times = StoredTimes()
    for timeline, by_number in noted.items():
        for number, stored_at in by_number.items():
            times.note(timeline, number, stored_at)
    near = times.segment_near(at)
    everywhere = [
        (timeline, number)
        for timeline, by_number in noted.items()
        if by_number
        for number in range(min(by_number), max(by_number) + 1)
    ]
    if not everywhere:
        assert near is None
        return
    assert near is not None
    assert (near.timeline, near.number) in everywhere
    distances = [_distance(times, timeline, number, at) for timeline, number in everywhere]
    assert _distance(times, near.timeline, near.number, at) == pytest.approx(min(distances), abs=1e-5)


def _distance(times: StoredTimes, timeline: int, number: int, at: float) -> float:
    about = times.about(timeline, number)
    assert about is not None
    return abs(about - at)


def test_of_equally_near_ones_the_newest_is_taken() -> None:
    times = sampled({1: 100.0, 2: 100.0, 5: 400.0})
    times.note(2, 2, 100.0)
    assert times.segment_near(100.0) == Segment(2, 2)
    assert times.segment_near(90.0) == Segment(2, 2)
    assert times.segment_near(1e9) == Segment(1, 5)


def test_an_estimate_lies_between_the_ends_of_pages() -> None:
    times = sampled({1_000: 60_000.0, 2_000: 120_000.0})
    assert times.segment_near(90_000.0) == Segment(1, 1_500)
    assert times.segment_near(90_020.0) == Segment(1, 1_500)
    assert times.segment_near(90_040.0) == Segment(1, 1_501)


def side_by_side(numbers: list[int], ranges: int) -> list[int]:
    """The numbers as so many ranges that are listed side by side bring them."""
    length = len(numbers) // ranges
    return [numbers[start + at] for at in range(length) for start in range(0, len(numbers), length)]


@pytest.mark.parametrize("ranges", [1, 4, 16])
@pytest.mark.parametrize("backwards", [False, True])
def test_samples_are_bounded_and_lie_evenly(ranges: int, backwards: bool) -> None:
    """Ten million segments, sampled at both ends of each page."""
    numbers = [number for page in range(10_000) for number in (page * 1000, page * 1000 + 999)]
    if backwards:
        numbers.reverse()
    numbers = side_by_side(numbers, ranges)
    times = sampled({number: 60.0 * number for number in numbers})
    kept = [number for number, _ in times.samples(1)]
    assert SAMPLES_KEPT // 2 < len(kept) <= SAMPLES_KEPT
    assert kept == sorted(set(kept) & set(numbers))
    assert (kept[0], kept[-1]) == (min(numbers), max(numbers))
    assert max(after - before for before, after in pairwise(kept)) <= 8 * 10_000_000 // SAMPLES_KEPT
    assert times.about(1, 5_000_500) == pytest.approx(60.0 * 5_000_500)


def test_one_far_away_costs_no_other() -> None:
    times = sampled({number: float(number) for number in range(10 * SAMPLES_KEPT)} | {2**40 - 1: 1.0})
    assert len(times.samples(1)) > SAMPLES_KEPT // 2
    assert times.exact(1, 2**40 - 1) == 1.0


def test_the_newest_stay_exact() -> None:
    times = sampled({number: float(number) for number in range(5 * SAMPLES_KEPT)})
    last = 5 * SAMPLES_KEPT
    assert all(times.exact(1, number) == number for number in range(last - SAMPLES_KEPT // 5, last))


@given(samples, st.integers(0, 40), moments)
def test_a_copy_is_its_own(noted: dict[int, float], number: int, at: float) -> None:
    times = sampled(noted)
    twin = times.copy()
    assert twin == times
    twin.note(1, number, at)
    assert times == sampled(noted)
    assert twin == sampled(noted | {number: at})
    assert times != noted
