"""The list of clusters: what is kept of it, and how it was left."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.facts import NOW, healthy
from tests.data.fleet import row_of, rows
from tests.data.past import tidied_for_long
from tests.data.snapshots import failing
from tests.unit.test_watcher_seen import Clock
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.fleet.kept import ROW_TIERS, KeptRow, row_of_values, values_of, worst_levels
from walconsole.domain.fleet.order import Grouping
from walconsole.domain.fleet.row import FleetRow, Identity
from walconsole.domain.kept.screens import PastScreen
from walconsole.domain.past import DAY_S
from walconsole.domain.standing.model import Level
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.list_view import ListView, ListViewFile
from walconsole.session.fleet_past import FleetPast
from walconsole.session.history_keeper import HistoryKeeper
from walconsole.session.past import KeptPast
from walconsole.ui.fleet.columns import ALL, SETS, VERDICT, columns_of, group_of, order_of, view_of

A, B = Identity("a", "a.example.net"), Identity("b", "b.example.net", ("eu",))
AT = int(NOW) // 3600 * 3600


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}


@pytest.fixture
def file(environment: dict[str, str]) -> HistoryFile:
    return HistoryFile(environment)


def keep(file: HistoryFile, cluster: str, state: str, *times: int) -> None:
    file.keep_rows(cluster, [KeptRow(at, row_of(cluster, state)) for at in times])


def past(environment: dict[str, str], *known: Identity) -> FleetPast:
    return FleetPast(environment, [(each.name, each) for each in known])


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_row_comes_back_as_it_was(row: FleetRow, file: HistoryFile) -> None:
    file.keep_rows(row.name, [KeptRow(AT, row)])
    moment = file.list_at([(row.name, row.identity)], AT)
    assert moment is not None
    assert moment.at == AT
    assert moment.rows == (row_of_values(row.identity, values_of(row)),)
    told = replace(moment.rows[0], verdict=row.verdict, version=row.version)
    assert told == replace(row, started_at=None)  # whose other name a row is, is told of now alone


def test_nothing_secret_and_nothing_hostile_is_kept(file: HistoryFile) -> None:
    row = replace(row_of("a", "healthy"), verdict="\x1b[31mpassword=hunter2", role="\x1b]0;x\x07")
    values = " ".join(map(str, values_of(row)))
    assert "hunter2" not in values
    assert "\x1b" not in values


@pytest.mark.parametrize(("place", "value"), [(0, "splendid"), (2, "soon"), (1, 7)])
def test_a_row_that_was_never_written_so_is_none(place: int, value: object) -> None:
    values = [*values_of(row_of("a", "healthy"))]
    values[place] = value
    with pytest.raises(ValueError, match=r"splendid|no number|no text"):
        row_of_values(A, values)


async def test_the_list_is_of_each_the_newest_by_then(file: HistoryFile, environment: dict[str, str]) -> None:
    keep(file, "a", "healthy", AT, AT + 60)
    keep(file, "a", "failing", AT + 125)
    keep(file, "b", "slow", AT + 30)
    found = past(environment, A, B, Identity("new"))

    async def levels_at(at: float) -> list[str]:
        moment = await found.screen(at)
        assert moment is not None
        return [row.level.value if row.was_seen else "not yet" for row in moment.rows]

    assert await levels_at(AT - 900) == ["ok", "not yet", "not yet"], "what is kept begins later"
    assert await levels_at(AT + 70) == ["ok", "warning", "not yet"]
    assert await levels_at(AT + 900) == ["critical", "warning", "not yet"]
    assert await found.levels() == [(AT, "ok"), (AT + 30, "warning"), (AT + 125, "critical")]
    assert await found.beside(AT + 125, -1) == AT + 60
    assert await found.beside(AT + 60, -1) == AT + 30
    assert await found.beside(AT + 30, -1) is None
    assert await found.beside(AT, 1) == AT + 60
    assert await found.beside(AT + 125, 1) is None


async def test_where_nothing_was_kept_there_is_no_past(environment: dict[str, str]) -> None:
    found = past(environment, A)
    assert await found.screen(NOW) is None
    assert await found.levels() == []
    assert await found.beside(NOW, -1) is None
    assert not HistoryFile(environment).path.exists()


def test_rows_are_thinner_further_back_and_each_level_stays(file: HistoryFile) -> None:
    now = AT + 20 * DAY_S
    old = [KeptRow(AT + at, row_of("a", "healthy")) for at in range(0, 7200, 60)]
    old[5] = KeptRow(old[5].at, row_of("a", "failing"))
    file.keep_rows("a", [KeptRow(AT - 11 * DAY_S, row_of("a", "slow")), *old])
    file.keep_rows("a", [KeptRow(now - 60 * each, row_of("a", "healthy")) for each in range(10)])
    file.tidy("a", float(now))
    assert file.list_levels(["a"])[:3] == [(AT + 300, "critical"), (AT + 3540, "ok")]
    recent = [now - 60 * each for each in range(10)][::-1]
    assert times_of(file) == [AT + 300, AT + 3540, AT + 7140, *recent], "of the last two days all are there"
    tidied_for_long(file, "a", float(now + ROW_TIERS[-1][0]))
    assert times_of(file) == [now]


def times_of(file: HistoryFile) -> list[int]:
    with closing(sqlite3.connect(file.path)) as database:
        found = database.execute("SELECT at FROM list_rows WHERE cluster = 'a' ORDER BY at").fetchall()
    return [at for (at,) in found]


def test_the_worst_of_all_is_followed() -> None:
    said: Sequence[tuple[float, str, str]] = [
        (1.0, "a", "ok"), (2.0, "b", "critical"), (3.0, "a", "unknown"), (4.0, "b", "ok"), (5.0, "a", "ok"),
    ]  # fmt: skip
    assert worst_levels(said) == [(1.0, "ok"), (2.0, "critical"), (4.0, "unknown"), (5.0, "ok")]


def test_a_moment_of_five_hundred_opens_soon(file: HistoryFile) -> None:
    clusters = [Identity(f"c{number:03}") for number in range(500)]
    one = row_of("a", "healthy")
    for number, each in enumerate(clusters):
        row = replace(one, identity=each)
        file.keep_rows(each.name, [KeptRow(AT + 60 * at + number % 60, row) for at in range(60)])
    pairs = [(each.name, each) for each in clusters]
    began = time.process_time()
    moment = file.list_at(pairs, AT + 1800)
    levels = file.list_levels([each.name for each in clusters])
    before = file.list_beside([each.name for each in clusters], AT + 1800, -1)
    assert time.process_time() - began < 0.3
    assert moment is not None
    assert len(moment.rows) == 500
    assert levels == [(AT, "ok")]
    assert before == AT + 1799


# -- Who is one of many.


async def test_one_of_many_keeps_what_its_console_shows_later_and_holds_nothing(
    file: HistoryFile, environment: dict[str, str]
) -> None:
    clock = Clock()
    clock.wall = float(AT)
    keeper = HistoryKeeper(file, "a", clock, screen_every_s=600.0, of_many=True)
    for number in range(12):
        snapshot = failing() if number in (7, 8) else healthy()
        screen = PastScreen(clock.wall, snapshot)
        keeper.look(screen, diagnose(snapshot, clock.wall))
        await keeper.close()
        assert not keeper._chain._before
        clock.wall += 120
        clock.on += 120
    shown = KeptPast(file, "a")
    levels = await shown.levels()
    assert [level for _, level in levels] == ["ok", "critical", "ok"]
    at, seen = 0.0, []
    while (beside := await shown.beside(at, 1)) is not None:
        at = beside
        screen_then = await shown.screen(at)
        assert screen_then is not None
        seen.append(int(at - AT) // 120)
    assert seen == [0, 5, 7, 9], "every ten minutes, and each at which the level is another"
    moment = await past(environment, A).screen(AT + 7.5 * 120)
    assert moment is not None
    assert moment.rows[0].level is Level.CRITICAL
    assert len(file.readings("a", AT)) == 12


async def test_one_of_many_writes_a_whole_screen_at_once(file: HistoryFile) -> None:
    """Until the next look, which is minutes later, it would hold a quarter of a MiB, of each of hundreds."""
    clock = Clock()
    keeper = HistoryKeeper(file, "a", clock, of_many=True)
    keeper.look(PastScreen(float(AT), healthy()), diagnose(healthy(), float(AT)))
    assert keeper._task is not None
    await keeper._task
    assert not keeper._screens
    assert not keeper._pending
    assert len(file.readings("a", AT)) == 1


async def test_one_of_many_holds_little_while_nothing_can_be_written(file: HistoryFile) -> None:
    file.path.mkdir(parents=True)  # no file can be there
    clock, row = Clock(), row_of("a", "healthy")
    keeper = HistoryKeeper(file, "a", clock, of_many=True)
    for number in range(200):
        clock.wall, clock.on = clock.wall + 60, clock.on + 60
        snapshot = failing() if number % 2 else healthy()
        keeper.look(PastScreen(clock.wall, snapshot), diagnose(snapshot, clock.wall), row=row)
        if keeper._task is not None:
            await keeper._task
    assert (len(keeper._screens), len(keeper._pending), len(keeper._rows)) == (1, 60, 60)
    await keeper.close()
    file.path.rmdir()
    await keeper.close()
    assert len(file.readings("a", 0)) == 60


async def test_a_host_that_a_glance_does_not_reach_is_kept_at_once(
    file: HistoryFile, environment: dict[str, str]
) -> None:
    clock = Clock()
    clock.wall = float(AT)
    keeper = HistoryKeeper(file, "a", clock, of_many=True)
    keeper.look(PastScreen(clock.wall, healthy()), diagnose(healthy(), clock.wall))
    await keeper.close()
    gone = replace(row_of("a", "healthy"), level=Level.UNKNOWN, verdict="cannot tell: it is off")
    keeper.glimpse(healthy(), AT + 5.0, row_of("a", "healthy"))
    keeper.glimpse(healthy(), AT + 10.0, gone)
    await keeper.close()
    assert await past(environment, A).levels() == [(AT, "ok"), (AT + 10, "unknown")]
    assert [each.at - AT for each in file.readings("a", AT)] == [0, 5, 10]


async def test_a_host_that_was_never_reached_is_in_the_past_of_the_list(
    file: HistoryFile, environment: dict[str, str]
) -> None:
    clock, snapshot = Clock(), Snapshot("a", NOW, NOW)
    keeper = HistoryKeeper(file, "a", clock, of_many=True)
    row = replace(row_of("a", "nothing_readable"), verdict="cannot tell: connection refused")
    keeper.look(PastScreen(clock.wall, snapshot), diagnose(snapshot, clock.wall), row=row)
    await keeper.close()
    moment = await past(environment, A).screen(clock.wall)
    assert moment is not None
    assert moment.rows[0].verdict == "cannot tell: connection refused"
    assert await KeptPast(file, "a").screen(clock.wall) is None


# -- How it was left.


def test_the_list_is_as_it_was_left(environment: dict[str, str]) -> None:
    views = ListViewFile(environment)
    assert views.recall() == ListView()
    assert columns_of(views.recall()) == SETS["all"]
    assert (order_of(views.recall()), group_of(views.recall())) == (VERDICT, Grouping.NONE)
    view = view_of(SETS["storage"], 8, Grouping.TAG, backwards=True)
    assert views.remember(view) is None
    found = views.recall()
    assert columns_of(found) == SETS["storage"]
    assert (order_of(found), group_of(found), found.backwards) == (8, Grouping.TAG, True)
    assert views.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "[" * 5000, '{"columns": 7, "order": [], "group": null, "backwards": "yes"}',
     '{"columns": ["\\u001b[31m", {}], "order": "weather"}'],
)  # fmt: skip
def test_a_file_that_says_something_else_is_the_beginning(text: str, environment: dict[str, str]) -> None:
    views = ListViewFile(environment)
    views.path.parent.mkdir(parents=True)
    views.path.write_text(text)
    found = views.recall()
    assert (columns_of(found), order_of(found), found.backwards) == (SETS["all"], VERDICT, False)


def test_an_order_whose_column_is_hidden_is_none() -> None:
    view = ListView(("cluster", "drill", "drill"), order="growth")
    assert order_of(view) == VERDICT
    assert [ALL[number].title for number in columns_of(view)] == ["cluster", "verdict", "drill"]


def test_what_cannot_be_remembered_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "walconsole").write_text("a file where the folder should be")
    assert "walconsole" in (ListViewFile(environment).remember(ListView()) or "")
