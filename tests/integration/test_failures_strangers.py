"""Archive commands that strangers wrote, failing in ways of their own; and healthy ones that look odd.

Each is really brought about on a deployment that archives: found as the root with the command's own words,
mended, green again.
"""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.failure_stage import Watched, edited
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import CONF
from tests.servers.programs import find_program
from tests.servers.writer import Destination, write_private, write_script

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]


FAILING = [
    ("a command that prints nothing and exits with 1", "exit 1", "exit code 1, and nothing that it printed"),
    ("a command that timeout ends", "timeout 0.3 sleep 9", "the time was up"),
    ("a quote that is never closed", 'cp "%p /tmp/%f', "does not understand the command"),
    ("a target folder that is not mounted", "cp %p /mnt/no-such-nfs/%f", "/mnt/no-such-nfs/.*No such file"),
    (
        "a limit on the size of files",
        "ulimit -f 1; cp %p too-large",
        "nothing that it printed",
    ),
    (
        "a Python script that raises",
        "python3 -c 'raise OSError(\"no more tapes\")'",
        "OSError: no more tapes",
    ),
]


@pytest.mark.failure_mode("failing")
@pytest.mark.parametrize(("what", "command", "words"), FAILING, ids=[one[0] for one in FAILING])
async def test_its_own_words_are_the_evidence(console: Watched, what: str, command: str, words: str) -> None:
    with console.broken(what):
        console.config(archive_command=command)
        console.switch()
        story = await console.root("failing", evidence=words)
        assert any("exit code" in text for text in story.root.evidence)
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failing")
async def test_a_flood_of_bytes_that_are_no_text(console: Watched) -> None:
    noise = "head -c 300000 /dev/urandom >&2; printf '\\n\\033[2J\\001log.lines x\\000\\n' >&2"
    script = write_script(console.cluster, "noisy", f"{noise}\necho 'no more tapes' >&2\nexit 1\n")
    with console.broken("a command that prints 300 KB of binary"):
        console.config(archive_command=str(script))
        console.switch()
        story = await console.root("failing", evidence="^no more tapes")
        assert all(text.isprintable() for text in story.root.evidence)
        assert all(proof.text.isprintable() for proof in story.root.proof)
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failing")
async def test_a_command_that_prints_its_password(console: Watched) -> None:
    said = "lftp -u wal,hunter2 failed; SFTP_PASS=hunter2; Authorization: Basic aHVudGVyMg=="
    with console.broken("a command that prints its password"):
        console.config(archive_command=f"echo '{said}' >&2; exit 1")
        console.switch()
        await console.root("failing", evidence="lftp -u .*failed")
        assert "hunter2" not in console.told()
        assert "aHVudGVyMg" not in console.told()
    await console.green("the setting taken back")


@pytest.mark.failure_mode("endpoint-wrong")
async def test_rsync_to_a_host_that_no_name_server_knows(console: Watched) -> None:
    with console.broken("rsync to a host that cannot be resolved", restarted=True):
        console.config(archive_command="rsync %p wal.no-such-host.invalid:/x/%f")
        console.switch()
        story = await console.root("endpoint-wrong", evidence="Could not resolve hostname")
        # The postmaster starts an archiver again 10 s after the last time at the earliest (pgarch.c).
        await console.until(lambda: "archiver-crash-loop" in console.chain(), "the consequence", 20)
        assert console.roots() == {"endpoint-wrong"}
        assert "signal" not in " ".join(story.root.evidence)
    await console.green("the setting taken back")


@pytest.mark.failure_mode("key-403")
async def test_the_right_to_write_is_lost_and_the_one_to_list_is_not(console: Watched) -> None:
    key = console.stage.app_key
    grants = key.grants
    with console.broken("the key may only read"):
        console.stage.keys.replace(key, key.name, tuple(replace(one, permission="read") for one in grants))
        console.switch()
        try:
            await console.root("key-403", evidence="AccessDenied|403", within_s=8)
        finally:
            console.stage.keys.replace(key, key.name, grants)
    await console.green("the grant given back")


@pytest.mark.failure_mode("endpoint-wrong")
async def test_a_certificate_that_nobody_trusts(console: Watched) -> None:
    config, endpoint = console.stage.profile.paths.rclone_config, console.stage.profile.primary.endpoint
    with (
        console.broken("a certificate that the droplet does not trust"),
        edited(config, endpoint, f"https://127.0.0.1:{console.rgw.tls_port}"),
    ):
        console.switch()
        await console.root("endpoint-wrong", evidence="x509|certificate", within_s=8)
    await console.green("the endpoint put back")


@pytest.mark.failure_mode("stanza-missing")
async def test_pgbackrest_without_its_stanza(console: Watched) -> None:
    program = or_skip(lambda: find_program("pgbackrest", server="pgBackRest", package="pgbackrest"))
    rgw = console.rgw
    to = Destination(rgw.endpoint, rgw.tls_port, rgw.certificate.authority, console.bucket, rgw.admin)
    text = CONF.format(to=to, server=console.cluster, stanza="main")
    conf = write_private(console.cluster, "pgbackrest-stranger.conf", text)
    with console.broken("pgBackRest without its stanza"):
        console.config(archive_command=f"{program} --config={conf} --stanza=main archive-push %p")
        console.switch()
        await console.root("stanza-missing", evidence="archive.info", within_s=8)
    await console.green("the setting taken back")


