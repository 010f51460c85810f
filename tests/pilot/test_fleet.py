"""The list of clusters: keys, order, filter, and the consoles behind it."""

import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from tests.data.facts import NOW
from tests.data.fleet import ScriptedSource, rows, with_a_past
from tests.data.past import kept_past, past_screens
from tests.data.snapshots import failing, healthy
from tests.data.stage import FrozenClock, screen_text, until
from walconsole.domain.standing.model import Level
from walconsole.operator_files.list_view import ListViewFile, ListViews
from walconsole.ui import fleet_app
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.board.pane import Pane
from walconsole.ui.board.rows_pane import TablePane
from walconsole.ui.board.theming import ThemeShelf, shipped_folder
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.choices import ChoicesScreen
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.fleet.columns import ALL, SETS, STAY
from walconsole.ui.fleet.screen import FleetScreen
from walconsole.ui.fleet_app import FleetApp


@asynccontextmanager
async def listed(
    size: tuple[int, int] = (120, 36), views: ListViews | None = None
) -> AsyncIterator[tuple[FleetApp, Pilot[None], ScriptedSource]]:
    source = ScriptedSource(rows())
    shelf = ThemeShelf((shipped_folder(),), Path("/nonexistent/state.toml"))
    app = FleetApp(source, FrozenClock(), theme="night", shelf=shelf, glyphs=UNICODE, views=views)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "8 clusters" in screen_text(app))
        yield app, pilot, source


def order(app: FleetApp) -> list[str]:
    """The clusters from top to bottom, by the rows that are on the screen."""
    lines = screen_text(app).splitlines()[3:]
    known = {row.name for row in rows()} | {"lab-with-a-very-long-na…"}
    firsts = (line.split()[0] for line in lines if line.startswith("  ") and line.split())
    return [first for first in firsts if first in known]


def chosen(app: FleetApp) -> str:
    assert app.fleet is not None
    assert app.fleet.row is not None
    return app.fleet.row.name


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    await until(
        pilot, lambda: not isinstance(pilot.app.screen, FleetScreen) and pilot.app.focused is not None
    )
    await pilot.press(*text)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))


async def test_enter_opens_the_console_and_escape_comes_back_to_the_same_one() -> None:
    async with listed() as (app, pilot, source):
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Dashboard) and app.dashboard.taken is not None)
        assert app.current is source.sessions["wiki"]
        assert "archiving FAILS" in screen_text(app)
        await pilot.press("p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        assert chosen(app) == "wiki"
        assert not source.sessions["wiki"].shown
        await pilot.press("p", "r")  # here it is no pause
        assert source.asked == ["want wiki"]
        await pilot.press("enter")
        await until(pilot, lambda: "PAUSED" in screen_text(app))
        assert len(app.sessions) == 1


async def test_the_console_that_was_left_first_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_app, "MOST_OPEN", 1)
    async with listed() as (app, pilot, source):
        for _ in range(2):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Dashboard) and app.dashboard.unfolded)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, FleetScreen))
            await pilot.press("j")
        await until(pilot, lambda: source.asked == ["closed shop-1"])
        assert [session.title for session in app.sessions.values()] == ["wiki"]


async def test_order_filter_and_groups() -> None:
    async with listed() as (app, pilot, _):
        assert order(app)[:3] == ["shop-1", "wiki", "billing"]
        await pilot.press("left")
        await until(pilot, lambda: order(app)[:3] == ["billing", "lab-with-a-very-long-na…", "ledger"])
        await pilot.press("O")
        await until(pilot, lambda: order(app)[0] == "wiki")
        await pilot.press("l", "O")
        await typed(pilot, "!ok #production")
        await until(pilot, lambda: order(app) == ["shop-1", "billing", "ledger"])
        assert "3 of 8 with !ok #production" in screen_text(app)
        await pilot.press("escape", "number_sign")
        await until(pilot, lambda: "without a tag" in screen_text(app))
        assert order(app)[:2] == ["shop-1", "billing"]
        await pilot.press("number_sign")
        await until(pilot, lambda: "shop-1 and its standbys" in screen_text(app))
        await pilot.press("number_sign", "a")
        await until(pilot, lambda: "shop-2" not in order(app))
        await pilot.press("escape")
        await until(pilot, lambda: "shop-2" in order(app))


