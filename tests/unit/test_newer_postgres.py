"""A server of a version that nobody knows yet: no crash, nothing guessed, and what it lacks is said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, backup, bucket, healthy, server
from walconsole.domain.facts.observed import ArchiverFacts, CatalogueFacts, ServerFacts, SettingsFacts
from walconsole.domain.facts.snapshot import AnySlot, Problem, Reading, Snapshot, failed, fold
from walconsole.domain.failures import Level, diagnose
from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.resolution import ServerStart, State, resolve
from walconsole.domain.pgconf.tree import ConfigTree, FileContent
from walconsole.domain.pgconf.values import Context, VarType
from walconsole.domain.profile import BucketRole
from walconsole.domain.round_trips import Answer, Row
from walconsole.errors import DatabaseError
from walconsole.observe.poller.probe import Fact, problem_of
from walconsole.observe.server.catalogue import CatalogueProbe
from walconsole.observe.server.sql import PostgresProbe, RetentionProbe

NEW = 190000
SERVER: dict[str, Any] = {
    "version_num": NEW, "version": "19beta1", "in_recovery": False, "started_at": NOW - 9000.0,
    "loaded_at": NOW - 9000.0, "clock": NOW, "recovery_timeline": None, "segment_bytes": 1 << 24,
    "system_identifier": "7", "data_directory": "/data", "config_file": "/data/postgresql.conf",
    "database": "postgres", "role": "postgres", "quoted_role": "postgres", "superuser": True,
    "may_read_settings": True, "may_read_stats": True, "may_list_wal": True,
}  # fmt: skip
ARCHIVER: dict[str, Any] = {
    "archived_count": 65, "last_archived_wal": "000000010000000000000041", "last_archived_at": NOW - 41,
    "failed_count": 0, "last_failed_wal": None, "last_failed_at": None, "stats_reset_at": None,
    "lsn": "0/42500000", "wal_file": "000000010000000000000042", "archiver_pid": 801,
}  # fmt: skip
WAL_DIRECTORY: dict[str, Any] = {"ready_count": 0, "wal_files": 5, "wal_bytes": 5 << 24}
SETTING = {
    "name": "archive_mode", "value": "on", "unit": None, "source": "configuration file", "sourcefile": None,
    "sourceline": None, "pending_restart": False, "reset_value": "on",
}  # fmt: skip
SETTINGS: dict[str, Any] = {"settings": json.dumps([SETTING, SETTING | {"name": "archive_mood"}])}

PARTS = {
    "AS server": SERVER,
    "AS archiver": ARCHIVER,
    "AS settings": SETTINGS,
    "AS wal_directory": WAL_DIRECTORY,
}


class NewServer:
    """ports.Database of a server that knows not all that is asked: `lacks` are parts of statements."""

    def __init__(self, *lacks: str, sqlstate: str = "42703", row: Row | None = None) -> None:
        self.lacks, self.sqlstate, self.row = lacks, sqlstate, row
        self.asked: list[str] = []

    async def version_num(self) -> int:
        return NEW

    async def fetch(self, sql: str, *, timeout_s: float = 5.0) -> Answer:
        self.asked.append(sql)
        for lacking in self.lacks:
            if lacking in sql:
                raise DatabaseError(
                    "asking PostgreSQL",
                    'column "x" does not exist',
                    "a newer console",
                    sqlstate=self.sqlstate,
                )
        row = {"unheard_of": object()}
        for part, columns in PARTS.items():
            row |= columns if part in sql else {}
        return Answer((row if self.row is None else self.row,), NOW, NOW)

    async def aclose(self) -> None:
        return None


def values(facts: Sequence[Fact]) -> dict[AnySlot, object]:
    return {fact.slot: fact.value for fact in facts}


async def test_what_it_has_is_read_and_what_it_adds_is_left_alone() -> None:
    facts = values(await PostgresProbe(NewServer()).take())
    told, archiver, found = facts[Snapshot.server], facts[Snapshot.archiver], facts[Snapshot.settings]
    assert isinstance(told, ServerFacts)
    assert isinstance(archiver, ArchiverFacts)
    assert isinstance(found, SettingsFacts)
    assert (told.version_num, told.untold) == (NEW, ())
    assert archiver.archived_count == 65
    assert found.get("archive_mood") is not None


async def test_a_part_that_it_lacks_is_said_to_be_unreadable_and_asked_for_no_more() -> None:
    database = NewServer("AS settings", "AS wal_directory")
    probe = PostgresProbe(database)
    facts = values(await probe.take())
    problem, told, archiver = facts[Snapshot.settings], facts[Snapshot.server], facts[Snapshot.archiver]
    assert isinstance(problem, Problem)
    assert "does not exist" in problem.why
    assert isinstance(told, ServerFacts)
    assert told.untold == ('the .ready backlog and pg_wal\'s size: column "x" does not exist',)
    assert isinstance(archiver, ArchiverFacts)
    assert (archiver.archived_count, archiver.ready_count) == (65, None)
    database.asked.clear()
    assert values(await probe.take())[Snapshot.server] == told
    assert len(database.asked) == 1
    database.lacks = ()
    probe.refresh()
    assert isinstance(values(await probe.take())[Snapshot.settings], SettingsFacts)


@pytest.mark.parametrize("sqlstate", ["42703", "42883", "42P01"])
@pytest.mark.parametrize("part", ["AS server", "AS archiver"])
async def test_without_its_archiver_or_itself_nothing_is_read(part: str, sqlstate: str) -> None:
    with pytest.raises(DatabaseError) as failure:
        await PostgresProbe(NewServer(part, sqlstate=sqlstate)).take()
    whole = healthy()
    for slot in (Snapshot.server, Snapshot.archiver, Snapshot.settings):
        reading = failed(getattr(whole, slot.name), problem_of(failure.value), NOW, "PostgreSQL", 1.0)
        whole = fold(whole, reading, NOW)
    diagnosis = diagnose(whole, NOW)
    assert diagnosis.verdict.level is Level.UNKNOWN
    assert "PostgreSQL does not have what the console asks for" in diagnosis.verdict.text


async def test_another_failure_is_not_taken_for_a_newer_version() -> None:
    database = NewServer("AS settings", sqlstate="57014")
    with pytest.raises(DatabaseError):
        await PostgresProbe(database).take()
    assert len(database.asked) == 1


async def test_without_its_settings_nothing_is_called_good() -> None:
    held = bucket(backups=(backup(server_version_num=NEW),))
    whole = healthy(server=server(version_num=NEW), primary=held, dr=replace(held, role=BucketRole.DR))
    assert diagnose(whole, NOW).verdict.level is Level.OK
    problem = values(await PostgresProbe(NewServer("AS settings")).take())[Snapshot.settings]
    assert isinstance(problem, Problem)
    for before, told in ((whole.settings, "the settings"), (Reading(Snapshot.settings), "does not exist")):
        unread: Reading[Any] = failed(before, problem, NOW, "pg_settings", 5.0)
        diagnosis = diagnose(fold(whole, unread, NOW), NOW)
        assert diagnosis.verdict.level is Level.UNKNOWN
        assert told in diagnosis.verdict.text
        assert "newer-version" in {finding.rule for finding in diagnosis.findings}


ROW = [
    "archive_timeout",
    "60",
    "s",
    "integer",
    "sighup",
    "0",
    "100",
    None,
    "0",
    "configuration file",
    None,
    3,
    False,
]


def catalogue_row(*changed: tuple[int, object]) -> Row:
    row: list[object] = list(ROW)
    for place, value in changed:
        row[place] = value
    return {
        "settings": json.dumps([row, [*ROW, "a column more"]]),
        "role_settings": "[]",
        "loaded_at": NOW,
        "version_num": NEW,
        "may_read_settings": True,
    }


async def test_words_that_nobody_knows_yet_are_no_reason_to_read_nothing() -> None:
    row = catalogue_row((0, "wal_mood"), (3, "interval"), (4, "tide"), (9, "the moon"))
    (fact,) = await CatalogueProbe(NewServer(row=row)).take()
    assert isinstance(fact.value, CatalogueFacts)
    mood = fact.value.metas["wal_mood"]
    assert (mood.vartype, mood.context) == (VarType.OTHER, Context.OTHER)
    assert fact.value.metas["archive_timeout"].context is Context.SIGHUP
    assert fact.value.in_force["wal_mood"].source == "the moon"


@pytest.mark.parametrize("row", [{"settings": "[[1]]"}, {"settings": "[null]"}, catalogue_row((5, "many"))])
async def test_settings_of_another_make_are_said_to_be_unreadable(row: Row) -> None:
    with pytest.raises(DatabaseError, match="are not what pg_settings has"):
        await CatalogueProbe(NewServer(row=row)).take()


async def test_slots_that_it_describes_otherwise_are_said_to_be_unreadable() -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        await RetentionProbe(NewServer("pg_replication_slots")).take()
    with pytest.raises(DatabaseError, match="are not what pg_replication_slots has"):
        await RetentionProbe(NewServer(row={"slots": '[{"name": "s", "mood": 1}]'})).take()


MAIN = "/data/postgresql.conf"


def conf(text: str) -> ConfigTree:
    return ConfigTree({MAIN: FileContent(MAIN, text.encode())})


@pytest.mark.parametrize(("major", "errors"), [(18, 1), (19, 0), (None, 1)])
def test_a_name_that_only_a_newer_server_may_have_is_no_error_there(major: int | None, errors: int) -> None:
    """With the server down nobody can say which settings it has."""
    resolution = resolve(
        conf("wal_mood = calm\narchive_mode = on"), ServerStart((), MAIN, "/data", major=major)
    )
    assert resolution is not None
    assert len(resolution.errors) == errors
    chain = resolution.chain("archive_mode")
    assert chain is not None
    assert chain.places[-1].state is (State.DISCARDED if errors else State.APPLIED)


@pytest.mark.parametrize(
    ("place", "word", "waits"), [(4, "tide", "restart"), (3, "interval", ""), (4, "user", "reload")]
)
async def test_how_a_setting_of_an_unknown_kind_is_changed_is_not_guessed(
    place: int, word: str, waits: str
) -> None:
    row = catalogue_row((0, "wal_mood"), (place, word))
    (fact,) = await CatalogueProbe(NewServer(row=row)).take()
    assert isinstance(fact.value, CatalogueFacts)
    start = ServerStart((), MAIN, "/data", major=19)
    catalogue = Catalogue(fact.value.metas, 19)
    resolution = resolve(conf("wal_mood = 77"), start, catalogue, fact.value.in_force)
    assert resolution is not None
    chain = resolution.chain("wal_mood")
    assert chain is not None
    assert chain.waits_for == waits
