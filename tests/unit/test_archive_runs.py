"""Runs as sets: what can be done with two of them, and what can be asked of one, against plain sets."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.runs import HIGHEST, Runs

numbers = st.one_of(
    st.sets(st.integers(0, 60)),
    st.sets(st.integers(0, 60), max_size=6).map(lambda without: set(range(10, 50)) - without),
    st.sets(st.integers(HIGHEST - 20, HIGHEST)),
)
somewhere = st.one_of(st.integers(0, 62), st.integers(HIGHEST - 22, HIGHEST))


def runs_of(members: set[int]) -> Runs:
    """Those numbers as runs."""
    runs = Runs()
    for number in sorted(members):
        runs.add(number, number)
    return runs


def intervals_of(members: set[int]) -> list[tuple[int, int]]:
    """The intervals of a set, by looking at every number."""
    groups = groupby(enumerate(sorted(members)), lambda pair: pair[1] - pair[0])
    listed = [[number for _, number in group] for _, group in groups]
    return [(each[0], each[-1]) for each in listed]


@given(numbers, numbers)
def test_two_are_combined_as_sets_are(one: set[int], other: set[int]) -> None:
    first, second = runs_of(one), runs_of(other)
    for made, wanted in (
        (first.minus(second), one - other),
        (second.minus(first), other - one),
        (first.common(second), one & other),
    ):
        assert made == runs_of(wanted)
        assert made.count == len(wanted)
    assert (first == second) == (one == other)
    assert list(first) == intervals_of(one)  # nothing was done to them


@given(numbers, st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1))
def test_what_a_page_shares_with_what_was_there(there: set[int], pages: list[set[int]]) -> None:
    runs = runs_of(there)
    for page in pages:
        firsts, lasts = zip(*intervals_of(page), strict=True)
        assert runs.shared(firsts, lasts) == intervals_of(page & there)
        assert runs.extend(firsts, lasts) == len(page - there)
        there |= page
    assert runs == runs_of(there)


@given(numbers, somewhere, somewhere)
def test_numbers_are_counted(members: set[int], one: int, other: int) -> None:
    runs, first, last = runs_of(members), min(one, other), max(one, other)
    assert runs.count_between(first, last) == sum(1 for number in members if first <= number <= last)
    if one != other:
        assert runs.count_between(last, first) == 0


@given(numbers)
def test_numbers_are_found_by_their_place(members: set[int]) -> None:
    runs = runs_of(members)
    assert [runs.at(position) for position in range(runs.count)] == sorted(members)
    for outside in (-1, runs.count):
        with pytest.raises(IndexError, match=f"no number {outside} among {runs.count}"):
            runs.at(outside)


@given(numbers, st.integers(1, 50))
def test_the_highest_are_kept(members: set[int], count: int) -> None:
    runs = runs_of(members)
    runs.keep_highest(count)
    assert runs == runs_of(set(sorted(members)[-count:]))
    assert runs.count == min(count, len(members))


@given(numbers, st.integers(0, 60))
def test_a_copy_is_its_own(members: set[int], more: int) -> None:
    runs = runs_of(members)
    twin = runs.copy()
    assert twin == runs
    twin.add(more, more)
    assert runs == runs_of(members)
    assert twin == runs_of(members | {more})


@given(numbers)
def test_intervals_make_the_same_set_again(members: set[int]) -> None:
    firsts, lasts = [first for first, _ in intervals_of(members)], [last for _, last in intervals_of(members)]
    made = Runs.from_intervals(firsts, lasts)
    assert made == runs_of(members)
    assert made.count == len(members)


@pytest.mark.parametrize(
    ("firsts", "lasts", "why"),
    [
        ([1], [], "1 intervals begin and 0 end"),
        ([2], [1], "ends before it begins"),
        ([-1], [1], "ends before it begins, or is not from 0"),
        ([0], [HIGHEST + 1], "is not from 0"),
        ([1, 3], [2, 4], "touch"),
        ([1, 2], [3, 4], "not in order"),
        ([5, 1], [6, 2], "not in order"),
    ],
)
def test_what_is_no_list_of_runs_is_refused(firsts: list[int], lasts: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Runs.from_intervals(firsts, lasts)


def test_runs_are_nothing_else() -> None:
    assert Runs() != set[int]()
    assert repr(runs_of({1, 2, 4})) == "<Runs: 3 numbers in 2 runs>"


@given(numbers, somewhere)
def test_the_nearest_number_on_either_side_is_found(members: set[int], number: int) -> None:
    runs = runs_of(members)
    assert runs.first_from(number) == min((each for each in members if each >= number), default=None)
    assert runs.last_until(number) == max((each for each in members if each <= number), default=None)