@contextmanager
def small_disk(console: Watched, options: str) -> Iterator[Path]:
    """A tmpfs with these options, of the server's owner."""
    folder = console.cluster.folder / "small"
    folder.mkdir(exist_ok=True)
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if tried.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.failure_mode("permission")
@pytest.mark.root("only root mounts")
async def test_a_file_system_that_is_read_only(console: Watched) -> None:
    with console.broken("the target is mounted read-only"), small_disk(console, "ro,mode=0777") as folder:
        console.config(archive_command=f"cp %p {folder}/%f")
        console.switch()
        story = await console.root("permission", evidence="Read-only file system")
        assert "read-only" in story.root.title
    await console.green("the setting taken back")


@pytest.mark.failure_mode("folder-full")
@pytest.mark.root("only root mounts")
async def test_no_inode_is_left(console: Watched) -> None:
    with console.broken("no inode is left"), small_disk(console, "nr_inodes=1,mode=0777") as folder:
        console.config(archive_command=f"cp %p {folder}/%f")
        console.switch()
        await console.root("folder-full", evidence="0 inodes free", within_s=30)
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failing")
async def test_what_another_program_says_is_not_the_commands_word(console: Watched) -> None:
    """A table named archive, and a backend whose client went away."""
    with console.broken("a silent command beside a backend's complaints"):
        console.config(archive_command="exit 1")
        console.switch()
        console.sql("DO $$ BEGIN RAISE LOG 'archive_fdw: connection refused, permission denied'; END $$")
        await asyncio.sleep(2.5)
        await console.root("failing", evidence="nothing that it printed")
        assert console.roots() == {"failing"}
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failing")
async def test_a_fault_that_heals_by_itself(console: Watched) -> None:
    marker = console.cluster.folder / "fault"
    with console.broken("a fault that comes and goes"):
        console.config(archive_command=f"test ! -e {marker} && {console.command}")
        marker.touch()
        console.switch()
        await console.root("failing", evidence="exit code 1")
        marker.unlink()
        await console.green("the fault was gone by itself", within_s=5)


async def test_odd_commands_that_archive_well(console: Watched) -> None:
    """A function, a case, a name from a variable, a remote in the environment, a host: none is missing."""
    odd = (
        f"export RCLONE_CONFIG_OWN_TYPE=s3; PROGRAM={console.program}; push() {{ $PROGRAM %p %f; }}; "
        "case %f in *.none) rsync -a %p backup1:wal/ ;; *) push && timeout --signal KILL 9 true ;; esac; "
        "test $? = 0 || rclone copyto %p own:elsewhere/%f"
    )
    console.config(archive_command=odd)
    console.switch()
    await console.until(lambda: not console.waits(), "archived", 10)
    await console.stays_green(3.5)
    console.config_back()


@pytest.mark.failure_mode("disk-full")
async def test_old_failures_in_a_log_without_times(console: Watched) -> None:
    with console.broken("a full disk, and a log without times"):
        console.config(log_line_prefix="%p ", archive_command="cat %p >/dev/full")
        await asyncio.sleep(2.5)
        console.switch()
        await console.root("disk-full", evidence="No space left on device", within_s=8)
        console.config(log_line_prefix="%p ")
        await console.green("the setting taken back")
        for _ in range(5):
            console.switch()
            await console.stays_green(0.5)


@pytest.mark.failure_mode("failing")
async def test_much_wal_a_base_backup_and_a_rotated_log_are_no_alarm(console: Watched) -> None:
    log = console.cluster.log_file
    backup = asyncio.create_task(
        asyncio.to_thread(console.sql, "SELECT pg_backup_start('night', true) IS NULL")
    )
    console.sql("ALTER SYSTEM SET log_min_duration_statement = '1s'")
    console.cluster.reload()
    for _ in range(3):
        console.switch()
        await console.stays_green(0.7)
    await backup
    os.truncate(log, 0)
    console.sql("SELECT pg_stat_reset_shared('archiver')")
    console.switch()
    await console.stays_green(2.0)
    with console.broken("a failure after the log was cut"):
        console.config(archive_command="echo no more tapes >&2; exit 1")
        console.switch()
        await console.root("failing", evidence="no more tapes")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("failing")
async def test_a_log_in_csv_only(console: Watched) -> None:
    """The command's words stand in another file; the lines of a query are not its words."""
    own = console.cluster.config_dir / "conf.d" / "zz_csv.conf"
    with console.broken("a failing command, and a log in CSV only"):
        settings = {"logging_collector": "on", "log_destination": "csvlog", "log_statement": "all"}
        console.cluster.write_config(own.name, settings)
        try:
            console.cluster.restart()
            console.config(archive_command="echo rsync: failed to push >&2; exit 1")
            console.switch()
            await console.root("failing", evidence="rsync: failed to push", within_s=10)
            console.sql("SELECT 'archive\nAccessDenied: connection refused\nthe end'")
            await asyncio.sleep(2.5)
            assert console.roots() == {"failing"}
        finally:
            own.unlink()
            console.cluster.restart()
    await console.green("the setting taken back")
