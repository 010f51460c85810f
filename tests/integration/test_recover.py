"""A real cluster recovered: into a new one beside it, in its place, without the primary's bucket, killed."""

import os
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.deaths import killed
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import (
    Program,
    looked,
    names,
    observed,
    orders,
    ran,
    text_of,
    until_phase,
)
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_into, read_target
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.recovering.catalogue import back, dumping, further, onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]


LEFT = (
    "restore_command = 'false'",
    "recovery_target_time = '2001-01-01 00:00:00+00'",
    "recovery_target_action = 'shutdown'",
    "primary_conninfo = 'host=192.0.2.1'",
    "work_mem = '5MB'",
)
"""What an earlier recovery and a standby left, and what is the operator's own. The base backup holds it."""


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    name = f"r{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, name) as made:
        for setting in LEFT:
            made.cluster.sql(f"ALTER SYSTEM SET {setting}")
        await provisioned(made)
        observed(made)
        yield made


async def test_looked_at_beside_the_old_one_given_up_then_recovered_in_its_place(stage: Stage) -> None:
    cluster = stage.cluster
    cluster.sql("CREATE TABLE orders (n int)")
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 100)")
    moment = text_of(cluster, "SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    cluster.sql("INSERT INTO orders SELECT generate_series(101, 110)")
    later = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("DELETE FROM orders")

    # Beside it: the old server goes on.
    wish = RecoveryWish(
        read_target(RecoverTo.TIME, f"{moment}Z"), read_into("15/restored"), tables=("orders",)
    )
    recovery = Recovery(stage.site, wish)
    told = await ran(stage, to_the_pause(recovery))
    assert "    100" in told
    assert orders(cluster) == 0
    state = await recovery.state()
    assert state.readable
    assert "archive_mode=off" in process_of(state)
    told = await ran(stage, further(recovery, read_target(RecoverTo.LSN, later)))
    assert "    110" in told
    with pytest.raises(BlockedError, match="is not taken back"):
        await ran(stage, further(recovery, read_target(RecoverTo.LSN, "0/100000")))
    told = await ran(stage, dumping(recovery, "postgres", "orders"))
    assert "holds the rows of 1 tables" in told
    with pytest.raises(BlockedError, match="ahead of where the server writes; it stays where it stands"):
        await ran(stage, further(recovery, read_target(RecoverTo.LSN, "FF/0")))
    with pytest.raises(ProvisionError, match="was not reached: all that could be had is replayed"):
        await ran(stage, further(recovery, read_target(RecoverTo.NAME, "nowhere")))
    await ran(stage, back(recovery))
    state = await recovery.state()
    assert (state.phase, state.lives) == (RecoveryPhase.GIVEN_UP, False)
    assert orders(cluster) == 0, "the old server was never stopped"

    # In its place, with WAL that no archive has.
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 7)")
    cluster.sql("CHECKPOINT")  # these servers do not wait for their WAL's flush
    cluster.stop("immediate")
    recovery = Recovery(stage.site, RecoveryWish(read_target(RecoverTo.LATEST), IN_PLACE, tables=("orders",)))
    told = await ran(stage, to_the_pause(recovery))
    assert "    7" in told
    state = await recovery.state()
    assert state.kept == 1
    assert "blocked" not in await looked(stage, onwards(recovery, state)), "the old server is stopped"
    told = await ran(stage, onwards(recovery, state))
    assert (await recovery.state()).phase is RecoveryPhase.DONE
    assert orders(cluster) == 7
    assert cluster.sql("SHOW archive_mode") == [("on",)]
    assert text_of(cluster, "SHOW data_directory") == state.old
    assert cluster.sql("SHOW restore_command") == cluster.sql("SHOW recovery_target_time") == [("",)]
    assert cluster.sql("SHOW primary_conninfo") == [("",)]
    assert cluster.sql("SHOW work_mem") == [("5MB",)], "what is the operator's own stays"
    assert names(f"{state.old}.before-{state.id}") >= {"PG_VERSION", "base"}, "the old files stay"
    (kept,) = names(f"{state.work}/saved")
    for role in BucketRole:
        keys = {key.split(".")[0]: key for key in stage.objects(role)}
        assert "00000002" in keys, "the new timeline's history"
        assert kept in keys, "what was kept of the old server is archived"


def pid_of(state: RecoveryState) -> int:
    """The recovery's server."""
    return int(Path(f"{state.data}/postmaster.pid").read_text().split()[0])


def process_of(state: RecoveryState) -> str:
    """The command line of the recovery's server."""
    return Path(f"/proc/{pid_of(state)}/cmdline").read_text().replace("\0", " ")


# -- By the program, without the primary's bucket, killed at each phase.


def gone(stage: Stage) -> None:
    """The primary's bucket, with all that is in it."""
    client, bucket = stage.gateways[BucketRole.PRIMARY].client(), stage.target(BucketRole.PRIMARY).bucket
    for key in stage.objects(BucketRole.PRIMARY):
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)


async def test_from_dr_alone_into_a_new_cluster_though_killed_in_each_phase(
    stage: Stage, tmp_path: Path
) -> None:
    cluster, program, recovery = stage.cluster, Program(stage, tmp_path), Recovery(stage.site)
    cluster.sql("CREATE TABLE orders (n int)")
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 50)")
    place = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("DELETE FROM orders")
    wait_archived(cluster, [fill_segment(cluster)])
    cluster.stop()
    gone(stage)
    wish = ("--to-lsn", place, "--into", "15/restored")

    code, said = await program.run(*wish, "--plan")
    assert code == 0, said
    assert "the primary could not be read" in said
    assert "from DR" in said
    assert (await recovery.state()).phase is RecoveryPhase.NONE, "a plan changes nothing"

    child = await program.begin(*wish, "--apply", *program.confirm)
    await until_phase(recovery, RecoveryPhase.RESTORING, RecoveryPhase.RESTORED)
    child.kill()  # the console alone: its script goes on
    await child.communicate()
    code, said = await program.run("--plan")
    assert "was begun: it is gone on with" in said, said
    child = await program.begin("--apply", *program.confirm)
    state = await until_phase(recovery, RecoveryPhase.REPLAYING, RecoveryPhase.PAUSED)
    for about in (f"{stage.profile.name}-recover", f"-D {state.data} "):  # the script, and its server
        killed(about)
    child.kill()
    await child.communicate()
    code, said = await program.run("--apply", *program.confirm, "--count", "orders")
    assert code == 0, said
    assert "    50" in said
    state = await recovery.state()
    os.kill(pid_of(state), signal.SIGKILL)
    stage.gateways[BucketRole.PRIMARY].client().create_bucket(Bucket=stage.target(BucketRole.PRIMARY).bucket)

    code, said = await program.run("--promote", "--plan")
    assert code == 0, said
    assert "plan: run what was recovered into the new cluster 15/restored" in said
    assert "not yet: a base backup is taken on the new timeline, once" in said
    assert (await recovery.state()).phase is RecoveryPhase.PAUSED, "a plan changes nothing"
    code, said = await program.run("--promote", *program.confirm)
    assert code == 0, said
    assert "== Base backup" in said
    state = await recovery.state()
    assert state.phase is RecoveryPhase.DONE
    assert 'cluster = "15/restored"' in said
    assert state.tree.endswith("/15/restored")
    assert names(state.old) >= {"PG_VERSION", "base"}, "the old files stay"
    for role in BucketRole:
        assert any(key.startswith("00000002.history") for key in stage.objects(role))
