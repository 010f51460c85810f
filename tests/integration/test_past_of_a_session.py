"""A session on a real server keeps its screens, shows them again, and records what somebody else can play."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.stage import until
from tests.integration.test_droplet_sessions import a_profile, a_session, running
from tests.pilot.test_replay import written
from tests.pilot.test_travel import first_line, moved
from tests.servers.fixtures import MakeCluster, MakeSshd
from walconsole.operator_files.history_file import HistoryFile
from walconsole.process.cleanup import Cleanups
from walconsole.session.replay import read_recording, replay_session
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.theming import ThemeShelf, shipped_folder

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


def panes(app: WalconsoleApp, below: int) -> list[str]:
    """What the screen shows between its first line and the `below` last ones."""
    strips = app.screen._compositor.render_strips()[: app.size.height]
    return [strip.text for strip in strips[1:-below]]


async def shown_from_its_end(pilot: Pilot[None], app: WalconsoleApp) -> list[str]:
    await until(pilot, lambda: app.current.in_past and app.current.taken is not None)
    await moved(pilot, "shift+right")
    await pilot.pause(0.3)
    return panes(app, 2)


async def test_what_a_session_saw_is_shown_again_and_played_by_somebody_else(
    make_sshd: MakeSshd, make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = make_cluster()
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={cluster.conf_root}"})
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    async with Cleanups() as cleanups:
        session = a_session(a_profile("first", sshd, cluster), tmp_path, cleanups)
        async with running(session) as (app, pilot):
            await until(pilot, lambda: HistoryFile(environment).screen_levels("first") != [], 60.0)
            await moved(pilot, "h")
            await until(pilot, lambda: "THE PAST" in first_line(app))
            assert app.current.taken is not None
            assert app.current.taken.snapshot.server.value is not None
            await pilot.press("i", "e")
            await until(pilot, lambda: written(tmp_path) is not None, 30.0)
    path = written(tmp_path)
    assert path is not None
    recording = read_recording(path)
    assert recording.frames[0].level in ("critical", "unknown", "warning")
    replay = WalconsoleApp(
        replay_session(recording),
        theme="night",
        shelf=ThemeShelf((shipped_folder(),), Path("/nonexistent/x")),
    )
    async with replay.run_test(size=(120, 36)) as pilot:
        again = await shown_from_its_end(pilot, replay)
        assert "A RECORDING" in first_line(replay)
        assert any("PostgreSQL" in line for line in again)
