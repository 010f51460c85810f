"""Preflight on a real host, server and bucket: what it finds, and that it stops where it must."""

import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_site, events
from tests.integration.observed import connected, profile_of
from tests.servers.archived import destination
from tests.servers.fixtures import MakeCluster
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_debian import DebianCluster
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.writer import Destination
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.errors import BlockedError
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.model import Check, CheckState, Fact, FactState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.preflight import Preflight

pytestmark = pytest.mark.server

REFERENCE = KeyReference(KeySource.ENVIRONMENT, "K", "S")
REMOTE = "[{name}]\ntype = s3\naccess_key_id = {key}\nsecret_access_key = {secret}\nendpoint = {endpoint}\n"


@asynccontextmanager
async def site_of(
    sshd: SshServer, server: PostgresServer, primary: Destination, dr: Destination
) -> AsyncIterator[Site]:
    """A site whose droplet has its remotes, and whose console looks with the same keys."""
    profile = profile_of(sshd, server)
    config = sshd.folder / f"rclone-{primary.bucket}.conf"
    remotes = (("spaces-prod", primary), ("spaces-dr", dr))
    write(config, [(name, to) for name, to in remotes])
    targets = {
        role: BucketTarget(role, to.bucket, "nyc3", to.endpoint, REFERENCE, path_style=True)
        for role, to in ((BucketRole.PRIMARY, primary), (BucketRole.DR, dr))
    }
    stores = {
        role: SpacesStore(
            targets[role],
            EnvironmentKeys(REFERENCE, {"K": to.keys.access_key, "S": to.keys.secret_key}),
            environ={},
        )
        for role, to in ((BucketRole.PRIMARY, primary), (BucketRole.DR, dr))
    }
    profile = replace(
        profile,
        primary=targets[BucketRole.PRIMARY],
        dr=targets[BucketRole.DR],
        paths=replace(profile.paths, rclone_config=str(config), root=str(sshd.folder)),
    )
    async with connected(profile) as parts:
        site = a_site(profile, parts.shell, take_survey, store=lambda target: stores[target.role])
        site.plain = PLAIN
        try:
            yield site
        finally:
            for store in stores.values():
                await store.close()


def write(config: Path, remotes: Sequence[tuple[str, Destination]]) -> None:
    config.write_text(
        "\n".join(
            REMOTE.format(name=name, key=to.keys.access_key, secret=to.keys.secret_key, endpoint=to.endpoint)
            for name, to in remotes
        )
    )
    config.chmod(0o644)


def first_page(server: PostgresServer, *, of_another: bool = False) -> bytes:
    """The beginning of a segment that the server wrote, or that another cluster would have."""
    (path, *_) = sorted((server.data_dir / "pg_wal").glob("0000*[0-9A-F]"))
    page = bytearray(path.read_bytes()[:8192])
    if of_another:
        page[24:32] = b"\x01\x02\x03\x04\x05\x06\x07\x08"  # xlp_sysid of the long header
    return bytes(page)


def about(check: Check, label: str) -> Fact:
    return next(fact for fact in check.facts if fact.label == label)


async def test_a_server_that_never_archived_may_go_on(
    sshd: SshServer, debian_cluster: DebianCluster, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    primary, dr = destination(rgw, "preflight-wal"), destination(rgw_dr, "preflight-wal-dr")
    body = zlib.compress(first_page(debian_cluster), wbits=31)
    rgw.client().put_object(Bucket=primary.bucket, Key="000000010000000000000001.gz", Body=body)
    rgw.client().put_object(Bucket=primary.bucket, Key="notes.txt", Body=b"x")
    async with site_of(sshd, debian_cluster, primary, dr) as site:
        step = Preflight(site)
        check = await step.check()
        told = await events(site, step.apply())
        await events(site, step.verify())
        plan = await step.plan()
        assert await step.undo_plan(()) is None
        assert site.record.changes() == ()
    assert check.state is CheckState.DONE, check
    assert (plan.files, plan.commands) == ((), ())
    assert about(check, "role").value.startswith("primary, timeline 1")
    assert about(check, "archive_command").value == "none"
    assert primary.keys.access_key in about(check, "remote spaces-prod").value
    assert about(check, f"bucket {primary.bucket}").value.endswith("in it, of this cluster")
    assert about(check, f"bucket {dr.bucket}").value == "nothing is in it"
    assert about(check, "API token").state is FactState.WARNING
    everything = f"{check}{told}"
    assert not any(to.keys.secret_key in everything for to in (primary, dr))


async def test_another_clusters_wal_in_the_bucket_stops(
    sshd: SshServer, debian_cluster: DebianCluster, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    primary, dr = destination(rgw), destination(rgw_dr, "preflight-others")
    body = first_page(debian_cluster, of_another=True)
    rgw_dr.client().put_object(Bucket=dr.bucket, Key="000000010000000000000001", Body=body)
    async with site_of(sshd, debian_cluster, primary, dr) as site:
        check = await Preflight(site).check()
        assert check.state is CheckState.BLOCKED
        assert "another cluster" in check.summary
        assert dr.bucket in check.summary
        assert "prefix" in check.remedy
        with pytest.raises(BlockedError, match="another cluster"):
            await events(site, Preflight(site).verify())
        rgw_dr.client().delete_object(Bucket=dr.bucket, Key="000000010000000000000001")
        assert (await Preflight(site).check()).state is CheckState.DONE, "each check looks anew"


async def test_a_bucket_that_is_not_there_and_a_key_that_is_refused(
    sshd: SshServer, debian_cluster: DebianCluster, rgw: RadosGateway
) -> None:
    primary = destination(rgw)
    other = destination(rgw)
    missing = replace(primary, bucket="walconsole-none-of-that-name")
    denied = replace(other, keys=primary.keys)
    async with site_of(sshd, debian_cluster, missing, denied) as site:
        check = await Preflight(site).check()
    assert check.state is CheckState.DONE
    assert about(check, f"bucket {missing.bucket}").value.startswith("not there yet")
    assert "may not list it" in about(check, f"bucket {denied.bucket}").value


async def test_a_standby_and_a_stopped_server_are_refused_with_the_reason(
    sshd: SshServer, make_cluster: MakeCluster, rgw: RadosGateway
) -> None:
    primary, dr = destination(rgw), destination(rgw)
    cluster = make_cluster()
    standby = cluster.standby()
    standby.start()
    try:
        async with site_of(sshd, standby, primary, dr) as site:
            check = await Preflight(site).check()
            assert check.state is CheckState.BLOCKED
            assert check.summary.startswith("role: a standby")
            assert "primary" in check.remedy
    finally:
        standby.stop("immediate")
    async with site_of(sshd, cluster, primary, dr) as site:
        cluster.stop("immediate")
        check = await Preflight(site).check()
        assert check.state is CheckState.BLOCKED
        assert check.summary.startswith("PostgreSQL:")
