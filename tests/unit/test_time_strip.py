"""Time in cells: which moments can be restored, as tables and properties."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.recovery import CLUSTER, NOW, SIZE, base, copy_of, history
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.recovery.held import Stop, StopKind
from walconsole.domain.recovery.recoverability import Window, recoverability
from walconsole.domain.recovery.time_strip import (
    Moments,
    TimeCell,
    cell_of,
    switch_times,
    time_span,
    time_stretches,
    time_strip,
)

GAP = Stop(StopKind.SEGMENT_MISSING, "000000010000000000000009 is missing")
SIGNS = {
    Moments.HOLE: "x",
    Moments.UNKNOWN: "?",
    Moments.RESTORABLE: "=",
    Moments.AFTER: ">",
    Moments.BEFORE: ".",
}


def window(since: float | None, until: float | None, stop: Stop | None = None) -> Window:
    return Window(1, 0, 0, since, until, (), stop)


def drawn(cells: tuple[TimeCell, ...]) -> str:
    return "".join(SIGNS[cell.moments] for cell in cells)


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        ([], ".........."),
        ([window(0, 100)], "=========="),
        ([window(20, 100)], "..========"),
        ([window(20, 80)], "..======>>"),
        ([window(20, 80, GAP)], "..======xx"),
        ([window(0, 30, GAP), window(60, 100)], "===xxx===="),
        ([window(0, 35, GAP), window(36, 100)], "===x======"),
        ([window(0, 50, GAP), window(50, 100)], "=====x===="),
        ([window(0, 55, GAP), window(50, 100)], "=====x===="),
        ([window(25, 75)], "..======>>"),
        ([window(None, 60)], "??????>>>>"),
        ([window(40, None)], "....??????"),
        ([window(0, 20, GAP), window(50, None, GAP), window(80, 100)], "==xxx???x="),
        ([window(0, 20, GAP), window(None, 60)], "==x???>>>>"),
        ([window(100, 100)], ".........="),
        ([window(42, 42)], "....=>>>>>"),
    ],
)
def test_what_a_cell_says(windows: list[Window], text: str) -> None:
    assert drawn(time_strip(windows, (0.0, 100.0), 10)) == text


moments = st.floats(0, 1000, allow_nan=False, width=32)


@st.composite
def histories(draw: st.DrawFn) -> list[Window]:
    """Windows oldest first; some times are not known, and clocks may disagree."""
    times = sorted(draw(st.lists(moments, max_size=12)))
    made = []
    for since, until in zip(times[::2], times[1::2], strict=False):
        known = draw(st.sampled_from(["both", "both", "since", "until", "none"]))
        late = draw(st.sampled_from([0.0, 0.0, 7.0]))
        made.append(
            window(
                since if known in ("both", "since") else None,
                max(since, until - late) if known in ("both", "until") else None,
                GAP,
            )
        )
    goes_on: bool = draw(st.booleans())
    if made and goes_on:
        made[-1] = window(made[-1].since, made[-1].until)
    return made


@given(histories(), moments, moments, st.integers(-2, 300))
def test_no_width_breaks_it_and_its_cells_tile_the_span(
    windows: list[Window], one: float, other: float, width: int
) -> None:
    begin, end = min(one, other), max(one, other)
    cells = time_strip(windows, (begin, end), width)
    if width <= 0 or begin == end:
        assert cells == ()
        return
    assert len(cells) == width
    assert (cells[0].begin, cells[-1].end) == (begin, end)
    assert all(one.end == other.begin for one, other in pairwise(cells))


@given(histories(), moments, moments, st.integers(1, 300))
def test_its_cells_sum_up_to_what_can_be_restored(
    windows: list[Window], one: float, other: float, width: int
) -> None:
    begin, end = min(one, other), max(one, other)
    cells = time_strip(windows, (begin, end), width)
    expected = sum(
        max(0.0, min(each.end, end) - max(each.begin, begin))
        for each in time_stretches(windows)
        if each.moments is Moments.RESTORABLE
    )
    assert sum(cell.restorable_s for cell in cells) == pytest.approx(expected if cells else 0.0, abs=1e-6)
    assert all(0.0 <= cell.restorable_s <= cell.end - cell.begin + 1e-9 for cell in cells)


@given(histories(), st.integers(1, 300))
def test_no_hole_vanishes(windows: list[Window], width: int) -> None:
    cells = time_strip(windows, (-1.0, 1001.0), width)
    holes = [each for each in time_stretches(windows) if each.moments is Moments.HOLE]
    for hole in holes:
        at = cell_of(cells, max(hole.begin, -1.0))
        assert at is not None
        assert Moments.HOLE in {cell.moments for cell in cells[max(0, at - 1) : at + 2]}
    if not holes:
        assert Moments.HOLE not in {cell.moments for cell in cells}


@given(histories())
def test_stretches_are_all_of_time_in_order(windows: list[Window]) -> None:
    made = time_stretches(windows)
    assert made[0].begin == float("-inf")
    assert made[-1].end == float("inf")
    assert all(one.end == other.begin for one, other in pairwise(made))
    assert all(each.begin <= each.end for each in made)


def test_the_cell_of_a_moment_holds_it() -> None:
    cells = time_strip([window(0, 100)], (0.0, 100.0), 7)
    for moment in (0.0, 14.0, 50.0, 99.9, 100.0):
        at = cell_of(cells, moment)
        assert at is not None
        assert cells[at].begin <= moment <= cells[at].end
    assert cell_of(cells, -0.1) is cell_of(cells, 100.1) is cell_of((), 5.0) is None


def test_the_span_goes_from_the_first_backup_to_now() -> None:
    copy = copy_of({1: range(1, 20)}, base(3, day=3), base(8, day=1), times={1: NOW - 9e5, 19: NOW - 40})
    found = recoverability([copy], CLUSTER)
    stopped = copy.backups[0].stopped
    assert time_span([found], NOW) == (stopped, NOW)
    assert time_span([], NOW) is None
    assert time_span([recoverability([copy_of({1: range(1, 20)})], CLUSTER)], NOW) is None


def test_a_backup_of_the_future_is_on_the_strip() -> None:
    """Its host's clock is wrong; the strip must show it all the same."""
    found = recoverability([copy_of({1: range(1, 20)}, base(3, day=-1))], CLUSTER)
    span = time_span([found], NOW)
    assert span is not None
    assert span[1] > NOW


