"""Where the five panes stand: coverage over the full width, below it what is known, and the keys."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, THREE_COLUMNS, TWO_COLUMNS, Box, Wish, stacked

PANES = ("coverage", "answers", "primary", "dr", "object")
KEYS = ("primary", "dr")
_FEW_ROWS = 3
_LEAST_OBJECT = 6
_TWO_LEFT, _THREE_LEFT = 44, 32
"""Percent of the width for the answers, beside one pane of keys and beside two."""


def arrange(
    width: int,
    height: int,
    focused: str,
    needs: Mapping[str, int],
    *,
    maximised: bool = False,
    bucket: str = "primary",
) -> dict[str, Box]:
    """A box for every visible pane. `bucket` is the pane of keys that shows where there is room for one.

    Below 100 columns they stand on each other: coverage stays short, the pane in focus opens, the rest fold.
    """
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        opened = "answers" if focused == "coverage" else focused
        return stacked(width, height, PANES, _wishes(height, opened, focused, needs), rest=opened)
    top = 1 + min(max(_FEW_ROWS, needs.get("coverage", 1)), max(_FEW_ROWS, height // 3))
    beside = width >= THREE_COLUMNS
    left = width * (_THREE_LEFT if beside else _TWO_LEFT) // 100
    rest = height - top
    answers = max(1 + _FEW_ROWS, min(1 + needs.get("answers", 1), rest - max(_LEAST_OBJECT, rest * 2 // 5)))
    boxes = {
        "coverage": Box(0, 0, width, top),
        "answers": Box(0, top, left, answers),
        "object": Box(0, top + answers, left, rest - answers),
    }
    x = left + GAP
    if not beside:
        shown = focused if focused in KEYS else bucket
        return boxes | {shown: Box(x, top, width - x, rest)}
    each = (width - x - GAP) // 2
    second = x + each + GAP
    return boxes | {"primary": Box(x, top, each, rest), "dr": Box(second, top, width - second, rest)}


def _wishes(height: int, opened: str, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """Coverage stays short, with a little more room while it is in focus."""
    wanted = needs.get("coverage", 1) if focused == "coverage" else _FEW_ROWS
    top = min(max(_FEW_ROWS, wanted), max(_FEW_ROWS, height // 3))
    return [Wish("coverage", top), Wish(opened, height)]
