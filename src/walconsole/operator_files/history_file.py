"""What was read and said of each cluster, in one SQLite file of the operator's, bounded and pruned by itself.

Readings of the current hour are rows; those of an hour that is over become one block (domain.past), which is
made thinner as it ages. Whoever writes does it in short transactions: consoles and watchers beside each other
add to the same hours, and a reading of the same second is the same.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import pairwise

from walconsole.domain.fleet.kept import FleetMoment, KeptRow, listed, worst_levels
from walconsole.domain.fleet.row import Identity
from walconsole.domain.kept.runs import KeptRun, News
from walconsole.domain.kept.screens import Frame, Link
from walconsole.domain.past import (
    BLOCK_S,
    COLUMNS,
    TIERS,
    PastReading,
    Said,
    decoded,
    encoded,
    spacing_s,
    thinned,
)
from walconsole.errors import RegisterError
from walconsole.operator_files import history_rows, history_runs, history_screens
from walconsole.operator_files.places import places
from walconsole.operator_files.private import check_private, keep_aside, make_private, open_in_place

LIMIT_BYTES = 200 * 1024 * 1024
"""Of one cluster."""
VERSION = 5
_BUSY_S = 2.0
_MOST_KEPT_ASIDE = 3
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
)
_NO_WRITING = frozenset({errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT})
_MOST_SAID = 20_000
"""Changes of a cluster's verdict, and findings: a flapping one must not push the rest out."""
_MOST_BLOCKS_AT_ONCE = 48
_MOST_AGED_S = 86_400
"""So much older everything becomes at most from one tidying to the next, a quarter of an hour later."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS fresh (cluster TEXT NOT NULL, {", ".join(f"{name} INTEGER" for name in COLUMNS)},
    PRIMARY KEY (cluster, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (cluster TEXT NOT NULL, hour INTEGER NOT NULL, every INTEGER NOT NULL,
    readings BLOB NOT NULL, PRIMARY KEY (cluster, hour));
CREATE TABLE IF NOT EXISTS verdicts (cluster TEXT NOT NULL, at INTEGER NOT NULL, level TEXT NOT NULL,
    text TEXT NOT NULL, PRIMARY KEY (cluster, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (cluster TEXT NOT NULL, key TEXT NOT NULL, began INTEGER NOT NULL,
    ended INTEGER, severity TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (cluster, key, began))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tidied (cluster TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
{history_screens.SCHEMA}{history_rows.SCHEMA}{history_runs.SCHEMA}"""
_NAMES = ", ".join(COLUMNS)
_MARKS = ", ".join("?" * (len(COLUMNS) + 1))


