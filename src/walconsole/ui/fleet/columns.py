"""The columns of the list of clusters: what stands in each, how it is sorted, which of them are shown."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from walconsole.domain.fleet.order import Grouping
from walconsole.domain.records import record
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.units import bytes_text, duration_text
from walconsole.operator_files.list_view import ListView
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from walconsole.domain.fleet.order import Key
    from walconsole.domain.fleet.row import FleetRow

GAP = 2
NAME_LEAST, NAME_MOST = 12, 24
LEAST_WHY = 20
"""Cells for the verdict's sentence, below which it is left out."""
WIDE, WHY_SHARE = 110, 4
"""So wide a terminal keeps a fourth of itself for the sentence, before the columns that nobody has chosen."""
_DAY_S = 86_400
_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))
STAY = 4
"""So many columns stay, however narrow the terminal is."""


@record
class Column:
    """`width` in cells; `number`: it lines up at its right. `key` is what it is sorted by."""

    title: str
    width: int
    text: Callable[[FleetRow, float], str]
    key: Key | None
    number: bool = True


def _recovery_point(row: FleetRow, _now: float) -> str:
    if row.lost_s is None:
        return NOT_AVAILABLE
    if row.lost_s == float("inf"):
        return "everything"
    return "nothing" if row.lost_s <= 0 else duration_text(row.lost_s)


