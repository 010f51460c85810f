"""States that nobody plans for: recovered again to an earlier moment, and histories that somebody left."""

import secrets
from collections.abc import AsyncIterator

import pytest

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import observed, orders, own_client, ran, text_of
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.full_disk import small_disk
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.archive.timelines import parse_history
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoverTo, read_target
from walconsole.domain.recovery.target_judgement import Trap
from walconsole.domain.standing.recovery import restorable
from walconsole.provision.recovering.catalogue import onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    name = f"o{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, name) as made:
        await provisioned(made)
        observed(made)
        yield made


async def recovered(stage: Stage, lsn: str) -> None:
    """In its place, to just before that position, and to its end: with a base backup on the new timeline."""
    recovery = Recovery(stage.site, RecoveryWish(read_target(RecoverTo.LSN, lsn), IN_PLACE))
    await ran(stage, to_the_pause(recovery))
    await ran(stage, onwards(recovery, await recovery.state()))
    assert (await recovery.state()).phase is RecoveryPhase.DONE


def put_in_both(stage: Stage, name: str, body: bytes) -> None:
    for role, target in zip(BucketRole, (stage.profile.primary, stage.profile.dr), strict=True):
        assert target is not None
        client = own_client(stage, role)
        client.put_object(Bucket=target.bucket, Key=f"{target.prefix}{name}", Body=body)


async def test_again_to_before_where_the_first_recovery_had_stopped(stage: Stage) -> None:
    """The third timeline's history names its parent's beginning after its own."""
    cluster = stage.cluster
    cluster.sql("CREATE TABLE orders (n int)")
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 100)")
    early = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    wait_archived(cluster, [fill_segment(cluster)])
    cluster.sql("INSERT INTO orders SELECT generate_series(101, 110)")
    late = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("DROP TABLE orders")
    wait_archived(cluster, [fill_segment(cluster)])
    await recovered(stage, late)
    assert orders(cluster) == 110
    await recovered(stage, early)
    assert orders(cluster) == 100
    timeline = text_of(cluster, "SELECT timeline_id FROM pg_control_checkpoint()")
    assert timeline == "3"
    text = own_client(stage, BucketRole.PRIMARY).get_object(
        Bucket=stage.profile.primary.bucket, Key=f"{stage.profile.primary.prefix}00000003.history"
    )["Body"]
    first, second = parse_history(3, text.read().decode()).switches
    assert (first.parent, second.parent, first.lsn > second.lsn) == (1, 2, True)
    assert stage.site.snapshot is not None
    known = restorable(await stage.site.snapshot())
    assert known is not None
    found = known.found
    assert (found.target, found.newest_usable is not None) == (3, True)
    assert found.newest_usable is not None
    assert found.newest_usable.held.backup.timeline == 3
    assert found.reaches_newest


async def test_histories_that_somebody_left(stage: Stage) -> None:
    """One by hand beside a stray segment of its timeline; one of which nothing was stored."""
    cluster = stage.cluster
    cluster.sql("CREATE TABLE orders (n int)")
    cluster.sql("INSERT INTO orders SELECT generate_series(1, 100)")
    lsn = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    wait_archived(cluster, [fill_segment(cluster), fill_segment(cluster)])
    put_in_both(stage, "00000002.history", b"")
    put_in_both(stage, "00000003.history", b"1\tF/0\tby hand\n")
    keys = sorted(key for key in stage.objects(BucketRole.PRIMARY) if key.startswith("00000001"))
    put_in_both(stage, keys[0].replace("00000001", "00000003", 1), b"x" * 100)

    # A disk that somebody mounted in the data directory would be there again at the next boot.
    extra = cluster.data_dir / "extra"
    cluster.run(["mkdir", str(extra)])
    with small_disk(extra, 64):
        fixed = await Recovery(stage.site, RecoveryWish(read_target(RecoverTo.LSN, lsn), IN_PLACE)).plan()
    assert f"{extra} is a file system of its own" in " ".join(each.text for each in fixed.refusals)

    latest = read_target(RecoverTo.LATEST, timeline=3)
    stray = await Recovery(stage.site, RecoveryWish(latest, IN_PLACE)).plan()
    assert [each.trap for each in stray.refusals] == [Trap.SILENT_HOLE]
    assert "timeline 3 begins at F/0" in stray.refusals[0].text
    empty = read_target(RecoverTo.LATEST, timeline=2)
    refused = await Recovery(stage.site, RecoveryWish(empty, IN_PLACE)).plan()
    assert [each.trap for each in refused.refusals] == [Trap.NO_HISTORY]

    await recovered(stage, lsn)
    assert orders(cluster) == 100
    assert text_of(cluster, "SELECT timeline_id FROM pg_control_checkpoint()") == "4"
