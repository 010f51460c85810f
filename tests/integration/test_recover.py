"""A real cluster recovered by the steps: into a new one beside it, in its place, from DR, and given up."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import RealClock
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.postgres_debian import DebianCluster
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_into, read_target
from walconsole.droplet.choices import DrillChoices
from walconsole.provision.engine.model import Printed, Proved, Stage as StepStage, Step
from walconsole.provision.engine.runner import Runner
from walconsole.provision.recovering.catalogue import back, dumping, further, onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery
from walconsole.session.one_look import look_anew

pytestmark = [pytest.mark.server, pytest.mark.timeout(500)]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    name = f"r{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, name) as made:
        await provisioned(made)
        site = made.site

        async def snapshot() -> Snapshot:
            return await look_anew(made.profile, site.shell, RealClock(), {})

        async def whole() -> Snapshot:
            return await look_anew(made.profile, site.shell, RealClock(), {}, whole=True)

        site.snapshot, site.whole = snapshot, whole
        site.drill = DrillChoices(poll_s=1, reserve_mib=64)
        yield made


async def ran(stage: Stage, steps: Sequence[Step]) -> str:
    """What the run of these steps told; it must go through."""
    stage.told.clear()
    runner = Runner(stage.site, steps, stage.gate, stage.told.append)
    try:
        await runner.run()
    finally:
        print(said(stage))
    return said(stage)


def said(stage: Stage) -> str:
    lines = []
    for news in stage.told:
        if isinstance(news.event, Printed | Proved):
            lines.append(f"{news.step}: {news.event.text}")
        if news.check is not None:
            lines.append(f"{news.step}: [{news.check.state}] {news.check.summary}")
            lines += [f"{news.step}:   {fact.label}: {fact.value}" for fact in news.check.facts]
        if news.error is not None:
            lines.append(f"{news.step}: {news.error.line()}")
    return "\n".join(lines)


def count(cluster: DebianCluster) -> int:
    ((rows,),) = cluster.sql("SELECT count(*) FROM orders")
    return int(rows)


async def test_it_goes(stage: Stage) -> None:
    cluster = stage.cluster
    cluster.sql("CREATE TABLE orders (n int)")
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 100)")
    await asyncio.sleep(1.1)
    ((moment,),) = cluster.sql("SELECT clock_timestamp()")
    await asyncio.sleep(0.1)
    cluster.sql("INSERT INTO orders SELECT generate_series(101, 110)")
    ((later,),) = cluster.sql("SELECT pg_current_wal_insert_lsn()::text")
    cluster.sql("DELETE FROM orders")
    wish = RecoveryWish(
        read_target(RecoverTo.TIME, moment.isoformat()),
        read_into("15/restored"),
        looks=("SELECT count(*) FROM orders",),
    )
    recovery = Recovery(stage.site, wish)
    told = await ran(stage, to_the_pause(recovery))
    assert "    100" in told
    told = await ran(stage, further(recovery, read_target(RecoverTo.LSN, later)))
    assert "    110" in told
    told = await ran(stage, dumping(recovery, "postgres", "orders"))
    assert "holds the rows of 1 tables" in told
    told = await ran(stage, back(recovery))
    assert count(cluster) == 0
    state = await recovery.state()
    assert state.phase is RecoveryPhase.GIVEN_UP
    assert not state.lives
    # in its place, with WAL that no archive has
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 7)")
    cluster.sql("CHECKPOINT")  # these servers do not wait for their WAL's flush
    cluster.stop("immediate")
    recovery = Recovery(stage.site, RecoveryWish(read_target(RecoverTo.LATEST), IN_PLACE, tables=("orders",)))
    told = await ran(stage, to_the_pause(recovery))
    assert "    7" in told
    told = await ran(stage, onwards(recovery, await recovery.state()))
    assert count(cluster) == 7
    state = await recovery.state()
    assert state.phase is RecoveryPhase.DONE
