"""Where the four panes stand: settings and files at the left, the chain and the file at the right."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box, Wish, stacked

PANES = ("settings", "files", "detail", "file")
_WIDEST_LEFT = 84
_FEW_ROWS = 3


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other, and those out of use fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return stacked(width, height, PANES, _wishes(height, focused, needs), rest="file")
    left = min(_WIDEST_LEFT, width * 9 // 20)
    files = min(1 + needs.get("files", 1), max(1 + _FEW_ROWS, height * 2 // 5))
    spare = height - 1 - max(_FEW_ROWS, needs.get("file", 1))
    detail = max(1 + _FEW_ROWS, min(1 + needs.get("detail", 1), max(height * 11 // 20, spare)))
    x, wide = left + GAP, width - left - GAP
    return {
        "settings": Box(0, 0, left, height - files),
        "files": Box(0, height - files, left, files),
        "detail": Box(x, 0, wide, detail),
        "file": Box(x, detail, wide, height - detail),
    }


def _wishes(height: int, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """The list in use, what is known of its row; the other list keeps its title, the file has the rest."""
    used = "files" if focused == "files" else "settings"
    rest = height - 1
    share = rest // 3 if focused in (used, "detail") else rest // 5
    lines = max(1 + _FEW_ROWS, min(1 + needs.get(used, 1), share))
    rest -= lines
    share = rest // 3 if focused == "file" else rest * 2 // 3
    spare = rest - 1 - max(_FEW_ROWS, needs.get("file", 1))
    detail = max(1 + _FEW_ROWS, min(1 + needs.get("detail", 1), max(share, spare)))
    return [Wish(used, lines - 1), Wish("detail", detail - 1)]
