"""The demo's holes, mended to green by whoever presses only what the screen offers."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.stage import screen_text
from walconsole.domain.standing.model import Level
from walconsole.process.cleanup import Cleanups
from walconsole.session.console import make_console
from walconsole.session.wish import DemoWish, Session
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.provisioning.gate_bar import GateBar
from walconsole.ui.provisioning.screen import ProvisionScreen
from walconsole.ui.triage.screen import TriageScreen

pytestmark = [pytest.mark.server, pytest.mark.timeout(420), pytest.mark.long]


async def shown(pilot: Pilot[None], holds: Callable[[], bool], what: str, within_s: float = 90.0) -> None:
    assert isinstance(pilot.app, WalconsoleApp)
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"{what} did not come:\n{screen_text(pilot.app)}"
        await pilot.pause(0.1)


async def mended(pilot: Pilot[None], app: WalconsoleApp) -> None:
    """From where `f` was pressed: go, yes, and until the step is done."""
    await shown(pilot, lambda: isinstance(app.screen, ProvisionScreen), "the screen of steps")
    await shown(pilot, lambda: "bring back" in screen_text(app), "the plan")
    assert "x execute" in screen_text(app)
    await pilot.press("x")
    gate = app.screen.query_one(GateBar)
    await shown(pilot, lambda: gate.asking, "the gate")
    await pilot.press("right", "enter")
    await shown(pilot, lambda: not gate.asking and "each read back whole" in screen_text(app), "the proof")
    await pilot.press("escape")


@pytest.mark.parametrize("from_archive", [False, True], ids=["from its finding", "from the archive's gap"])
async def test_holes_are_mended_to_green_by_f_alone(from_archive: bool, tmp_path: Path) -> None:
    async with Cleanups() as cleanups:
        app = make_console(Session(DemoWish("holes"), tmp_path / "walconsole.log"), cleanups)
        async with app.run_test(size=(160, 50)) as pilot:
            await shown(pilot, lambda: "4 segments are missing in the" in screen_text(app), "the hole", 120)
            await pilot.press("b" if from_archive else "i")
            wanted = ArchiveScreen if from_archive else TriageScreen
            await shown(pilot, lambda: isinstance(app.screen, wanted), "its screen")
            if from_archive:
                await shown(
                    pilot, lambda: "mend" in screen_text(app).splitlines()[-1], "the key in the footer"
                )
            else:
                await shown(pilot, lambda: "f: plan" in screen_text(app), "what f does")
            await pilot.press("f")
            await mended(pilot, app)
            await pilot.press("escape")

            def green() -> bool:
                taken = app.current.taken
                return taken is not None and taken.diagnosis.verdict.level is Level.OK

            await shown(pilot, green, "green")
            taken = app.current.taken
            assert taken is not None
            facts = [taken.snapshot.primary.value, taken.snapshot.dr.value]
            assert [each.gap_count for each in facts if each is not None] == [0, 0]
            await asyncio.sleep(0)
