"""The past of the steps under an operator's fingers: as they were shown, and nothing is done."""

from textual.pilot import Pilot

from tests.data.facts import NOW
from tests.data.kept_steps import BEGAN, kept_run
from tests.data.past import frames_of, past_screens
from tests.data.provision_run import Played, played_steps, with_steps
from tests.data.snapshots import STATES, healthy
from tests.data.stage import FrozenClock, screen_text, settle, stage, until
from tests.pilot.test_provision_screen import agree, asked, opened, rows
from tests.pilot.test_replay import replaying
from tests.pilot.test_travel import MINUTES, first_line, moved, said
from walconsole.domain.kept.recording import Recording, recording_of, recording_text
from walconsole.domain.kept.runs import KeptRun
from walconsole.domain.kept.screens import linked
from walconsole.provision.engine.model import CheckState, Doing, Gate, Stage, Tell
from walconsole.provision.engine.runner import Runner
from walconsole.session.past import HeldHistory, KeptPast
from walconsole.session.steps_kept import StepsKept
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.provision_run import StepRunner
from walconsole.ui.provisioning.screen import ProvisionScreen


def held_with(*runs: KeptRun) -> HeldHistory:
    held = HeldHistory(runs=runs)
    held.keep_screens("db", 1, linked(frames_of(past_screens([*MINUTES, (NOW, healthy())]))))
    return held


def app_with_a_past(held: HeldHistory) -> WalconsoleApp:
    app = stage(STATES["incident"]())
    app.current.past = KeptPast(held, "db")
    return app


class Kept:
    """A session's runner is kept likewise (session.resting_runner)."""

    def __init__(self, runner: StepRunner, kept: StepsKept) -> None:
        self._runner, self._kept = runner, kept
        self.steps, self.stages = runner.steps, runner.stages

    @property
    def done(self) -> bool:
        return self._runner.done

    async def run(self) -> None:
        async with self._kept.doing(Doing.RUN):
            await self._runner.run()

    async def check_all(self) -> None:
        async with self._kept.doing(Doing.LOOK):
            await self._runner.check_all()

    async def undo(self) -> None:
        async with self._kept.doing(Doing.UNDO):
            await self._runner.undo()


def with_kept_steps(held: HeldHistory, steps: list[Played]) -> WalconsoleApp:
    app = with_steps(app_with_a_past(held), steps)
    make = app.current.provisioner
    assert make is not None

    async def kept(gate: Gate, tell: Tell) -> Kept:
        keeper = StepsKept(held, "db", FrozenClock(), steps, "setting archiving up", "on the screen")
        runner = await make(gate, keeper.before(tell))
        assert isinstance(runner, Runner)
        return Kept(runner, keeper)

    app.current.provisioner = kept
    return app


async def in_past(pilot: Pilot[None], *keys: str) -> ProvisionScreen:
    """The screen of steps, once it shows what was kept."""
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await moved(pilot, *keys)
    await until(pilot, lambda: isinstance(app.screen, ProvisionScreen) and app.screen._past is not None)
    screen = app.screen
    assert isinstance(screen, ProvisionScreen)
    await at_its_moment(pilot, screen)
    return screen


async def at_its_moment(pilot: Pilot[None], screen: ProvisionScreen) -> None:
    def is_there() -> bool:
        travel = screen.session.travel
        moment = travel.screen if travel is not None else None
        return moment is not None and screen._past is not None and screen._past.at == moment.at

    await until(pilot, is_there)
    await pilot.pause(0.25)


