"""Which clusters are shown, and in which order: the worst first, filtered by words, together by tag."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum

from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.worsening import RANK

Key = Callable[[FleetRow], float | str | None]

_LEVELS = {level.value: level for level in Level}


def _severity(row: FleetRow) -> float:
    """Well last; before it what was never looked at."""
    if not row.was_seen:
        return -0.5
    return -RANK[row.level]


def ordered(rows: Iterable[FleetRow], key: Key | None = None, *, backwards: bool = False) -> list[FleetRow]:
    """The rows by `key` (None: the worst first); what is not known is last either way.

    Among equals the worst is first, then by name.
    """
    found = sorted(rows, key=lambda row: (_severity(row), row.name))
    if key is None:
        return found[::-1] if backwards else found
    known = [row for row in found if key(row) is not None]
    unknown = [row for row in found if key(row) is None]
    known.sort(key=lambda row: _comparable(key(row)), reverse=backwards)
    return [*known, *unknown]


def _comparable(value: float | str | None) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")


def one_a_server(rows: Iterable[FleetRow]) -> list[list[FleetRow]]:
    """The rows of each server, by name: one that is reached by two aliases or addresses has two.

    A standby has its primary's identifier, and was not started in the same microsecond.
    """
    found: dict[tuple[object, ...], list[FleetRow]] = {}
    for row in sorted(rows, key=lambda row: row.name):
        known = row.system is not None and row.started_at is not None
        found.setdefault((row.system, row.started_at) if known else (row.name,), []).append(row)
    return list(found.values())


def with_twins(rows: Sequence[FleetRow]) -> tuple[FleetRow, ...]:
    """In their order; what is another name of a server says whose."""
    first = {twin.name: same[0].name for same in one_a_server(rows) for twin in same[1:]}
    return tuple(
        replace(row, verdict=f"same server as {first[row.name]}: {row.verdict}") if row.name in first else row
        for row in rows
    )


class Grouping(Enum):
    """What brings clusters together in the list."""

    NONE = ""
    TAG = "by tag"
    SYSTEM = "with their standbys"


def grouped(rows: Sequence[FleetRow], by: Grouping) -> list[tuple[str, list[FleetRow]]]:
    """The rows in groups with their names, each in the order that it had; those without a group come last.

    By tag: a cluster stands under its first one. A primary stands with its standbys, which are those of the
    same database system.
    """
    if by is Grouping.NONE:
        return [("", list(rows))]
    names = _systems(rows) if by is Grouping.SYSTEM else {}
    groups: dict[str, list[FleetRow]] = {}
    for row in rows:
        tag = f"#{row.identity.tags[0]}" if row.identity.tags else ""
        name = tag if by is Grouping.TAG else names.get(row.system or "", "")
        groups.setdefault(name, []).append(row)
    last = "without a tag" if by is Grouping.TAG else "alone"
    alone = groups.pop("", [])
    return [*sorted(groups.items()), *([(last, alone)] if alone else [])]


def _systems(rows: Sequence[FleetRow]) -> dict[str, str]:
    """How a group is called, by the identifier of its database system; those of one cluster are none."""
    members: dict[str, list[FleetRow]] = {}
    for row in rows:
        if row.system is not None:
            members.setdefault(row.system, []).append(row)
    names = {}
    for system, same in members.items():
        primary = next((row for row in same if row.role == "primary"), None)
        if len(one_a_server(same)) > 1:
            names[system] = f"standbys of {system}" if primary is None else f"{primary.name} and its standbys"
    return names


def matching(rows: Iterable[FleetRow], pattern: str) -> list[FleetRow]:
    """The rows that every word of `pattern` is true of.

    A word is a state (`critical`, `warning`, `unknown`, `ok`), a tag (`#eu`), or a part of the name, the
    host, the version, the role or the verdict, whatever its case; `!` before it turns it round (`!ok`).
    """
    words = pattern.split()
    return [row for row in rows if all(_is_true(word, row) for word in words)]


def _is_true(word: str, row: FleetRow) -> bool:
    if word.startswith("!") and len(word) > 1:
        return not _is_true(word[1:], row)
    wanted = word.casefold()
    if wanted in _LEVELS:
        return row.level is _LEVELS[wanted]
    if word.startswith("#"):
        return wanted[1:] in (tag.casefold() for tag in row.identity.tags)
    texts = (row.name, row.identity.host, row.version, row.role, row.verdict)
    return any(wanted in text.casefold() for text in texts)


def next_in_trouble(rows: Sequence[FleetRow], at: int, step: int) -> int | None:
    """The number of the next row in trouble from `at`, around the end; None where no other is."""
    for offset in range(1, len(rows) + 1):
        number = (at + step * offset) % len(rows)
        if rows[number].in_trouble:
            return number if number != at else None
    return None
