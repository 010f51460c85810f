"""Where the four panes stand: the story left, its evidence right, the fix and the time line below."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box

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
        return _stacked(width, height, focused, needs)
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


def _stacked(width: int, height: int, focused: str, needs: Mapping[str, int]) -> dict[str, Box]:
    """The story keeps a few rows, the pane in use gets what it wants, the others a line or what is left."""
    heights = dict.fromkeys(PANES, 1)
    rest = height - len(PANES)
    for name in dict.fromkeys((focused, "story", "evidence", "remedy", "times")):
        most = rest if name == focused else max(0, rest)
        wanted = min(needs.get(name, 1), most)
        if name == focused and name != "story":
            wanted = min(wanted, max(_FEW_ROWS, rest - min(needs.get("story", 1), _FEW_ROWS)))
        elif name != focused and wanted < min(_FEW_ROWS, needs.get(name, 1)):
            continue
        heights[name] += wanted
        rest -= wanted
    heights[focused] += rest
    boxes, y = {}, 0
    for name in PANES:
        boxes[name] = Box(0, y, width, heights[name])
        y += heights[name]
    return boxes