async def test_the_past_shows_the_pictures_that_now_did() -> None:
    held, steps = held_with(), played_steps()
    steps[2].state = CheckState.DONE  # its gate asks for a name
    app = with_kept_steps(held, steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        for step in ("buckets", "restart", "proof"):
            await agree(pilot, screen, step)
        await until(pilot, lambda: not run.busy)
        await pilot.pause(0.3)
        live = {name: rows(screen, name) for name in screen.panes}
        verdict = screen.verdict.text
        past = await in_past(pilot, "h")
        assert past is screen
        assert "THE PAST, 2026-09-21 14:13:20Z" in first_line(app)
        assert screen.verdict.text == verdict
        then = {name: rows(screen, name) for name in screen.panes}
        assert then["steps"] == live["steps"]
        assert then["events"] == live["events"]
        assert "bucket shithub-wal@nyc3: made (before: not there)" in then["plan"]
        assert "2026-09-21 14:13:20Z setting archiving up, on the screen: gone through" in " ".join(
            then["plan"].split()
        )
        await moved(pilot, "h")
        await until(pilot, lambda: "THE PAST" not in first_line(app))
        await pilot.pause(0.2)
        assert {name: rows(screen, name) for name in screen.panes} == live


async def test_s_opens_them_in_the_past_whoever_ran_them() -> None:
    app = app_with_a_past(held_with(kept_run()))
    async with app.run_test(size=(240, 40)) as pilot:
        await settle(pilot)
        await moved(pilot, "h")
        assert " s steps" in screen_text(app).split("\n")[-1]
        screen = await in_past(pilot, "s")
        assert "it was not agreed to" in first_line(app)
        assert "Steps, begun 2026-09-21 14:05:20Z" in screen_text(app)
        assert screen_text(app).split("\n")[-2].startswith(" PAST ")
        footer = screen_text(app).split("\n")[-1]
        assert not [word for word in ("execute", "undo", "look again") if word in footer]
        for key in ("x", "u", "r"):
            await moved(pilot, key)
        assert not screen.run.busy
        assert "this is the past: h comes back to now" in said(app)
        await moved(pilot, "h")
        await until(pilot, lambda: app.screen is app.dashboard)
        assert app.current.runs == ()


async def test_moving_shows_it_as_it_was_at_each_moment() -> None:
    app = app_with_a_past(held_with(kept_run()))
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        screen = await in_past(pilot, "h", "s")
        seen = []
        for _ in range(8):
            await moved(pilot, "left")
            await at_its_moment(pilot, screen)
            seen.append(
                (screen.shown.news["buckets"].stage if screen.shown.news else None, screen.verdict.text)
            )
        assert NOW - 8 * 60 == BEGAN
        assert "no steps are kept" in (await before_all(pilot, screen))
        stages = [one for one, _ in seen]
        assert stages[:4] == [Stage.CHANGED] * 4
        assert Stage.APPLYING in stages
        assert Stage.ASKING in stages
        asked_then = next(text for one, text in seen if one is Stage.ASKING)
        assert "Buckets: make shithub-wal in nyc3" in asked_then
        assert not screen.gate.asking


async def before_all(pilot: Pilot[None], screen: ProvisionScreen) -> str:
    await moved(pilot, "left")
    await at_its_moment(pilot, screen)
    return screen.verdict.text


async def test_a_gate_that_asks_now_is_not_answered_from_the_past() -> None:
    steps = played_steps()
    app = with_kept_steps(held_with(kept_run()), steps)
    async with app.run_test(size=(120, 36)) as pilot:
        screen, run = await opened(pilot)
        await pilot.press("x")
        await asked(pilot, screen, "buckets")
        await in_past(pilot, "h", "left")
        assert not screen.gate.asking
        assert "Buckets asks: h comes back to it" in said(app)
        await pilot.press("y", "enter", "n")
        await pilot.pause(0.1)
        assert run.question is not None
        assert not steps[1].applied
        await moved(pilot, "h")
        await agree(pilot, screen, "buckets")
        await until(pilot, lambda: bool(steps[1].applied))


async def test_a_replay_has_them() -> None:
    frames = tuple(frames_of(past_screens([(NOW - 60, healthy()), (NOW, healthy())])))
    replay = replaying(recording_of(recording_text(Recording("shithub", frames, runs=(kept_run(),)))))
    async with replay.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        screen = await in_past(pilot, "s")
        assert "A RECORDING" in first_line(replay)
        assert "it was not agreed to" in first_line(replay)
        await moved(pilot, "x")
        assert "this is a recording" in said(replay)
        assert not screen.run.busy
        await pilot.press("escape")
        await until(pilot, lambda: replay.screen is replay.dashboard)
