"""Where the four panes stand: the story left, its evidence right, the fix and the time line below."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box, Wish, stacked

PANES = ("story", "evidence", "remedy", "times")
_WIDEST_LEFT = 92
_FEW_ROWS = 3


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other, and those out of use fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return stacked(width, height, PANES, _wishes(height, focused, needs), rest=focused)
    left = min(_WIDEST_LEFT, width * 9 // 20)
    x, wide = left + GAP, width - left - GAP
    lower = min(max(needs.get("remedy", 1), needs.get("times", 1)) + 1, height * 9 // 20)
    upper = max(1 + _FEW_ROWS, min(max(needs.get("story", 1), needs.get("evidence", 1)) + 2, height - lower))
    lower = height - upper
    return {
        "story": Box(0, 0, left, upper),
        "evidence": Box(x, 0, wide, upper),
        "remedy": Box(0, upper, left, lower),
        "times": Box(x, upper, wide, lower),
    }


def _wishes(height: int, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """The story keeps a few rows, the pane in use gets what it wants, the others a few or none."""
    wanted = {name: needs.get(name, 1) for name in PANES}
    few = {name: min(_FEW_ROWS, rows) for name, rows in wanted.items()}
    if focused != "story":
        wanted[focused] = min(wanted[focused], max(_FEW_ROWS, height - len(PANES) - few["story"]))
        few[focused] = 0
    first = Wish(focused, wanted[focused])
    return [first, *(Wish(name, wanted[name], few[name]) for name in PANES if name != focused)]
