"""Where the panes stand: the window over the full width, below it base backups and what is told of one."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, THREE_COLUMNS, TWO_COLUMNS, Box, Wish, stacked

PANES = ("window", "backups", "detail")
_FEW_ROWS = 3
_LEFT = 58
"""Percent of the width for the base backups, where something can stand beside them."""


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every visible pane. Below 160 columns they stand on each other; where it is low they fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < THREE_COLUMNS:
        last = focused if width < TWO_COLUMNS and focused != "window" else "detail"
        return stacked(width, height, PANES, _wishes(height, focused, needs), rest=last)
    top = 1 + min(max(_FEW_ROWS, needs.get("window", 1)), max(_FEW_ROWS, height // 2))
    left, rest = width * _LEFT // 100, height - top
    x = left + GAP
    return {
        "window": Box(0, 0, width, top),
        "backups": Box(0, top, left, rest),
        "detail": Box(x, top, width - x, rest),
    }


def _wishes(height: int, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """The window as far as its share of the height goes, a few base backups, then the pane in focus."""
    share = height // 4 if focused == "detail" else height // 2
    window = min(needs.get("window", 1), max(_FEW_ROWS, share))
    backups = 1 + needs.get("backups", 1)
    few = min(backups, 1 + _FEW_ROWS)
    wanted = {"window": needs.get("window", 1), "backups": backups, "detail": needs.get("detail", 1)}
    return [
        Wish(focused, min(wanted[focused], _FEW_ROWS)),
        Wish("window", window),
        Wish("backups", few),
        Wish(focused, wanted[focused]),
        Wish("backups", min(backups, height // 3)),
        Wish("detail", wanted["detail"]),
    ]
