"""The coverage strip, against a look at every single segment."""

import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.coverage import Cell, Cover, extent, strip
from walconsole.domain.archive.runs import Runs

WORST_FIRST = list(Cover)


def runs_of(numbers: set[int]) -> Runs:
    """Those numbers as runs."""
    runs = Runs()
    for number in sorted(numbers):
        runs.add(number, number)
    return runs


class Drawn(NamedTuple):
    """Two copies of a timeline and what is looked at; a copy that is None does not exist."""

    primary: set[int] | None
    dr: set[int] | None
    accepted: set[int] | None
    labels: list[int]
    span: tuple[int, int]
    width: int

    def strip(self) -> tuple[Cell, ...]:
        """Its cells."""
        copies = [None if each is None else runs_of(each) for each in (self.primary, self.dr, self.accepted)]
        return strip(copies[0], copies[1], self.span, self.width, accepted=copies[2], labels=self.labels)

    def cover(self, number: int) -> Cover:
        """What one segment is."""
        primary, dr = self.primary or set[int](), self.dr or set[int]()
        either = primary | dr
        if not either or not min(either) <= number <= max(either):
            return Cover.NOTHING
        if number not in either:
            return Cover.ACCEPTED if number in (self.accepted or ()) else Cover.MISSING
        if number not in primary:
            return Cover.DR_ONLY
        return Cover.BOTH if number in dr else Cover.PRIMARY_ONLY


numbers = st.sets(st.integers(1, 60))
mostly_there = st.sets(st.integers(1, 60), max_size=6).map(lambda without: set(range(10, 50)) - without)
copy = st.one_of(numbers, mostly_there, st.none())
drawings = st.builds(
    Drawn,
    copy,
    copy,
    st.one_of(numbers, st.none()),
    st.lists(st.integers(1, 60), max_size=5),
    st.tuples(st.integers(1, 60), st.integers(0, 60)).map(lambda ends: (ends[0], ends[0] + ends[1])),
    st.integers(1, 70),
)


@given(drawings)
def test_the_cells_tile_the_span(drawn: Drawn) -> None:
    cells = drawn.strip()
    first, last = drawn.span
    assert len(cells) == min(drawn.width, last - first + 1)
    assert [number for cell in cells for number in range(cell.first, cell.last + 1)] == [
        *range(first, last + 1)
    ]
    sizes = {cell.last - cell.first + 1 for cell in cells}
    assert max(sizes) - min(sizes) <= 1


@given(drawings)
def test_a_cell_is_as_bad_as_the_worst_of_its_segments(drawn: Drawn) -> None:
    for cell in drawn.strip():
        covers = [drawn.cover(number) for number in range(cell.first, cell.last + 1)]
        assert cell.cover is min(covers, key=WORST_FIRST.index)
        assert cell.missing == sum(cover in (Cover.MISSING, Cover.ACCEPTED) for cover in covers)
        assert cell.backups == sum(cell.first <= label <= cell.last for label in drawn.labels)


@given(st.integers(1, 10**9), st.integers(3, 10**9), st.integers(1, 300), st.data())
def test_one_missing_segment_is_never_lost_by_rounding(
    first: int, segments: int, width: int, data: st.DataObject
) -> None:
    last = first + segments - 1
    hole = data.draw(st.integers(first + 1, last - 1))
    runs = Runs()
    runs.add(first, hole - 1)
    runs.add(hole + 1, last)
    cells = strip(runs, runs, (first, last), width)
    bad = [cell for cell in cells if cell.cover is not Cover.BOTH]
    (at,) = [cell for cell in cells if cell.first <= hole <= cell.last]
    assert bad == [Cell(at.first, at.last, Cover.MISSING, 1)]
    assert bad[0].first <= hole <= bad[0].last


@pytest.mark.parametrize(
    ("primary", "dr", "covers"),
    [
        ({3, 4, 5}, {3, 4, 5}, "..###."),
        ({3, 5}, {3, 5}, "..#X#."),
        ({3, 5}, {3, 4}, "..#_\"."),
        ({3, 4}, None, "..\"\".."),
        (None, {5}, "...._."),
        (None, None, "......"),
        (set(), set(), "......"),
        ({2}, {6}, ".\"XXX_"),
    ],
)  # fmt: skip
def test_one_cell_for_each_of_few_segments(
    primary: set[int] | None, dr: set[int] | None, covers: str
) -> None:
    signs = dict(zip("Xx_\"#.", WORST_FIRST, strict=True))  # fmt: skip
    cells = Drawn(primary, dr, None, [], (1, 6), 80).strip()
    assert [cell.cover for cell in cells] == [signs[sign] for sign in covers]


def test_what_was_accepted_and_found_again_is_there() -> None:
    drawn = Drawn({1, 2, 4, 6}, {1, 2, 3, 6}, {2, 3, 5}, [], (1, 6), 6)
    assert [cell.cover for cell in drawn.strip()][1:5] == [
        Cover.BOTH,
        Cover.DR_ONLY,
        Cover.PRIMARY_ONLY,
        Cover.ACCEPTED,
    ]
    (whole,) = drawn._replace(width=1).strip()
    assert (whole.cover, whole.missing) == (Cover.ACCEPTED, 1)


def test_a_cell_with_an_open_and_an_accepted_gap_is_missing() -> None:
    (whole,) = Drawn({1, 4}, None, {2}, [], (1, 4), 1).strip()
    assert (whole.cover, whole.missing) == (Cover.MISSING, 2)


@pytest.mark.parametrize(("span", "width"), [((5, 4), 80), ((1, 10), 0), ((1, 10), -3)])
def test_no_span_and_no_width_is_no_cell(span: tuple[int, int], width: int) -> None:
    assert strip(runs_of({1}), None, span, width) == ()


def test_the_extent_is_that_of_both_copies_together() -> None:
    assert extent(runs_of({5, 9}), runs_of({3, 7})) == (3, 9)
    assert extent(None, runs_of({3})) == (3, 3)
    assert extent(Runs(), None) is None


def test_a_strip_costs_by_cells_and_gaps() -> None:
    primary, dr = Runs(), Runs()
    for runs, shift in ((primary, 0), (dr, 3)):
        firsts = range(1 + shift, 10**10, 2_000_000)
        runs.extend(firsts, [first + 1_999_998 for first in firsts])
    begun = time.process_time()
    cells = strip(primary, dr, (1, 10**10), 200)
    assert time.process_time() - begun < 5.0, "by the segment it would take hours"
    assert {cell.cover for cell in cells[1:-1]} == {Cover.DR_ONLY}
