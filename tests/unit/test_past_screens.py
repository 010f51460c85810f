"""Whole screens of the past: kept by links and blocks, thinner further back, bounded, found by their time."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.data.configuration import configured
from tests.data.facts import NOW, archiver, healthy, link
from tests.data.past import tidied_for_long
from tests.data.snapshots import failing, log_lines, reading
from tests.unit.test_watcher_seen import Clock
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import AnySlot, Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.model import Incident, IncidentLog
from walconsole.domain.kept.screens import (
    LINES_KEPT,
    Frame,
    Link,
    PastScreen,
    ScreenReader,
    ScreenWriter,
    changes_of,
    followed,
    linked,
    links_of,
    newest_lines,
    packed,
    thinned_frames,
    unpacked,
)
from walconsole.domain.past import BLOCK_S, DAY_S, SCREEN_TIERS
from walconsole.domain.standing.model import Level
from walconsole.operator_files import history_file
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.history_keeper import SCREEN_EVERY_S, HistoryKeeper
from walconsole.session.past import HeldHistory, KeptPast

HOUR = int(NOW) // BLOCK_S * BLOCK_S


@pytest.fixture
def file(tmp_path: Path) -> HistoryFile:
    return HistoryFile({"XDG_STATE_HOME": str(tmp_path)})


def screen(at: float, archived: int = 65) -> PastScreen:
    snapshot = fold(healthy(), reading(Snapshot.archiver, archiver(archived_count=archived)), at)
    return PastScreen(at, snapshot)


def frames(first: float, last: float, every_s: float, level: str = "ok") -> Iterator[Frame]:
    """The counter grows by one with each."""
    for number in count():
        at = first + number * every_s
        if at >= last:
            return
        yield Frame(at, level, {"at": at, "archived": number, "still": ["a"] * 40})


def kept(file: HistoryFile, made: list[Frame], writer: int = 1) -> None:
    """As a writer does: a chain an hour."""
    for hour in sorted({int(frame.at // BLOCK_S) for frame in made}):
        chain = linked(frame for frame in made if int(frame.at // BLOCK_S) == hour)
        file.keep_screens("db", writer, chain)


def all_of(file: HistoryFile) -> list[Frame]:
    return [frame for hour in file.screen_hours("db") for frame in file.screens_of("db", hour)]


def test_a_moment_comes_back_with_its_log_and_what_was_remembered() -> None:
    incident = Incident(NOW - 60, Level.CRITICAL, "archiving fails", NOW)
    lines = newest_lines((), log_lines())
    was = PastScreen(NOW, failing(), lines, IncidentLog(open=incident))
    back = ScreenReader().screen(unpacked(packed(ScreenWriter().document(was))))
    assert (back.at, back.lines, back.remembered) == (was.at, was.lines, was.remembered)
    assert diagnose(back.snapshot, NOW) == diagnose(was.snapshot, NOW)


def test_only_lines_about_archiving_are_kept_and_no_more_than_that() -> None:
    line = next(line for line in log_lines() if line.about_archiving)
    other = line._replace(about_archiving=False)
    first = newest_lines((), [other, line])
    assert first == (line,)
    assert newest_lines(first, [other]) is first
    assert len(newest_lines(first, [line] * 1000)) == LINES_KEPT


def test_what_was_kept_is_there_before_and_after_it_was_packed(file: HistoryFile) -> None:
    made = list(frames(HOUR, HOUR + 2 * BLOCK_S, 10))
    kept(file, made)
    assert all_of(file) == made
    file.tidy("db", HOUR + BLOCK_S + 5)  # one hour is over
    assert all_of(file) == made
    assert file.screen_levels("db") == [(HOUR, "ok")]
    assert file.screen_hours("other") == []


def test_two_writers_of_one_hour_do_not_spoil_each_other(file: HistoryFile) -> None:
    one, other = list(frames(HOUR, HOUR + 600, 10)), list(frames(HOUR + 5, HOUR + 600, 10))
    for first, second in zip(linked(one), linked(other), strict=True):
        file.keep_screens("db", 1, [first])
        file.keep_screens("db", 2, [second])
    assert all_of(file) == sorted([*one, *other])
    file.tidy("db", HOUR + 2 * BLOCK_S)
    assert {frame.at for frame in all_of(file)} >= {frame.at for frame in other}


def test_further_back_fewer_are_kept_and_each_change_of_the_first_line(file: HistoryFile) -> None:
    made = list(frames(HOUR, HOUR + BLOCK_S, 10))
    made[100:130] = [frame._replace(level="critical") for frame in made[100:130]]
    kept(file, made)
    for age_s, every_s in ((3600, 10), (3 * DAY_S, 60), (11 * DAY_S, 600)):
        tidied_for_long(file, "db", HOUR + BLOCK_S + age_s)
        left = all_of(file)
        assert len(left) <= BLOCK_S // every_s + 2
        assert changes_of(left) == [(left[0].at, "ok"), (made[100].at, "critical"), (made[130].at, "ok")]
        assert file.screen_levels("db") == changes_of(left)
        assert all(frame in made for frame in left)
    tidied_for_long(file, "db", HOUR + 32 * DAY_S)
    assert all_of(file) == []


def test_a_cluster_takes_no_more_than_its_limit(file: HistoryFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_file, "LIMIT_BYTES", 4000)
    kept(file, list(frames(HOUR, HOUR + 10 * BLOCK_S, 60)))
    file.tidy("db", HOUR + 10 * BLOCK_S)
    left = file.screen_hours("db")
    assert 0 < len(left) < 10
    assert left[-1] == (HOUR + 9 * BLOCK_S) // BLOCK_S


def test_a_damaged_link_costs_what_follows_it_in_its_hour(file: HistoryFile) -> None:
    made = list(frames(HOUR, HOUR + 100, 10))
    chain = linked(made)
    file.keep_screens("db", 1, [*chain[:4], Link(chain[4].at, "ok", ["l", 0, 9, []]), *chain[5:]])
    assert all_of(file) == made[:4]


def test_the_file_of_an_earlier_walconsole_gets_what_it_lacks(file: HistoryFile) -> None:
    import sqlite3
    from contextlib import closing

    kept(file, list(frames(HOUR, HOUR + 20, 10)))
    with closing(sqlite3.connect(file.path)) as database:
        database.executescript("DROP TABLE screens; DROP TABLE fresh_screens; PRAGMA user_version = 1;")
    kept(file, list(frames(HOUR, HOUR + 20, 10)))
    assert len(all_of(file)) == 2


@pytest.mark.parametrize(
    "content", [None, [1], [[1, "ok"]], [["x", "ok", None]], [[-1, "ok", None]], [[1, 2, None]]]
)
def test_what_is_no_chain_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="moment"):
        links_of(content)


@pytest.mark.parametrize("block", [b"", b"x", packed({})[:-2], packed("a" * 1000)])
def test_what_is_not_packed_is_refused(block: bytes) -> None:
    with pytest.raises(ValueError, match="packed"):
        unpacked(block, most=100)


def test_a_chain_is_followed_as_it_was_linked() -> None:
    made = list(frames(0, 100, 10))
    assert list(followed(links_of(unpacked(packed(linked(made)))))) == made
    assert thinned_frames(made, 50) == [made[4], made[9]]


# -- Reading it.


def past_of(file: HistoryFile | HeldHistory) -> KeptPast:
    return KeptPast(file, "db")


async def look(keeper: HistoryKeeper, clock: Clock, seconds: int, snapshot: Snapshot) -> None:
    for _ in range(seconds):
        clock.wall, clock.on = clock.wall + 1, clock.on + 1
        keeper.look(PastScreen(clock.wall, snapshot), diagnose(snapshot, clock.wall))
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["file", "session"])
async def test_a_session_keeps_screens_and_goes_back_through_them(kind: str, tmp_path: Path) -> None:
    history = HistoryFile({"XDG_STATE_HOME": str(tmp_path)}) if kind == "file" else HeldHistory()
    clock = Clock()
    begun = clock.wall + 1
    keeper = HistoryKeeper(history, "db", clock)
    await look(keeper, clock, 100, healthy())
    await look(keeper, clock, 20, failing())
    await look(keeper, clock, 100, healthy())
    await keeper.close()
    past = past_of(history)
    levels = await past.levels()
    assert [level for _, level in levels] == ["ok", "critical", "ok"]
    assert levels[0][0] == begun
    assert levels[1][0] == begun + 100
    seen = await past.screen(levels[1][0] + 3)
    assert seen is not None
    assert seen.at == levels[1][0]
    assert seen.snapshot.archiver.value == failing().archiver.value
    before = await past.beside(seen.at, -1)
    assert before == begun + 90
    after = await past.beside(seen.at, 1)
    assert after == seen.at + SCREEN_EVERY_S
    first = await past.screen(0)
    assert first is not None
    assert first.at == begun
    assert await past.beside(begun, -1) is None
    assert await past.beside(clock.wall + 1000, 1) is None


async def test_a_screen_that_cannot_be_kept_costs_nothing_else(file: HistoryFile) -> None:
    clock = Clock()
    keeper = HistoryKeeper(file, "db", clock)
    odd = fold(healthy(), reading(Snapshot.link, replace(link(), round_trip_s=float("nan"))), NOW)
    await look(keeper, clock, 5, odd)
    await keeper.close()
    assert len(file.readings("db", 0)) == 5
    assert file.screen_hours("db") == []
    await look(keeper, clock, 20, healthy())
    await keeper.close()
    assert len(all_of(file)) == 2


async def test_nothing_is_found_where_nothing_is_kept(file: HistoryFile) -> None:
    past = past_of(file)
    assert await past.levels() == []
    assert await past.screen(NOW) is None
    assert await past.beside(NOW, -1) is None


async def test_one_that_is_damaged_is_passed_over(file: HistoryFile) -> None:
    writer = ScreenWriter()
    good = Frame(HOUR + 1.0, "ok", writer.document(screen(HOUR + 1.0)))
    kept(file, [good, Frame(HOUR + 2.0, "ok", {"at": "odd"})])
    seen = await past_of(file).screen(HOUR + 5)
    assert seen is not None
    assert seen.at == HOUR + 1


async def test_what_could_not_be_written_is_written_later_as_a_chain_of_its_own(file: HistoryFile) -> None:
    clock = Clock()
    keeper = HistoryKeeper(file, "db", clock)
    await look(keeper, clock, 1, healthy())
    await keeper.close()
    whole = file.path.read_bytes()
    for companion in file.path.parent.glob("history.db*"):
        companion.unlink()
    file.path.mkdir()
    await look(keeper, clock, 20, failing())
    await keeper.close()
    file.path.rmdir()
    file.path.write_bytes(whole)
    file.path.chmod(0o600)
    await look(keeper, clock, 10, replace(failing(), profile_name="later"))
    await keeper.close()
    past = past_of(file)
    seen = await past.screen(clock.wall)
    assert seen is not None
    assert seen.snapshot.profile_name == "later"
    assert [level for _, level in await past.levels()][-1] == "critical"


def test_a_session_alone_is_bounded() -> None:
    held = HeldHistory()
    held.keep_screens("db", 1, linked(frames(HOUR, HOUR + 30_000, 10)))
    held.keep_screens("db", 1, linked(frames(HOUR + 30_000, HOUR + 30_100, 10)))
    assert len(held.screens_of("db", HOUR // BLOCK_S)) < 361
    assert sum(len(held.screens_of("db", hour)) for hour in held.screen_hours("db")) <= HeldHistory.MOST


# -- What it takes.


def busy_hour(every_s: int) -> Iterator[PastScreen]:
    """Two segments a minute on a server with a million of other things to do: what a probe reads changes."""
    chance = random.Random(1)  # noqa: S311  # no secret
    snapshot = configured(healthy())
    for number in range(BLOCK_S // every_s):
        at = HOUR + number * every_s + 0.25
        lsn = (0x42 << 24) + number * every_s * 500_000
        name = f"{1:08X}{lsn >> 32:08X}{(lsn >> 24) & 0xFF:08X}"
        changes: tuple[tuple[AnySlot, dict[str, Any]], ...] = (
            (Snapshot.archiver, {"archived_count": 65 + number, "lsn": lsn, "current_wal": name}),
            (Snapshot.archiver, {"last_archived_at": at - 30 * chance.random(), "last_archived_wal": name}),
            (Snapshot.wal_disk, {"free_bytes": chance.getrandbits(36), "ready_count": chance.randrange(3)}),
            (Snapshot.host, {"clock": at, "clock_read_at": at + chance.random() / 50, "load_1min": at % 1}),
            (Snapshot.server, {"clock": at, "clock_read_at": at + chance.random() / 50}),
            (Snapshot.link, {"round_trip_s": chance.random() / 50}),
            (Snapshot.primary, {"objects": number, "stored_bytes": number << 23, "swept_at": at}),
            (Snapshot.dr, {"objects": number, "stored_bytes": number << 23, "swept_at": at}),
        )
        for slot, values in changes:
            before = slot.of(snapshot)
            value: Any = before.value
            value = replace(value, **values)
            if isinstance(value, BucketFacts) and value.holding is not None:
                times = value.holding.times.copy()
                times.note(1, 0x42 + number, at)
                value = replace(value, holding=replace(value.holding, times=times))
            snapshot = fold(snapshot, replace(before, value=value, read_at=at), at)
        yield PastScreen(at, snapshot, newest_lines((), log_lines()))


async def test_a_month_stays_within_its_size_and_a_moment_opens_within_its_time(file: HistoryFile) -> None:
    taken = 0
    for (until_s, every_s), (since_s, _) in zip(SCREEN_TIERS, [(0, 0), *SCREEN_TIERS], strict=False):
        writer = ScreenWriter()
        made = [Frame(screen.at, "ok", writer.document(screen)) for screen in busy_hour(every_s)]
        taken += len(packed(linked(made))) * (until_s - since_s) // BLOCK_S
        if every_s == SCREEN_TIERS[0][1]:
            kept(file, made)
    assert taken < 40 << 20  # measured: 15 MiB; the budget of all that is kept is 200
    file.tidy("db", HOUR + 2 * BLOCK_S)
    began = time.process_time()
    seen = await past_of(file).screen(HOUR + BLOCK_S)
    assert time.process_time() - began < 0.3
    assert seen is not None
    assert seen.snapshot.primary.value is not None


def test_the_tiers_are_those_that_are_documented() -> None:
    assert SCREEN_TIERS == ((2 * DAY_S, 10), (10 * DAY_S, 60), (30 * DAY_S, 600))
    assert SCREEN_EVERY_S == 10
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    assert (
        "every ten seconds for two days, every minute for ten days, every ten minutes for thirty days" in page
    )
