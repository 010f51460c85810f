"""The first base backup: taken, followed, cut, killed, ended, mended, never half of one; on real servers."""

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import RealClock
from tests.integration.observed import RecordingScreen
from tests.integration.provision_stage import Stage, staged
from tests.integration.test_provision_cut import known_through
from tests.servers.fixtures import MakeCluster, MakeProxy, MakeSshd
from tests.servers.proxy import Proxy
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.profile import BackupSettings, BucketRole
from walconsole.droplet.choices import BackupChoices
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.engine.model import (
    CheckState,
    Moving,
    Printed,
    Proved,
)
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.backup_schedule import BackupSchedule
from walconsole.provision.steps.catalogue import ARCHIVING, backup_steps, steps
from walconsole.provision.steps.first_backup import BackupNow, FirstBackup

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

SLOWLY_MIB_S = 2
"""So that a run lasts until something can happen to it."""


@pytest.fixture
async def stage(
    make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[Stage]:
    """Archiving is set up, and nothing of base backups is there."""
    name = f"backup-{secrets.token_hex(3)}"
    async with staged(make_cluster(wal_segment_mib=1), make_sshd, rgw, rgw_dr, name) as made:
        archiving = tuple(kind(made.site) for kind in ARCHIVING)
        await Runner(made.site, archiving, made.gate, made.told.append).run()
        made.told.clear()
        yield made


def slowly(stage: Stage) -> None:
    stage.site.backup = replace(stage.site.backup, read_mib_s=SLOWLY_MIB_S, poll_s=1)


async def run(stage: Stage) -> set[str]:
    """All steps; those that changed something."""
    runner = stage.runner()
    await runner.run()
    assert runner.done
    return {step for step, at in runner.stages.items() if at is At.CHANGED}


def backups(stage: Stage, role: BucketRole) -> dict[str, set[str]]:
    """The names below base/, by backup."""
    found: dict[str, set[str]] = {}
    for key in stage.objects(role):
        if key.startswith("base/"):
            _, identity, name = key.split("/")
            found.setdefault(identity, set()).add(name)
    return found


def uploads(stage: Stage, role: BucketRole) -> list[str]:
    listed = stage.gateways[role].client().list_multipart_uploads(Bucket=stage.target(role).bucket)
    return [str(upload.get("Key")) for upload in listed.get("Uploads", [])]


def complete(stage: Stage) -> list[set[str]]:
    """The ids that readers take for backups, in each copy."""
    return [
        {identity for identity, names in backups(stage, role).items() if "backup.json" in names}
        for role in BucketRole
    ]


def assert_nothing_half(stage: Stage) -> None:
    for role in BucketRole:
        assert all("backup.json" in names for names in backups(stage, role).values())
        assert uploads(stage, role) == []
    assert stage.cluster.sql("SELECT pid FROM pg_stat_replication") == []


def said(stage: Stage, kind: type[Printed] | type[Proved]) -> list[str]:
    return [news.event.text for news in stage.told if isinstance(news.event, kind)]


def moved(stage: Stage) -> list[Moving]:
    return [news.event for news in stage.told if isinstance(news.event, Moving)]


def status(stage: Stage) -> dict[str, object]:
    path = Path(names_of(stage.profile).backup_state) / "status.json"
    found: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    return found


async def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.05)


async def streams(stage: Stage) -> None:
    """Wait until something was sent."""
    sql = "SELECT backup_streamed FROM pg_stat_progress_basebackup WHERE backup_streamed > 0"
    await until(lambda: bool(stage.cluster.sql(sql)))


async def installed(stage: Stage) -> None:
    await Runner(stage.site, (BackupCommand(stage.site),), stage.gate, stage.told.append).run()


async def test_one_lost_is_taken_anew_and_a_stranger_s_is_none(stage: Stage) -> None:
    assert await run(stage) == {"backup-command", "backup-schedule", "first-backup"}
    assert_nothing_half(stage)
    (first,) = complete(stage)[0]
    assert complete(stage) == [{first}, {first}]
    assert any(first in text and "stands in every copy" in text for text in said(stage, Proved))
    for role in BucketRole:
        where = f"{first} is complete in {stage.target(role).bucket}"
        assert any(where in text for text in said(stage, Proved))
    assert await run(stage) == set()
    assert complete(stage) == [{first}, {first}]

    client = stage.gateways[BucketRole.DR].client()
    client.delete_object(Bucket=stage.profile.dr.bucket, Key=f"base/{first}/backup.json")
    check = await FirstBackup(stage.site).check()
    assert check.state is CheckState.NEEDED
    assert check.summary.endswith(f" in {stage.profile.dr.bucket} in {stage.profile.dr.region}")
    assert await run(stage) == {"first-backup"}
    assert all(len(found - {first}) == 1 for found in complete(stage))
    assert complete(stage)[0] - {first} == complete(stage)[1]

    (second,) = complete(stage)[1]
    await nothing_else_counts(stage, first, second)
    await one_more_is_taken_and_undo_takes_none_away(stage)


