"""Where the three panes stand: the steps at the left, the plan and what was done at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box, Wish, stacked

if TYPE_CHECKING:
    from collections.abc import Mapping

PANES = ("steps", "plan", "events")
_LEFT = 44
_FEW_ROWS = 4


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other; the one in focus gets most."""
    if maximised or height < len(PANES) * (1 + _FEW_ROWS):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return stacked(width, height, PANES, _wishes(focused, needs), rest="plan")
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


def _wishes(focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """A few rows each, then the pane in focus takes what it needs, and the others after it."""
    few = [Wish(name, min(_FEW_ROWS, max(1, needs.get(name, 0)))) for name in PANES]
    return [*few, *(Wish(name, needs.get(name, 0)) for name in (focused, *PANES))]
