"""What looks wrong and is not; timelines; what cannot be seen.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.failure_stage import Watched, away, fill, placed, watching
from walconsole.domain.failures import Level, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.droplet.names import names_of
from walconsole.operator_files.kept import on_disk
from walconsole.session.one_look import look_once

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


async def test_a_healthy_server_stays_green(console: Watched) -> None:
    console.switch()
    await console.until(lambda: not console.waits(), "archived", 10)
    await console.stays_green(4)


@pytest.mark.failure_mode("verifier-silent")
async def test_the_verifier_is_dead(console: Watched) -> None:
    heartbeat = Path(console.stage.profile.paths.heartbeat)
    verifier = str(console.program).replace("-pg-archive", "-verify-wal-archive")
    host = console.screen.last.host
    assert host.value is not None
    assert host.value.heartbeat_at is not None, "it ran after the proof"
    with console.broken("the verifier has not run for three hours"):
        os.utime(heartbeat, (time.time() - 3 * 3600,) * 2)
        await console.root("verifier-silent", evidence=r"heartbeat is 3 h .*old")
        await console.stage.site.shell.run(verifier, timeout_s=30)
        await console.green("the verifier run again")


@pytest.mark.failure_mode("verifier-silent")
async def test_nothing_runs_the_verifier(console: Watched) -> None:
    entry, heartbeat = Path(names_of(console.stage.profile).cron), Path(console.stage.profile.paths.heartbeat)
    with console.broken("the verifier's cron entry is gone"), away(entry), away(heartbeat):
        console.observer.refresh()
        await console.root("verifier-silent", evidence="neither timer nor cron entry", within_s=8)
    console.observer.refresh()
    await console.green("the cron entry put back")


async def test_counters_reset(console: Watched) -> None:
    console.sql("SELECT pg_stat_reset_shared('archiver')")
    await console.stays_green(4)
    assert console.screen.last.archiver.value is not None
    assert console.screen.last.archiver.value.archived_count == 0


async def test_failures_long_since_recovered(console: Watched) -> None:
    console.config(archive_command="false")
    console.switch()
    await console.until(lambda: "failing" in console.rules(), "the failure", 8)
    console.config_back()
    await console.green("the command is back")
    assert console.screen.last.archiver.value is not None
    assert console.screen.last.archiver.value.failed_count > 0
    await console.stays_green(4)


async def test_the_files_are_read_anew_once_the_server_loaded_them(console: Watched) -> None:
    """Sooner than at their own cadence, though no setting that is followed is another one now."""

    def told() -> str:
        files = console.screen.last.files.value
        return files.resolution.value("search_path") or "" if files and files.resolution else ""

    console.config(search_path="walconsole_once")
    await console.until(lambda: told() == "walconsole_once", "the new line", 10)
    console.config_back()
    await console.until(lambda: told() != "walconsole_once", "that it is gone", 10)


async def test_a_small_backlog_on_the_move(console: Watched) -> None:
    console.switch(3)
    await console.stays_green(3)


async def test_another_clusters_archive_under_a_prefix_of_its_own(console: Watched) -> None:
    newest = str(console.screen.last.primary.value and console.screen.last.primary.value.newest_key)
    body = console.owner.get_object(Bucket=console.bucket, Key=newest)["Body"].read()
    theirs = await asyncio.to_thread(of_another_cluster, body)
    for name in ("000000010000000000000001", "000000010000000000000002"):
        console.rgw.client().put_object(Bucket=console.bucket, Key=f"other/{name}.zst", Body=theirs)
    console.observer.refresh()
    await console.stays_green(4)


def of_another_cluster(segment: bytes) -> bytes:
    """The same WAL with another system identifier in its first page header, at byte 24."""
    plain = bytearray(subprocess.run(["zstd", "-qdc"], input=segment, capture_output=True, check=True).stdout)
    plain[24:32] = b"\1\2\3\4\5\6\7\10"
    return subprocess.run(["zstd", "-qc"], input=bytes(plain), capture_output=True, check=True).stdout


async def test_a_dr_copy_of_more_than_the_primary_and_strange_objects(console: Watched) -> None:
    for key in ("README.txt", "walconsole-probe-20260101-abc", "logs/2026/app.log.gz"):
        console.rgw.client().put_object(Bucket=console.bucket, Key=key, Body=b"x")
    console.observer.refresh()
    await console.stays_green(4)


@pytest.mark.failure_mode("archive-always")
async def test_archive_always_on_a_standby_then_a_clean_promotion(console: Watched) -> None:
    """The cluster itself becomes a standby that archives, and is promoted: timeline 2, unbroken."""
    console.switch()
    await console.until(lambda: not console.waits(), "archived", 10)
    signal_file = console.cluster.data_dir / "standby.signal"
    with console.broken("archive_mode = always on a standby"), placed(signal_file, "", keep=True):
        console.cluster.give(signal_file)
        console.config(archive_mode="always")
        console.cluster.restart()
        await console.root("archive-always", evidence="archive_mode = always", within_s=10)
    console.sql("SELECT pg_promote(true)")
    console.cluster.restart()
    console.switch()
    await console.until(lambda: has(console, "00000002.history"), "the history", 20)
    await console.green("promoted")
    await console.stays_green(4)


@pytest.mark.failure_mode("history-missing")
async def test_history_missing(console: Watched) -> None:
    with console.broken("the history of the timeline deleted"):
        for role in BucketRole:
            for key in [one for one in console.stage.objects(role) if ".history" in one]:
                bucket = console.stage.target(role).bucket
                console.stage.gateways[role].client().delete_object(Bucket=bucket, Key=key)
        console.observer.refresh()
        story = await console.root("history-missing", evidence=r"00000002\.history", within_s=8)
        assert (story.root.fixes[0].step, story.root.fixes[0].subject) == ("push-wal", "00000002.history")
    console.push("00000002.history")
    console.observer.refresh()
    await console.green("the history pushed again")


@pytest.mark.failure_mode("failover-hole")
async def test_failover_hole(console: Watched) -> None:
    with console.broken("the old timeline's last segment never reached the archive"):
        last = max(
            key
            for key in console.stage.objects(BucketRole.PRIMARY)
            if key.startswith("00000001") and len(key) == 28
        )
        client = console.owner
        body = client.get_object(Bucket=console.bucket, Key=last)["Body"].read()
        client.delete_object(Bucket=console.bucket, Key=last)
        console.observer.refresh()
        await console.root("failover-hole", evidence=last[:24], within_s=8)
        client.put_object(Bucket=console.bucket, Key=last, Body=body)
        console.observer.refresh()
    await console.green("taken from the other copy")


def has(console: Watched, name: str) -> bool:
    return any(key.startswith(name) for key in console.stage.objects(BucketRole.PRIMARY))


@pytest.mark.failure_mode("postgres-unreachable")
async def test_postgres_down(console: Watched) -> None:
    with console.broken("PostgreSQL stopped"):
        console.cluster.stop()
        await console.root("postgres-unreachable", within_s=10)
        console.cluster.start()
        await console.green("started", within_s=40)


@pytest.mark.failure_mode("ssh-lost")
async def test_the_droplet_gone(console: Watched) -> None:
    with console.broken("sshd stopped"):
        console.stage.sshd.stop()
        await console.root("ssh-lost", within_s=15)
        console.stage.sshd.start()
    await console.green("started", within_s=40)


@pytest.mark.failure_mode("archive-shrunk")
async def test_everything_deleted_in_both_buckets_while_archiving_goes_on(
    console: Watched, tmp_path: Path
) -> None:
    """Base backup's label and all: as soon as a segment arrives, what is there is unbroken; still no OK."""
    folders = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    profile = console.stage.profile

    async def checked() -> set[str]:
        """What `check` finds, with the index that the sessions keep."""
        snapshot, _ = await look_once(profile, console.clock, os.environ, on_disk(folders), 30.0)
        return {finding.rule for finding in diagnose(snapshot, console.clock.now()).findings}

    with console.broken("both buckets emptied, then a segment archived"):
        async with watching(console.stage, keeping=on_disk(folders)) as session:
            session.marks = console.marks
            await session.green("a session that remembers")
            console.empty()
            console.switch()
            for seen in (session, console):
                story = await seen.root("archive-shrunk", evidence=f"left in {console.bucket} ", within_s=15)
                assert "all base backups" in story.root.title
                assert seen.diagnosis().verdict.level is Level.CRITICAL
                await seen.lost_both()  # for what a later base backup does not need, retention may have taken
            console.switch()
            await console.until(lambda: not console.waits(), "another one archived", 10)
            assert session.roots() == {"archive-shrunk"}
        assert "archive-shrunk" in await checked()
        async with watching(console.stage, keeping=on_disk(folders)) as later:
            later.marks = console.marks
            await later.root("archive-shrunk", within_s=15)
            await later.accept_both("emptied on purpose by a test")
            await later.root("no-base-backup", within_s=15)
            console.back_up()
            await later.green("accepted, and a base backup taken")
        assert "archive-shrunk" not in await checked()
        await console.accept_both("emptied on purpose by a test")
    await console.green("the loss accepted, with a reason")
    await console.stays_green(3)


