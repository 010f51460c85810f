"""From the incident's state to the first verified segment, on real servers; again; and one thing gone."""

import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.integration.provision_stage import Stage, staged
from tests.servers.fixtures import MakeCluster, MakeSshd
from tests.servers.rgw import RadosGateway
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.engine.model import ChangeKind, Printed, Proved
from walconsole.provision.engine.model import Stage as At
from walconsole.sandbox.keys_api.keys import Grant

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


@pytest.fixture
async def stage(
    make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[Stage]:
    name = f"staged-{secrets.token_hex(3)}"
    async with staged(make_cluster(wal_segment_mib=1), make_sshd, rgw, rgw_dr, name) as made:
        yield made


async def run(stage: Stage) -> set[str]:
    """Run all steps; those that changed something."""
    runner = stage.runner()
    await runner.run()
    assert runner.done
    return {step for step, at in runner.stages.items() if at is At.CHANGED}


def proofs(stage: Stage) -> list[str]:
    return [news.event.text for news in stage.told if isinstance(news.event, Proved)]


def outside(stage: Stage) -> dict[str, object]:
    """What a run could change: files and their times, the server's process, keys, buckets."""
    files = [path for path in stage.root.rglob("*") if path.is_file() and "ledger" not in path.parts]
    files += list(stage.cluster.config_dir.rglob("*"))
    return {
        **{str(path): path.stat().st_mtime_ns for path in files},
        "postmaster": (stage.cluster.data_dir / "postmaster.pid").read_text().splitlines()[0],
        "keys": [(key.name, key.grants) for key in stage.keys],
        "objects": {role: stage.objects(role) for role in BucketRole},
    }


async def test_from_nothing_to_the_first_segment_and_then_nothing_but_what_is_missing(stage: Stage) -> None:
    changed = await run(stage)
    assert changed == {
        "temporary-key", "buckets", "delete-temporary-key", "grants", "write-probe", "archive-command",
        "drop-in", "verifier", "restart", "proof", "backup-command", "backup-schedule", "first-backup",
    }  # fmt: skip
    assert any(text.startswith("segment ") and " archived in " in text for text in proofs(stage))
    for role in BucketRole:
        bucket = stage.target(role).bucket
        assert any(f"in {bucket} " in text and "byte by byte" in text for text in proofs(stage))
        assert not [key for key in stage.objects(role) if "probe" in key]
    assert {key.name for key in stage.keys} == {stage.app_key.name, stage.dr_key.name}
    assert stage.ledger.orphans() == ()
    assert not list(stage.ledger.folder.glob("*"))
    assert [question.step for question in stage.gate.asked] == [
        "temporary-key", "buckets", "grants", "write-probe", "archive-command", "drop-in", "verifier",
        "restart", "proof", "backup-command", "backup-schedule", "first-backup",
    ]  # fmt: skip
    assert stage.app_key.grants == (
        Grant(f"{stage.profile.name}-assets", "read"),
        Grant(stage.profile.primary.bucket, "readwrite"),
    )
    await a_second_run_changes_nothing(stage)
    await each_thing_is_repaired_by_itself(stage)


async def a_second_run_changes_nothing(stage: Stage) -> None:
    before, asked, requests = outside(stage), len(stage.gate.asked), len(stage.api.requests)
    assert await run(stage) == set()
    assert outside(stage) == before
    assert len(stage.gate.asked) == asked
    tried = [request for request in stage.api.requests[requests:] if request[0] != "GET"]
    existing = {key.access_key for key in stage.keys}
    assert not [target for _, target in tried if any(key in target for key in existing)]
    assert not [method for method, _ in tried if method == "POST"]


async def each_thing_is_repaired_by_itself(stage: Stage) -> None:
    names = names_of(stage.profile)

    def gone(path: str) -> Callable[[], None]:
        return lambda: Path(path).unlink()

    def without_grant() -> None:
        stage.keys.replace(stage.app_key, stage.app_key.name, stage.app_key.grants[:1])

    def lowered_grant() -> None:
        bucket = stage.profile.dr.bucket
        stage.keys.replace(stage.dr_key, stage.dr_key.name, (Grant(bucket, "read"),))

    def altered() -> None:
        with Path(names.backup).open("a") as file:
            file.write("exit 0\n")

    cases: list[tuple[str, Callable[[], None], set[str]]] = [
        ("archive command", gone(names.archive), {"archive-command"}),
        ("restore command", gone(names.restore), {"archive-command"}),
        ("verifier", gone(names.verifier), {"verifier"}),
        ("schedule", gone(names.cron), {"verifier"}),
        ("backup command", gone(names.backup), {"backup-command"}),
        ("another backup command", altered, {"backup-command"}),
        ("backup schedule", gone(names.backup_cron), {"backup-schedule"}),
        ("grant", without_grant, {"grants"}),
        ("read-only grant", lowered_grant, {"grants"}),
        ("drop-in", gone(str(stage.cluster.config_dir / "conf.d" / stage.profile.paths.dropin)), {"drop-in"}),
    ]
    for what, take_away, repaired in cases:
        before = outside(stage)
        take_away()
        assert (what, await run(stage)) == (what, repaired)
        after = outside(stage)
        assert before.keys() <= after.keys()
        assert (what, after["keys"]) == (what, before["keys"])
        assert (what, after["postmaster"]) == (what, before["postmaster"])


@pytest.mark.long
async def test_a_bucket_that_is_gone_is_made_again_and_filled(stage: Stage) -> None:
    await run(stage)
    gateway, bucket = stage.gateways[BucketRole.DR], stage.profile.dr.bucket
    client = gateway.client()
    for key in stage.objects(BucketRole.DR):
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)
    stage.keys.replace(stage.dr_key, stage.dr_key.name, ())
    changed = await run(stage)
    assert changed == {"temporary-key", "buckets", "delete-temporary-key", "grants", "proof", "first-backup"}
    assert any(name.startswith("0000") for name in stage.objects(BucketRole.DR))
    assert {key.name for key in stage.keys} == {stage.app_key.name, stage.dr_key.name}


