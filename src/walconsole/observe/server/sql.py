"""PostgreSQL about itself: who it is, its archiver, its settings, a statement a tick; rarely, what keeps WAL.

Besides the archiver replication slots and WAL summaries keep it in pg_wal.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.facts.base_backups import BackupSessions
from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.facts.observed import ArchiverFacts, ServerFacts, Setting, SettingsFacts
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.postgres_versions import OLDEST_MAJOR, OLDEST_VERSION_NUM
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.round_trips import Answer, Row
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment, parse_lsn
from walconsole.errors import DatabaseError
from walconsole.observe.poller.probe import Fact, problem_of
from walconsole.observe.server.backup_sessions import BACKUPS_SOURCE, read_backup_sessions
from walconsole.observe.server.statements import integer, joined, number, query, text, truth
from walconsole.ports import Database

INSUFFICIENT_PRIVILEGE = "42501"
ARCHIVER_LISTED_SINCE = 140000
_ARCHIVER_UNTOLD = "the archiver process: PostgreSQL lists it from version 14 on (pg_stat_activity)"
NOT_THERE = frozenset({"42703", "42883", "42P01"})
"""SQLSTATEs of a column, a function and a relation that the server does not have."""
SEPARABLE = ("settings", "wal_directory", "base_backup")
"""What is told without these is whole; without the others not even the timeline is known."""
BOUNDARY_IS_NEXT_SINCE = 170000
"""pg_walfile_name() of a position between two segments: the first of them before 17, then the second."""
SETTINGS_EVERY = 5
"""Every so many ticks; pg_settings is computed row by row, some 380 of them, 1 ms."""
MANY_FILES = 5_000
"""Above this many files in pg_wal they are listed only every MANY_EVERY-th tick: each costs a stat()."""
MANY_EVERY = 10


@record
class _WalDirectory:
    """pg_wal as the server lists it; None without pg_monitor's functions."""

    ready_count: int | None = None
    wal_files: int | None = None

    @property
    def many(self) -> bool:
        return (self.ready_count or 0) + (self.wal_files or 0) > MANY_FILES


