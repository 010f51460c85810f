"""The past under an operator's fingers: back, through it, on every screen, and to now again."""

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from tests.data.facts import NOW
from tests.data.past import kept_past, past_screens
from tests.data.snapshots import failing, healthy, incident, log_lines
from tests.data.stage import ScriptedObserver, noting, screen_text, settle, stage, until
from walconsole.domain.kept.runs import KeptRun
from walconsole.domain.kept.screens import Frame, newest_lines
from walconsole.domain.standing.model import Fix
from walconsole.errors import RegisterError
from walconsole.ui.app import WalconsoleApp

MINUTES = [
    (NOW - 60 * minute, healthy() if minute not in (3, 4) else failing()) for minute in range(9, 0, -1)
]
SCREENS = {"i": "triage", "c": "configuration", "b": "archive", "v": "recovery"}


def app_with_a_past() -> WalconsoleApp:
    app = stage(incident(), lines=log_lines()[:4])
    app.current.past = kept_past(past_screens(MINUTES, newest_lines((), log_lines())))
    return app


async def moved(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        travelling = [one for one in pilot.app.workers if one.group == "travel"]
        if travelling:  # of none Textual waits for all
            await pilot.app.workers.wait_for_complete(travelling)
        await pilot.pause(0.05)


def said(app: WalconsoleApp) -> str:
    return " ".join(f"{each.title} {each.message}" for each in app._notifications).replace("\n", " ")


def first_line(app: WalconsoleApp) -> str:
    return " ".join(screen_text(app).split("\n")[:3])


async def test_h_shows_the_last_moment_and_h_comes_back() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.dashboard.log_pane.rows > 1)
        now = screen_text(app)
        await moved(pilot, "h")
        assert "THE PAST, 2026-09-21 14:12:20Z, 1 min 00 s ago" in first_line(app)
        assert " OK " in first_line(app)
        lines = screen_text(app).split("\n")
        assert lines[-2].startswith(" PAST ")
        assert " h now" in lines[-1]
        assert not [word for word in ("set up", "refresh", "pause") if word in lines[-1]]
        await moved(pilot, "h")
        assert screen_text(app) == now


async def test_steps_and_changes_of_the_first_line() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h", "left")
        assert "2 min 00 s ago" in first_line(app)
        await moved(pilot, "left_square_bracket")
        assert "CRITICAL" in first_line(app)
        assert "4 min 00 s ago" in first_line(app)
        await moved(pilot, "right_square_bracket")
        assert " OK " in first_line(app)
        assert "2 min 00 s ago" in first_line(app)
        await moved(pilot, "shift+left")
        assert "9 min 00 s ago" in first_line(app)
        await moved(pilot, "left")
        assert "9 min 00 s ago" in first_line(app)
        assert "nothing more is kept that way" in said(app)


@pytest.mark.parametrize("key", SCREENS)
async def test_every_screen_shows_the_past(key: str) -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await pilot.pause(0.1)
        await moved(pilot, "h", "left_square_bracket", "left_square_bracket")
        assert "THE PAST, 2026-09-21 14:09:20Z, 4 min 00 s ago" in first_line(app)
        assert screen_text(app).split("\n")[-2].startswith(" PAST ")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard)
        await pilot.pause(0.1)
        assert "THE PAST" in first_line(app)
        await moved(pilot, "escape")
        await pilot.pause(0.1)
        assert "THE PAST" not in first_line(app)


async def test_nothing_is_done_in_the_past() -> None:
    player = ScriptedObserver([failing()], log_lines())
    app = stage(observer=player)
    asked: list[Fix] = []
    app.current.fixer = noting(asked)
    app.current.past = kept_past(past_screens(MINUTES))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h", "left_square_bracket")
        before = len(player.asked)
        await pilot.press("s", "r", "p", "plus", "i")
        await pilot.pause(0.1)
        await pilot.press("f", "P")
        await pilot.pause(0.1)
        assert not asked
        assert [one for one in player.asked[before:] if not one.startswith("hurry")] == []
        assert "this is the past" in said(app)
        app.current.open_provisioning()
        assert app.current.provision_run is None


async def test_the_log_is_the_past_ones_and_goes_on_meanwhile() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        pane = app.dashboard.log_pane
        await until(pilot, lambda: pane.rows > 0)
        live = pane.lines()
        await moved(pilot, "h")
        assert pane.lines() == tuple(line for line in log_lines() if line.about_archiving)
        app.current.log(log_lines()[4:6])
        await moved(pilot, "h")
        assert pane.lines()[: len(live)] == live
        assert len(pane._all) == 6


async def test_a_snapshot_that_comes_meanwhile_is_not_drawn_and_not_forgotten() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        app.current.publish(healthy())
        await pilot.pause(0.3)
        assert "THE PAST" in first_line(app)
        await moved(pilot, "h")
        await pilot.pause(0.1)
        assert app.current.taken is not None
        assert app.current.taken.snapshot is app.current.snapshot


