"""The board's arithmetic: every pane in reach at every size, nothing outside, nothing on top of another."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.ui.board.catalogue import PANES
from walconsole.ui.board.layout import GAP, Box, arrange, columns_for, stack

NAMES = [spec.name for spec in PANES]
NEEDS = {
    "archiver": 10,
    "wal_disk": 6,
    "configuration": 6,
    "bucket": 9,
    "droplet": 10,
    "findings": 12,
    "log": 6,
}


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share a cell."""
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 120),
    focused=st.sampled_from(NAMES),
    needs=st.fixed_dictionaries({name: st.integers(0, 60) for name in NAMES}),
    maximised=st.booleans(),
)
def test_boxes_lie_inside_and_apart_and_the_focused_pane_is_there(
    width: int, height: int, focused: str, needs: dict[str, int], maximised: bool
) -> None:
    boxes = arrange(width, height, focused, needs, maximised=maximised)
    assert focused in boxes
    for box in boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= height
        assert box.height > 0
    for one, other in combinations(boxes.values(), 2):
        assert not overlap(one, other)


@given(
    width=st.sampled_from((80, 120, 200)),
    needs=st.fixed_dictionaries({name: st.integers(1, 12) for name in NAMES}),
)
def test_where_there_is_room_every_pane_has_what_it_needs(width: int, needs: dict[str, int]) -> None:
    boxes = arrange(width, 120, "findings", needs)
    assert set(boxes) == set(NAMES)
    assert all(boxes[name].height > rows for name, rows in needs.items())


@pytest.mark.parametrize(("width", "columns"), [(80, 1), (99, 1), (100, 2), (120, 2), (160, 3), (200, 3)])
def test_columns_by_width(width: int, columns: int) -> None:
    assert columns_for(width) == columns
    boxes = arrange(width, 40, "findings", NEEDS)
    assert len({box.x for name, box in boxes.items() if name != "log"}) == columns


@pytest.mark.parametrize("focused", NAMES)
def test_at_80x24_every_pane_keeps_its_title_and_the_focused_one_opens(focused: str) -> None:
    boxes = arrange(80, 22, focused, NEEDS)
    assert set(boxes) == set(NAMES)
    assert boxes[focused].height == max(1 + min(NEEDS[focused], 15), boxes[focused].height)
    assert sum(box.height for box in boxes.values()) == 22


@pytest.mark.parametrize("size", [(120, 34), (200, 58)])
def test_on_a_large_terminal_every_pane_is_open(size: tuple[int, int]) -> None:
    boxes = arrange(*size, "findings", NEEDS)
    assert set(boxes) == set(NAMES)
    assert all(box.height >= 4 for box in boxes.values())


def test_the_columns_stay_where_they_are_while_the_focus_moves() -> None:
    assert arrange(120, 34, "findings", NEEDS) == arrange(120, 34, "bucket", NEEDS)


def test_what_is_left_over_goes_to_the_log_and_nothing_is_stretched() -> None:
    boxes = arrange(200, 58, "findings", NEEDS)
    assert boxes["findings"].height == 13
    assert boxes["log"].y + boxes["log"].height == 58


def test_many_findings_move_the_buckets_over_and_the_log_gets_what_that_frees() -> None:
    calm = arrange(200, 58, "findings", NEEDS | {"findings": 1, "bucket": 18})
    ill = arrange(200, 58, "findings", NEEDS | {"findings": 24, "bucket": 18})
    assert calm["bucket"].x == calm["findings"].x
    assert ill["bucket"].x == ill["configuration"].x > ill["findings"].x
    assert ill["log"].height >= 25


@pytest.mark.parametrize("focused", NAMES)
@pytest.mark.parametrize("size", [(80, 21), (80, 16), (120, 33), (200, 57)])
def test_what_to_do_is_in_view_whatever_pane_is_in_focus(focused: str, size: tuple[int, int]) -> None:
    boxes = arrange(*size, focused, NEEDS, firsts={"findings": 4})
    assert boxes["findings"].height > 4
    assert boxes[focused].height > 1


def test_columns_are_apart() -> None:
    boxes = arrange(120, 34, "findings", NEEDS)
    assert boxes["findings"].x == boxes["archiver"].width + GAP


def test_where_not_even_the_titles_fit_the_focused_pane_gets_everything() -> None:
    assert stack(NAMES, 3, "bucket", NEEDS) == {name: 3 if name == "bucket" else 0 for name in NAMES}
