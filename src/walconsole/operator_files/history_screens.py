"""Whole screens of the past in the history's file: links of the hour that runs, a block of one that is over.

Each writer has a chain of its own (domain.kept.screens), which begins anew with every hour: whatever became
of another's, its frames can be read.
"""

import json
import sqlite3
from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from walconsole.domain.kept.screens import (
    Frame,
    Link,
    changes_of,
    followed,
    linked,
    links_of,
    packed,
    thinned_frames,
    unpacked,
)
from walconsole.domain.past import BLOCK_S, SCREEN_TIERS, spacing_s

SCHEMA = """
CREATE TABLE IF NOT EXISTS fresh_screens (cluster TEXT NOT NULL, writer INTEGER NOT NULL, at REAL NOT NULL,
    level TEXT NOT NULL, change BLOB NOT NULL, PRIMARY KEY (cluster, writer, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS screens (cluster TEXT NOT NULL, hour INTEGER NOT NULL, every INTEGER NOT NULL,
    levels TEXT NOT NULL, frames BLOB NOT NULL, PRIMARY KEY (cluster, hour));
"""
_MOST_BLOCKS_AT_ONCE = 48


def keep(database: sqlite3.Connection, cluster: str, writer: int, links: Sequence[Link]) -> None:
    """Add what follows in the writer's chain; the first of an hour is whole."""
    database.executemany(
        "INSERT OR REPLACE INTO fresh_screens VALUES (?, ?, ?, ?, ?)",
        [(cluster, writer, link.at, link.level, packed(link.change)) for link in links],
    )


def hours(database: sqlite3.Connection, cluster: str) -> list[int]:
    """The hours since the epoch of which something is kept, in their order."""
    rows = database.execute(
        "SELECT hour FROM screens WHERE cluster = ?1"
        " UNION SELECT CAST(at / ?2 AS INTEGER) FROM fresh_screens WHERE cluster = ?1 ORDER BY 1",
        (cluster, BLOCK_S),
    )
    return [hour for (hour,) in rows]


def levels(database: sqlite3.Connection, cluster: str) -> list[tuple[float, str]]:
    """When the first line's level became another, oldest first; the first is where what is kept begins."""
    blocks = database.execute("SELECT levels FROM screens WHERE cluster = ? ORDER BY hour", (cluster,))
    packed_ones = [(at, level) for (text,) in blocks for at, level in json.loads(text)]
    fresh = database.execute(
        "SELECT at, level FROM fresh_screens WHERE cluster = ? ORDER BY at", (cluster,)
    ).fetchall()
    return changes_of(sorted([*packed_ones, *fresh]))


def frames_of(database: sqlite3.Connection, cluster: str, hour: int) -> list[Frame]:
    """All that is kept of the hour and can be read, oldest first."""
    row = database.execute(
        "SELECT frames FROM screens WHERE cluster = ? AND hour = ?", (cluster, hour)
    ).fetchone()
    rows = database.execute(
        "SELECT writer, at, level, change FROM fresh_screens WHERE cluster = ? AND at >= ? AND at < ?"
        " ORDER BY writer, at",
        (cluster, hour * BLOCK_S, (hour + 1) * BLOCK_S),
    ).fetchall()
    frames = _of_block(row[0]) if row is not None else []
    for _, chain in groupby(rows, itemgetter(0)):
        frames += _of_rows(list(chain))
    return sorted(frames, key=itemgetter(0))


def _of_block(block: bytes) -> list[Frame]:
    try:
        return list(followed(links_of(unpacked(block))))
    except ValueError:
        return []  # an hour is lost: the rest is not


def _of_rows(rows: Sequence[tuple[int, float, str, bytes]]) -> list[Frame]:
    """As far as they follow each other."""
    frames: list[Frame] = []
    try:
        for frame in followed(Link(at, level, unpacked(change)) for _, at, level, change in rows):
            frames.append(frame)  # noqa: PERF402  # those before a damaged one stay
    except ValueError:
        pass
    return frames


def tidy(database: sqlite3.Connection, cluster: str, now: float) -> None:
    """Pack the hours that are over, thin what is older, and take away what is too old."""
    oldest = int(now - SCREEN_TIERS[-1][0])
    database.execute("DELETE FROM screens WHERE cluster = ? AND hour < ?", (cluster, oldest // BLOCK_S))
    database.execute("DELETE FROM fresh_screens WHERE cluster = ? AND at < ?", (cluster, oldest))
    over = database.execute(
        "SELECT DISTINCT CAST(at / ? AS INTEGER) FROM fresh_screens WHERE cluster = ? AND at < ?"
        " ORDER BY 1 LIMIT ?",
        (BLOCK_S, cluster, int(now) // BLOCK_S * BLOCK_S, _MOST_BLOCKS_AT_ONCE),
    ).fetchall()
    for (hour,) in over:
        _put(database, cluster, hour, now)
        database.execute(
            "DELETE FROM fresh_screens WHERE cluster = ? AND at >= ? AND at < ?",
            (cluster, hour * BLOCK_S, (hour + 1) * BLOCK_S),
        )
    for (begin_age_s, _), (_, every) in pairwise(SCREEN_TIERS):
        rows = database.execute(
            "SELECT hour FROM screens WHERE cluster = ? AND hour < ? AND every < ? LIMIT ?",
            (cluster, int(now - begin_age_s) // BLOCK_S, every, _MOST_BLOCKS_AT_ONCE),
        ).fetchall()
        for (hour,) in rows:
            _put(database, cluster, hour, now)


def _put(database: sqlite3.Connection, cluster: str, hour: int, now: float) -> None:
    every = spacing_s(now - (hour + 1) * BLOCK_S, SCREEN_TIERS) or SCREEN_TIERS[-1][1]
    kept = thinned_frames(frames_of(database, cluster, hour), every)
    if not kept:
        database.execute("DELETE FROM screens WHERE cluster = ? AND hour = ?", (cluster, hour))
        return
    row = (cluster, hour, every, json.dumps(changes_of(kept)), packed(linked(kept)))
    database.execute("INSERT OR REPLACE INTO screens VALUES (?, ?, ?, ?, ?)", row)


def size(database: sqlite3.Connection, cluster: str) -> tuple[int | None, int | None]:
    """Bytes that the hours' blocks take, and the first of these hours; None where there is none."""
    size, hour = database.execute(
        "SELECT sum(length(frames)), min(hour) FROM screens WHERE cluster = ?", (cluster,)
    ).fetchone()
    return size, hour
