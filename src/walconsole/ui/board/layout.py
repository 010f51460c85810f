"""Where each pane stands, as arithmetic: from the terminal's size to boxes, nothing of the screen.

One column below 100 cells, two below 160, three from there. A column that cannot give every pane a
few rows folds: the pane in focus opens, then by rank whatever still fits; the rest keep one line
with their age and a summary, so that everything stays in reach.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

TWO_COLUMNS = 100
THREE_COLUMNS = 160
GAP = 2
_LEAST_FOR_COLUMNS = 12
_FEW_ROWS = 3
_LOG_ROWS = 5
_LOG = "log"

_Columns = tuple[tuple[str, ...], ...]
_COLUMNS: dict[int, tuple[_Columns, ...]] = {
    1: ((("archiver", "wal_disk", "configuration", "bucket", "droplet", "findings", "log"),),),
    2: ((("archiver", "wal_disk", "bucket"), ("findings", "configuration", "droplet")),),
    3: (
        (("archiver", "wal_disk"), ("findings", "bucket"), ("configuration", "droplet")),
        (("archiver", "wal_disk", "droplet"), ("findings",), ("configuration", "bucket")),
        (("archiver", "wal_disk", "droplet"), ("findings", "bucket"), ("configuration",)),
    ),
}
"""What may stand where: of several, that whose longest column is the shortest, so that the log gets more."""
_SHARES = {1: (1,), 2: (1, 1), 3: (11, 11, 13)}
"""How the columns share the width: names and commands need more than numbers do."""
_TURN = {"findings": 3, "archiver": 2}
"""Rows a turn, where not one: what says what is wrong grows first."""
_RANK = ("findings", "archiver", "bucket", "configuration", "wal_disk", "droplet", "log")


class Box(NamedTuple):
    """Cells: where a pane stands. `height` 1 is a folded pane: its title alone."""

    x: int
    y: int
    width: int
    height: int


def columns_for(width: int) -> int:
    """How many columns a terminal of this width gets."""
    return 1 if width < TWO_COLUMNS else 2 if width < THREE_COLUMNS else 3


def arrange(
    width: int,
    height: int,
    focused: str,
    needs: Mapping[str, int],
    *,
    firsts: Mapping[str, int] = MappingProxyType({}),
    maximised: bool = False,
) -> dict[str, Box]:
    """A box for every pane that is visible. `needs` are the rows of each pane's content.

    `firsts` are those rows that a pane shows whatever pane is in focus: what to do is never folded away.
    """
    if maximised:
        return {focused: Box(0, 0, width, height)}
    count = columns_for(width) if height >= _LEAST_FOR_COLUMNS else 1
    if count == 1:
        names = _COLUMNS[1][0][0]
        return _place(names, stack(names, height, focused, needs, firsts), 0, width)
    columns = min(_COLUMNS[count], key=lambda columns: _tallest(columns, needs))
    tall = _tallest(columns, needs)
    log_rows = max(min(_LOG_ROWS, height // 3), height - tall)
    upper = height - log_rows
    boxes: dict[str, Box] = {}
    x, shares = 0, _SHARES[count]
    for index, names in enumerate(columns):
        wide = (width - GAP * (count - 1)) * shares[index] // sum(shares)
        wide = width - x if index == count - 1 else wide
        boxes |= _place(names, stack(names, upper, focused, needs, firsts), x, wide)
        x += wide + GAP
    boxes[_LOG] = Box(0, upper, width, log_rows)
    return boxes


def _tallest(columns: _Columns, needs: Mapping[str, int]) -> int:
    """The rows of the column that wants the most."""
    return max(sum(1 + needs.get(name, 0) for name in names) for names in columns)


class Wish(NamedTuple):
    """So many rows below its title a pane asks for; fewer than `least` are of no use to it."""

    name: str
    rows: int
    least: int = 0


def stacked(
    width: int, height: int, names: Sequence[str], wishes: Sequence[Wish], rest: str
) -> dict[str, Box]:
    """Panes on each other in the order of `names`, over the whole width; `height` is one row each at least.

    Every pane has its title. The wishes are heard in their order, a pane's later ones for what it still
    lacks; what nobody asks for goes to the pane `rest`.
    """
    heights, left = dict.fromkeys(names, 1), height - len(names)
    for name, rows, least in wishes:
        more = min(rows + 1 - heights[name], left)
        if more > 0 and heights[name] - 1 + more >= least:
            heights[name] += more
            left -= more
    heights[rest] += left
    return _place(names, heights, 0, width)


def _place(names: Sequence[str], heights: Mapping[str, int], x: int, width: int) -> dict[str, Box]:
    boxes, y = {}, 0
    for name in names:
        if heights[name] > 0:
            boxes[name] = Box(x, y, width, heights[name])
            y += heights[name]
    return boxes


def stack(
    names: Sequence[str],
    height: int,
    focused: str,
    needs: Mapping[str, int],
    firsts: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, int]:
    """Heights, titles included, of panes that share a column of `height` rows."""
    rest = height - len(names)
    if rest < 0:
        return _squeezed(names, height, focused)
    wants = {name: max(1, needs.get(name, 1)) for name in names}
    few = {name: min(want, max(_FEW_ROWS, firsts.get(name, 0))) for name, want in wants.items()}
    if sum(few.values()) <= rest:
        rows = _shared(wants, few, rest)
    else:
        kept = {name: min(want, firsts.get(name, 0)) for name, want in wants.items()}
        rows = _folded(wants, kept, rest, focused)
    return {name: 1 + rows[name] for name in names}


def _squeezed(names: Sequence[str], height: int, focused: str) -> dict[str, int]:
    """Not even a line for each: the one in focus gets all there is."""
    kept = focused if focused in names else names[0]
    return {name: max(0, height) if name == kept else 0 for name in names}


def _shared(wants: Mapping[str, int], few: Mapping[str, int], rest: int) -> dict[str, int]:
    """A `few` rows for each, then in turns to those that still want; what is left goes to the log."""
    rows = dict(few)
    rest -= sum(rows.values())
    while rest > 0:
        hungry = [name for name in _RANK if name in wants and rows[name] < wants[name]]
        if not hungry:
            break
        for name in hungry:
            more = min(_TURN.get(name, 1), wants[name] - rows[name], rest)
            rows[name] += more
            rest -= more
    if _LOG in rows:
        rows[_LOG] += rest
    return rows


def _folded(wants: Mapping[str, int], kept: Mapping[str, int], rest: int, focused: str) -> dict[str, int]:
    """The pane in focus opens as far as it needs, then by rank those that fit at least a few rows.

    First of all `kept` rows: those that stay, but the pane in focus has a few, too.
    """
    rows = dict.fromkeys(wants, 0)
    order = list(dict.fromkeys(name for name in (focused, *_RANK) if name in wants))
    spare = rest - min(wants.get(focused, 0), _FEW_ROWS)
    for name in order:
        if name != focused and 0 < kept[name] <= spare:
            rows[name] = kept[name]
            spare -= kept[name]
            rest -= kept[name]
    for name in order:
        given = min(wants[name] - rows[name], rest)
        if rows[name] + given < min(wants[name], _FEW_ROWS) and name != focused:
            continue
        rows[name] += given
        rest -= given
    opened = next((name for name in order if rows[name]), order[0])
    rows[opened] += rest
    return rows
