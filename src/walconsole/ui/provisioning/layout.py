"""Where the three panes stand: the steps at the left, the plan and what was done at the right."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box

_LEFT = 44
_FEW_ROWS = 4


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other; the one in focus gets most."""
    if maximised or height < 3 * (1 + _FEW_ROWS):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return _stacked(width, height, focused, needs)
    x, wide = _LEFT + GAP, width - _LEFT - GAP
    wanted = 1 + max(_FEW_ROWS, needs.get("events", 0))
    spare = height - 1 - max(_FEW_ROWS, needs.get("plan", 0))
    share = height * 2 // 3 if focused == "events" else height // 2
    events = min(wanted, max(spare, share))
    return {
        "steps": Box(0, 0, _LEFT, height),
        "plan": Box(x, 0, wide, height - events),
        "events": Box(x, height - events, wide, events),
    }


def _stacked(width: int, height: int, focused: str, needs: Mapping[str, int]) -> dict[str, Box]:
    """The pane in focus takes what it needs, the others a few rows each, the plan what is left."""
    names = ("steps", "plan", "events")
    heights = {name: 1 + min(_FEW_ROWS, max(1, needs.get(name, 0))) for name in names}
    rest = height - sum(heights.values())
    for name in dict.fromkeys((focused, "steps", "plan", "events")):
        more = max(0, min(rest, 1 + needs.get(name, 0) - heights[name]))
        heights[name] += more
        rest -= more
    heights["plan"] += rest
    boxes, y = {}, 0
    for name, rows in heights.items():
        boxes[name] = Box(0, y, width, rows)
        y += rows
    return boxes