async def test_the_next_in_trouble_and_the_cursor_stays_on_its_cluster() -> None:
    async with listed() as (app, pilot, source):
        keys: tuple[tuple[str, str], ...] = (
            ("right_square_bracket", "wiki"), ("J", "billing"), ("left_square_bracket", "wiki"),
        )  # fmt: skip
        for key, name in keys:
            await pilot.press(key)
            assert chosen(app) == name
        source.now_is("wiki", level=Level.OK, verdict="well again")
        assert app.fleet is not None
        app.fleet.look_again()
        await until(pilot, lambda: order(app)[-1] == "wiki")
        assert chosen(app) == "wiki"
        assert "well again" in screen_text(app)


async def test_at_80_columns_the_first_four_stay_and_sets_can_be_chosen() -> None:
    async with listed((80, 24)) as (app, pilot, _):
        head = screen_text(app).splitlines()[2]
        assert head.split() == ["cluster", "verdict▾", "would", "lose", "restorable", "age"]
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ChoicesScreen))
        await pilot.press("down", "down", "enter", "escape")
        await until(pilot, lambda: "archive" in screen_text(app).splitlines()[2])


async def test_columns_are_chosen_one_by_one_and_the_first_four_stay() -> None:
    async with listed((200, 40)) as (app, pilot, _):
        fleet = app.fleet
        assert fleet is not None
        head = screen_text(app).splitlines()[2]
        assert "drill" in head
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ChoicesScreen))
        hidden = next(n for n, column in enumerate(ALL) if column.title == "drill")
        await pilot.press(*["down"] * (len(SETS) + hidden - STAY), "enter")
        await until(pilot, lambda: hidden not in fleet.columns)
        assert fleet.columns[:STAY] == tuple(range(STAY))
        await pilot.press("escape")
        await until(pilot, lambda: "drill" not in screen_text(app).splitlines()[2])
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ChoicesScreen))
        await pilot.press(*["down"] * (len(SETS) + hidden - STAY), "enter", "escape")
        await until(pilot, lambda: "drill" in screen_text(app).splitlines()[2])
        assert fleet.columns == SETS["all"]


async def test_incidents_of_all_clusters_and_the_report_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with listed() as (app, pilot, source):
        await pilot.press("i")
        await until(pilot, lambda: "no incident is remembered" in str(list(app._notifications)))
        source.remembered = [("wiki/2026-09-21T14:00:00Z", "wiki CRITICAL"), ("shop-1/x", "shop-1 WARNING")]
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ChoicesScreen))
        assert "wiki CRITICAL" in screen_text(app)
        await pilot.press("enter")
        path = tmp_path / "walconsole-incident-wiki-2026-09-21T14-00-00Z.md"
        await until(pilot, path.exists)
        assert path.read_text() == "# wiki/2026-09-21T14:00:00Z\n"
        await pilot.press("escape")
        assert isinstance(app.screen, FleetScreen)


async def test_help_and_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with listed() as (app, pilot, _):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until(pilot, lambda: "would lose" in screen_text(app))
        await pilot.press("escape", "e")
        found: Callable[[], list[Path]] = lambda: list(tmp_path.glob("*.json"))  # noqa: E731
        await until(pilot, lambda: bool(found()))
        document = json.loads(found()[0].read_text())
        assert [each["cluster"] for each in document["clusters"]][:2] == ["shop-1", "wiki"]


async def test_columns_order_and_groups_are_as_they_were_left(tmp_path: Path) -> None:
    views = ListViewFile({"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)})
    async with listed(views=views) as (app, pilot, _):
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ChoicesScreen))
        await pilot.press("down", "down", "enter", "escape", "right", "O", "number_sign")
        await until(pilot, lambda: views.recall().group == "by tag")
        fleet = app.fleet
        assert fleet is not None
        left = fleet.columns, fleet.order, fleet.backwards, fleet.grouping
    async with listed(views=views) as (app, _, _):
        fleet = app.fleet
        assert fleet is not None
        assert (fleet.columns, fleet.order, fleet.backwards, fleet.grouping) == left
        assert left[0] == SETS["storage"]
        assert "archive" in screen_text(app).splitlines()[2]


# -- The past of the list.


