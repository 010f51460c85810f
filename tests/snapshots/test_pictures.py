"""Pictures of the console at three sizes in a dark and a light theme, with a frozen clock.

After a change that is meant: look at the report, then run pytest with --snapshot-update.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.archives import ARCHIVES, readers
from tests.data.configuration import configured
from tests.data.fleet import ScriptedSource, rows, with_a_past
from tests.data.kept_steps import kept_run
from tests.data.moments import found_moments, hostile_moments
from tests.data.past import kept_past, past_screens
from tests.data.provision_run import first_backup, played_steps, with_steps
from tests.data.recoveries import RECOVERIES
from tests.data.recovering import PAUSED
from tests.data.snapshots import STATES, log_lines
from tests.data.stage import FrozenClock, ScriptedObserver, screen_text, settle, stage, until
from tests.pilot.test_steps_past import app_with_a_past, held_with, in_past
from tests.pilot.test_travel import MINUTES, moved
from walconsole.domain.facts.evidence import LogEntry, LogFacts, LogKind
from walconsole.domain.facts.snapshot import succeeded
from walconsole.domain.kept.screens import newest_lines
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.board.glyphs import ASCII, UNICODE
from walconsole.ui.board.theming import ThemeShelf, shipped_folder
from walconsole.ui.configuration.screen import ConfigurationScreen
from walconsole.ui.fleet_app import FleetApp
from walconsole.ui.provisioning.screen import ProvisionScreen
from walconsole.ui.recovery.moment_screen import MomentScreen
from walconsole.ui.recovery.recover_screen import RecoverScreen
from walconsole.ui.recovery.screen import RecoveryScreen
from walconsole.ui.triage.screen import TriageScreen

SnapCompare = Callable[..., bool]

SIZES = {"80x24": (80, 24), "120x36": (120, 36), "200x60": (200, 60)}

in_both_themes = pytest.mark.parametrize(
    ("size", "theme"),
    [
        ("80x24", "night"),
        ("120x36", "paper"),
        ("200x60", "night"),
        *(
            pytest.param(size, theme, marks=pytest.mark.long)
            for size, theme in (("120x36", "night"), ("80x24", "paper"), ("200x60", "paper"))
        ),
    ],
)
"""Every size, and both themes: a theme moves nothing. `make test-all` takes each in each."""


async def drawn(pilot: Pilot[None]) -> None:
    """Until snapshot and log are on the screen."""
    await settle(pilot)
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await until(pilot, lambda: app.dashboard.log_pane.rows > 1)
    await pilot.pause(0.15)


@in_both_themes
@pytest.mark.parametrize("state", ["incident", "healthy"])
def test_the_console(snap_compare: SnapCompare, state: str, size: str, theme: str) -> None:
    app = stage(STATES[state](), lines=log_lines(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=drawn)


@pytest.mark.parametrize("state", ["failing", "slow", "idle", "all_dead", "nothing_readable", "hostile"])
def test_other_states(snap_compare: SnapCompare, state: str) -> None:
    app = stage(STATES[state](), lines=log_lines())
    assert snap_compare(app, terminal_size=SIZES["120x36"], run_before=drawn)


@pytest.mark.parametrize("theme", ["contrast", "okabe-ito"])
def test_other_themes(snap_compare: SnapCompare, theme: str) -> None:
    app = stage(STATES["failing"](), lines=log_lines(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES["120x36"], run_before=drawn)


WAITS = "000000010000000000000042"
TITLE = "shithub (deploy@db-1.fra1.example.net)"


def test_read_only_on_a_small_terminal(snap_compare: SnapCompare) -> None:
    app = stage(STATES["failing"](), lines=log_lines(), title=TITLE, read_only=True)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=drawn)


def test_what_to_do_stays_while_another_pane_is_in_focus(snap_compare: SnapCompare) -> None:
    async def elsewhere(pilot: Pilot[None]) -> None:
        await drawn(pilot)
        await pilot.press("1")
        await pilot.pause(0.15)

    app = stage(STATES["failing"](), lines=log_lines(), title=TITLE)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=elsewhere)


def test_a_terminal_far_too_small(snap_compare: SnapCompare) -> None:
    app = stage(STATES["incident"](), lines=log_lines())
    assert snap_compare(app, terminal_size=(20, 5), run_before=drawn)


def test_without_unicode(snap_compare: SnapCompare) -> None:
    app = stage(STATES["failing"](), lines=log_lines(), glyphs=ASCII)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=drawn)


@in_both_themes
@pytest.mark.parametrize("state", ["failing", "healthy"])
def test_triage(snap_compare: SnapCompare, state: str, size: str, theme: str) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await drawn(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, TriageScreen))
        await pilot.pause(0.1)

    app = stage(STATES[state](), lines=log_lines(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=opened)


@pytest.mark.parametrize("size", SIZES)
def test_triage_with_a_log(snap_compare: SnapCompare, size: str) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await drawn(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, TriageScreen))
        if size == "80x24":
            await pilot.press("5")
        await pilot.pause(0.1)

    failing = STATES["failing"]()
    said = [
        (LogKind.FAILED, "LOG:  archive command failed with exit code 1"),
        (
            LogKind.COMMAND,
            f"DETAIL:  The failed archive command was: /usr/local/bin/shithub-pg-archive {WAITS}",
        ),
        (LogKind.PROGRAM, f"shithub-pg-archive: {WAITS} not archived to spaces:shithub-wal/: AccessDenied"),
    ]
    entries = tuple(
        LogEntry(text, kind, failing.taken_at - 60 * (12 - each)) for each in range(12) for kind, text in said
    )
    log = succeeded(
        failing.log, LogFacts("/var/log/postgresql/15-main.log", entries), failing.taken_at, "log", 5.0
    )
    app = stage(replace(failing, log=log), lines=log_lines())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=opened)


@in_both_themes
def test_the_configuration(snap_compare: SnapCompare, size: str, theme: str) -> None:
    async def opened(pilot: Pilot[None]) -> None:
        await drawn(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfigurationScreen))
        screen = pilot.app.screen
        assert isinstance(screen, ConfigurationScreen)
        await until(pilot, lambda: screen.desk is not None)
        await pilot.pause(0.1)

    app = stage(configured(STATES["incident"]()), lines=log_lines(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=opened)


async def archive_opened(pilot: Pilot[None]) -> None:
    """The archive screen with its keys on it."""
    await drawn(pilot)
    await pilot.press("b")
    await until(pilot, lambda: isinstance(pilot.app.screen, ArchiveScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ArchiveScreen)
    await until(pilot, lambda: screen.desk is not None)
    shown = [view for view in screen.views.values() if view.rows is not None]
    await until(pilot, lambda: all(view.key for view in shown if view.pane.size.height > 2))
    await pilot.pause(0.3)


@in_both_themes
def test_the_archive(snap_compare: SnapCompare, size: str, theme: str) -> None:
    observer = ScriptedObserver([ARCHIVES["holes"]()], log_lines(), readers())
    app = stage(observer=observer, theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=archive_opened)


@pytest.mark.parametrize("state", ["sweeping", "primary_missing", "foreign", "hostile"])
def test_other_states_of_the_archive(snap_compare: SnapCompare, state: str) -> None:
    observer = ScriptedObserver([ARCHIVES[state]()], log_lines(), readers())
    assert snap_compare(stage(observer=observer), terminal_size=SIZES["120x36"], run_before=archive_opened)


def test_the_archive_without_unicode(snap_compare: SnapCompare) -> None:
    observer = ScriptedObserver([ARCHIVES["holes"]()], log_lines(), readers())
    app = stage(observer=observer, glyphs=ASCII)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=archive_opened)


async def provision_opened(pilot: Pilot[None]) -> ProvisionScreen:
    """The provisioning screen, once every step was looked at."""
    await drawn(pilot)
    await pilot.press("s")
    await until(pilot, lambda: isinstance(pilot.app.screen, ProvisionScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ProvisionScreen)
    await until(pilot, lambda: bool(screen.run.news) and not screen.run.busy)
    await pilot.pause(0.3)
    return screen


def asks(screen: ProvisionScreen, step: str) -> bool:
    question = screen.run.question
    return question is not None and question.step == step and screen.gate.asking


async def gate_asks(pilot: Pilot[None], times: int) -> ProvisionScreen:
    """The gate of the last of so many steps, the others agreed to."""
    screen = await provision_opened(pilot)
    await pilot.press("x")
    for at in range(1, times + 1):
        await until(pilot, partial(asks, screen, screen.run.steps[at].id))
        await pilot.pause(0.3)
        if at < times:
            screen.run.answer(True)
    return screen


@in_both_themes
@pytest.mark.parametrize("state", ["asking", "running", "ended"])
def test_provisioning(
    snap_compare: SnapCompare, state: str, size: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where it really is written differs from one test run to the next.
    saved = f"{Path.home()}/.local/share/walconsole/transcripts/walconsole-provisioning-20261125T030000Z"
    written = ("", f"{saved}.md, {saved}.json")
    monkeypatch.setattr("walconsole.ui.provisioning.transcript.save_transcript", lambda *_: written)
    steps = played_steps()

    async def reached(pilot: Pilot[None]) -> None:
        screen = await gate_asks(pilot, {"asking": 2, "running": 1, "ended": 4}[state])
        if state != "asking":
            screen.run.answer(True)
            await until(pilot, lambda: screen.run.changing if state == "running" else not screen.run.busy)
            await pilot.pause(0.3)

    if state == "running":
        steps[1].held = asyncio.Event()
    app = with_steps(stage(STATES["incident"](), lines=log_lines(), theme=theme), steps)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=reached)


@pytest.mark.parametrize("size", SIZES)
def test_a_base_backup_under_way(snap_compare: SnapCompare, size: str) -> None:
    async def reached(pilot: Pilot[None]) -> None:
        screen = await gate_asks(pilot, 1)
        screen.run.answer(True)
        await until(pilot, lambda: screen.run.changing)
        await pilot.pause(0.3)

    steps = [played_steps()[0], first_backup()]
    app = with_steps(stage(STATES["incident"](), lines=log_lines()), steps)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=reached)


async def recovery_opened(pilot: Pilot[None]) -> None:
    """The recovery screen with its strips."""
    await drawn(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoveryScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RecoveryScreen)
    await until(pilot, lambda: screen.picture is not None)
    await pilot.pause(0.3)


@in_both_themes
@pytest.mark.parametrize("state", ["nightly", "broken", "running", "waiting"])
def test_recovery(snap_compare: SnapCompare, state: str, size: str, theme: str) -> None:
    app = stage(RECOVERIES[state](), lines=log_lines(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=recovery_opened)


@pytest.mark.parametrize("state", ["none_taken", "one_copy", "not_read", "hostile_names", "unseen"])
def test_other_states_of_recovery(snap_compare: SnapCompare, state: str) -> None:
    app = stage(RECOVERIES[state](), lines=log_lines())
    assert snap_compare(app, terminal_size=SIZES["120x36"], run_before=recovery_opened)


def test_recovery_without_unicode(snap_compare: SnapCompare) -> None:
    app = stage(RECOVERIES["broken"](), lines=log_lines(), glyphs=ASCII)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=recovery_opened)


@pytest.mark.parametrize("size", SIZES)
def test_recovery_with_a_restore_point(snap_compare: SnapCompare, size: str) -> None:
    app = stage(RECOVERIES["nightly"](), lines=log_lines())
    app.current.found_moments = found_moments()
    assert snap_compare(app, terminal_size=SIZES[size], run_before=recovery_opened)


async def moment_opened(pilot: Pilot[None]) -> None:
    """What was found around a time, the cursor on the worst of it."""
    await recovery_opened(pilot)
    await pilot.press("M")
    await until(pilot, lambda: isinstance(pilot.app.screen, MomentScreen))
    await pilot.pause(0.3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("made", [found_moments, hostile_moments], ids=["plain", "hostile"])
def test_find_the_moment(snap_compare: SnapCompare, made: Callable[[], FoundMoments], size: str) -> None:
    app = stage(RECOVERIES["nightly"](), lines=log_lines())
    app.current.found_moments = made()
    assert snap_compare(app, terminal_size=SIZES[size], run_before=moment_opened)


async def recover_opened(pilot: Pilot[None]) -> None:
    """From the event under the cursor to the screen that goes back to just before it."""
    await moment_opened(pilot)
    await pilot.press("U")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoverScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RecoverScreen)
    await until(pilot, lambda: screen.unread == "")
    await pilot.pause(0.2)


@pytest.mark.parametrize(
    ("size", "theme", "state"),
    [
        ("80x24", "night", RecoveryState()),
        ("120x36", "paper", RecoveryState()),
        ("200x60", "night", RecoveryState()),
        ("80x24", "paper", PAUSED),
        ("120x36", "night", PAUSED),
    ],
    ids=["small", "light", "large", "paused-small-light", "paused"],
)
def test_recover(snap_compare: SnapCompare, size: str, theme: str, state: RecoveryState) -> None:
    async def read() -> RecoveryState:
        return state

    app = stage(RECOVERIES["nightly"](), lines=log_lines(), theme=theme)
    app.current.found_moments, app.current.recovery_state = found_moments(), read
    assert snap_compare(app, terminal_size=SIZES[size], run_before=recover_opened)


def fleet(theme: str = "night", source: ScriptedSource | None = None) -> FleetApp:
    """The list over eight clusters."""
    shelf = ThemeShelf((shipped_folder(),), Path("/nonexistent/state.toml"))
    return FleetApp(source or ScriptedSource(rows()), FrozenClock(), theme=theme, shelf=shelf, glyphs=UNICODE)


async def listed(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await until(pilot, lambda: "the worst first" in screen_text(app))
    await pilot.pause(0.1)


@in_both_themes
def test_the_fleet(snap_compare: SnapCompare, size: str, theme: str) -> None:
    assert snap_compare(fleet(theme), terminal_size=SIZES[size], run_before=listed)


def test_the_fleet_by_tag_and_filtered(snap_compare: SnapCompare) -> None:
    async def by_tag(pilot: Pilot[None]) -> None:
        await listed(pilot)
        await pilot.press("number_sign", "a", "l", "J")
        await pilot.pause(0.1)

    assert snap_compare(fleet(), terminal_size=SIZES["120x36"], run_before=by_tag)


def test_the_fleets_past(snap_compare: SnapCompare, tmp_path: Path) -> None:
    source = ScriptedSource(rows())
    with_a_past(source, tmp_path)

    async def gone_back(pilot: Pilot[None]) -> None:
        await listed(pilot)
        await moved(pilot, "h")
        await pilot.pause(0.15)

    assert snap_compare(fleet(source=source), terminal_size=SIZES["120x36"], run_before=gone_back)


async def gone_back(pilot: Pilot[None], *keys: str) -> None:
    await drawn(pilot)
    await moved(pilot, "h", "left_square_bracket", *keys)
    await pilot.pause(0.15)


@pytest.mark.parametrize("theme", ["night", "paper"])
@pytest.mark.parametrize("size", ["80x24", "120x36"])
def test_the_past(snap_compare: SnapCompare, size: str, theme: str) -> None:
    app = stage(STATES["healthy"](), lines=log_lines(), theme=theme)
    app.current.past = kept_past(past_screens(MINUTES, newest_lines((), log_lines())))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=gone_back)


def test_the_past_of_triage(snap_compare: SnapCompare) -> None:
    app = stage(STATES["healthy"](), lines=log_lines())
    app.current.past = kept_past(past_screens(MINUTES, newest_lines((), log_lines())))
    assert snap_compare(app, terminal_size=SIZES["120x36"], run_before=partial(gone_back_by, "i"))


async def gone_back_by(key: str, pilot: Pilot[None]) -> None:
    await gone_back(pilot, key)


@pytest.mark.parametrize("size", ["80x24", "120x36"])
def test_the_past_of_the_steps(snap_compare: SnapCompare, size: str) -> None:
    async def steps_then(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await in_past(pilot, "h", "s")

    app = app_with_a_past(held_with(kept_run()))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=steps_then)