def test_switches_are_told_where_a_time_is_known() -> None:
    times = StoredTimes()
    times.note(1, 4, 400.0)
    times.note(1, 6, 600.0)
    later = StoredTimes()
    later.note(1, 5, 700.0)
    switched = history(3, (1, 5 * SIZE + 8), (2, 9 * SIZE))
    assert switch_times(switched, [later, times], SIZE) == ((500.0, 2),)
    assert switch_times(None, [times], SIZE) == ()


def test_a_timeline_that_is_left_before_it_began_is_none_of_the_path() -> None:
    """Recovered again, to before the first recovery's end: nothing of the second timeline is replayed."""
    times = StoredTimes()
    for number, at in ((3, 300.0), (4, 400.0), (8, 800.0)):
        times.note(1, number, at)
    times.note(2, 9, 900.0)
    times.note(3, 5, 950.0)
    again = history(3, (1, 9 * SIZE), (2, 5 * SIZE))
    assert switch_times(again, [times], SIZE) == ((400.0, 3),)
    onwards = history(4, (1, 9 * SIZE), (2, 5 * SIZE), (3, 6 * SIZE))
    assert switch_times(onwards, [times], SIZE) == ((400.0, 3), (950.0, 4))
    thrice = history(4, (1, 9 * SIZE), (2, 7 * SIZE), (3, 5 * SIZE))
    assert switch_times(thrice, [times], SIZE) == ((400.0, 4),)
