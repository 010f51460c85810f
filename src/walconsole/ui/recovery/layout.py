"""Where the panes stand: the window over the full width, below it base backups and what is told of one."""

from collections.abc import Mapping
from functools import partial

from walconsole.ui.board.layout import GAP, THREE_COLUMNS, TWO_COLUMNS, Box, Wish, stacked

PANES = ("window", "backups", "detail")
MOMENT_PANES = ("search", "events", "answer")
"""Those of the screen that finds a moment stand likewise: what is above, the list, what is told of one."""
RECOVER_PANES = ("aim", "forecast", "way")
"""And of the one that leads through a recovery: what was chosen, what it takes, the way."""
_FEW_ROWS = 3
_LEFT = 58
"""Percent of the width for the base backups, where something can stand beside them."""


def _arrange(
    panes: tuple[str, str, str],
    width: int,
    height: int,
    focused: str,
    needs: Mapping[str, int],
    *,
    maximised: bool = False,
) -> dict[str, Box]:
    """A box for every visible pane. Below 160 columns they stand on each other; where it is low they fold."""
    above, table, told = panes
    if maximised or height < 2 * len(panes):
        return {focused: Box(0, 0, width, height)}
    if width < THREE_COLUMNS:
        last = focused if width < TWO_COLUMNS and focused != above else told
        return stacked(width, height, panes, _wishes(panes, height, focused, needs), rest=last)
    top = 1 + min(max(_FEW_ROWS, needs.get(above, 1)), max(_FEW_ROWS, height // 2))
    left, rest = width * _LEFT // 100, height - top
    rows = 2 + needs.get(table, 1)
    if rows <= rest // 2:  # nothing is left empty below a short table, and no command beside it is cut
        return {
            above: Box(0, 0, width, top),
            table: Box(0, top, width, rows),
            told: Box(0, top + rows, width, rest - rows),
        }
    x = left + GAP
    return {
        above: Box(0, 0, width, top),
        table: Box(0, top, left, rest),
        told: Box(x, top, width - x, rest),
    }


arrange = partial(_arrange, PANES)
arrange_moments = partial(_arrange, MOMENT_PANES)
arrange_recover = partial(_arrange, RECOVER_PANES)


def _wishes(panes: tuple[str, str, str], height: int, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """What is above as far as its share of the height goes, a few of the list, then the pane in focus."""
    above, table, told = panes
    share = height // 4 if focused == told else height // 2
    window = min(needs.get(above, 1), max(_FEW_ROWS, share))
    backups = 1 + needs.get(table, 1)
    few = min(backups, 1 + _FEW_ROWS)
    wanted = {above: needs.get(above, 1), table: backups, told: needs.get(told, 1)}
    if focused == table:  # what is told of one is seen beside a long list, too
        wanted[table] = min(backups, max(few, height // 2))
    return [
        Wish(focused, min(wanted[focused], _FEW_ROWS)),
        Wish(above, window),
        Wish(table, few),
        Wish(focused, wanted[focused]),
        Wish(table, min(backups, height // 3)),
        Wish(told, wanted[told]),
    ]