async def nothing_else_counts(stage: Stage, first: str, second: str) -> None:
    """A backup of another cluster, one of which an object is cut short, one whose WAL is gone."""
    app = S3Keys(stage.app_key.name, stage.app_key.access_key, stage.app_key.secret)
    client, bucket = stage.gateways[BucketRole.PRIMARY].client(app), stage.profile.primary.bucket
    client.delete_object(Bucket=bucket, Key=f"base/{first}/backup.json")
    key = f"base/{second}/backup.json"
    good = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    told = json.loads(good)
    spoiled = {
        "of another cluster": json.dumps({**told, "system_identifier": "7"}),
        "and 1 were stored": json.dumps({**told, "objects": [{**told["objects"][0], "bytes": 1}]}),
        "it is not JSON": good[:-9].decode(),
    }
    for why, content in spoiled.items():
        client.put_object(Bucket=bucket, Key=key, Body=content.encode())
        check = await FirstBackup(stage.site).check()
        assert check.state is CheckState.NEEDED, why
        assert why in " ".join(fact.value for fact in check.facts)
    client.put_object(Bucket=bucket, Key=key, Body=good)
    assert (await FirstBackup(stage.site).check()).state is CheckState.DONE
    names = [name for name in stage.objects(BucketRole.PRIMARY) if name[:24] == told["start_wal"]]
    (segment,) = [name for name in names if ".backup" not in name]
    wal = client.get_object(Bucket=bucket, Key=segment)["Body"].read()
    client.delete_object(Bucket=bucket, Key=segment)
    check = await FirstBackup(stage.site).check()
    assert check.state is CheckState.NEEDED
    assert f"{told['start_wal']} is not there" in " ".join(fact.value for fact in check.facts)
    client.put_object(Bucket=bucket, Key=segment, Body=wal)


async def one_more_is_taken_and_undo_takes_none_away(stage: Stage) -> None:
    before = complete(stage)
    runner = Runner(stage.site, backup_steps(stage.site), stage.gate, stage.told.append)
    await runner.run()
    assert runner.stages == {"backup-command": At.DONE, "backup": At.CHANGED}
    after = complete(stage)
    assert [len(found) for found in after] == [len(found) + 1 for found in before]
    await Runner(stage.site, steps(stage.site), stage.gate, stage.told.append).undo()
    names = names_of(stage.profile)
    assert not any(exists(path) for path in (names.backup, names.backup_cron))
    assert complete(stage) == after


def exists(path: str) -> bool:
    return Path(path).exists()


async def test_its_progress_is_shown_and_no_end_leaves_half_of_it(
    stage: Stage,
) -> None:
    slowly(stage)
    await installed(stage)
    runner = Runner(stage.site, (FirstBackup(stage.site),), stage.gate, stage.told.append)
    running = asyncio.create_task(runner.run())
    await streams(stage)
    await until(lambda: any(event.left_s is not None for event in moved(stage)))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: status(stage)["exit"] == 9, within_s=60)
    last = [event for event in moved(stage) if event.left_s is not None][-1]
    assert last.total is not None
    assert last.done is not None
    assert 0 < last.done <= last.total
    assert last.rate is not None
    assert 0.5 < last.rate / 1024**2 / SLOWLY_MIB_S < 2
    assert last.share is not None
    assert complete(stage) == [set(), set()]
    assert_nothing_half(stage)
    await killed_it_is_told_and_cleared_up_by_the_next(stage)


async def killed_it_is_told_and_cleared_up_by_the_next(stage: Stage) -> None:
    runner = Runner(stage.site, (FirstBackup(stage.site),), stage.gate, stage.told.append)
    running = asyncio.create_task(runner.run())
    await streams(stage)
    kill_all(stage)
    with pytest.raises(ProvisionError, match="its script was killed"):
        await running
    assert complete(stage) == [set(), set()]
    stage.site.backup = replace(stage.site.backup, read_mib_s=0)
    changed = await run(stage)
    assert changed - {"proof"} == {"backup-command", "backup-schedule", "first-backup"}
    assert [len(found) for found in complete(stage)] == [1, 1]
    assert stage.cluster.sql("SELECT pid FROM pg_stat_replication") == []