async def moved(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        travelling = [one for one in pilot.app.workers if one.group == "travel"]
        if travelling:
            await pilot.app.workers.wait_for_complete(travelling)
        await pilot.pause(0.05)


async def test_h_shows_the_list_as_it_was_and_h_comes_back(tmp_path: Path) -> None:
    async with listed() as (app, pilot, source):
        now = screen_text(app)
        await moved(pilot, "h")
        assert "nothing is kept of the past yet" in str(list(app._notifications))
        with_a_past(source, tmp_path)
        await moved(pilot, "h")
        first = " ".join(screen_text(app).splitlines()[:2])
        assert "THE PAST, 2026-09-21 14:08:20Z, 5 min 00 s ago" in first
        assert "8 clusters: 1 critical, 6 ok, 1 not yet" in first
        assert order(app)[:2] == ["shop-2", "new"]
        assert screen_text(app).splitlines()[-2].startswith(" PAST ")
        assert " r look" not in screen_text(app).splitlines()[-1]
        await moved(pilot, "left")
        assert "10 min 00 s ago" in screen_text(app)
        assert order(app)[0] == "new"
        await moved(pilot, "right_square_bracket")
        assert "5 min 00 s ago" in screen_text(app)
        source.now_is("wiki", level=Level.OK, verdict="well again")
        await pilot.press("r")
        await pilot.pause(0.1)
        assert source.asked == [], "nobody is looked at from the past"
        await moved(pilot, "T")
        await until(pilot, lambda: not isinstance(app.screen, FleetScreen))
        await pilot.press(*"-10min")
        await moved(pilot, "enter")
        await until(pilot, lambda: "10 min 00 s ago" in screen_text(app))
        source.now_is("wiki", level=Level.CRITICAL, verdict=rows()[5].verdict)
        await moved(pilot, "escape")
        await until(pilot, lambda: screen_text(app) == now)


async def test_enter_in_the_past_opens_the_console_as_it_was_then(tmp_path: Path) -> None:
    async with listed() as (app, pilot, source):
        with_a_past(source, tmp_path)
        moments = [(NOW - 600, healthy()), (NOW - 300, failing()), (NOW - 30, healthy())]
        source.pasts = {"shop-2": kept_past(past_screens(moments))}
        await moved(pilot, "h", "enter")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        await until(pilot, lambda: "THE PAST, 2026-09-21 14:08:20Z" in screen_text(app))
        assert "CRITICAL" in screen_text(app).splitlines()[0]
        await pilot.press("escape")
        await until(pilot, lambda: "THE PAST" not in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetScreen))
        assert "THE PAST" in screen_text(app), "the list is where it was left"
        await moved(pilot, "left", "enter")
        await until(pilot, lambda: "THE PAST, 2026-09-21 14:03:20Z" in screen_text(app))


async def test_a_name_of_wide_letters_has_as_many_cells_as_it_takes() -> None:
    async with listed() as (app, pilot, source):
        wide = "東京本番データ一"
        source.rows = tuple(
            replace(row, identity=replace(row.identity, name=wide)) for row in source.rows[:1]
        )
        await until(pilot, lambda: "1 cluster" in screen_text(app))
        assert wide in screen_text(app)


async def test_only_rows_that_read_otherwise_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []
    made: list[int] = []

    def noting(of: type[Pane], noted: list[int]) -> None:
        paint = of._row

        def row(pane: Pane, index: int, y: int) -> Strip:
            if isinstance(pane, TablePane):
                noted.append(index)
            return paint(pane, index, y)

        monkeypatch.setattr(of, "_row", row)

    noting(TablePane, painted)
    async with listed((200, 60)) as (app, pilot, source):
        assert app.fleet is not None

        async def after(what: Callable[[], object]) -> tuple[list[int], list[int]]:
            painted.clear()
            made.clear()
            what()
            await pilot.pause()
            return sorted(set(painted)), sorted(set(made))

        await after(app.fleet.look_again)
        noting(Pane, made)
        before = screen_text(app)
        assert await after(app.fleet.look_again) == ([], [])
        assert screen_text(app) == before
        source.rows = tuple(
            replace(row, lost_s=777_600.0) if row.name == "wiki" else row for row in source.rows
        )
        here = order(app).index("wiki")
        assert await after(app.fleet.look_again) == ([here], [here])
        assert "9 d" in screen_text(app)
        every = list(range(len(source.rows)))
        for leave in (lambda: app.set_focus(None), app.fleet.table.focus):
            assert await after(leave) == (every, [0])
        _, made_anew = await after(partial(app.fleet.table.move, 1))
        assert made_anew == [0, 1]


async def test_what_is_painted_over_goes_without_the_collector() -> None:
    keys = 10
    async with listed((200, 60)) as (_, pilot, _source):
        for key in "21212":
            await pilot.press(key)
        gc.collect()
        gc.disable()
        try:
            for number in range(keys):
                await pilot.press("12"[number % 2])
            found = gc.collect()
        finally:
            gc.enable()
    assert found < 600 * keys