class HistoryFile:
    """Every call blocks, opens the file, and raises RegisterError. `environ` says where the state lies."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.path = places(environ).history

    def write(self, cluster: str, readings: Sequence[PastReading]) -> None:
        """Add them; of the same second the first one stays."""
        with self._open() as database:
            database.executemany(
                f"INSERT OR IGNORE INTO fresh (cluster, {_NAMES}) VALUES ({_MARKS})",  # noqa: S608  # our names
                [(cluster, *(getattr(each, name) for name in COLUMNS)) for each in readings],
            )

    def note(self, cluster: str, said: Said, at: int) -> None:
        """What is said from now on: a change of the level, findings that came, and those that went."""
        with self._open() as database:
            _note_verdict(database, cluster, said, at)
            _note_findings(database, cluster, said, at)

    def keep_screens(self, cluster: str, writer: int, links: Sequence[Link]) -> None:
        """Add what follows in the writer's chain, the first of each hour as it is to nothing at all."""
        with self._open() as database:
            history_screens.keep(database, cluster, writer, links)

    def screen_hours(self, cluster: str) -> list[int]:
        """The hours since the epoch of which whole screens are kept, in their order."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return history_screens.hours(database, cluster)

    def screen_levels(self, cluster: str) -> list[tuple[float, str]]:
        """When the first line's level became another, oldest first; the first is where the screens begin."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return history_screens.levels(database, cluster)

    def screens_of(self, cluster: str, hour: int) -> list[Frame]:
        """What is kept of that hour, oldest first."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return history_screens.frames_of(database, cluster, hour)

    def keep_run(self, cluster: str, run: str, began: float, until: float, news: Sequence[News]) -> None:
        """Add what was told of a run of steps; that it was still there by `until`."""
        with self._open() as database:
            history_runs.keep(database, cluster, run, began, until, news)

    def runs_until(self, cluster: str, at: float) -> list[KeptRun]:
        """The newest runs of steps that were begun by then, oldest first, with all that was told of them."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return history_runs.until(database, cluster, at)

    def keep_rows(self, cluster: str, rows: Sequence[KeptRow]) -> None:
        """Add what the list said of it."""
        with self._open() as database:
            history_rows.keep(database, cluster, rows)

    def list_at(self, clusters: Sequence[tuple[str, Identity]], at: float) -> FleetMoment | None:
        """The list of these as it was by then, else as it was first; None where nothing is kept.

        `clusters` are the names under which they are kept, each with what tells it apart in the list.
        """
        if not self.path.exists():
            return None
        with self._read() as database:
            begin = history_rows.first(database, [cluster for cluster, _ in clusters])
            if begin is None:
                return None
            at = max(at, begin)
            found = [
                row
                for cluster, identity in clusters
                if (row := history_rows.until(database, cluster, identity, at)) is not None
            ]
        rows = listed([identity for _, identity in clusters], {each.row.name: each.row for each in found})
        return FleetMoment(float(max((each.at for each in found), default=begin)), rows)

    def list_levels(self, clusters: Sequence[str]) -> list[tuple[float, str]]:
        """When the worst of these clusters' levels became another, oldest first."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return worst_levels(history_rows.changes(database, clusters))

    def list_beside(self, clusters: Sequence[str], at: float, step: int) -> float | None:
        """When the list was seen a minute or more before (-1) or after (1) then; None where it was not."""
        if not self.path.exists():
            return None
        with self._read() as database:
            return history_rows.beside(database, clusters, at, step)

    def clusters(self) -> list[str]:
        """The names under which anything is kept that a screen or the list showed."""
        if not self.path.exists():
            return []
        with self._read() as database:
            rows = database.execute(
                "SELECT cluster FROM tidied UNION SELECT DISTINCT cluster FROM list_rows"
                " UNION SELECT DISTINCT cluster FROM fresh_screens ORDER BY 1"
            ).fetchall()
        return [str(cluster) for (cluster,) in rows]

    def tidy(self, cluster: str, now: float) -> None:
        """Pack the hours that are over, thin what is older, and take away what is too old or too much.

        A clock that jumps by years takes away no more than a day that was watched would: until it is set
        right nearly everything is still there.
        """
        with self._open() as database:
            believed = _believed(database, cluster, now)
            for (hour,) in database.execute(
                "SELECT DISTINCT at / ? FROM fresh WHERE cluster = ? AND at < ? ORDER BY 1 LIMIT ?",
                (BLOCK_S, cluster, int(now) // BLOCK_S * BLOCK_S, _MOST_BLOCKS_AT_ONCE),
            ).fetchall():
                _pack(database, cluster, hour, believed)
            _thin(database, cluster, believed)
            history_screens.tidy(database, cluster, believed)
            history_rows.tidy(database, cluster, believed)
            history_runs.tidy(database, cluster, believed - TIERS[-1][0])
            _prune(database, cluster, believed)
        with self._open() as database:
            database.commit()
            database.execute("PRAGMA incremental_vacuum").fetchall()

    def readings(self, cluster: str, since: float) -> list[PastReading]:
        """Those from then on, oldest first; none where there is no file."""
        if not self.path.exists():
            return []
        first = int(since)
        with self._read() as database:
            blocks = database.execute(
                "SELECT readings FROM blocks WHERE cluster = ? AND hour >= ? ORDER BY hour",
                (cluster, first // BLOCK_S),
            ).fetchall()
            fresh = _fresh(database, cluster, first, 1 << 62)
        found = [each for (block,) in blocks for each in _decoded(block)]
        return [each for each in (*found, *fresh) if each.at >= first]

    def verdicts(self, cluster: str, since: float) -> list[tuple[int, str, str]]:
        """When it became so, the level and the first line, oldest first."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return database.execute(
                "SELECT at, level, text FROM verdicts WHERE cluster = ? AND at >= ? ORDER BY at",
                (cluster, int(since)),
            ).fetchall()

    def findings(self, cluster: str, since: float) -> list[tuple[str, int, int | None, str, str]]:
        """Key, when it came, when it went (None: it is there), severity and title, oldest first."""
        if not self.path.exists():
            return []
        with self._read() as database:
            return database.execute(
                "SELECT key, began, ended, severity, title FROM findings"
                " WHERE cluster = ? AND (ended IS NULL OR ended >= ?) ORDER BY began, key",
                (cluster, int(since)),
            ).fetchall()

    def _read(self) -> AbstractContextManager[sqlite3.Connection]:
        """What others write meanwhile is not waited for."""
        return self._open("reading", "BEGIN", self._connected_to_read)

    @contextmanager
    def _open(
        self,
        doing: str = "keeping",
        begin: str = "BEGIN IMMEDIATE",
        connected: Callable[[], sqlite3.Connection] | None = None,
    ) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or nothing. A file that is damaged somewhere is put aside."""
        try:
            with closing((connected or self._connected)()) as database:
                database.execute(begin)
                yield database
                database.commit()
        except (sqlite3.Error, OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or self._why(error)
            remedy = "nothing is kept of the past until then: see to the file and its folder"
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode in _DAMAGED:
                self._put_aside()
                remedy = "what was kept stays beside it, and a new one is begun: look again"
            raise RegisterError(f"{doing} the past in {self.path}", why, remedy) from None

    def _why(self, error: Exception) -> str:
        """SQLite calls it an I/O error where there is no room for the files beside it."""
        full = (
            isinstance(error, sqlite3.OperationalError)
            and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
        )
        with suppress(OSError):
            if full and os.statvfs(self.path.parent).f_bavail == 0:
                return "the disk is full"
        return str(error)

    def _connected(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._put_aside()  # damaged, or no database at all
            return self._connect()

    def _connected_to_read(self) -> sqlite3.Connection:
        """Where nothing can be written, on a full disk or on one to read, as the file stands: SQLite makes
        files beside it even to read.
        """
        try:
            return self._connected()
        except (sqlite3.OperationalError, OSError) as error:
            if not _needs_to_write(error) or not self._is_whole_by_itself():
                raise
            return sqlite3.connect(
                f"{self.path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
            )

    def _is_whole_by_itself(self) -> bool:
        """Whether it is a file of ours, and nothing of it stands in another one beside it."""
        check_private(self.path.parent)
        found, log = self.path.lstat(), self.path.with_name(f"{self.path.name}-wal")
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        return ours and not (log.exists() and log.stat().st_size)

    def _put_aside(self) -> None:
        keep_aside(self.path, _MOST_KEPT_ASIDE)
        for beside in ("-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{beside}").unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        if self.path.exists():
            check_private(self.path.parent)
        else:
            make_private(self.path.parent)
        os.close(open_in_place(self.path))  # for its owner alone; its companions get its mode
        database = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ValueError(f"a newer walconsole wrote it (version {version}; this one knows {VERSION})")
            if version < VERSION:
                database.execute("PRAGMA auto_vacuum = INCREMENTAL")
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(_SCHEMA)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            database.close()
            raise
        return database


def _needs_to_write(error: sqlite3.OperationalError | OSError) -> bool:
    """Whether it is because nothing can be written there."""
    if isinstance(error, OSError):
        return error.errno in _NO_WRITING
    return error.sqlite_errorcode & 0xFF in _UNWRITABLE


def _believed(database: sqlite3.Connection, cluster: str, now: float) -> float:
    """By when things are as old as they seem; what is believed now is noted."""
    row = database.execute("SELECT at FROM tidied WHERE cluster = ?", (cluster,)).fetchone()
    at = now if row is None else min(now, float(row[0] + _MOST_AGED_S))
    database.execute("INSERT OR REPLACE INTO tidied VALUES (?, ?)", (cluster, int(at)))
    return at


def _note_verdict(database: sqlite3.Connection, cluster: str, said: Said, at: int) -> None:
    last = database.execute(
        "SELECT level FROM verdicts WHERE cluster = ? ORDER BY at DESC LIMIT 1", (cluster,)
    ).fetchone()
    if last is None or last[0] != said.level:
        row = (cluster, at, said.level, said.text)
        database.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", row)


def _note_findings(database: sqlite3.Connection, cluster: str, said: Said, at: int) -> None:
    rows = database.execute("SELECT key FROM findings WHERE cluster = ? AND ended IS NULL", (cluster,))
    there = {key for (key,) in rows}
    now = {key: (severity, title) for key, severity, title in said.found}
    for key in there - now.keys():
        database.execute(
            "UPDATE findings SET ended = ? WHERE cluster = ? AND key = ? AND ended IS NULL",
            (at, cluster, key),
        )
    database.executemany(
        "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, NULL, ?, ?)",
        [(cluster, key, at, *told) for key, told in now.items() if key not in there],
    )


def _fresh(database: sqlite3.Connection, cluster: str, first: int, end: int) -> list[PastReading]:
    rows = database.execute(
        f"SELECT {_NAMES} FROM fresh WHERE cluster = ? AND at >= ? AND at < ? ORDER BY at",  # noqa: S608
        (cluster, first, end),
    )
    return [PastReading(*row) for row in rows]


def _decoded(block: bytes) -> list[PastReading]:
    try:
        return decoded(block)
    except ValueError:
        return []  # an hour is lost: the rest is not


def _pack(database: sqlite3.Connection, cluster: str, hour: int, now: float) -> None:
    begin, end = hour * BLOCK_S, (hour + 1) * BLOCK_S
    row = database.execute(
        "SELECT readings FROM blocks WHERE cluster = ? AND hour = ?", (cluster, hour)
    ).fetchone()
    every = {each.at: each for each in _fresh(database, cluster, begin, end)}
    every |= {each.at: each for each in (_decoded(row[0]) if row is not None else [])}
    _put(database, cluster, hour, [every[at] for at in sorted(every)], now)
    database.execute("DELETE FROM fresh WHERE cluster = ? AND at >= ? AND at < ?", (cluster, begin, end))


def _put(
    database: sqlite3.Connection, cluster: str, hour: int, readings: Sequence[PastReading], now: float
) -> None:
    kept = thinned(readings, now)
    if not kept:
        database.execute("DELETE FROM blocks WHERE cluster = ? AND hour = ?", (cluster, hour))
        return
    every = spacing_s(now - hour * BLOCK_S - BLOCK_S) or TIERS[-1][1]
    row = (cluster, hour, every, encoded(kept))
    database.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", row)


def _thin(database: sqlite3.Connection, cluster: str, now: float) -> None:
    """Blocks that are wholly in an older tier than they were made for."""
    for (begin_age_s, _), (_, every) in pairwise(TIERS):
        before = int(now - begin_age_s) // BLOCK_S
        rows = database.execute(
            "SELECT hour, readings FROM blocks WHERE cluster = ? AND hour < ? AND every < ? LIMIT ?",
            (cluster, before, every, _MOST_BLOCKS_AT_ONCE),
        ).fetchall()
        for hour, block in rows:
            _put(database, cluster, hour, _decoded(block), now)


def _prune(database: sqlite3.Connection, cluster: str, now: float) -> None:
    oldest = int(now - TIERS[-1][0])
    database.execute("DELETE FROM blocks WHERE cluster = ? AND hour < ?", (cluster, oldest // BLOCK_S))
    database.execute("DELETE FROM fresh WHERE cluster = ? AND at < ?", (cluster, oldest))
    database.execute("DELETE FROM verdicts WHERE cluster = ? AND at < ?", (cluster, oldest))
    database.execute("DELETE FROM findings WHERE cluster = ? AND ended < ?", (cluster, oldest))
    for table, at in (("verdicts", "at"), ("findings", "began")):
        database.execute(
            f"DELETE FROM {table} WHERE cluster = ?1 AND {at} <"  # noqa: S608  # names of ours
            f" (SELECT {at} FROM {table} WHERE cluster = ?1 ORDER BY {at} DESC LIMIT 1 OFFSET ?2)",
            (cluster, _MOST_SAID - 1),
        )
    while True:
        read, first = database.execute(
            "SELECT sum(length(readings)), min(hour) FROM blocks WHERE cluster = ?", (cluster,)
        ).fetchone()
        shown, first_shown = history_screens.size(database, cluster)
        if (read or 0) + (shown or 0) <= LIMIT_BYTES:
            return
        oldest_hour = min(hour for hour in (first, first_shown) if hour is not None)
        for table in ("blocks", "screens"):
            database.execute(
                f"DELETE FROM {table} WHERE cluster = ? AND hour = ?",  # noqa: S608  # names of ours
                (cluster, oldest_hour),
            )