async def test_what_gets_worse_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage(healthy())
    app.current.past = kept_past(past_screens(MINUTES))
    told: list[str] = []
    monkeypatch.setattr(app, "worsened", lambda _session, verdict: told.append(verdict.level.value))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        monkeypatch.setattr("walconsole.ui.board.droplet_session.UNSEEN_LOOK_S", 0.0)
        app.current.publish(failing())
        await pilot.pause(0.1)
        assert told == ["critical"]
        assert "THE PAST" in first_line(app)


async def test_where_nothing_is_kept_it_is_said() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        assert "nothing is kept of the past yet" in said(app)
        app.current.past = kept_past([])
        await moved(pilot, "h")
        assert not app.current.in_past


async def test_a_file_that_cannot_be_read_is_said() -> None:
    class Broken:
        async def levels(self) -> list[tuple[float, str]]:
            raise RegisterError("keeping the past in a file", "disk I/O error", "see to the file")

        async def screen(self, at: float) -> None:
            """Nothing."""

        async def frames(self, first: float, last: float) -> list[Frame]:
            return []

        async def runs(self, until: float) -> list[KeptRun]:
            return []

        async def runs_between(self, first: float, last: float) -> list[KeptRun]:
            return []

        async def beside(self, at: float, step: int) -> None:
            """Nothing."""

    app = stage(healthy())
    app.current.past = Broken()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        assert "disk I/O error" in said(app)
        assert not app.current.in_past


async def test_letters_that_are_typed_into_a_dialog_are_none_of_the_pasts() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        await pilot.press("slash")
        await pilot.press("h", "left")
        assert app.current.in_past
        assert app.dashboard.log_pane.pattern == "h"


async def typed(pilot: Pilot[None], key: str, text: str) -> None:
    """Into the line that the key opens."""
    before = pilot.app.screen
    await pilot.press(key)
    await until(pilot, lambda: pilot.app.screen is not before and pilot.app.focused is not None)
    await pilot.press(*text)
    await moved(pilot, "enter")


@pytest.mark.parametrize(
    ("text", "ago"),
    [("-4min", "4 min 00 s"), ("14:07:20", "6 min 00 s"), ("2026-09-21 14:10:50", "3 min 00 s")],
)
async def test_a_time_that_is_typed_is_gone_to_from_now_and_from_the_past(text: str, ago: str) -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await typed(pilot, "T", text)
        await until(pilot, lambda: f"{ago} ago" in first_line(app))
        assert said(app) == ""
        await moved(pilot, "left", "left")
        assert f"{ago} ago" not in first_line(app)
        await typed(pilot, "colon", f"at {text}")
        await until(pilot, lambda: f"{ago} ago" in first_line(app))


async def test_of_what_nothing_is_kept_the_nearest_is_shown_and_that_is_said() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await typed(pilot, "T", "yesterday 14:00")
        await until(pilot, lambda: "9 min 00 s ago" in first_line(app))
        assert "nothing is kept of 2026-09-20 14:00Z: what is kept begins after it" in said(app)
        await typed(pilot, "T", "next week")
        assert "write a time as" in said(app)
        assert "9 min 00 s ago" in first_line(app)


async def test_the_archives_past_says_what_it_has_and_has_not() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await pilot.press("b")
        await pilot.pause(0.1)
        await moved(pilot, "h")
        await until(pilot, lambda: "Kept of the past are the index of segments" in flat(app))
        assert "then it held " in flat(app)
        await moved(pilot, "h")
        await until(pilot, lambda: "Kept of the past" not in flat(app))


def flat(app: WalconsoleApp) -> str:
    return " ".join(screen_text(app).split())


async def chosen_of_palette(pilot: Pilot[None], words: str, entry: str) -> None:
    """Typed and entered, once it is offered."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await pilot.press(*words)
    await until(pilot, lambda: entry in screen_text(app))
    await pilot.press("enter")
    if isinstance(app.screen, CommandPalette):  # the first only chose it
        await pilot.press("enter")
    await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


async def test_the_palette_goes_to_the_past_through_it_and_back() -> None:
    app = app_with_a_past()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await chosen_of_palette(pilot, "past", "The past")
        await until(pilot, lambda: "THE PAST" in first_line(app))
        await chosen_of_palette(pilot, "moment before", "The moment before that is kept")
        await until(pilot, lambda: "2 min 00 s ago" in first_line(app))
        await chosen_of_palette(
            pilot, "change of the first line before", "The change of the first line before"
        )
        await until(pilot, lambda: "CRITICAL" in first_line(app))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"refresh")
        await until(pilot, lambda: "No matches found" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CommandPalette))
        await chosen_of_palette(pilot, "back to now", "Back to now")
        await until(pilot, lambda: "THE PAST" not in first_line(app))