class PostgresProbe:
    """Fills SERVER, ARCHIVER and, every few ticks, SETTINGS and BACKUP_SESSIONS, the latter at each tick
    while a base backup runs.
    """

    name = "PostgreSQL"
    slots = (Snapshot.server, Snapshot.archiver, Snapshot.settings, Snapshot.backup_sessions)
    cadence_s = 1.0
    timeout_s = 18.0  # a connection (10) and a statement (5) end by themselves, with better words

    def __init__(self, database: Database) -> None:
        self._database = database
        self._may_list_wal = True
        self._since_settings = SETTINGS_EVERY
        self._since_listing = MANY_EVERY
        self._directory = _WalDirectory()
        self._backup_runs = False
        self._loaded_at: tuple[float, float | None] | None = None
        self._lacking: dict[str, Problem] = {}

    def refresh(self) -> None:
        """Read everything at the next tick."""
        self._lacking = {}
        self._since_settings, self._since_listing = SETTINGS_EVERY, MANY_EVERY

    async def take(self) -> Sequence[Fact]:
        """The facts of one statement. Raises errors.DatabaseError and what the connection raises."""
        try:
            return await self._take()
        except BaseException:
            self.refresh()  # it may come back as another server, with other settings
            raise

    async def _take(self) -> Sequence[Fact]:
        version_num = await self._database.version_num()
        if version_num < OLDEST_VERSION_NUM:
            raise DatabaseError(
                "read pg_stat_archiver",
                f"the server's version is {version_num // 10000}",
                f"walconsole knows PostgreSQL {OLDEST_MAJOR} and later",
            )
        settings = self._since_settings >= SETTINGS_EVERY - 1
        listing = self._may_list_wal and (not self._directory.many or self._since_listing >= MANY_EVERY - 1)
        backups = settings or self._backup_runs
        answer = await self._fetch(settings=settings, listing=listing, backups=backups)
        self._since_settings = 0 if settings else self._since_settings + 1
        facts = self._facts(answer, settings=settings)
        return [*facts, self._backups(answer)] if backups else facts

    async def _fetch(self, *, settings: bool, listing: bool, backups: bool) -> Answer:
        """Ask; without pg_wal's listing when this role may not, which only trying it tells (once)."""
        wanted = {
            "server": True,
            "archiver": True,
            "settings": settings,
            "wal_directory": listing,
            "base_backup": backups,
        }
        names = [name for name, is_wanted in wanted.items() if is_wanted and name not in self._lacking]
        try:
            answer = await self._database.fetch(joined((*names,)))
        except DatabaseError as error:
            if listing and error.sqlstate == INSUFFICIENT_PRIVILEGE:
                listing = False
                names.remove("wal_directory")
            elif error.sqlstate not in NOT_THERE or not await self._take_away_what_is_lacking(names):
                raise
            answer = await self._database.fetch(joined((*names,)))
        listing = "wal_directory" in names
        row = _only_row(answer)
        self._may_list_wal = truth(row, "may_list_wal")
        self._since_listing = 0 if listing else self._since_listing + 1
        if listing:
            self._directory = _directory(row)
        elif not self._may_list_wal or "wal_directory" in self._lacking:
            self._directory = _WalDirectory()
        return answer

    async def _take_away_what_is_lacking(self, names: list[str]) -> bool:
        """Ask by itself for each part that is separable; whether one is of a kind that the server has not."""
        before = len(names)
        for name in [name for name in names if name in SEPARABLE]:
            try:
                await self._database.fetch(joined((name,)))
            except DatabaseError as error:
                if error.sqlstate in NOT_THERE:
                    self._lacking[name] = problem_of(error)
                    names.remove(name)
        return len(names) < before

    def _facts(self, answer: Answer, *, settings: bool) -> Sequence[Fact]:
        row = _only_row(answer)
        at = (answer.sent_at + answer.answered_at) / 2
        server = replace(_server(row, at), untold=self._untold(row))
        facts = [
            Fact(Snapshot.server, server, at, "pg_control_system, pg_settings"),
            Fact(Snapshot.archiver, _archiver(row, server, self._directory), at, "pg_stat_archiver"),
        ]
        if (server.started_at, server.loaded_at) != self._loaded_at and not settings:
            self._since_settings = SETTINGS_EVERY  # they may be others now: a reload, or a restart
        self._loaded_at = (server.started_at, server.loaded_at)
        if settings:
            cadence_s = self.cadence_s * SETTINGS_EVERY
            found = self._lacking.get("settings") or read_settings(row)
            facts.append(Fact(Snapshot.settings, found, at, "pg_settings", cadence_s))
        return facts

    def _backups(self, answer: Answer) -> Fact:
        found = self._lacking.get("base_backup") or read_backup_sessions(_only_row(answer))
        self._backup_runs = isinstance(found, BackupSessions) and bool(found.sessions)
        at = (answer.sent_at + answer.answered_at) / 2
        cadence_s = self.cadence_s * (1 if self._backup_runs else SETTINGS_EVERY)
        return Fact(Snapshot.backup_sessions, found, at, BACKUPS_SOURCE, cadence_s)

    def _untold(self, row: Row) -> tuple[str, ...]:
        untold = [] if _lists_archiver(row) else [_ARCHIVER_UNTOLD]
        if "wal_directory" in self._lacking:
            untold.append(f"the .ready backlog and pg_wal's size: {self._lacking['wal_directory'].reason}")
        return tuple(untold)


def _only_row(answer: Answer) -> Row:
    if len(answer.rows) == 1:
        return answer.rows[0]
    why = f"it answered with {len(answer.rows)} rows instead of one"
    raise DatabaseError("read pg_stat_archiver", why, "is this a PostgreSQL server?")


def _server(row: Row, at: float) -> ServerFacts:
    wal_file = text(row, "wal_file")
    timeline = int(wal_file[:8], 16) if wal_file else integer(row, "recovery_timeline")
    return ServerFacts(
        version_num=integer(row, "version_num") or 0,
        version=text(row, "version") or "n/a",
        in_recovery=truth(row, "in_recovery"),
        started_at=number(row, "started_at") or 0.0,
        clock=number(row, "clock") or at,
        clock_read_at=at,
        timeline=timeline or 1,
        segment_bytes=integer(row, "segment_bytes") or DEFAULT_SEGMENT_BYTES,
        system_identifier=text(row, "system_identifier"),
        data_directory=text(row, "data_directory"),
        config_file=text(row, "config_file"),
        database=text(row, "database") or "n/a",
        role=text(row, "role") or "n/a",
        superuser=truth(row, "superuser"),
        missing=_missing(row),
        loaded_at=number(row, "loaded_at"),
        tablespaces=integer(row, "tablespaces") or 0,
        damaged_pages=integer(row, "damaged_pages"),
        damaged_at=number(row, "damaged_at"),
        damaged_databases=tuple(json.loads(text(row, "damaged_databases") or "[]")),
        replay_paused=truth(row, "replay_paused"),
    )