def installed(stage: Stage) -> list[str]:
    """What is there of what provisioning installs."""
    names = names_of(stage.profile)
    dropin = stage.cluster.config_dir / "conf.d" / stage.profile.paths.dropin
    paths = (
        names.archive, names.restore, names.verifier, names.cron, names.backup, names.backup_cron,
        str(dropin),
    )  # fmt: skip
    return [path for path in paths if Path(path).exists()]


async def test_undo_takes_everything_back_but_buckets_and_objects(stage: Stage) -> None:
    await run(stage)
    objects = {role: stage.objects(role) for role in BucketRole}
    await stage.runner().undo()
    assert installed(stage) == []
    assert stage.app_key.grants == (Grant(f"{stage.profile.name}-assets", "read"),)
    assert stage.dr_key.grants == ()
    assert all(stage.objects(role) >= objects[role] for role in BucketRole)
    left_in_record = {change.kind for change in stage.site.record.changes()}
    assert left_in_record <= {ChangeKind.BUCKET, ChangeKind.RESTART}


@pytest.mark.long
async def test_a_bucket_with_another_cluster_s_wal_is_never_archived_to(
    stage: Stage, make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    await run(stage)
    other = make_cluster(wal_segment_mib=1)
    async with staged(other, make_sshd, rgw, rgw_dr, stage.profile.name) as second:
        runner = second.runner()
        with pytest.raises(BlockedError, match="holds WAL of cluster"):
            await runner.run()
        assert runner.stages["write-probe"] in (At.BLOCKED, At.FAILED)
        assert runner.stages["archive-command"] is At.SKIPPED
        assert {key.name for key in second.keys} == {second.app_key.name, second.dr_key.name}


@pytest.mark.long
async def test_a_server_that_refuses_to_start_is_put_back_and_runs_as_before(stage: Stage) -> None:
    runner = stage.runner()
    ids = [step.id for step in runner.steps]
    for step in ids[: ids.index("restart")]:
        await runner.run_one(step)
    dropin = stage.cluster.config_dir / "conf.d" / stage.profile.paths.dropin
    with dropin.open("a") as file:
        file.write("shared_preload_libraries = 'no_such_library'\n")
    with pytest.raises(ProvisionError, match="the server runs as before") as failed:
        await runner.run_one("restart")
    assert "away for at most" in failed.value.why
    said = [news.event.text for news in stage.told if isinstance(news.event, Printed)]
    assert any("no_such_library" in line and line.startswith("log: ") for line in said)
    assert not dropin.exists()
    assert stage.cluster.sql("show archive_mode") == [("off",)]
    await run(stage)
    assert stage.cluster.sql("show archive_mode") == [("on",)]
