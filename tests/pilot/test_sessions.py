"""Several droplets in one app: each has screens, snapshots and observation of its own."""

import asyncio

import pytest

from tests.data.snapshots import failing, healthy
from tests.data.stage import FrozenClock, ScriptedObserver, screen_text, settle, stage, until
from walconsole.errors import ConfigError
from walconsole.operator_files.incident_file import SessionIncidents
from walconsole.ports import Screen
from walconsole.session.incident_memory import IncidentMemory
from walconsole.ui.board.droplet_session import DropletSession
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.connecting import PassphraseScreen
from walconsole.ui.triage.screen import TriageScreen


class Refusing(ScriptedObserver):
    """Can never succeed."""

    async def run(self, screen: Screen) -> None:
        raise ConfigError("reading the profile other", "it names no host", "give it one")


def other(observer: ScriptedObserver, closed: list[str] | None = None) -> DropletSession:
    async def connect(_: DropletSession) -> ScriptedObserver:
        return observer

    async def disconnect() -> None:
        if closed is not None:
            closed.append("other")

    return DropletSession("other", connect, disconnect, clock=FrozenClock())


async def test_each_session_keeps_its_screens_and_the_keys_concern_the_one_that_is_seen() -> None:
    first_observer, second_observer = ScriptedObserver([healthy()]), ScriptedObserver([failing()])
    app = stage(observer=first_observer)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first, second = app.current, other(second_observer)
        first_home = app.dashboard
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, TriageScreen))
        await app.open_session(second)
        await settle(pilot)
        assert isinstance(app.screen, Dashboard)
        assert app.dashboard is not first_home
        await until(pilot, lambda: "archiving FAILS" in screen_text(app))
        await pilot.press("p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))
        assert "pause True" in second_observer.asked
        assert "pause True" not in first_observer.asked
        await app.show_session(first)
        await pilot.pause()
        assert isinstance(app.screen, TriageScreen)
        assert "PAUSED" not in screen_text(app)
        assert "nothing is wrong" in screen_text(app)


async def test_what_is_not_seen_is_drawn_when_it_is_seen_again() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first = app.current
        await app.open_session(other(ScriptedObserver([healthy()])))
        await settle(pilot)
        before = first.taken
        first.publish(failing())
        await pilot.pause(0.5)
        assert first.taken is before
        await app.show_session(first)
        await until(pilot, lambda: "archiving fails" in screen_text(app))


async def test_a_question_waits_until_its_session_is_seen() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first = app.current
        await app.open_session(other(ScriptedObserver([healthy()])))
        await settle(pilot)
        asked = asyncio.ensure_future(first.passphrase("passphrase for the key"))
        await pilot.pause(0.3)
        assert isinstance(app.screen, Dashboard)
        await app.show_session(first)
        await until(pilot, lambda: isinstance(app.screen, PassphraseScreen) and app.focused is not None)
        await pilot.press("x", "enter")
        assert await asked == "x"


async def test_a_closed_session_gives_way_and_the_last_one_ends_the_console() -> None:
    closed: list[str] = []
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first, second = app.current, other(ScriptedObserver([failing()]), closed)
        await app.open_session(second)
        await settle(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, TriageScreen))
        await app.close_session(second)
        assert closed == ["other"]
        assert app.current is first
        assert isinstance(app.screen, Dashboard)
        await pilot.press("r")
        assert app.is_running
        await app.close_session(first)
        await until(pilot, lambda: app._exit)


async def test_the_first_session_may_be_closed_before_another() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first, second = app.current, other(ScriptedObserver([failing()]))
        await app.open_session(second)
        await settle(pilot)
        await app.close_session(first)
        assert list(app.sessions.values()) == [second]
        await pilot.press("j", "p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))


async def test_one_that_can_never_succeed_is_told_and_ends_no_other() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await app.open_session(other(Refusing([])))
        await until(pilot, lambda: len(app._notifications) > 0)
        assert "it names no host" in next(iter(app._notifications)).message
        assert app.failure is None
        assert app.is_running


async def test_what_is_not_seen_is_remembered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident of a droplet whose screens are covered is noted, if not at every snapshot."""
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first, shelf = app.current, SessionIncidents()
        memory = first.memory = IncidentMemory(shelf, FrozenClock())
        await app.open_session(other(ScriptedObserver([healthy()])))
        await settle(pilot)
        first.publish(failing())  # it was looked at a moment ago
        assert memory.log.open is None
        monkeypatch.setattr("walconsole.ui.board.droplet_session.UNSEEN_LOOK_S", 0.0)
        first.publish(failing())
        await until(pilot, lambda: memory.log.open is not None)
        await memory.close()
        kept = shelf.note((), 0.0).open
        assert kept is not None
        assert "key-403" in {cause.rule for cause in kept.causes}
