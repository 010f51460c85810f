"""Where the archive screen's panes stand, at every size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.ui.archive.panes import PANES, arrange
from walconsole.ui.board.layout import Box

NEEDS = {"coverage": 7, "answers": 30, "primary": 100_000, "dr": 100_000, "object": 14}
sizes = st.tuples(st.integers(1, 320), st.integers(1, 120))
needs = st.dictionaries(st.sampled_from(PANES), st.integers(0, 10**6))


@given(sizes, st.sampled_from(PANES), needs, st.booleans(), st.sampled_from(["primary", "dr"]))
def test_boxes_fill_the_board_without_overlap(
    size: tuple[int, int], focused: str, wanted: dict[str, int], maximised: bool, bucket: str
) -> None:
    width, height = size
    boxes = arrange(width, height, focused, wanted, maximised=maximised, bucket=bucket)
    assert focused in boxes
    cells = [cell for box in boxes.values() for cell in _cells(box)]
    assert len(cells) == len(set(cells))
    assert all(0 <= x < width and 0 <= y < height for x, y in cells)
    assert boxes[focused].height > 1 or height < 2


def _cells(box: Box) -> list[tuple[int, int]]:
    """Its corners and edges: boxes are rectangles, so that these are enough to tell an overlap."""
    assert box.width > 0
    assert box.height > 0
    return [(x, y) for x in range(box.x, box.x + box.width) for y in range(box.y, box.y + box.height)]


@pytest.mark.parametrize("focused", PANES)
def test_at_80_columns_the_focus_opens_and_the_rest_fold(focused: str) -> None:
    boxes = arrange(80, 20, focused, NEEDS)
    opened = {name for name, box in boxes.items() if box.height > 1}
    assert opened == {"coverage", "answers" if focused == "coverage" else focused}
    assert sum(box.height for box in boxes.values()) == 20
    assert {box.width for box in boxes.values()} == {80}


def test_with_two_columns_one_bucket_is_shown_and_with_three_both() -> None:
    assert "dr" not in arrange(120, 32, "coverage", NEEDS)
    assert "primary" not in arrange(120, 32, "coverage", NEEDS, bucket="dr")
    assert "primary" not in arrange(120, 32, "dr", NEEDS)
    wide = arrange(200, 56, "coverage", NEEDS)
    assert wide["primary"].width == wide["dr"].width
    assert wide["primary"].height == wide["answers"].height + wide["object"].height


def test_the_panes_stay_where_they_are_when_the_focus_moves() -> None:
    for width in (120, 200):
        assert len({str(arrange(width, 40, name, NEEDS)) for name in ("coverage", "answers", "object")}) == 1


def test_a_maximised_pane_has_it_all() -> None:
    assert arrange(120, 32, "dr", NEEDS, maximised=True) == {"dr": Box(0, 0, 120, 32)}
