"""A recording on the screens: the same pictures as the live ones were, nothing connected, nothing done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from tests.data.archives import ARCHIVES
from tests.data.facts import NOW
from tests.data.past import frames_of, kept_past, past_screens
from tests.data.recoveries import RECOVERIES
from tests.data.snapshots import STATES, failing, healthy, log_lines
from tests.data.stage import RCLONE, screen_text, settle, stage, until
from tests.pilot.test_travel import first_line, moved, said
from walconsole.domain.incidents.model import Cause, Incident, IncidentLog
from walconsole.domain.kept.recording import Recording, recording_of, recording_text
from walconsole.domain.kept.screens import newest_lines
from walconsole.domain.standing.model import Level
from walconsole.session.replay import read_recording, replay_session
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.board.theming import ThemeShelf, shipped_folder

SIZE = (220, 60)
CAUSE = Cause("key", "key-403", "critical", "the key is refused", NOW - 900, NOW)
REMEMBERED = IncidentLog(open=Incident(NOW - 900, Level.CRITICAL, "archiving FAILS", NOW, causes=(CAUSE,)))
LINES = newest_lines((), log_lines())
SCREENS = {"dashboard": "", "triage": "i", "configuration": "c", "recovery": "v"}
SEEN: dict[str, Callable[[], Any]] = {
    "incident": STATES["incident"],
    "failing": STATES["failing"],
    "recovery nightly": RECOVERIES["nightly"],
}


class Remembering:
    """board.front.Memory that knows of one incident."""

    log = REMEMBERED

    def look(self, *_: object) -> IncidentLog:
        return self.log


def replaying(recording: Recording) -> WalconsoleApp:
    shelf = ThemeShelf((shipped_folder(),), Path("/nonexistent/state.toml"))
    return WalconsoleApp(replay_session(recording), theme="night", shelf=shelf, glyphs=UNICODE)


def recorded(*moments: Any) -> Recording:
    remotes = {role.value: name for role, name in RCLONE.copies.items()}
    made = frames_of(past_screens(moments, LINES, REMEMBERED))
    return recording_of(recording_text(Recording("shithub", tuple(made), remotes, RCLONE.config)))


def written(folder: Path) -> Path | None:
    return next(folder.glob("*.walrec"), None)


async def picture(pilot: Pilot[None], key: str) -> list[Strip]:
    """Of the screen behind that key: all but its first line."""
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await settle(pilot)
    await until(pilot, lambda: app.dashboard.log_pane.rows > 0)
    if key:
        await pilot.press(key)
    await pilot.pause(0.3)
    return app.screen._compositor.render_strips()[: app.size.height]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("state", SEEN)
async def test_a_replay_shows_the_pictures_that_the_live_one_did(state: str, screen: str) -> None:
    snapshot = SEEN[state]()
    width, height = SIZE
    live = stage(snapshot, lines=LINES)
    live.current.memory = Remembering()
    async with live.run_test(size=(width, height)) as pilot:
        seen = await picture(pilot, SCREENS[screen])
    replay = replaying(recorded((NOW, snapshot)))
    async with replay.run_test(size=(width, height + 1)) as pilot:  # the time line
        again = await picture(pilot, SCREENS[screen])
        assert "A RECORDING, 2026-09-21 14:13:20Z" in first_line(replay)
    assert [strip.text for strip in again[1:-2]] == [strip.text for strip in seen[1:-1]]
    assert again[1:-2] == seen[1:-1]
    assert again[-2].text.startswith(" RECORDING ")


async def test_the_archive_is_the_same_but_for_the_keys_which_are_not_kept() -> None:
    replay = replaying(recorded((NOW, ARCHIVES["holes"]())))
    async with replay.run_test(size=(120, 40)) as pilot:
        await picture(pilot, "b")
        text = screen_text(replay)
        assert "A RECORDING" in text
        await pilot.press("3")
        await pilot.pause(0.1)
        assert "RECORDING" in screen_text(replay)


async def test_nothing_is_connected_nothing_is_done_and_it_is_not_left_for_now() -> None:
    replay = replaying(recorded((NOW - 60, healthy()), (NOW, failing())))
    async with replay.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "13:20Z" not in first_line(replay)  # it begins with its first moment
        await moved(pilot, "right")
        assert "CRITICAL" in first_line(replay)
        for key in ("h", "escape", "s", "r"):
            await moved(pilot, key)
            await until(pilot, lambda: "A RECORDING" in first_line(replay))
        await pilot.press("i")
        await pilot.pause(0.1)
        await pilot.press("f")
        await pilot.pause(0.1)
        assert replay.current.runs == ()
        assert "this is a recording" in said(replay)
        assert replay.current.fixer is None
        assert replay.current.provisioner is None


async def test_it_plays_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walconsole.ui.board.travel_keys.PLAY_EVERY_S", 0.05)
    replay = replaying(recorded((NOW - 60, healthy()), (NOW - 30, failing()), (NOW, healthy())))
    async with replay.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "14:13:20Z" in first_line(replay).split("restorable")[0])
        await until(pilot, lambda: replay._playing is None)
        assert "this was the last moment that is kept" in said(replay)


async def test_e_in_triage_writes_what_can_be_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    live = stage(failing(), lines=LINES)
    live.current.memory = Remembering()
    moments = [(NOW - 1000, healthy()), (NOW - 5000, healthy()), (NOW - 500, failing())]
    live.current.past = kept_past(past_screens(sorted(moments), LINES, REMEMBERED))
    async with live.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("i", "e")
        await until(pilot, lambda: written(tmp_path) is not None)
    path = written(tmp_path)
    assert path is not None
    assert path.stat().st_mode & 0o077 == 0
    recording = read_recording(path)
    assert [frame.at for frame in recording.frames] == [NOW - 1000, NOW - 500]
    replay = replaying(recording)
    async with replay.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await moved(pilot, "right")
        assert "CRITICAL" in first_line(replay)
