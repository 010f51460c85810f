"""The past of a cluster: coded without loss, thinner further back, bounded, there when a console begins."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, archiver, healthy
from tests.data.past import tidied_for_long
from tests.unit.test_diagnosis_evidence import FAILED
from tests.unit.test_watch_file import no_file_larger_than
from tests.unit.test_watcher_seen import Clock
from walconsole.domain.facts.history import History
from walconsole.domain.failures import diagnose
from walconsole.domain.kept.screens import PastScreen
from walconsole.domain.past import (
    BLOCK_S,
    DAY_S,
    TIERS,
    PastReading,
    Said,
    decoded,
    encoded,
    history_of,
    reading_of,
    said_of,
    spacing_s,
    thinned,
)
from walconsole.domain.standing.model import Finding, Severity
from walconsole.domain.standing.trends import archived_per_minute
from walconsole.errors import RegisterError
from walconsole.operator_files import history_file
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.history_keeper import HistoryKeeper, past_of

HOUR = int(NOW) // BLOCK_S * BLOCK_S
COUNT = st.none() | st.integers(0, 1 << 50)
READINGS = st.lists(st.builds(PastReading, st.integers(0, 1 << 33), *[COUNT] * 7), max_size=40)


@given(READINGS)
def test_nothing_is_lost_by_coding(readings: list[PastReading]) -> None:
    assert decoded(encoded(readings)) == readings


@pytest.mark.parametrize("block", [b"", b"no block", encoded([PastReading(1)])[:-3]])
def test_what_is_no_block_is_said(block: bytes) -> None:
    with pytest.raises(ValueError, match="a block of the history"):
        decoded(block)


def test_a_second_of_a_server_that_stands_still_takes_a_few_bytes() -> None:
    block = encoded(
        [PastReading(HOUR + at, 10**6, 3, 0, 1 << 30, 1 << 40, 1 << 37, 1 << 37) for at in range(3600)]
    )
    assert len(block) < 400


@given(st.lists(st.integers(0, 40 * DAY_S), max_size=60, unique=True))
def test_what_is_kept_is_thinner_further_back_and_stays_so(ages: list[int]) -> None:
    now = float(HOUR)
    readings = [PastReading(HOUR - age) for age in sorted(ages, reverse=True)]
    kept = thinned(readings, now)
    assert thinned(kept, now) == kept
    assert set(kept) <= set(readings)
    spans = [(spacing_s(now - each.at), each.at // (spacing_s(now - each.at) or 1)) for each in kept]
    assert len(set(spans)) == len(spans)
    assert all(each.at > HOUR - 30 * DAY_S for each in kept)
    if readings and readings[-1].at > HOUR - 30 * DAY_S:
        assert kept[-1] == readings[-1], "the newest always stays"


def test_a_console_begins_with_the_last_hour() -> None:
    readings = [PastReading(HOUR + at, 100 + at // 60, 0, 2, 1 << 30, 1 << 40) for at in range(0, 3600, 2)]
    seeded = history_of(readings)
    before = [rate for rate in archived_per_minute(seeded, HOUR + 3600.0) if rate is not None]
    assert len(before) == 30
    assert abs(sum(before) - 30) <= 1
    later = seeded.with_archiver(archiver(archived_count=165, failed_count=7), HOUR + 3610.0, None)
    assert (later.archived, later.failed) == (0, 0), "the counters begin with this console"
    assert later.archiver[-1].archived == 0
    assert later.archiver[0].archived == 100 - 165
    assert [each.archived for each in later.archiver] == sorted(each.archived for each in later.archiver)
    assert len(later.disk) == 600
    again = later.with_archiver(archiver(archived_count=166), HOUR + 3615.0, None)
    assert again.archived == 1


def test_a_reset_of_the_counters_ends_what_was_before() -> None:
    readings = [PastReading(HOUR, 500), PastReading(HOUR + 60, 510), PastReading(HOUR + 120, 2)]
    assert [sample.archived for sample in history_of(readings).archiver] == [2]
    seeded = history_of(readings[:2])
    assert len(seeded.with_archiver(archiver(archived_count=3), HOUR + 300.0, None).archiver) == 1
    assert history_of([]) == History()


def test_what_was_not_read_is_not_kept_as_if_it_were() -> None:
    known = reading_of(healthy(), NOW)
    assert None not in (known.archived, known.free_bytes, known.stored_bytes)
    from tests.data.snapshots import all_dead

    assert reading_of(all_dead(), NOW) == PastReading(int(NOW))


def test_no_secret_is_kept() -> None:
    diagnosis = diagnose(healthy(archiver=archiver(**FAILED)), NOW)
    secret: dict[str, Any] = {"title": "it says password=hunter2", "severity": Severity.CRITICAL}
    findings: tuple[Finding, ...] = (replace(diagnosis.findings[0], **secret),)
    said = said_of(replace(diagnosis, findings=findings))
    assert said.level == "critical"
    assert said.found[0][2] == "it says password=[redacted]"


# -- The file.


@pytest.fixture
def file(tmp_path: Path) -> HistoryFile:
    return HistoryFile({"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)})


def hours(first: int, last: int, every_s: int = 10) -> Iterable[PastReading]:
    return (PastReading(at, at - first, free_bytes=1 << 30) for at in range(first, last, every_s))


def test_it_is_read_as_it_was_written_whether_packed_or_not(file: HistoryFile) -> None:
    assert file.readings("db", 0) == []
    assert not file.path.exists(), "whoever only reads makes no file"
    written = list(hours(HOUR - 3 * BLOCK_S, HOUR + 600))
    file.write("db", written)
    file.write("db", written[:5])
    file.write("other", written[:1])
    assert file.readings("db", 0) == written
    file.tidy("db", HOUR + 600)
    assert file.readings("db", 0) == written
    assert file.readings("db", HOUR - 50) == [each for each in written if each.at >= HOUR - 50]
    with closing(sqlite3.connect(file.path)) as database:
        rows = database.execute("SELECT cluster, count(*) FROM fresh GROUP BY cluster").fetchall()
    assert dict(rows) == {"db": 60, "other": 1}
    late = PastReading(HOUR - BLOCK_S + 5, 7)
    file.write("db", [late])
    file.tidy("db", HOUR + 600)
    assert late in file.readings("db", HOUR - BLOCK_S)
    assert {path.stat().st_mode & 0o777 for path in file.path.parent.iterdir()} == {0o600}


def test_it_grows_thinner_and_goes(file: HistoryFile) -> None:
    file.write("db", list(hours(HOUR - 3 * BLOCK_S, HOUR, 5)))
    file.tidy("db", HOUR)
    for age, every_s in ((3 * DAY_S, 10), (11 * DAY_S, 60)):
        tidied_for_long(file, "db", HOUR + age)
        times = [each.at for each in file.readings("db", 0)]
        assert {after - before for before, after in pairwise(times)} <= {every_s, every_s + 5, every_s - 5}
        assert len(times) == 3 * BLOCK_S / every_s
    tidied_for_long(file, "db", HOUR + 31 * DAY_S)
    assert file.readings("db", 0) == []


@pytest.mark.parametrize("jump_s", [BLOCK_S, DAY_S, 3653 * DAY_S])
def test_a_clock_that_jumps_forward_for_an_hour_takes_nearly_nothing_away(
    file: HistoryFile, jump_s: int
) -> None:
    """Whoever begins tidies at once, and then every quarter of an hour; nothing of today becomes thinner."""
    month = [PastReading(HOUR - age, age) for age in range(28 * DAY_S, 0, -BLOCK_S // 6)]
    file.write("db", month)
    tidied_for_long(file, "db", HOUR)
    before = file.readings("db", 0)
    for quarter in range(5):
        at = HOUR + jump_s + quarter * BLOCK_S // 4
        file.write("db", [PastReading(at, 1)])
        file.tidy("db", at)
    file.tidy("db", HOUR + 2 * BLOCK_S)
    after = {each.at for each in file.readings("db", 0)}
    assert {each.at for each in before} - after <= {each.at for each in before if each.at < HOUR - 24 * DAY_S}
    assert after >= {each.at for each in month if each.at > HOUR - 23 * DAY_S}


def test_it_is_bounded(file: HistoryFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write("db", list(hours(HOUR - 20 * BLOCK_S, HOUR)))
    file.tidy("db", HOUR)
    with closing(sqlite3.connect(file.path)) as database:
        ((size,),) = database.execute("SELECT sum(length(readings)) FROM blocks").fetchall()
    monkeypatch.setattr(history_file, "LIMIT_BYTES", size // 2)
    file.tidy("db", HOUR)
    left = file.readings("db", 0)
    assert 0 < len(left) <= 10 * 360
    assert left[-1].at == HOUR - 10
    monkeypatch.setattr(history_file, "_MOST_SAID", 3)
    for at, level in enumerate(("ok", "critical") * 5):
        file.note("db", Said(level, f"it is {level}"), HOUR + at)
    file.tidy("db", HOUR)
    assert [at - HOUR for at, _, _ in file.verdicts("db", 0)] == [7, 8, 9]


def test_what_was_said_is_kept_when_it_changes(file: HistoryFile) -> None:
    failing = ("failing/archiver/", "critical", "it fails")
    for at, said in enumerate(
        (Said("ok", "well"), Said("ok", "still"), Said("critical", "bad", (failing,)), Said("ok", "well"))
    ):
        file.note("db", said, HOUR + at)
    assert file.verdicts("db", 0) == [
        (HOUR, "ok", "well"),
        (HOUR + 2, "critical", "bad"),
        (HOUR + 3, "ok", "well"),
    ]
    assert file.findings("db", 0) == [("failing/archiver/", HOUR + 2, HOUR + 3, "critical", "it fails")]
    assert file.verdicts("other", 0) == []


def test_a_file_that_is_damaged_is_kept_aside(file: HistoryFile) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(b"this is no database, " * 100)
    file.write("db", [PastReading(HOUR, 1)])
    assert file.readings("db", 0) == [PastReading(HOUR, 1)]
    assert file.path.with_name("history.db.unreadable-1").read_bytes().startswith(b"this is no")


def test_a_file_that_is_damaged_in_its_midst_is_kept_aside(file: HistoryFile) -> None:
    """Its first page, by which it is opened, is as it was."""
    for hour in range(40):
        file.write("db", list(hours(HOUR + hour * BLOCK_S, HOUR + (hour + 1) * BLOCK_S, 30)))
    with closing(sqlite3.connect(file.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(RegisterError, match="a new one is begun"):
        file.write("db", [PastReading(HOUR + 50 * BLOCK_S, 1)])
    assert file.path.with_name("history.db.unreadable-1").stat().st_size == len(whole)
    file.write("db", [PastReading(HOUR + 50 * BLOCK_S, 1)])
    assert file.readings("db", 0) == [PastReading(HOUR + 50 * BLOCK_S, 1)]


def test_it_is_read_while_another_writes(file: HistoryFile) -> None:
    file.write("db", [PastReading(HOUR, 1)])
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM fresh")
        assert file.readings("db", 0) == [PastReading(HOUR, 1)]
        with pytest.raises(RegisterError, match="locked"):
            file.write("db", [PastReading(HOUR + 1, 2)])


def test_a_disk_that_is_full_is_said_and_nothing_is_taken_away(file: HistoryFile) -> None:
    file.write("db", [PastReading(HOUR, 1)])
    with (
        no_file_larger_than(file.path.stat().st_size),
        pytest.raises(RegisterError, match="keeping the past in"),
    ):
        file.write("db", list(hours(HOUR + 1, HOUR + BLOCK_S, 1)))
    assert file.readings("db", 0) == [PastReading(HOUR, 1)]


def test_what_was_kept_is_read_where_nothing_can_be_written(file: HistoryFile) -> None:
    """SQLite makes a file beside it even to read: at a full disk nothing of the past was shown."""
    kept = list(hours(HOUR, HOUR + 60, 1))
    file.write("db", kept)
    with no_file_larger_than(0):
        assert file.readings("db", 0) == kept
        assert file.verdicts("db", 0) == []
        with pytest.raises(RegisterError):
            file.write("db", kept)
    assert not list(file.path.parent.glob("*.unreadable*"))


def test_half_of_what_was_kept_is_not_shown_for_all_of_it(file: HistoryFile, tmp_path: Path) -> None:
    """A writer was killed: what it wrote last stands beside the file, and SQLite must write to read that."""
    file.write("db", [PastReading(HOUR, 1)])
    with closing(sqlite3.connect(file.path)) as database:
        database.execute("UPDATE fresh SET archived = 2")
        database.commit()
        log = file.path.with_name("history.db-wal").read_bytes()
        assert log
        copy = tmp_path / "copy" / "walconsole"
        copy.mkdir(mode=0o700, parents=True)
        for name, content in (("history.db", file.path.read_bytes()), ("history.db-wal", log)):
            (copy / name).write_bytes(content)
    killed = HistoryFile({"XDG_STATE_HOME": str(copy.parent)})
    with no_file_larger_than(0), pytest.raises(RegisterError):
        killed.readings("db", 0)
    assert killed.readings("db", 0) == [PastReading(HOUR, 2)]


def test_a_newer_consoles_file_is_left_as_it_is(file: HistoryFile) -> None:
    file.write("db", [PastReading(HOUR, 1)])
    with closing(sqlite3.connect(file.path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = file.path.read_bytes()
    for call in (lambda: file.readings("db", 0), lambda: file.write("db", [PastReading(HOUR + 1, 1)])):
        with pytest.raises(RegisterError, match="a newer walconsole wrote it"):
            call()
    assert file.path.read_bytes() == before
    assert not list(file.path.parent.glob("*.unreadable*"))


async def test_a_session_keeps_what_it_sees_unless_a_watcher_does(file: HistoryFile, tmp_path: Path) -> None:
    from walconsole.domain.facts.evidence import WatcherFacts

    clock = Clock()
    keeper = HistoryKeeper(file, "db", clock)
    snapshot = healthy()
    for _ in range(30):
        clock.wall, clock.on = clock.wall + 1, clock.on + 1
        keeper.look(PastScreen(clock.wall, snapshot), diagnose(snapshot, clock.wall))
    await keeper.close()
    assert len(file.readings("db", 0)) == 30
    assert [level for _, level, _ in file.verdicts("db", 0)] == ["ok"]
    watched = healthy(watcher=WatcherFacts(NOW, True, NOW))
    keeper.look(PastScreen(NOW + 100, watched), diagnose(watched, NOW))
    await keeper.close()
    assert len(file.readings("db", 0)) == 30
    past = past_of({"XDG_STATE_HOME": str(tmp_path)}, "db", clock.wall)
    assert past is not None
    assert len(past.disk) == 6
    assert past_of({"XDG_STATE_HOME": str(tmp_path)}, "other", clock.wall) is None


async def test_what_cannot_be_written_is_kept_for_a_while_and_bounded(file: HistoryFile) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.mkdir()  # no file can be there
    clock = Clock()
    keeper = HistoryKeeper(file, "db", clock)
    snapshot = healthy()
    for _ in range(1000):
        clock.wall, clock.on = clock.wall + 1, clock.on + 1
        keeper.look(PastScreen(clock.wall, snapshot), diagnose(snapshot, NOW))
    await keeper.close()
    assert len(keeper._pending) == 600
    file.path.rmdir()
    await keeper.close()
    assert len(file.readings("db", 0)) == 600


def test_the_tiers_are_those_that_are_documented() -> None:
    assert TIERS == ((2 * DAY_S, 1), (10 * DAY_S, 10), (30 * DAY_S, 60))
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    assert "every second for two days, every ten seconds for ten days, every minute for thirty days" in page