async def test_a_run_goes_on_without_anybody_and_the_next_one_follows_it(
    stage: Stage, make_proxy: MakeProxy
) -> None:
    slowly(stage)
    await installed(stage)
    proxy, cut = through_a_proxy(stage, make_proxy)
    site = replace(stage.site, shell=cut)
    runner = Runner(site, (FirstBackup(site),), stage.gate, lambda _: None)
    running = asyncio.create_task(runner.run())
    await streams(stage)
    proxy.cut()
    proxy.refuse()
    await asyncio.sleep(2.0)
    running.cancel()  # the console is gone: it cannot end what it does not reach
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.cluster.sql("SELECT count(*) FROM pg_stat_progress_basebackup") == [(1,)]
    check = await FirstBackup(stage.site).check()
    assert [fact for fact in check.facts if fact.label == "under way"]

    again = Runner(stage.site, (FirstBackup(stage.site),), stage.gate, stage.told.append)
    await again.run()
    assert again.done
    assert any("which was begun elsewhere: it is followed" in text for text in said(stage, Printed))
    primary, dr = complete(stage)
    assert primary == dr
    assert len(primary) == 1
    assert_nothing_half(stage)

    proxy.accept()
    one_more = Runner(site, (BackupNow(site),), stage.gate, stage.told.append)
    running = asyncio.create_task(one_more.run())
    await streams(stage)
    proxy.cut()  # for a moment
    await running
    assert [len(found) for found in complete(stage)] == [2, 2]
    await cut.aclose()


def through_a_proxy(stage: Stage, make_proxy: MakeProxy) -> tuple[Proxy, SshShell]:
    ssh = stage.profile.ssh
    assert ssh.port is not None
    proxy = make_proxy(ssh.port)
    known = known_through(Path(str(ssh.known_hosts_file)), ssh.port, proxy.port)
    through = replace(ssh, port=proxy.port, known_hosts_file=str(known))
    return proxy, SshShell(through, sudo=False, operator=RecordingScreen(), clock=RealClock())


def kill_all(stage: Stage) -> None:
    """The script and everything that it started, as where the host is out of memory."""
    names = (names_of(stage.profile).backup, f"walconsole {status(stage)['id']}")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(name in command for name in names) and int(folder.name) != os.getpid():
            os.kill(int(folder.name), signal.SIGKILL)


async def test_another_tool_s_archive_is_left_to_it_and_a_refusal_is_told_in_the_script_s_words(
    stage: Stage,
) -> None:
    await installed(stage)
    where = stage.cluster.workspace.folder("elsewhere")
    stage.cluster.give(where)
    stage.cluster.sql(f"CREATE TABLESPACE elsewhere LOCATION '{where}'")
    runner = Runner(stage.site, (BackupNow(stage.site),), stage.gate, stage.told.append)
    with pytest.raises(BlockedError, match="tablespaces of its own"):
        await runner.run()
    with pytest.raises(BlockedError, match="Nothing was written; pgBackRest stores them all"):
        async for _ in BackupNow(stage.site).apply():
            pass

    stage.cluster.write_config("zz_other.conf", {"archive_command": "pgbackrest --stanza=x archive-push %p"})
    stage.cluster.reload()
    await stage.site.survey(again=True)
    for step in (BackupCommand(stage.site), FirstBackup(stage.site), BackupNow(stage.site)):
        check = await step.check()
        assert check.state is CheckState.BLOCKED
        assert check.summary.startswith("pgBackRest archives this server")
        assert "expect_base_backups" in check.remedy


async def test_what_the_profile_changes_is_to_do_again_and_what_cannot_be_is_said_before(
    stage: Stage,
) -> None:
    """Of the script and its schedule; nothing is installed that could never take one."""
    command, schedule = BackupCommand(stage.site), BackupSchedule(stage.site)
    place = stage.cluster.workspace.folder("tablespace", stage.cluster.os_user)
    stage.cluster.sql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    await stage.site.survey(again=True)
    for step in (command, FirstBackup(stage.site)):
        check = await step.check()
        assert (check.state, "tablespaces of its own (1)" in check.summary) == (CheckState.BLOCKED, True)
        assert "pgBackRest" in check.remedy
    stage.cluster.sql("DROP TABLESPACE elsewhere")
    await stage.site.survey(again=True)

    await Runner(stage.site, (command, schedule), stage.gate, stage.told.append).run()
    assert [(await step.check()).state for step in (command, schedule)] == [CheckState.DONE] * 2
    choose(stage, BackupSettings(at="04:05"))
    assert [(await step.check()).state for step in (command, schedule)] == [
        CheckState.DONE,
        CheckState.NEEDED,
    ]
    choose(stage, BackupSettings(send_mib_s=40))
    assert [(await step.check()).state for step in (command, schedule)] == [
        CheckState.NEEDED,
        CheckState.DONE,
    ]

    recipients = stage.cluster.workspace.folder("recipients", stage.cluster.os_user) / "file"
    choose(stage, BackupSettings(encrypt_for=str(recipients)))
    for content, why in ((None, "no file that"), ("AGE-SECRET-KEY-1QQQQ\n", "line 1 holds a secret key")):
        if content is not None:
            recipients.write_text(content)
            stage.cluster.give(recipients)
        check = await command.check()
        assert (check.state, why in check.summary) == (CheckState.BLOCKED, True), check
        assert "QQQQ" not in f"{check}"
    recipients.write_text("age1qqqqqqqq\n")
    assert (await command.check()).state is CheckState.NEEDED


def choose(stage: Stage, chosen: BackupSettings) -> None:
    stage.site.backup = BackupChoices.for_profile(replace(stage.profile, backups=chosen))
