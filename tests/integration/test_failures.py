"""Each failure mode, really brought about: found as the root with its evidence, mended, and green again."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.failure_stage import TABLE, Watched, deployment, edited, mode, provisioned, watching
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("failures"),
]


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    yield
    for row in TABLE:
        green = "" if row.green_s is None else f"green {row.green_s:.1f} s after {row.mended}"
        sys.stdout.write(f"{row.failure:50} {row.found:28} {row.seconds:5.1f} s  {green}\n")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Watched]:
    async with deployment(workspace, rgw, rgw_dr, f"broken-{secrets.token_hex(3)}") as stage:
        await provisioned(stage)
        async with watching(stage) as watched:
            await watched.green("provisioning")
            yield watched


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout


async def test_command_empty(console: Watched) -> None:
    with console.broken("archive_command = ''"):
        console.config(archive_command="")
        console.switch()
        await console.root("command-empty", evidence="archive_command")
    await console.green("the setting taken back")


async def test_auto_conf_override(console: Watched) -> None:
    with console.broken("ALTER SYSTEM SET archive_command = 'false'"):
        console.sql("ALTER SYSTEM SET archive_command = 'false'")
        console.cluster.reload()
        console.switch()
        await console.root("auto-conf-override", evidence="postgresql.auto.conf")
        console.sql("ALTER SYSTEM RESET archive_command")
        console.cluster.reload()
    await console.green("ALTER SYSTEM RESET")


async def test_silent_loss(console: Watched) -> None:
    with console.broken("archive_command = '/bin/true'"):
        console.config(archive_command="/bin/true")
        lost = console.switch()
        await console.root("silent-loss", evidence="last_archived_wal")
    console.push(lost)
    await console.green("the segment pushed by hand")


async def test_too_slow(console: Watched) -> None:
    with console.broken("every push takes 3 s"):
        console.config(archive_command=f"sleep 3 && {console.command}")
        console.switch(12)
        await console.root("too-slow", evidence="wait", within_s=10)
    await console.green("the delay taken away")


async def test_command_not_found(console: Watched) -> None:
    with console.broken("a typo in the program's name"):
        console.config(archive_command="/usr/local/bin/pg-arhive %p")
        console.switch()
        await console.root("command-not-found", evidence="exit code 127")
    await console.green("the setting taken back")


async def test_killed_by_a_signal(console: Watched) -> None:
    with console.broken("the command kills itself"):
        console.config(archive_command="kill -9 $$")
        console.switch()
        await console.root("archiver-crash-loop", evidence="signal 9|exit code 137")
    await console.green("the setting taken back")


async def test_exit_above_125(console: Watched) -> None:
    with console.broken("the command exits with 200"):
        console.config(archive_command="exit 200")
        console.switch()
        await console.root("archiver-crash-loop", evidence="exit code 200")
    await console.green("the setting taken back")


async def test_key_revoked(console: Watched) -> None:
    with console.broken("the archiver's key deleted at the API"):
        key = console.stage.app_key
        grants = key.grants
        console.stage.keys.replace(key, key.name, ())
        console.switch()
        await console.root("key-403", evidence="AccessDenied")
        console.stage.keys.replace(key, key.name, grants)
    await console.green("the grant given back")


async def test_command_not_executable(console: Watched) -> None:
    with console.broken("chmod 0644 on the archive command"), mode(console.program, 0o644):
        console.switch()
        story = await console.root("command-not-executable", evidence="no execute permission|exit code 126")
        assert [fix.step for fix in story.root.fixes] == ["executable-command"]
    await console.green("chmod 0755")


async def test_a_program_in_a_folder_that_may_not_be_entered(console: Watched) -> None:
    with console.broken("a folder above the archive command is closed"), mode(console.program.parent, 0o600):
        console.switch()
        await console.root("command-not-executable", evidence="may not be entered|exit code 126")
    await console.green("chmod 0755")


async def test_rclone_configuration_unreadable(console: Watched) -> None:
    bits = 0o600 if os.geteuid() == 0 else 0o000
    config = console.stage.profile.paths.rclone_config
    with console.broken("rclone's configuration is root's alone"), mode(config, bits, roots=True):
        console.switch()
        story = await console.root("rclone-config-unreadable", evidence="mode [06]00|mode 0,")
        assert story.root.fixes[0].step == "readable-config"
    await console.green("root:postgres 0640")


async def test_a_section_of_rclones_configuration_is_gone(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("the remote's section renamed"), edited(config, "[spaces-dr]", "[spaces-other]"):
        console.switch()
        await console.root("rclone-config-unreadable", evidence="spaces-dr")
    await console.green("the section put back")


async def test_command_hangs(console: Watched) -> None:
    with console.broken("the command never ends"):
        console.config(archive_command="sleep 1000")
        console.switch()
        story = await console.root("command-hangs", within_s=40, evidence="sleep 1000")
        assert story.root.since is not None
    os.kill(int(story.root.fixes[0].commands[0].split()[1]), signal.SIGTERM)
    await console.green("the process ended")


async def test_wrong_secret(console: Watched) -> None:
    config, secret = console.stage.profile.paths.rclone_config, console.stage.app_key.secret
    with (
        console.broken("another secret in rclone's configuration"),
        edited(config, secret, "x" * len(secret)),
    ):
        console.switch()
        await console.root("key-403", evidence="SignatureDoesNotMatch")
    await console.green("the secret put back")


async def test_unknown_key(console: Watched) -> None:
    config, key = console.stage.profile.paths.rclone_config, console.stage.app_key.access_key
    with console.broken("a key that the store does not know"), edited(config, key, "DO00UNKNOWNKEYUNKNOWN"):
        console.switch()
        await console.root("key-403", evidence="InvalidAccessKeyId")
    await console.green("the key put back")


async def test_endpoint_wrong(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    with console.broken("nothing listens at the endpoint"), edited(config, endpoint, "http://127.0.0.1:9"):
        console.switch()
        await console.root("endpoint-wrong", evidence="refused")
    await console.green("the endpoint put back")


async def test_preflight(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("rclone without --s3-no-check-bucket, a limited key"):
        bare = f"rclone --config {config} --retries 1 copyto %p spaces-prod:{console.bucket}/%f"
        console.config(archive_command=bare)
        console.switch()
        await console.root("preflight-403", evidence="AccessDenied|403")
    await console.green("the setting taken back")


async def test_slot_retention(console: Watched) -> None:
    with console.broken("a replication slot that nobody reads"):
        console.config(max_wal_size="2MB", min_wal_size="2MB")
        console.sql("SELECT pg_create_physical_replication_slot('gone', true)")
        console.switch(6)
        await console.root("slot-retention", evidence="gone", within_s=10)
        console.sql("SELECT pg_drop_replication_slot('gone')")
        console.sql("CHECKPOINT")
    await console.green("the slot dropped")


async def test_stuck_on_existing(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("a command that refuses an identical object"):
        found = f"rclone --config {config} lsf spaces-prod:{console.bucket}/%f.zst"
        refusing = f'test -z "$({found})" || exit 1'
        console.config(archive_command=f"{console.command} && exit 1")
        name = console.switch()
        await console.until(
            lambda: f"{name}.zst" in console.stage.objects(BucketRole.PRIMARY), "the object", 10
        )
        console.config(archive_command=refusing)
        console.switch()
        await console.root("stuck-on-existing", evidence="the same bytes", within_s=8)
    await console.green("the setting taken back")


async def test_same_name_different_content(console: Watched) -> None:
    with console.broken("another server's object under the next segment's name"):
        console.sql("SELECT pg_create_restore_point('begun')")
        key = f"{console.sql('SELECT pg_walfile_name(pg_current_wal_lsn())')[0][0]}.zst"
        other = await asyncio.to_thread(zstd, b"\1" * (1 << 20))
        console.rgw.client().put_object(Bucket=console.bucket, Key=key, Body=other)
        console.switch()
        await console.root("same-name-different-content", evidence="SHA-256", within_s=8)
        console.rgw.client().delete_object(Bucket=console.bucket, Key=key)
    await console.green("the other object moved away")
