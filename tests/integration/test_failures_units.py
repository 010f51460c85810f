"""A server whose unit gives it file systems of its own: what it archives to is looked at as it sees it.

PrivateTmp, ReadOnlyPaths and ProtectHome are mounts in a namespace of the unit's (systemd.exec(5)); here they
are made by unshare(1). And a server that ends, and waits for its archive command.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.failure_stage import TABLE, Row
from tests.integration.test_failures_folder import archiving, elsewhere, run
from tests.integration.test_failures_found import Host, Record, brought_about, host
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.reaper import descendants, kill
from tests.servers.sshd import SshServer
from walconsole.domain.standing.model import Certainty

pytestmark = [pytest.mark.server, pytest.mark.timeout(240), pytest.mark.long]

__all__ = ["elsewhere", "host"]


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder below /tmp, where a unit may have something else."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="walconsole-unit-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(make_postgres: MakePostgres) -> PostgresServer:
    """With small segments, not started yet."""
    return make_postgres(wal_segment_mib=1, start=False)


def start_apart(server: PostgresServer, mounts: str = "true") -> None:
    """Start it in a mount namespace of its own, after `mounts` was done in that."""
    server.configure(archive_mode="on", archive_command="false")
    pg_ctl = f"{server.bin_dir}/pg_ctl -D {server.data_dir} -s -w -l {server.log_file} start"
    run("unshare", "-m", "sh", "-ec", f"cd /; {mounts}; exec runuser -u {server.os_user} -- {pg_ctl}")


def in_its_namespace(server: PostgresServer, command: str) -> None:
    """As root, with the file systems that the server sees."""
    run("nsenter", "-t", str(server.pid), "-m", "sh", "-ec", command)


@pytest.mark.root("only root makes namespaces")
@pytest.mark.failure_mode("folder-not-writable")
@pytest.mark.usefixtures("_table")
async def test_a_folder_that_only_the_servers_unit_may_not_write(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """Looked at from a shell all is well: the server's user may write there."""
    start_apart(server)
    async with archiving(sshd, server, elsewhere) as watched:
        folder = watched.folder
        in_its_namespace(server, f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}")
        fill_segment(server)
        story = await watched.root("folder-not-writable", "ReadOnlyPaths: read-only for the server alone")
        assert "whose unit keeps it from that" in story.root.title
        assert "ReadWritePaths" in story.root.remedy
        in_its_namespace(server, f"umount {folder}")
        await watched.green("it may be written")


@pytest.mark.root("only root makes namespaces")
@pytest.mark.failure_mode("folder-in-memory")
@pytest.mark.usefixtures("_table")
async def test_a_folder_that_only_the_server_sees(
    sshd: SshServer, server: PostgresServer, base: Path
) -> None:
    """PrivateTmp: it was told as missing, proved, while all was archived. It is gone with the unit."""
    made = f"mount -t tmpfs -o mode=0755 own {base}; mkdir {base}/wal; chown {server.os_user} {base}/wal"
    start_apart(server, made)
    async with archiving(sshd, server, base) as watched:
        assert not list(watched.folder.iterdir()), "the host's own shows nothing"
        assert "folder-missing" not in watched.rules()
        found = [each for each in watched.diagnosis().findings if each.rule == "folder-in-memory"]
        assert "it is gone when the server's unit stops" in found[0].title
        TABLE.append(
            Row("the archive's folder in a /tmp of the server's unit (PrivateTmp)", "folder-in-memory", 0.0)
        )


@pytest.mark.root("only root makes namespaces")
async def test_a_link_of_the_servers_unit_is_followed_in_that(
    sshd: SshServer, server: PostgresServer, base: Path
) -> None:
    """RootDirectory, BindPaths: an absolute link led to the host's own folder: not there, or another one.

    Of the archive's folder, a script, and a folder on the way to both.
    """
    made = (
        f"mount -t tmpfs -o mode=0755 own {base}; mkdir -p {base}/real/wal {base}/real/bin; "
        f"ln -s {base}/real/wal {base}/wal; ln -s {base}/real/bin {base}/bin; "
        f'printf \'#!/bin/sh\\nexec cp "$1" "$2"\\n\' >{base}/real/bin/store.sh; '
        f"ln -s {base}/bin/../bin/store.sh {base}/real/bin/store; "
        f"chmod 0755 {base}/real/bin/store.sh; chown {server.os_user} {base}/real/wal"
    )
    start_apart(server, made)
    async with archiving(sshd, server, base, f'{base}/bin/store %p "{{0}}/%f"') as watched:
        assert not list(watched.folder.iterdir()), "the host's own shows nothing"
        await watched.until(lambda: watched.screen.last.command.value is not None, "its program")
        assert not watched.rules() & {"command-not-found", "command-not-executable", "folder-missing"}
        (folder,) = watched.screen.last.folders.value.folders if watched.screen.last.folders.value else ()
        assert (folder.why, folder.writable, folder.holds) == ("", True, True)
        in_its_namespace(server, f"mv {base}/real/wal {base}/real/away")
        fill_segment(server)
        await watched.until(lambda: "folder-missing" in watched.rules(), "that it leads nowhere")


HIDDEN = [
    ("a program", "command-not-found", "is not found by the server's user"),
    ("rclone's configuration", "rclone-config-unreadable", "is not there"),
]


