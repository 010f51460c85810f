"""The provisioning screen under an operator's fingers."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.data.provision_run import Played, played_steps, with_steps
from tests.data.provisioning import GivenKey
from tests.data.snapshots import STATES
from tests.data.stage import FrozenClock, screen_text, settle, stage, until
from walconsole.domain.store.access_keys import KeyPair
from walconsole.provision.engine import runner
from walconsole.provision.engine.model import CheckState, Stage
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.provision_run import ProvisionRun
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.dialog import Confirm
from walconsole.ui.dialogs.help import StepHelp
from walconsole.ui.provisioning import gate_bar
from walconsole.ui.provisioning.screen import ProvisionScreen

SIZES = ((80, 24), (120, 36), (200, 60), (60, 12), (20, 5))


def app_with(steps: list[Played]) -> WalconsoleApp:
    return with_steps(stage(STATES["incident"]()), steps)


async def opened(pilot: Pilot[None]) -> tuple[ProvisionScreen, ProvisionRun]:
    """The screen, once every step was looked at."""
    await settle(pilot)
    await pilot.press("s")
    await until(pilot, lambda: isinstance(pilot.app.screen, ProvisionScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ProvisionScreen)
    await until(pilot, lambda: bool(screen.run.news) and not screen.run.busy)
    await pilot.pause(0.2)
    return screen, screen.run


_MEANT_S = gate_bar.NOT_MEANT_S + 0.05
"""So long after the question an answer counts."""


async def asked(pilot: Pilot[None], screen: ProvisionScreen, step: str) -> None:
    await until(pilot, lambda: screen.run.question is not None and screen.run.question.step == step)
    await until(pilot, lambda: screen.gate.asking)
    await pilot.pause(_MEANT_S)


async def agree(pilot: Pilot[None], screen: ProvisionScreen, step: str) -> None:
    await asked(pilot, screen, step)
    await pilot.press("right", "enter")


def rows(screen: ProvisionScreen, pane: str) -> str:
    found = screen.panes[pane]
    return "\n".join(found.line(index).text for index in range(found.rows))


@pytest.mark.parametrize("size", SIZES)
async def test_it_looks_first_and_changes_nothing(size: tuple[int, int]) -> None:
    steps = played_steps()
    async with app_with(steps).run_test(size=size) as pilot:
        screen, run = await opened(pilot)
        assert [run.news[step.id].stage for step in steps] == [Stage.DONE] + [Stage.WAITING] * 4
        assert not any(step.applied for step in steps)
        assert "4 of 5 steps to do, the first is Buckets" in screen.verdict.text
        assert screen.panes["steps"].cursor == 1
        assert "there is no bucket shithub-wal" in " ".join(rows(screen, "plan").split())


async def test_a_step_that_is_blocked_is_said_before_x_is_pressed() -> None:
    """The first that is open is where `x` would stop at once; a later one is where it would stop then."""
    for blocked, said in ((1, "BLOCKED  Buckets: "), (3, "x goes as far as ")):
        steps = played_steps()
        steps[blocked].state = CheckState.BLOCKED
        app = app_with(steps)
        async with app.run_test(size=(160, 40)) as pilot:
            screen, _ = await opened(pilot)
            assert said in screen_text(app), screen.verdict.text
            assert "not looked at yet" not in screen.verdict.text


async def test_every_step_asks_with_the_focus_on_cancel_and_the_end_sums_up() -> None:
    steps = played_steps()
    app = app_with(steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await asked(pilot, screen, "buckets")
        assert isinstance(app.focused, Button)
        assert app.focused.id == "gate_no"
        assert "Buckets adds something new. Agree?" in screen_text(app)
        assert ("Esc", "no") in screen.key_bar.hints
        assert {"x", "r", "u"}.isdisjoint(key for key, _ in screen.key_bar.hints)
        for size in ((80, 24), (20, 6), (10, 3), (200, 60), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "Buckets adds something new. Agree?" in screen_text(app)
        assert app.focused.id == "gate_no"
        assert not steps[1].applied
        await pilot.press("right", "enter")
        await asked(pilot, screen, "drop-in")
        await pilot.press("right", "enter")  # the answer is not to be had before the name is typed
        assert run.question is not None
        app.screen.query_one("#gate_name", Input).focus()
        await pilot.press(*"pgBackRes")
        assert app.screen.query_one("#gate_yes", Button).disabled
        await pilot.press("t", "enter", "enter")
        await asked(pilot, screen, "restart")
        assert "interrupts the database, a few seconds: connections are cut" in screen_text(app)
        await pilot.press("right", "enter")
        await agree(pilot, screen, "proof")
        await until(pilot, lambda: not run.busy)
        await pilot.pause(0.2)
        assert "segment 000000010000000000000042 archived in 3.8 s" in screen.verdict.text
        summary = rows(screen, "plan")
        assert "bucket shithub-wal@nyc3: made (before: not there)" in summary
        assert "put /var/lib/walconsole/x back" in summary
        assert "never deleted" in summary


async def test_cancel_and_escape_are_a_no() -> None:
    for key in ("enter", "escape", "n"):
        steps = played_steps()
        async with app_with(steps).run_test(size=(100, 30)) as pilot:
            screen, run = await opened(pilot)
            await pilot.press("x")
            await asked(pilot, screen, "buckets")
            await pilot.press(key)
            await until(pilot, lambda run=run: not run.busy)  # type: ignore[misc]
            await pilot.pause(0.15)
            assert run.news["buckets"].stage is Stage.REFUSED
            assert run.news["proof"].stage is Stage.SKIPPED
            assert not steps[1].applied
            assert "not agreed to" in screen.verdict.text


async def test_a_failed_step_says_what_to_do_and_can_be_run_again() -> None:
    steps = played_steps()
    steps[1].fails = "the name is taken"
    async with app_with(steps).run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await until(pilot, lambda: not run.busy)
        await pilot.pause(0.2)
        assert "the name is taken" in screen.verdict.text
        assert "mend it, and run it again" in rows(screen, "plan")
        for said in ("the name is taken", "mend it, and run it again"):
            assert screen_text(pilot.app).count(said) == 1
        steps[1].fails = ""
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await asked(pilot, screen, "drop-in")
        assert run.news["buckets"].stage is Stage.CHANGED


async def test_leaving_the_screen_ends_nothing_and_it_is_found_where_it_was() -> None:
    steps = played_steps()
    steps[1].held = asyncio.Event()
    app = app_with(steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await until(pilot, lambda: run.changing)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))
        steps[1].held.set()
        await until(pilot, lambda: run.question is not None)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ProvisionScreen))
        again = app.screen
        assert isinstance(again, ProvisionScreen)
        assert again.run is run
        await asked(pilot, again, "drop-in")
        assert "shithub-wal is made in nyc3" in "".join(
            str(news.event) for news in run.history if news.event is not None
        )


async def test_quitting_while_a_step_is_applied_asks_first() -> None:
    steps = played_steps()
    steps[1].held = asyncio.Event()
    app = app_with(steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await until(pilot, lambda: run.changing)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ProvisionScreen))
        assert run.changing
        await run.end()
        assert run.news["buckets"].stage is Stage.FAILED


async def test_a_second_ctrl_c_leaves() -> None:
    """Whoever presses it again means it: no question stays open while a key is alive."""
    steps = played_steps()
    steps[1].held = asyncio.Event()
    app = app_with(steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await until(pilot, lambda: run.changing)
        await until(pilot, lambda: {"x", "r", "u"}.isdisjoint(key for key, _ in screen.key_bar.hints))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Ctrl-C again leaves" in screen_text(app)
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app._exit)
        await run.end()
    assert app.return_code == 0


async def test_a_gate_says_for_how_long_a_key_has_been_alive_and_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "LONGEST_ASKING_S", 4.0)
    steps, key = played_steps(), GivenKey(KeyPair("AK", "secret"), "walconsole-temp-x")
    key.since = FrozenClock().monotonic() - 125
    app = with_steps(stage(STATES["incident"]()), steps, key)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await asked(pilot, screen, "buckets")
        said = " ".join(screen_text(app).split())
        words = r"The temporary key is alive for 2 min \d\d s; without an answer it is deleted in \d\.\d s"
        assert re.search(words, said)
        assert key.disposed == 0
        await until(pilot, lambda: not run.busy)
        await pilot.pause(0.2)
        assert not screen.gate.asking
        assert "nobody answered for 4.0 s: the temporary key is deleted" in screen.verdict.text
    assert key.disposed == 1
    assert not steps[1].applied
    assert run.news["buckets"].stage is Stage.REFUSED


async def test_a_key_that_may_be_alive_stands_in_the_first_line_of_each_screen() -> None:
    app = app_with(played_steps())
    async with app.run_test(size=(120, 36)) as pilot:
        teller, line = (
            object(),
            "a full-access key may be alive, walconsole-temp-x: looked for",
        )
        app.current.show_key_notes(teller, [line])
        await until(pilot, lambda: app.dashboard.verdict.note == f"{line}; ")
        screen, _ = await opened(pilot)
        assert screen.verdict.note == f"{line}; "
        app.current.show_key_notes(teller, [])
        await until(pilot, lambda: screen.verdict.note == "")


async def test_what_was_done_is_plain_and_waiting_is_one_line() -> None:
    async with app_with(played_steps()).run_test(size=(120, 36)) as pilot:
        screen, _ = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await asked(pilot, screen, "drop-in")
        await pilot.press("1", "k")
        await pilot.pause(0.2)
        told = rows(screen, "events")
        assert told.count("the bucket appears") == 1
        assert "2 s of at most 30 s" in told
        assert "\x1b" not in told
        assert "shithub-wal is made in nyc3" in told


def exported(folder: Path) -> tuple[str, str]:
    """The one transcript, as Markdown and as JSON."""
    (markdown,), (document,) = folder.glob("*.md"), folder.glob("*.json")
    return markdown.read_text(), document.read_text()


async def test_help_copy_and_transcript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_with(played_steps())
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("Y")
        assert app.clipboard.startswith("aws s3api create-bucket --bucket shithub-wal")
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, StepHelp))
        await until(pilot, lambda: "What it is for" in screen_text(app))
        await pilot.press("escape", "x")
        await agree(pilot, screen, "buckets")
        await asked(pilot, screen, "drop-in")
        await pilot.press("escape")
        await until(pilot, lambda: not run.busy)
        await pilot.press("e")
        await pilot.pause(0.1)
    text, document = exported(tmp_path)
    assert "changed: bucket shithub-wal@nyc3" in text
    assert "here$ aws s3api create-bucket" in text
    assert "\x1b" not in text
    news = json.loads(document)["news"]
    assert {"step", "stage", "at"} <= set(news[0])


async def test_undo_asks_for_each() -> None:
    steps = played_steps()
    async with app_with(steps).run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await asked(pilot, screen, "drop-in")
        await pilot.press("escape")
        await until(pilot, lambda: not run.busy)
        await pilot.press("u")
        await asked(pilot, screen, "buckets")
        assert "take it back?" in screen_text(pilot.app)
        await pilot.press("right", "enter")
        await until(pilot, lambda: not run.busy)
        assert run.undone


async def test_where_nothing_may_be_changed_it_says_so() -> None:
    app = stage(STATES["incident"](), read_only=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("s")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Dashboard)
        assert "READ-ONLY" in screen_text(app).splitlines()[-1]
        assert "set up" not in screen_text(app)
        assert any("read-only" in note.message for note in app._notifications)


async def test_a_transcript_is_written_by_itself_and_the_summary_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with app_with(played_steps()).run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await agree(pilot, screen, "buckets")
        await asked(pilot, screen, "drop-in")
        assert run.transcript == ""  # it goes on
        await pilot.press("escape")
        await until(pilot, lambda: bool(run.transcript))
        await pilot.press("1", "G")
        await until(pilot, lambda: "transcript" in rows(screen, "plan"))
    text, document = exported(tmp_path / "walconsole" / "transcripts")
    assert "changed: bucket shithub-wal@nyc3" in text
    assert json.loads(document)["changes"][0]["what"] == "shithub-wal@nyc3"


async def test_y_agrees_at_the_gate_not_where_a_name_is_asked_for_and_not_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = played_steps()
    app = app_with(steps)
    monkeypatch.setattr(gate_bar, "NOT_MEANT_S", 3600.0)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await asked(pilot, screen, "buckets")
        await pilot.press("y")  # it was on its way before the question was there
        await pilot.pause(0.2)
        assert run.question is not None
        assert not steps[1].applied
        monkeypatch.setattr(gate_bar, "NOT_MEANT_S", 0.0)
        await pilot.press("y")
        await asked(pilot, screen, "drop-in")
        assert steps[1].applied
        await pilot.press("y")
        await pilot.pause(0.2)
        assert run.question is not None  # its name is to be typed
        app.screen.query_one("#gate_name", Input).focus()
        await pilot.press("y")
        assert app.screen.query_one("#gate_name", Input).value == "y"
        assert not steps[2].applied
        app.screen.query_one("#gate_no", Button).focus()
        await pilot.press("n")
        await until(pilot, lambda: run.question is None)
        assert not steps[2].applied
