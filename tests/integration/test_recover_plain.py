"""A server of PostgreSQL 18 in no list of clusters, recovered in its place, then into a folder of its own."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.integration.failure_stage import deployed, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import names, observed, orders, ran, text_of
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, wheel_bin_dir
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_into, read_target
from walconsole.domain.standing.model import Level
from walconsole.errors import ProvisionError
from walconsole.provision.recovering.catalogue import onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    server = or_skip(lambda: PostgresServer.make(workspace, wheel_bin_dir(workspace), wal_segment_mib=1))
    # provisioning knows of nothing that restarts such a server
    server.write_config("20_archive.conf", {"archive_mode": "on", "summarize_wal": "on"})
    async with deployed(workspace, server, rgw, rgw_dr, f"r{secrets.token_hex(2)}") as made:
        path = f"{server.bin_dir}:{made.site.choices.path}"
        made.site.choices = replace(made.site.choices, path=path)
        await provisioned(made)
        observed(made)
        yield made


async def test_in_its_place_to_a_transaction_then_into_a_folder_to_a_restore_point(stage: Stage) -> None:
    server = stage.cluster
    server.sql("CREATE TABLE orders (n int)")
    with server.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO orders SELECT generate_series(1, 100)")
        row = connection.execute("SELECT pg_current_xact_id()").fetchone()
        connection.execute("COMMIT")
    assert row is not None
    server.sql("DELETE FROM orders")

    wish = RecoveryWish(read_target(RecoverTo.XID, str(row[0])), IN_PLACE, tables=("orders",))
    recovery = Recovery(stage.site, wish)
    told = await ran(stage, to_the_pause(recovery))
    assert "    100" in told
    assert not server.running
    state = await recovery.state()
    told = await ran(stage, onwards(recovery, state))
    assert (await recovery.state()).phase is RecoveryPhase.DONE
    assert (orders(server), text_of(server, "SHOW data_directory")) == (100, state.old)
    assert text_of(server, "SHOW archive_mode") == "on"
    assert names(f"{state.old}.before-{state.id}") >= {"PG_VERSION", "base"}, "the old files stay"

    # From a full backup with an incremental one upon it, into a folder.
    server.sql("INSERT INTO orders SELECT generate_series(101, 150)")
    program = f"{stage.root}/usr/local/bin/{stage.profile.name}-base-backup"
    server.run([program, "--fast", "--incremental"])
    server.sql("INSERT INTO orders VALUES (151)")
    server.sql("SELECT pg_create_restore_point('before it''s gone')")
    server.sql("DROP TABLE orders")
    folder = server.data_dir.with_name("restored")
    server.workspace.reaper.take(Ward("pidfile", str(folder / "postmaster.pid")))
    target = read_target(RecoverTo.NAME, "before it's gone")
    recovery = Recovery(stage.site, RecoveryWish(target, read_into(str(folder)), tables=("orders",)))
    told = await ran(stage, to_the_pause(recovery)[:1])
    plan = await recovery.plan()
    assert [each.is_incremental for each in plan.chain] == [False, True]
    told = await ran(stage, to_the_pause(recovery))
    assert "    151" in told
    assert server.running, "beside it the old one goes on"
    told = await ran(stage, onwards(recovery, await recovery.state()))
    assert f"once the profile has port = {server.port} and no cluster" in told
    assert any(line.startswith(f"{level.value}  ") for level in Level for line in told.splitlines()), told
    assert not server.running
    old, server.data_dir = server.data_dir, folder  # which the fixture stops
    state = await recovery.state()
    assert (state.phase, state.tree) == (RecoveryPhase.DONE, str(folder))
    assert (orders(server), text_of(server, "SHOW data_directory")) == (151, str(folder))
    assert text_of(server, "SHOW hba_file") == f"{folder}/pg_hba.conf"
    assert text_of(server, "SHOW archive_mode") == "on"
    assert names(old) >= {"PG_VERSION", "base"}, "the old files stay"
    for role in BucketRole:
        assert {key.split(".")[0] for key in stage.objects(role)} >= {"00000002", "00000003"}


@pytest.mark.long
async def test_what_does_not_start_says_why_and_starts_once_it_is_mended(stage: Stage) -> None:
    """Promoted, and in its folder: huge pages that this host has not, then modes; and a file it includes."""
    server = stage.cluster
    server.sql("CREATE TABLE orders AS SELECT generate_series(1, 100) AS n")
    lsn = text_of(server, "SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE orders")
    server.sql("SELECT pg_switch_wal()")
    server.write_config("90_huge.conf", {"huge_pages": "on", "synchronous_standby_names": "gone"})
    tuned = server.data_dir / "tuned"
    tuned.write_text("work_mem = '5MB'\n")
    server.give(tuned)
    main = server.data_dir / "postgresql.conf"
    main.write_text(f"{main.read_text()}include 'tuned'\n")
    folder = server.data_dir.with_name("restored")
    server.workspace.reaper.take(Ward("pidfile", str(folder / "postmaster.pid")))
    wish = RecoveryWish(read_target(RecoverTo.LSN, lsn), read_into(str(folder)))
    recovery = Recovery(stage.site, wish)
    await ran(stage, to_the_pause(recovery))
    with pytest.raises(ProvisionError, match=r"does not start: the host lacks .*huge pages .*could not map"):
        await ran(stage, onwards(recovery, await recovery.state()))
    (folder / "conf.d/90_huge.conf").write_text("synchronous_standby_names = 'gone'\n")
    folder.chmod(0o755)
    with pytest.raises(ProvisionError, match=r"another owner or other modes.*has invalid permissions"):
        await ran(stage, onwards(recovery, await recovery.state()))
    folder.chmod(0o700)
    told = await ran(stage, onwards(recovery, await recovery.state()))
    assert "EVERY COMMIT WAITS for standbys" in told
    old, server.data_dir = server.data_dir, folder  # which the fixture stops
    assert (await recovery.state()).phase is RecoveryPhase.DONE
    assert (orders(server), text_of(server, "SHOW work_mem")) == (100, "5MB")
    assert names(old) >= {"PG_VERSION", "base"}
