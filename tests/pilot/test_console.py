"""The console under an operator's fingers: keys, focus, folding, pausing, copying, exporting."""

import json
import stat
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.events import MouseScrollDown, MouseScrollUp
from textual.widgets import Input

from tests.data.configuration import configured
from tests.data.facts import NOW
from tests.data.snapshots import STATES, failing, healthy, hostile, incident, log_lines
from tests.data.stage import ScriptedObserver, screen_text, settle, stage, until
from tests.long import always
from walconsole.errors import ConfigError
from walconsole.ui.board.catalogue import PANES
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.palette import ConsoleCommands
from walconsole.ui.triage.screen import TriageScreen

SIZES = ((80, 24), (120, 36), (200, 60), (20, 5), (40, 10), (1, 1), (300, 8))
NAMES = [spec.name for spec in PANES]


@pytest.mark.parametrize("state", STATES)
async def test_every_state_shows_its_verdict_first_at_every_size(state: str) -> None:
    app = stage(STATES[state](), lines=log_lines())
    async with app.run_test(size=SIZES[0]) as pilot:
        await settle(pilot)
        for size in SIZES[:5]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.size == size
            first = screen_text(app).split("\n")[0]
            assert app.dashboard.verdict.word
            assert app.dashboard.verdict.sign in first


@pytest.mark.parametrize("size", always((80, 24), (1, 1), of=SIZES))
async def test_no_size_and_no_key_ends_the_session(size: tuple[int, int]) -> None:
    app = stage(failing(), lines=log_lines())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in "zjkhlgGaf123z4567z":
            await pilot.press(key)
        await pilot.press("space", "pagedown", "pageup", "tab", "shift+tab", "enter", "escape", "p", "p")
        assert app.is_running
        assert app._exception is None