def _restorable(row: FleetRow, now: float) -> str:
    return _window(row.since, row.until, int(now // _DAY_S))


@lru_cache(maxsize=2048)
def _window(since: float | None, until: float | None, day: int) -> str:
    """On that day since the epoch; of each row it is asked again and again."""
    if since is None and until is None:
        return NOT_AVAILABLE
    told = (NOT_AVAILABLE if at is None else moment_text(at, day * _DAY_S) for at in (since, until))
    return " to ".join(told)


def _age(at: float | None, now: float) -> str:
    """In its largest unit: more is in the cluster's own console."""
    if at is None:
        return NOT_AVAILABLE
    seconds = max(0.0, now - at)
    return next((f"{seconds // size:.0f} {unit}" for unit, size in _UNITS if seconds >= size), "now")


def _verdict(row: FleetRow, _now: float) -> str:
    return row.level.value if row.was_seen else "not yet"


def _drill(row: FleetRow, now: float) -> str:
    if row.drill_at is None:
        return "none"
    return f"{'' if row.drill_good else 'FAILED '}{_age(row.drill_at, now)}"


def _full_in(row: FleetRow, _now: float) -> str:
    if row.full_in_s is None:
        return NOT_AVAILABLE
    return "not soon" if row.full_in_s == float("inf") else duration_text(row.full_in_s)


def _growth(row: FleetRow, _now: float) -> str:
    return NOT_AVAILABLE if row.growth is None else f"{bytes_text(row.growth)}/d"


def _host(row: FleetRow, _now: float) -> str:
    return shown(row.identity.host)


def _version(row: FleetRow, _now: float) -> str:
    return shown(row.version.split(" ")[0]) or NOT_AVAILABLE


_READ = "age"
ALL = (
    Column("cluster", NAME_LEAST, lambda row, now: shown(row.name), lambda row: row.name, number=False),
    Column("verdict", 10, _verdict, None, number=False),
    Column("would lose", 11, _recovery_point, lambda row: row.lost_s),
    Column("restorable", 30, _restorable, lambda row: row.until, number=False),
    Column("base backup", 11, lambda row, now: _age(row.backup_at, now), lambda row: row.backup_at),
    Column("drill", 13, _drill, lambda row: row.drill_at),
    Column(
        "waits",
        7,
        lambda row, now: NOT_AVAILABLE if row.backlog is None else f"{row.backlog:,}",
        lambda row: row.backlog,
    ),
    Column("disk full", 11, _full_in, lambda row: row.full_in_s),
    Column("archive", 9, lambda row, now: bytes_text(row.stored), lambda row: row.stored),
    Column("growth", 12, _growth, lambda row: row.growth),
    Column("version", 8, _version, lambda row: row.version or None, number=False),
    Column("role", 7, lambda row, now: row.role or NOT_AVAILABLE, lambda row: row.role or None, number=False),
    Column(
        "host", 28, lambda row, now: shown(row.identity.host), lambda row: row.identity.host, number=False
    ),
    Column(_READ, 6, lambda row, now: _age(row.read_at, now), lambda row: row.read_at),
)
"""In their order. `verdict` has no key: by it the worst is first."""

VERDICT, RESTORABLE = 1, 3
SETS = {
    "all": tuple(range(len(ALL))),
    "recovery": (0, 1, 2, 3, 4, 5, 13),
    "storage": (0, 1, 2, 8, 9, 6, 7, 13),
    "the server": (0, 1, 2, 10, 11, 12, 13),
}
"""What can be chosen at once; the numbers are those of `ALL`."""
_SINGLE = range(STAY, len(ALL))


def choices(chosen: Sequence[int]) -> list[str]:
    """What there is to choose, a line each: the sets, then each column that need not stay, as it is now."""
    single = (f"[{'x' if number in chosen else ' '}] {ALL[number].title}" for number in _SINGLE)
    return [*(f"    {name}" for name in SETS), *single]


def chosen_by(place: int, before: Sequence[int]) -> tuple[int, ...]:
    """The columns after the line at `place` was taken: those of a set, or with one column more or less."""
    if place < len(SETS):
        return tuple(SETS.values())[place]
    return tuple(sorted(set(before) ^ {_SINGLE[place - len(SETS)]} | set(range(STAY))))


# -- As it is remembered, by titles.


def view_of(chosen: Sequence[int], order: int, grouping: Grouping, *, backwards: bool) -> ListView:
    """What is to be remembered of the list."""
    return ListView(
        tuple(ALL[number].title for number in chosen), ALL[order].title, backwards, grouping.value
    )


def columns_of(view: ListView) -> tuple[int, ...]:
    """The columns that are remembered, as far as there are such; which cluster and its verdict are first."""
    known = {column.title: number for number, column in enumerate(ALL)}
    chosen = [known[title] for title in view.columns if title in known]
    return tuple(dict.fromkeys((0, VERDICT, *chosen))) if chosen else SETS["all"]


def order_of(view: ListView) -> int:
    """The column that the list was in the order of; one that is not shown any more is none."""
    found = next((number for number, column in enumerate(ALL) if column.title == view.order), VERDICT)
    return found if found in columns_of(view) else VERDICT


def group_of(view: ListView) -> Grouping:
    """What brought clusters together."""
    return next((each for each in Grouping if each.value == view.group), Grouping.NONE)


@record
class Layout:
    """The columns that are shown with their widths in cells, and what is left for the verdict's sentence."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    why: int


def widest(rows: Sequence[FleetRow], now: float) -> int:
    """Cells that what can be restored takes: times of today are half as long as those of another year."""
    column = ALL[RESTORABLE]
    longest = max((len(column.text(row, now)) for row in rows), default=0)
    return min(column.width, max(len(column.title), longest))


def layout(chosen: Sequence[int], longest_name: int, width: int, restorable: int | None = None) -> Layout:
    """As many of the chosen columns as `width` cells take: the first ones, and the age of it all.

    `restorable` is that column's width, None: the most that it takes.
    """
    numbers = list(chosen)
    name = max(NAME_LEAST, min(longest_name, NAME_MOST, width // 4))
    room = width - GUTTER - 1
    own = {0: name} | ({} if restorable is None else {RESTORABLE: restorable})

    def taken() -> int:
        return sum(own.get(number, ALL[number].width) + GAP for number in numbers)

    why_least = width // WHY_SHARE if width >= WIDE and tuple(chosen) == SETS["all"] else 0
    while taken() > room - (why_least if len(numbers) > STAY + 1 else 0) and len(numbers) > STAY:
        at = -2 if ALL[numbers[-1]].title == _READ and len(numbers) > STAY + 1 else -1
        del numbers[at]
    widths = [own.get(number, ALL[number].width) for number in numbers]
    over = sum(widths) + GAP * len(widths) - room
    if over > 0:
        widths[-1] = max(6, widths[-1] - over)
    why = room - sum(widths) - GAP * len(widths)
    return Layout(tuple(numbers), tuple(widths), why if why >= LEAST_WHY else 0)
