"""A recovery that dies at a random moment: gone on with or undone, production and archive as they were."""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.integration.deaths import each_death, killed, share_of
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program, assert_untouched, listing, names, orders, text_of
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long,
]

CONSOLE, SCRIPT, SERVER, ALL = "the console", "its script", "its server", "all of it"
WHAT = (ALL, CONSOLE, SCRIPT, SERVER)
TYPICAL_PROMOTION_S = 12.0
"""Later than its end nothing dies."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Twenty of the forty; the others are drills'. Of a promotion each takes a deployment of its own."""
    each_death(metafunc, "death", 4, 20)
    each_death(metafunc, "death_of_promotion", 1, 8)


@dataclass
class Recovering:
    """A deployment with an accident in it, and the operator's program."""

    stage: Stage
    program: Program
    place: str
    """The LSN before the accident."""
    took_s: float = 0.0

    @property
    def wish(self) -> tuple[str, ...]:
        return ("--to-lsn", self.place, "--into", "15/restored")

    @property
    def recovery(self) -> Recovery:
        """As who looks now sees it."""
        return Recovery(self.stage.site)

    async def ran(self, *options: str) -> str:
        """What the program said; it must go well."""
        code, said = await self.program.run(*options, *self.program.confirm)
        assert code == 0, said
        return said

    async def dies(self, death: int, *options: str) -> None:
        """The program, killed with what it started, or that alone, at this death's share of its time."""
        child = await self.program.begin(*options, *self.program.confirm)
        await asyncio.sleep(share_of(death) * self.took_s)
        what = WHAT[death % len(WHAT)]
        if what in (CONSOLE, ALL):
            with suppress(ProcessLookupError):  # where it was faster than the run that was measured
                child.kill()
        if what in (SCRIPT, ALL):
            killed(f"{self.stage.profile.name}-recover")
        if what in (SERVER, ALL):
            state = await self.recovery.state()
            if state.lives:
                killed(f"-D {state.data} ")
        await child.communicate()

    async def undone(self) -> None:
        """Given up, with what it left taken away by the command that it shows."""
        said = await self.ran("--give-up")
        state = await self.recovery.state()
        assert not state.is_open, said
        assert not state.lives
        assert killed(f"-D {state.data or '/nowhere'} ") == [], "nothing of it runs"
        if state.work:
            assert f"rm -r -- {state.work}" in said or state.phase is RecoveryPhase.GIVEN_UP
            shutil.rmtree(state.work, ignore_errors=True)


@asynccontextmanager
async def _accident(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, folders: pytest.TempPathFactory
) -> AsyncIterator[Recovering]:
    """Fifty orders, archived, and then deleted."""
    # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, f"r{secrets.token_hex(2)}") as stage:
        await provisioned(stage)
        cluster = stage.cluster
        cluster.sql("CREATE TABLE orders (n int)")
        cluster.sql("INSERT INTO orders SELECT generate_series(1, 50)")
        place = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
        cluster.sql("DELETE FROM orders WHERE n <= 40")
        wait_archived(cluster, [fill_segment(cluster) for _ in range(4)])
        yield Recovering(stage, Program(stage, folders.mktemp("home")), place)


@pytest_asyncio.fixture(loop_scope="module")
async def accident(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Recovering]:
    async with _accident(workspace, rgw, rgw_dr, tmp_path_factory) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recovering(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Recovering]:
    """One that stays as it is: each recovery in it is given up. A first one has told how long it takes."""
    async with _accident(workspace, rgw, rgw_dr, tmp_path_factory) as made:
        began = time.monotonic()
        said = await made.ran(*made.wish, "--apply", "--count", "orders")
        assert "    50" in said
        made.took_s = time.monotonic() - began
        await made.undone()
        yield made


async def test_a_recovery_that_dies_is_gone_on_with_or_undone(recovering: Recovering, death: int) -> None:
    """Up to the pause nothing but its own folder is written."""
    cluster = recovering.stage.cluster
    started = text_of(cluster, "SELECT pg_postmaster_start_time()")
    before = listing(recovering.stage)
    await recovering.dies(death, *recovering.wish, "--apply")
    if death % 3:
        begun = (await recovering.recovery.state()).is_open
        said = await recovering.ran(*(() if begun else recovering.wish), "--apply", "--count", "orders")
        assert "    50" in said
    await recovering.undone()
    assert assert_untouched(before, listing(recovering.stage)) == set()
    assert orders(cluster) == 10
    assert text_of(cluster, "SELECT pg_postmaster_start_time()") == started, "it was never stopped"
    assert cluster.sql("SELECT failed_count FROM pg_stat_archiver") == [(0,)]


async def test_a_promotion_that_dies_is_gone_on_with(accident: Recovering, death_of_promotion: int) -> None:
    """In place: the old server is stopped by then, and its files must outlive whatever happens."""
    cluster, death = accident.stage.cluster, death_of_promotion
    await accident.ran("--to-lsn", accident.place, "--in-place", "--apply")
    accident.took_s = TYPICAL_PROMOTION_S
    await accident.dies(death, "--promote")
    state = await accident.recovery.state()
    if state.phase is not RecoveryPhase.DONE:
        await accident.ran("--promote")
    state = await accident.recovery.state()
    assert state.phase is RecoveryPhase.DONE
    assert orders(cluster) == 50
    assert names(f"{state.old}.before-{state.id}") >= {"PG_VERSION", "base"}, "the old files stay"
    assert cluster.sql("SHOW archive_mode") == [("on",)]
    for copy in listing(accident.stage):
        assert any(key.rpartition("/")[2].startswith("00000002.history") for key in copy)