@pytest.mark.failure_mode("never-archived")
async def test_never_archived(console: Watched) -> None:
    """Nothing in the archive, in the statistics, or waiting: no alarm at first, and then one."""
    with console.broken("archiving is on, and nothing was ever archived"):
        await console.until(lambda: not console.waits(), "all archived", 10)
        console.empty()
        console.sql("SELECT pg_stat_reset_shared('archiver')")
        console.observer.refresh()
        await console.until(lambda: console.is_empty() and len(console.lost()) > 1, "an empty archive", 10)
        await console.accept_both("the archive begins anew")
        await console.until(lambda: "archive-shrunk" not in console.rules(), "the loss accepted", 10)
        later = diagnose(console.screen.last, console.clock.now() + 300)
        assert [story.root.rule for story in later.stories][:1] == ["never-archived"], console.told()
        assert [each.rule for each in later.stories[0].consequences] == ["no-base-backup"]
        console.found("never-archived", 300.0)
    console.switch()
    console.back_up()
    console.observer.refresh()
    await console.green("a segment archived, and a base backup taken")


@pytest.mark.failure_mode("disk-filling")
async def test_disk_filling(console: Watched) -> None:
    filler, console.own_disk = console.cluster.folder / "filler", True
    with console.broken("something else fills pg_wal's file system"), placed(filler, ""):
        filling = asyncio.create_task(fill(filler))
        await console.root("disk-filling", evidence="bytes free", within_s=45)
        await filling
    await console.green("the file taken away", within_s=60)
    console.own_disk = False
