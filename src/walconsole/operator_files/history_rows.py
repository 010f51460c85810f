"""Rows of the list of clusters in the history's file: what each cluster's row said, thinner further back."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise

from walconsole.domain.fleet.kept import COLUMNS, ROW_TIERS, KeptRow, row_of_values, values_of
from walconsole.domain.fleet.row import Identity

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS list_rows (cluster TEXT NOT NULL, at INTEGER NOT NULL, {", ".join(COLUMNS)},
    PRIMARY KEY (cluster, at)) WITHOUT ROWID;
"""
_NAMES = ", ".join(COLUMNS)
_MARKS = ", ".join("?" * (len(COLUMNS) + 2))
_MINUTE_S = 60


def keep(database: sqlite3.Connection, cluster: str, rows: Iterable[KeptRow]) -> None:
    """Add them; of the same second the last one stays."""
    database.executemany(
        f"INSERT OR REPLACE INTO list_rows (cluster, at, {_NAMES}) VALUES ({_MARKS})",  # noqa: S608  # our names
        [(cluster, each.at, *values_of(each.row)) for each in rows],
    )


def until(database: sqlite3.Connection, cluster: str, identity: Identity, at: float) -> KeptRow | None:
    """The newest by then; None where there is none, or none that can be read."""
    found = database.execute(
        f"SELECT at, {_NAMES} FROM list_rows WHERE cluster = ? AND at <= ?"  # noqa: S608  # our names
        " ORDER BY at DESC LIMIT 1",
        (cluster, int(at)),
    ).fetchone()
    if found is None:
        return None
    try:
        return KeptRow(found[0], row_of_values(identity, found[1:]))
    except ValueError:
        return None


def first(database: sqlite3.Connection, clusters: Iterable[str]) -> int | None:
    """When the first row of any of them was kept."""
    return _least(database, clusters, "SELECT min(at) FROM list_rows WHERE cluster = ?", ())


def beside(database: sqlite3.Connection, clusters: Sequence[str], at: float, step: int) -> int | None:
    """The last row of the nearest minute before (-1) or after (1) that of `at` in which any was kept.

    Where many are looked at, one is every second: whoever goes back moves by minutes.
    """
    begin = int(at) // _MINUTE_S * _MINUTE_S
    newest = "SELECT max(at) FROM list_rows WHERE cluster = ? AND at < ?"
    if step < 0:
        return _most(database, clusters, newest, (begin,))
    after = _least(
        database,
        clusters,
        "SELECT min(at) FROM list_rows WHERE cluster = ? AND at >= ?",
        (begin + _MINUTE_S,),
    )
    if after is None:
        return None
    return _most(database, clusters, newest, (after // _MINUTE_S * _MINUTE_S + _MINUTE_S,))


def _least(
    database: sqlite3.Connection, clusters: Iterable[str], query: str, last: tuple[int, ...]
) -> int | None:
    return min(_each(database, clusters, query, last), default=None)


def _most(
    database: sqlite3.Connection, clusters: Iterable[str], query: str, last: tuple[int, ...]
) -> int | None:
    return max(_each(database, clusters, query, last), default=None)


def _each(
    database: sqlite3.Connection, clusters: Iterable[str], query: str, last: tuple[int, ...]
) -> list[int]:
    found = (database.execute(query, (cluster, *last)).fetchone()[0] for cluster in clusters)
    return [at for at in found if at is not None]


def changes(database: sqlite3.Connection, clusters: Iterable[str]) -> list[tuple[float, str, str]]:
    """When the level of which of them became which, oldest first."""
    found: list[tuple[float, str, str]] = []
    for cluster in clusters:
        rows = database.execute(
            "SELECT at, level FROM (SELECT at, level, lag(level) OVER (ORDER BY at) AS before"
            " FROM list_rows WHERE cluster = ?) WHERE before IS NOT level",
            (cluster,),
        )
        found += [(float(at), cluster, str(level)) for at, level in rows]
    return sorted(found)


def tidy(database: sqlite3.Connection, cluster: str, now: float) -> None:
    """Of each span the last row of each level; none beyond the last tier."""
    database.execute("DELETE FROM list_rows WHERE cluster = ? AND at < ?", (cluster, now - ROW_TIERS[-1][0]))
    for (begin_s, _), (end_s, every_s) in pairwise(ROW_TIERS):
        span = (cluster, int(now - end_s), int(now - begin_s))
        database.execute(
            "DELETE FROM list_rows WHERE cluster = ?1 AND at >= ?2 AND at < ?3 AND at NOT IN"
            " (SELECT max(at) FROM list_rows WHERE cluster = ?1 AND at >= ?2 AND at < ?3"
            "  GROUP BY at / ?4, level)",
            (*span, every_s),
        )
