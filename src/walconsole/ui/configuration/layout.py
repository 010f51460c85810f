"""Where the four panes stand: settings and files at the left, the chain and the file at the right."""

from collections.abc import Mapping

from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box

PANES = ("settings", "files", "detail", "file")
_WIDEST_LEFT = 84
_FEW_ROWS = 3
_FOLDED = 1


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other, and those out of use fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return _stacked(width, height, focused, needs)
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


def _stacked(width: int, height: int, focused: str, needs: Mapping[str, int]) -> dict[str, Box]:
    """The list in use, what is known of its row, the file; the other list keeps one line."""
    used, folded = ("files", "settings") if focused == "files" else ("settings", "files")
    rest = height - _FOLDED
    share = rest // 3 if focused in (used, "detail") else rest // 5
    lines = max(1 + _FEW_ROWS, min(1 + needs.get(used, 1), share))
    rest -= lines
    share = rest // 3 if focused == "file" else rest * 2 // 3
    spare = rest - 1 - max(_FEW_ROWS, needs.get("file", 1))
    detail = max(1 + _FEW_ROWS, min(1 + needs.get("detail", 1), max(share, spare)))
    heights = {used: lines, folded: _FOLDED, "detail": detail, "file": rest - detail}
    boxes, y = {}, 0
    for name in PANES:
        boxes[name] = Box(0, y, width, heights[name])
        y += heights[name]
    return boxes