def _missing(row: Row) -> tuple[str, ...]:
    """What this role may not see, and the GRANT that would allow it."""
    role = text(row, "quoted_role") or "ROLE"
    missing = []
    if not truth(row, "may_read_settings"):
        what = "where a setting comes from (file and line), data_directory and config_file"
        missing.append(f"{what}: GRANT pg_read_all_settings TO {role} would show them")
    if not truth(row, "may_list_wal"):
        missing.append(f"the .ready backlog and pg_wal's size: GRANT pg_monitor TO {role} would show them")
    if _lists_archiver(row) and not truth(row, "may_read_stats"):
        missing.append(f"the archiver process: GRANT pg_read_all_stats TO {role} would show it")
    return tuple(missing)


def _lists_archiver(row: Row) -> bool:
    return (integer(row, "version_num") or 0) >= ARCHIVER_LISTED_SINCE


def _archiver(row: Row, server: ServerFacts, directory: _WalDirectory) -> ArchiverFacts:
    lsn = parse_lsn(text(row, "lsn") or "0/0")
    holding = Segment.at if server.version_num >= BOUNDARY_IS_NEXT_SINCE else Segment.ending_at
    segment = holding(server.timeline, lsn, server.segment_bytes)
    return ArchiverFacts(
        archived_count=integer(row, "archived_count") or 0,
        last_archived_wal=text(row, "last_archived_wal"),
        last_archived_at=number(row, "last_archived_at"),
        failed_count=integer(row, "failed_count") or 0,
        last_failed_wal=text(row, "last_failed_wal"),
        last_failed_at=number(row, "last_failed_at"),
        stats_reset_at=number(row, "stats_reset_at"),
        lsn=lsn,
        current_wal=segment.name(server.segment_bytes),
        archiver_pid=integer(row, "archiver_pid"),
        ready_count=directory.ready_count,
        clock=server.clock,
        archiver_visible=_lists_archiver(row) and truth(row, "may_read_stats"),
    )


def _directory(row: Row) -> _WalDirectory:
    return _WalDirectory(integer(row, "ready_count"), integer(row, "wal_files"))


def read_settings(row: Row) -> SettingsFacts:
    """The settings from queries/settings.sql's JSON; its keys are Setting's fields."""
    return SettingsFacts(tuple(Setting(**setting) for setting in json.loads(text(row, "settings") or "[]")))


SLOTS_SOURCE = "pg_replication_slots"
SUMMARIES_SINCE = 170000


class RetentionProbe:
    """Fills RETENTION: rarely, for slots do not come and go."""

    name = SLOTS_SOURCE
    slots = (Snapshot.retention,)
    cadence_s = 5.0
    timeout_s = 18.0

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self) -> Sequence[Fact]:
        """One statement. Raises errors.DatabaseError and what the connection raises."""
        version_num = await self._database.version_num()
        if version_num < OLDEST_VERSION_NUM:
            return ()
        answer = await self._database.fetch(
            query("retention_17" if version_num >= SUMMARIES_SINCE else "retention")
        )
        if len(answer.rows) != 1:
            why = f"it answered with {len(answer.rows)} rows instead of one"
            raise DatabaseError("read pg_replication_slots", why, "is this a PostgreSQL server?")
        at = (answer.sent_at + answer.answered_at) / 2
        return [Fact(Snapshot.retention, read_retention(answer.rows[0]), at, SLOTS_SOURCE)]


def read_retention(row: Row) -> RetentionFacts:
    """The answer of queries/retention.sql. Raises errors.DatabaseError where it is another's."""
    try:
        slots = tuple(
            ReplicationSlot(**{**slot, "name": safe(slot["name"]), "reader": safe(slot.get("reader", ""))})
            for slot in json.loads(text(row, "slots") or "[]")
        )
    except (ValueError, TypeError, KeyError) as error:
        why = f"its rows are not what pg_replication_slots has ({type(error).__name__})"
        raise DatabaseError("read pg_replication_slots", why, "is this a PostgreSQL server?") from error
    return RetentionFacts(
        slots,
        integer(row, "max_wal_bytes"),
        integer(row, "keep_bytes"),
        integer(row, "summarizer_behind_bytes"),
        integer(row, "prepared"),
        number(row, "prepared_since"),
    )