async def test_a_resize_places_everything_again() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for size in ((80, 24), (20, 5), (200, 60), (5, 2), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert app.dashboard.board.panes["archiver"].size.height > 5


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_digits_jump_to_panes_and_what_folds_opens(size: tuple[int, int]) -> None:
    app = stage(failing(), lines=log_lines())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for spec in PANES:
            await pilot.press(str(spec.number))
            await pilot.pause()
            pane = app.dashboard.board.panes[spec.name]
            assert app.focused is pane
            assert pane.size.height > 2


async def test_tab_goes_around_and_back() -> None:
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        seen = []
        for _ in NAMES:
            await pilot.press("tab")
            seen.append(app.dashboard.board.focused_name)
        assert seen == ["log", "archiver", "wal_disk", "configuration", "bucket", "droplet", "findings"]
        await pilot.press("shift+tab")
        assert app.dashboard.board.focused_name == "droplet"


async def test_left_and_right_go_to_the_pane_beside() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("left")
        assert app.dashboard.board.focused_name == "archiver"
        await pilot.press("right")
        assert app.dashboard.board.focused_name == "findings"


async def test_maximise_and_restore_by_key_and_by_mouse() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        pane = app.dashboard.board.panes["bucket"]
        before = pane.size
        await pilot.press("4", "z")
        await pilot.pause()
        assert pane.size.width == 120
        await pilot.press("escape")
        await pilot.pause()
        assert pane.size == before
        await pilot.click("#bucket", offset=(5, 3), times=2)
        await pilot.pause()
        assert pane.size.width == 120


async def test_the_cursor_and_the_view_move_within_the_rows() -> None:
    app = stage(failing())
    async with app.run_test(size=(80, 15)) as pilot:
        await settle(pilot)
        pane = app.dashboard.board.panes["findings"]
        await pilot.press("z")
        await pilot.pause()
        assert pane.rows > pane.page
        await pilot.press("G")
        assert pane.cursor == pane.rows - 1
        assert pane.top == pane.rows - pane.page
        await pilot.press("j", "j")
        assert pane.cursor == pane.rows - 1
        await pilot.press("g")
        assert (pane.cursor, pane.top) == (0, 0)
        await pilot.press("pagedown")
        assert pane.top > 0
        await pilot.press("k", "up")
        assert pane.cursor >= 0


async def test_the_wheel_scrolls_what_is_under_the_mouse() -> None:
    app = stage(failing(), lines=log_lines(100))
    async with app.run_test(size=(80, 11)) as pilot:
        await settle(pilot)
        pane = app.dashboard.board.panes["findings"]
        await pilot.press("z")
        await pilot.pause()
        assert pane.rows > pane.page + 3
        for event, top in ((MouseScrollDown, 3), (MouseScrollDown, 6), (MouseScrollUp, 3)):
            await pilot._post_mouse_events([event], "#findings", offset=(10, 3))
            await pilot.pause()
            assert pane.top == top
            assert pane.cursor >= top


async def test_keys_reach_the_observer() -> None:
    observer = ScriptedObserver([healthy()])
    app = stage(observer=observer)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("r", "p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))
        await pilot.press("p", "+", "minus", "minus")
        assert observer.asked == ["refresh", "pause True", "pause False", "pace 0.5", "pace 1", "pace 2"]
        await pilot.pause()
        assert "every x2" in screen_text(app)


async def test_y_copies_the_lines_value() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("1", "j", "y")
        assert app.clipboard == "000000010000000000000041"


async def test_what_is_copied_is_as_safe_as_what_is_shown() -> None:
    app = stage(hostile())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for name in NAMES:
            pane = app.dashboard.board.panes[name]
            app.dashboard.action_jump(name)
            for index in range(pane.rows):
                pane.go_to(index)
                await pilot.press("y")
                assert app.clipboard.replace("\n", "").isprintable()


async def test_export_writes_new_private_files_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage(incident(), lines=log_lines())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("3", "e", "e", "7", "e", "1", "e")
        await pilot.pause()
    check_exports(tmp_path)


def check_exports(folder: Path) -> None:
    """Seven files, each private, the second export of a second beside the first."""
    names = sorted(path.name for path in folder.iterdir())
    stamp = "20260921T141320Z"
    assert names == [
        f"walconsole-archiver-{stamp}.json",
        f"walconsole-configuration-{stamp}-2.csv",
        f"walconsole-configuration-{stamp}-2.json",
        f"walconsole-configuration-{stamp}.csv",
        f"walconsole-configuration-{stamp}.json",
        f"walconsole-log-{stamp}.csv",
        f"walconsole-log-{stamp}.json",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    document = json.loads((folder / f"walconsole-configuration-{stamp}.json").read_text())
    assert document["verdict"]["level"] == "critical"
    assert {"label": "archive_mode", "value": "off"}.items() <= document["rows"][0].items()
    assert (folder / f"walconsole-configuration-{stamp}.csv").read_text().startswith("setting,value,")


async def test_enter_on_a_finding_goes_to_the_setting_it_is_about() -> None:
    app = stage(configured(incident()))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Chain of archive_mode" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_the_palette_knows_every_action_and_runs_it() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"go to bucket")
        await until(pilot, lambda: "Go to Bucket" in screen_text(app))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.dashboard.board.focused_name == "bucket")


@pytest.mark.parametrize("times", [1, 3])
async def test_enter_at_once_takes_what_is_typed_and_not_what_stood_first_before(times: int) -> None:
    """A word and Enter in one go took Quit, which stood first."""
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Explain the pane in focus  (?)" in screen_text(app))
        line = app.focused
        assert isinstance(line, Input)
        line.value = "triage"
        for _ in range(times):
            await line.action_submit()
        await until(pilot, lambda: isinstance(app.screen, TriageScreen))
        await pilot.pause(0.2)
        assert len(app.screen_stack) == 2
        assert app.is_running


async def test_enter_alone_in_the_palette_ends_nothing() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Explain the pane in focus  (?)" in screen_text(app))
        assert isinstance(app.screen, CommandPalette)
        hits = [hit async for hit in ConsoleCommands(app.screen).discover()]
        assert [str(hit.text) for hit in hits][-1] == "Quit"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert app.is_running


async def test_ages_tick_though_nothing_new_is_published() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert "pg_stat_archiver · 0.4 s" in screen_text(app)
        app.current.clock.at = NOW + 7  # type: ignore[attr-defined]
        await until(pilot, lambda: "pg_stat_archiver · 7.4 s" in screen_text(app))


async def test_what_can_never_succeed_ends_the_session_with_its_exit_code() -> None:
    class Refusing(ScriptedObserver):
        async def run(self, screen: object) -> None:
            raise ConfigError("reading the profile", "config.toml:3: no host", "name one")

    app = stage(observer=Refusing([]))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.failure is not None)
    assert app.return_code == ConfigError.exit_code
    assert app.failure is not None
    assert "config.toml:3" in app.failure.line()


async def test_before_the_first_snapshot_it_says_what_it_does() -> None:
    class Starting(ScriptedObserver):
        async def run(self, screen: object) -> None:
            screen.status("starting PostgreSQL 18 [/x]")  # type: ignore[attr-defined]

    app = stage(observer=Starting([]))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "shithub: starting PostgreSQL 18 [/x]" in screen_text(app))
        for key in ("e", "y", "enter", "question_mark", "escape", "G", "z"):
            await pilot.press(key)
        assert app._exception is None
