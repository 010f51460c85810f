"""Rows of the list as they are kept: plain columns, redacted; and the list as it was at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from walconsole.domain.fleet.row import FleetRow, Identity
from walconsole.domain.past import DAY_S, LONGEST_TEXT
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.worsening import RANK

ROW_EVERY_S = 60.0
"""So often a row is kept, besides each at which its level is another."""
ROW_TIERS = ((2 * DAY_S, 60), (10 * DAY_S, 600), (30 * DAY_S, 3600))
"""Up to this age, in seconds, one is kept in so many seconds; beyond the last none is."""
COLUMNS = tuple(one.name for one in fields(FleetRow) if one.name not in {"identity", "started_at"})
_TEXTS = frozenset({"verdict", "version", "role", "system"})


@record
class KeptRow:
    """A row, and when it was true: whole seconds since the epoch."""

    at: int
    row: FleetRow


@record
class FleetMoment:
    """The list as it was at `at`: of each cluster the newest row that was kept by then."""

    at: float
    rows: tuple[FleetRow, ...]


def values_of(row: FleetRow) -> tuple[Any, ...]:
    """The columns in their order, redacted; whose row it is stands elsewhere."""
    found = {name: getattr(row, name) for name in COLUMNS}
    for name in _TEXTS:
        found[name] = safe(found[name])[:LONGEST_TEXT] if found[name] is not None else None
    found["level"] = row.level.value
    return tuple(found.values())


def row_of_values(identity: Identity, values: Sequence[Any]) -> FleetRow:
    """What the columns say. Raises ValueError for what this walconsole never wrote."""
    found = dict(zip(COLUMNS, values, strict=True))
    found["level"] = Level(found["level"])
    for name, value in found.items():
        if name in _TEXTS:
            if not isinstance(value, str | None):
                raise ValueError(f"{name} is no text")
        elif name != "level" and not isinstance(value, int | float | None):
            raise ValueError(f"{name} is no number")
    if found["drill_good"] is not None:
        found["drill_good"] = bool(found["drill_good"])
    return FleetRow(identity, **found)


def worst_levels(changes: Sequence[tuple[float, str, str]]) -> list[tuple[float, str]]:
    """When the worst of all clusters became another level, oldest first.

    `changes` are each cluster's own, by time: when, whose, which level.
    """
    rank = {level.value: RANK[level] for level in Level}
    now: dict[str, str] = {}
    found: list[tuple[float, str]] = []
    for at, cluster, level in changes:
        now[cluster] = level
        worst = max(now.values(), key=lambda each: rank.get(each, 0))
        if not found or found[-1][1] != worst:
            found.append((at, worst))
    return found


def listed(identities: Sequence[Identity], kept: Mapping[str, FleetRow]) -> tuple[FleetRow, ...]:
    """A row for each, in their order; of whom nothing was kept by then was not looked at yet."""
    return tuple(kept.get(each.name, FleetRow(each)) for each in identities)
