"""The screen that finds a moment under an operator's fingers."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.moments import found_moments, hostile_moments
from tests.data.recoveries import RECOVERIES
from tests.data.stage import screen_text, settle, stage, until
from walconsole.domain.moments.events import Kind
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.wal import format_lsn
from walconsole.observe.moments.finding import MomentError, Progress, Room, Server, Told
from walconsole.observe.moments.search import MomentSearch, SearchPlan
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.dialogs.dialog import Confirm, Prompt
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.recovery.moment_screen import MomentScreen
from walconsole.ui.recovery.screen import RecoveryScreen

SIZES = ((80, 24), (120, 36), (200, 60), (100, 10), (40, 10), (20, 5), (1, 1))
FOUND = found_moments()


class ScriptedSearch(MomentSearch):
    """Finds FOUND when it is let go; notes what it was asked."""

    def __init__(self, refused: str = "") -> None:
        self.refused, self.asked, self.rested = refused, list[tuple[float, float]](), 0
        self.go = asyncio.Event()

    async def plan(self, around: float, within_s: float, most: int = 64) -> SearchPlan:
        self.asked.append((around, within_s))
        if self.refused:
            raise MomentError("finding the moment", self.refused, "ask for another time")
        return SearchPlan(around, within_s, FOUND.span, Server(15), Room("/var/tmp", 41 << 30, 80 << 30))

    async def run(self, plan: SearchPlan, told: Told = lambda progress: None) -> FoundMoments:
        told(Progress("2 segments from spaces-prod:shithub-wal/"))
        await self.go.wait()
        told(Progress(records=1234, reached_us=1_790_000_000_000_000))
        return FOUND

    async def rest(self) -> None:
        self.rested += 1


def staged(search: MomentSearch | None = None, found: FoundMoments | None = None) -> WalconsoleApp:
    app = stage(RECOVERIES["nightly"]())
    session = next(iter(app.sessions.values()))
    session.searcher = (lambda: search) if search is not None else None
    session.found_moments = found
    return app


async def opened(pilot: Pilot[None]) -> MomentScreen:
    await settle(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoveryScreen))
    await pilot.press("M")
    stack = pilot.app.screen_stack
    await until(pilot, lambda: any(isinstance(each, MomentScreen) for each in stack))
    await pilot.pause()
    return next(each for each in pilot.app.screen_stack if isinstance(each, MomentScreen))


def shown(screen: MomentScreen, pane: str) -> str:
    rows = screen.panes[pane]
    return "\n".join(rows.line(index).text for index in range(rows.rows))


async def test_it_asks_says_what_it_takes_reads_and_answers() -> None:
    search = ScriptedSearch()
    app = staged(search)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"13:15 20min", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert search.asked == [(1789996500.0, 1200.0)]
        text = screen_text(app)
        assert "are brought to the droplet" in text
        assert "/var/tmp" in text
        await pilot.press("right", "enter")
        await until(pilot, lambda: "2 segments from" in shown(screen, "search"))
        search.go.set()
        await until(pilot, lambda: screen.picture.found is not None)
        assert screen.moment is not None
        assert screen.moment.kind is Kind.DROPPED
        answer = shown(screen, "answer")
        assert f"lsn {format_lsn(screen.moment.lsn)}, exclusive" in answer
        assert "at least 17 transactions" in answer
        assert "SELECT 16400::regclass; in shop" in " ".join(answer.split())
        assert search.rested == 1


async def test_enter_alone_asks_for_what_was_just_now() -> None:
    search = ScriptedSearch()
    app = staged(search)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert search.asked == [(app.current.clock.now(), 900.0)]


async def test_no_is_no_and_nothing_is_read() -> None:
    search = ScriptedSearch()
    app = staged(search)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"13:15", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: search.rested == 1)
        assert screen.picture.found is None
        assert screen.doing == ""


async def test_leaving_gives_up_what_is_read() -> None:
    search = ScriptedSearch()
    app = staged(search)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"13:15", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "2 segments" in shown(screen, "search"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecoveryScreen))
        await until(pilot, lambda: search.rested == 1)
        assert app.current.found_moments is None


async def test_why_there_is_nothing_stands_there() -> None:
    app = staged(ScriptedSearch("no WAL of this timeline is in the archive"))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*"13:15", "enter")
        await until(pilot, lambda: "no WAL of this timeline" in shown(screen, "search"))
        assert "no WAL of this timeline" in screen_text(app).splitlines()[0]


@pytest.mark.parametrize("text", ["some-day", "25:61", "13:15 1y", "13:15 9d"])
async def test_what_is_no_time_is_refused(text: str) -> None:
    search = ScriptedSearch()
    app = staged(search)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press(*text, "enter")
        await until(pilot, lambda: isinstance(app.screen, MomentScreen))
        assert search.asked == []
        assert any("that is no time" in str(each.title) for each in app._notifications)


async def test_a_read_only_session_says_so() -> None:
    app = staged()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: len(app._notifications) > 0)
        assert isinstance(app.screen, MomentScreen)
        assert "read-only" in next(iter(app._notifications)).message


async def test_the_answer_follows_the_cursor_and_w_keeps_the_event() -> None:
    app = staged(found=FOUND)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("k")
        await until(pilot, lambda: "public.prices" in shown(screen, "answer").splitlines()[0])
        await pilot.press("I")
        await until(pilot, lambda: ", inclusive" in shown(screen, "answer"))
        assert screen.panes["answer"].spec.title == "Just after it"
        await pilot.press("I", "g")
        await until(pilot, lambda: "restore point" in shown(screen, "answer").splitlines()[0])


async def test_a_target_that_stops_elsewhere_is_told_as_one_not_to_use() -> None:
    app = staged(found=FOUND)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        await pilot.press("k", "k")
        await until(pilot, lambda: "rows updated" in shown(screen, "answer").splitlines()[0])
        told = " ".join(shown(screen, "answer").split())
        assert (
            " not time 2026-09-21 13:15:02.118270+00, exclusive: would stop earlier, at transaction 730"
            in told
        )


async def test_the_filter_applies_while_it_is_typed_and_escape_brings_back() -> None:
    app = staged(found=FOUND)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        every = screen.table.rows
        await pilot.press("slash", *"prices")
        await until(pilot, lambda: screen.table.rows == 2)
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.rows == every)
        await pilot.press("slash", *"orders", "enter")
        await until(pilot, lambda: screen.about == "orders")
        assert screen.table.rows == 1 + 30 + 15 + 1
        await pilot.press("slash", *["backspace"] * 6, "enter", "a")
        await until(pilot, lambda: screen.table.rows == len(FOUND.collected.moments))


async def test_c_copies_the_commands_with_the_target_in_them() -> None:
    app = staged(found=FOUND)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert screen.moment is not None
        await pilot.press("Y")
        assert f"recovery_target_lsn = '\"'\"'{format_lsn(screen.moment.lsn)}'\"'\"''" in app.clipboard
        assert "recovery_target_inclusive" in app.clipboard
        assert "TIME+00" not in app.clipboard
        await pilot.press("3", "y")
        assert app.clipboard.startswith("dropped 3: shop: OID 16400")


async def test_enter_and_escape_go_step_by_step_and_what_was_found_stays() -> None:
    app = staged(ScriptedSearch(), FOUND)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen.board.focused_name == "answer")
        await pilot.press("enter")
        assert screen.board.maximised
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen.board.focused_name == "events")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecoveryScreen))
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, MomentScreen))
        assert app.screen.picture.found is FOUND  # type: ignore[attr-defined]  # the screen's


async def test_events_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = staged(found=FOUND)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("e")
        await until(pilot, lambda: len(_exported(tmp_path)) == 2)
    sheet, document = (_exported(tmp_path)[suffix] for suffix in ("csv", "json"))
    rows = list(csv.reader(sheet.splitlines()))
    assert rows[0][0] == "time (UTC)"
    assert any("dropped 3" in row for row in rows)
    assert any(row["entry"] == "event_row" for row in json.loads(document)["rows"])


def _exported(folder: Path) -> dict[str, str]:
    return {path.suffix[1:]: path.read_text() for path in folder.glob("walconsole-moments-*")}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "made",
    [pytest.param(found_moments, marks=pytest.mark.long), hostile_moments],  # plain is in most tests here
    ids=["plain", "hostile"],
)
async def test_it_holds_at_every_size(size: tuple[int, int], made: Callable[[], FoundMoments]) -> None:
    app = staged(ScriptedSearch(), made())
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        for key in ("j", "tab", "j", "z", "z", "1", "2", "I", "a", "G", "g", "question_mark", "escape"):
            await pilot.press(key)
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        assert all(character.isprintable() or character == "\n" for character in text)
        assert screen.is_mounted