@pytest.mark.root("only root makes namespaces")
@pytest.mark.failure_mode("command-not-found", "rclone-config-unreadable")
@pytest.mark.usefixtures("_table")
async def test_what_only_the_servers_unit_does_not_see(
    sshd: SshServer, server: PostgresServer, elsewhere: Path, base: Path
) -> None:
    """InaccessiblePaths, ProtectHome: a shell finds and may read both, and the server has neither.

    And what only the server has (an image of its own) is missed by nobody.
    """
    program = or_skip(lambda: find_program("rclone", server="rclone", package="rclone"))
    made, config = base / "store", base / "rclone.conf"
    made.write_text('#!/bin/sh\nexec cp "$1" "$2"\n')
    made.chmod(0o755)
    config.write_text("[wal]\ntype = local\n")
    by_rclone = f"{program} --config {config} copyto %p wal:{elsewhere}/wal/%f"
    start_apart(
        server, f"mount -t tmpfs -o mode=0755 own {base}; printf '#!/bin/sh\\ncp $1 $2\\n' >{base}/own"
    )
    in_its_namespace(server, f"chmod 0755 {base}/own")
    async with archiving(sshd, server, elsewhere, f'{base}/own %p "{{0}}/%f"') as watched:
        assert not watched.rules() & {"command-not-found", "command-not-executable"}
        for what, command in ((HIDDEN[0], f'{made} %p "{elsewhere}/wal/%f"'), (HIDDEN[1], by_rclone)):
            start_archiving(server, command)
            fill_segment(server)
            await watched.root(what[1], f"{what[0]} that the server's unit hides (InaccessiblePaths)")
            await watched.until(lambda: watched.stories()[0].root.certainty is Certainty.PROVED, "a proof")
            assert what[2] in " ".join(watched.stories()[0].root.evidence), watched.stories()
            in_its_namespace(server, f"umount {base}")
            await watched.green("it is seen")
            in_its_namespace(server, f"mount -t tmpfs -o mode=0755 own {base}")


@pytest.mark.root("only root makes namespaces")
@pytest.mark.failure_mode("command-not-executable")
@pytest.mark.usefixtures("_table")
async def test_a_program_that_only_the_servers_unit_may_not_run(
    sshd: SshServer, server: PostgresServer, elsewhere: Path, base: Path
) -> None:
    """NoExecPaths, or a partition that was hardened: no mode helps, and none is changed."""
    made = base / "store"
    made.write_text('#!/bin/sh\nexec cp "$1" "$2"\n')
    made.chmod(0o755)
    start_apart(server)
    async with archiving(sshd, server, elsewhere, f'{made} %p "{{0}}/%f"') as watched:
        in_its_namespace(server, f"mount --bind {base} {base}; mount -o remount,noexec,bind {base}")
        fill_segment(server)
        await watched.root("command-not-executable", "NoExecPaths: noexec for the server alone")
        await watched.until(lambda: "mounted noexec" in watched.stories()[0].root.title, "why")
        story = watched.stories()[0]
        assert story.root.certainty is Certainty.PROVED
        assert not [line for fix in story.root.fixes for line in fix.commands if line.startswith("chmod")]
        in_its_namespace(server, f"umount {base}")
        await watched.green("it may be run")


async def test_a_data_directory_behind_a_link_has_no_dead_files(
    sshd: SshServer, server: PostgresServer, base: Path
) -> None:
    """Its files are read by the link's name: by their own they were told as never read, proved."""
    link = server.folder / "link"
    link.symlink_to(server.data_dir)
    server.configure(archive_mode="on", archive_command="false")
    server.run([f"{server.bin_dir}/pg_ctl", "-D", str(link), "-s", "-w", "-l", str(server.log_file), "start"])
    async with archiving(sshd, server, base) as watched:
        await watched.until(lambda: watched.screen.last.files.value is not None, "its files")
        assert "dead-config" not in watched.rules()


@pytest.mark.failure_mode("wal-before-backup-gone")
@pytest.mark.usefixtures("_table")
async def test_a_clean_up_that_takes_what_a_label_needs(
    sshd: SshServer, server: PostgresServer, base: Path
) -> None:
    """Where the base backup lies is not known; that it cannot be replayed is. A note, as none is expected."""
    into = base / "backup"
    async with archiving(sshd, server, base) as watched:
        asked = ["-h", str(server.socket_dir), "-p", str(server.port), "-c", "fast", "-X", "none"]
        server.give(base)
        server.run([f"{server.bin_dir}/pg_basebackup", *asked, "-D", str(into)])
        names = [fill_segment(server) for _ in range(3)]
        wait_archived(server, names)
        await watched.until(lambda: watched.screen.last.primary.value is not None, "the label")
        assert "wal-before-backup-gone" not in watched.rules()
        server.run([f"{server.bin_dir}/pg_archivecleanup", str(watched.folder), names[-1]])
        await watched.until(lambda: "wal-before-backup-gone" in watched.rules(), "what it needs")
        TABLE.append(Row("pg_archivecleanup beyond the newest .backup label", "wal-before-backup-gone", 0.0))
        found = [each for each in watched.diagnosis().findings if each.rule == "wal-before-backup-gone"]
        assert found[0].title.endswith(f"and the archive with {names[-1]}")


@pytest.mark.failure_mode("postgres-unreachable")
async def test_a_shutdown_that_waits_for_the_archive_command_says_so(
    host: Host, record_property: Record
) -> None:
    """The server lets nobody in, and its settings cannot be asked: its processes tell."""
    start_archiving(host.server, "sleep 600")
    fill_segment(host.server)
    await asyncio.sleep(2)
    began = time.monotonic()
    os.kill(host.server.pid, signal.SIGINT)
    try:
        await asyncio.sleep(1)
        _, document = await host.checked()
        root = document["stories"][0]["root"]
        assert root["id"] == "postgres-unreachable", document["stories"]
        assert any("it waits for the archive command: process " in each for each in root["evidence"]), root
        brought_about(record_property, "a shutdown that waits for its archive command", root["id"], began)
    finally:
        below = descendants(host.server.pid)
        host.server.stop("immediate")
        kill(below)  # a command that sleeps outlives its archiver
