"""Runs of steps in the history's file: what was told of each, in parts as they were written.

Whoever runs steps writes here, a watcher beside it or not: nobody else sees what a run does.
"""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from walconsole.domain.kept.runs import MOST_BYTES, MOST_NEWS, MOST_RUNS, KeptRun, News, news_of
from walconsole.domain.kept.screens import packed, unpacked

SCHEMA = """
CREATE TABLE IF NOT EXISTS step_runs (cluster TEXT NOT NULL, run TEXT NOT NULL, part INTEGER NOT NULL,
    began REAL NOT NULL, until REAL NOT NULL, news BLOB NOT NULL, PRIMARY KEY (cluster, run, part))
    WITHOUT ROWID;
"""
LIMIT_BYTES = 16 * 1024 * 1024
"""Of one cluster's, packed; the oldest runs go first."""


def keep(
    database: sqlite3.Connection, cluster: str, run: str, began: float, until: float, news: Sequence[News]
) -> None:
    """Add what was told of the run since the last time; without news: that it is still there."""
    if not news:
        database.execute(
            "UPDATE step_runs SET until = ?3 WHERE cluster = ?1 AND run = ?2 AND part ="
            " (SELECT max(part) FROM step_runs WHERE cluster = ?1 AND run = ?2)",
            (cluster, run, until),
        )
        return
    database.execute(
        "INSERT INTO step_runs SELECT ?1, ?2, coalesce(max(part), -1) + 1, ?3, ?4, ?5 FROM step_runs"
        " WHERE cluster = ?1 AND run = ?2",
        (cluster, run, began, until, packed(list(news))),
    )


def until(database: sqlite3.Connection, cluster: str, at: float) -> list[KeptRun]:
    """The newest that were begun by then, oldest first, whole. Parts that cannot be read are left out."""
    rows = database.execute(
        "SELECT run, began, until, news FROM step_runs WHERE cluster = ?1 AND run IN"
        " (SELECT run FROM step_runs WHERE cluster = ?1 AND began <= ?2 GROUP BY run"
        "  ORDER BY max(until) DESC LIMIT ?3) ORDER BY began, run, part",
        (cluster, at, MOST_RUNS),
    ).fetchall()
    found = []
    for run, parts in groupby(rows, itemgetter(0)):
        found.append(_run(run, list(parts)))
    return found


def _run(run: str, parts: list[tuple[str, float, float, bytes]]) -> KeptRun:
    news: list[News] = []
    for *_, block in parts:
        try:
            news += news_of(unpacked(block, MOST_BYTES))
        except ValueError:
            continue  # a part is lost: the rest is not
    return KeptRun(run, parts[0][1], max(part[2] for part in parts), tuple(news[:MOST_NEWS]))


def tidy(database: sqlite3.Connection, cluster: str, oldest: float) -> None:
    """Take away what was over by then, and the oldest where it is too much."""
    database.execute(
        "DELETE FROM step_runs WHERE cluster = ?1 AND run IN (SELECT run FROM step_runs WHERE cluster = ?1"
        " GROUP BY run HAVING max(until) < ?2)",
        (cluster, oldest),
    )
    rows = database.execute(
        "SELECT run, sum(length(news)) FROM step_runs WHERE cluster = ? GROUP BY run"
        " ORDER BY max(until) DESC",
        (cluster,),
    ).fetchall()
    taken = 0
    for place, (run, size) in enumerate(rows):
        taken += size
        if place and taken > LIMIT_BYTES:
            database.execute("DELETE FROM step_runs WHERE cluster = ? AND run = ?", (cluster, run))
