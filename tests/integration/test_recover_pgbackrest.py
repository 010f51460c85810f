"""A server that pgBackRest archives, with tablespaces, recovered in its place by that tool's own commands."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.droplet_parts import SECTION
from tests.integration.failure_stage import deployed
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import names, observed, orders, ran, text_of
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination
from walconsole.adapters.s3.key_sources import RcloneConfig, key_source
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_target
from walconsole.provision.recovering.catalogue import onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    async with deployed(workspace, server, rgw, rgw_dr, f"r{secrets.token_hex(2)}") as made:
        to = destination(rgw)
        pgbackrest(server, to)
        server.stop()
        command = f"pgbackrest --config={server.folder}/pgbackrest-main.conf --stanza=main archive-push %p"
        start_archiving(server, command)
        store = archived_to(made, to)
        observed(made)
        yield made
        await store.close()


def archived_to(stage: Stage, to: Destination) -> SpacesStore:
    """The console's own view of that repository, by its keys in rclone's configuration."""
    primary = replace(stage.profile.primary, bucket=to.bucket, prefix="repo/")
    stage.profile = replace(stage.profile, primary=primary, second_copy=False)
    config = stage.profile.paths.rclone_config
    Path(config).write_text(SECTION.format(remote="spaces-prod", endpoint=to.endpoint, keys=to.keys))
    keys = key_source(primary.keys, {}, RcloneConfig(stage.site.shell, config))
    store = SpacesStore(primary, keys, environ={}, connections=4)
    site = stage.site
    site.profile, site.store = stage.profile, lambda _: store
    site.choices = replace(site.choices, to_dr=False)
    return store


async def test_in_its_place_with_two_tablespaces_to_before_a_drop(stage: Stage) -> None:
    server = stage.cluster
    options = f"--config={server.folder}/pgbackrest-main.conf --stanza=main"
    for name in ("fast", "slow"):
        place = server.folder / f"space-{name}"
        server.run(["mkdir", str(place)])
        server.sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
    server.sql("CREATE TABLE orders (n int) TABLESPACE fast")
    server.sql("CREATE TABLE lines TABLESPACE slow AS SELECT generate_series(1, 10) AS n")
    server.run(["sh", "-c", f"pgbackrest {options} --type=full backup"])
    server.sql("INSERT INTO orders SELECT generate_series(1, 100)")
    lsn = text_of(server, "SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE orders")
    wait_archived(server, [fill_segment(server)])

    wish = RecoveryWish(read_target(RecoverTo.LSN, lsn), IN_PLACE, tables=("orders",))
    recovery = Recovery(stage.site, wish)
    told = await ran(stage, to_the_pause(recovery))
    assert "    100" in told
    state = await recovery.state()
    assert state.pgbackrest == f"pgbackrest {options}"
    await ran(stage, onwards(recovery, state))
    state = await recovery.state()
    assert state.phase is RecoveryPhase.DONE
    assert (orders(server), text_of(server, "SELECT count(*) FROM lines")) == (100, "10")
    beside = Path(f"{state.old}.tablespaces-{state.id}")
    assert {each.readlink() for each in (server.data_dir / "pg_tblspc").iterdir()} == {
        beside / "fast",
        beside / "slow",
    }
    assert names(server.folder / "space-fast") != set(), "the old files stay"
    keys = stage.objects(BucketRole.PRIMARY)
    assert "repo/archive/main/15-1/00000002.history" in keys
    assert len([key for key in keys if key.endswith("F/backup.manifest")]) == 2
