"""States that people report of PostgreSQL archiving, each really brought about on a server that archives.

Their healthy sisters stand beside them: a false alarm is as wrong as a false green.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.failure_stage import TABLE, Row
from tests.integration.test_failures_folder import archiving, elsewhere, looked_at
from tests.integration.test_failures_found import Host, host
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from tests.servers.writer import write_private
from walconsole.domain.standing.model import Certainty, Level, Severity

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]

__all__ = ["elsewhere", "host"]


@pytest.fixture
def server(make_postgres: MakePostgres) -> PostgresServer:
    """With small segments, not started yet."""
    return make_postgres(wal_segment_mib=1, start=False)


def script(server: PostgresServer, name: str, lines: str) -> Path:
    """An archive script, called with %p %f."""
    return write_private(server, name, f"#!/bin/sh\n{lines}\n", mode=0o700)


@pytest.mark.failure_mode("command-not-found")
async def test_an_archiver_that_may_start_no_process(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """system(3) answers as a shell does that does not find a program: it was told as one that is missing."""
    async with archiving(sshd, server, elsewhere) as watched:
        pid = str(server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")[0][0])
        server.run(["prlimit", "--pid", pid, "--nproc=0:0"])
        fill_segment(server)
        story = await watched.root("command-not-found", "no process left for the archiver (nproc)")
        assert "no process could be started for it" in story.root.title
        assert "TasksMax" in story.root.remedy
        await watched.green("another archiver, without that limit")


def run(*words: str) -> int:
    """Its exit status."""
    return subprocess.run(words, check=False, timeout=30, stderr=subprocess.DEVNULL).returncode


BASHS = [
    ("[[ in a shell of POSIX alone", "[[ ! -f {0}/%f ]] && cp %p {0}/%f", "command-not-found"),
    ("set -o pipefail in a shell of POSIX alone", "set -o pipefail; cat %p | cat >{0}/%f", "failing"),
]


@pytest.mark.skipif("dash" not in os.path.realpath("/bin/sh"), reason="/bin/sh is another shell here")
@pytest.mark.failure_mode("command-not-found", "failing")
async def test_a_command_that_is_written_for_bash(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """Debian's /bin/sh is dash: `install [[` was advised."""
    async with archiving(sshd, server, elsewhere) as watched:
        for what, command, rule in BASHS:
            start_archiving(server, command.format(watched.folder))
            fill_segment(server)
            await watched.root(rule, what)
            await watched.until(lambda: "bash" in watched.stories()[0].root.remedy, "what to do")
            assert "install it" not in watched.stories()[0].root.remedy
            start_archiving(server, f"cp %p {watched.folder}/%f")
            await watched.green("by cp")


_DEAD = """
import ctypes, os, sys
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
sys.exit(ctypes.CDLL(None).mount(b"remote:wal", sys.argv[1].encode(), b"fuse.rclone", 0, options.encode()))
"""
"""A mount by FUSE whose program ends at once, as a killed `rclone mount` leaves it."""


@pytest.mark.root("only root mounts")
@pytest.mark.failure_mode("folder-missing")
async def test_a_mount_whose_program_has_ended(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    async with archiving(sshd, server, elsewhere) as watched:
        folder = str(watched.folder)
        if run(sys.executable, "-c", _DEAD, folder):
            pytest.skip("nothing may be mounted by FUSE here")
        try:
            fill_segment(server)
            story = await watched.root("folder-missing", "a mount whose program (rclone mount) has ended")
            await watched.until(lambda: "dead mount" in watched.stories()[0].root.title, "what it is")
            story = watched.stories()[0]
            assert "fuse.rclone" in story.root.title
            assert story.root.fixes[0].commands[0] == f"umount -l {folder}"
        finally:
            run("umount", "-l", folder)
        await watched.green("its mount taken away")


@pytest.mark.failure_mode("variable-unset")
async def test_a_variable_that_the_servers_unit_set(host: Host) -> None:
    """A drop-in with Environment= is lost: the shell puts nothing for it, and `cp` may not write to /."""
    made = script(host.server, "by-variable", 'set -e\nexec cp "$1" "$WAL_ARCHIVE/$2"')
    start_archiving(host.server, f"{made} %p %f")
    fill_segment(host.server)
    began = time.monotonic()
    wait_until(lambda: "failed with exit code" in host.server.log_file.read_text(), "it fails", 20)
    code, document = await host.checked()
    root = document["stories"][0]["root"]
    assert root["id"] == "variable-unset", document["stories"]
    assert "$WAL_ARCHIVE, which nothing sets" in root["title"]
    assert "Environment=" in root["remedy"]
    assert code == 2
    TABLE.append(Row("Environment= of the server's unit lost", "variable-unset", time.monotonic() - began))


@pytest.mark.failure_mode("segment-taken-away")
async def test_a_script_that_links(sshd: SshServer, server: PostgresServer, tmp_path: Path) -> None:
    """It was told as one that stores nothing."""
    into = server.folder / "wal"
    server.run(["mkdir", str(into)])
    made = script(server, "links", f'from=$1\nexec ln "$from" {into}/"$2"')
    start_archiving(server, f"{made} %p %f")
    wait_archived(server, [fill_segment(server) for _ in range(2)])
    async with looked_at(sshd, server, into) as watched:
        story = await watched.root("segment-taken-away", "a script that links segments (ln)")
        assert "stores links" in story.root.title
        assert "stores-nothing" not in watched.rules()


@pytest.mark.failure_mode("restore-elsewhere")
async def test_a_restore_command_for_the_archives_old_place(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    server.run(["mkdir", str(server.folder / "old")])
    async with archiving(sshd, server, elsewhere) as watched:
        command = f"cp %p {watched.folder}/%f"
        common = {"archive_mode": "on", "archive_command": command}
        server.configure(**common, restore_command=f"cp {watched.folder}/%f %p")
        server.reload()
        await asyncio.sleep(3)
        assert "restore-elsewhere" not in watched.rules()
        server.configure(**common, restore_command=f"cp {server.folder}/old/%f %p")
        server.reload()
        story = await watched.root("restore-elsewhere", "restore_command names the archive's old folder")
        assert f"takes WAL from {server.folder}/old" in story.root.title
        server.configure(**common)
        server.reload()
        await watched.gone("restore-elsewhere", "the setting corrected")


async def test_a_standby_with_an_archive_of_its_own_is_no_alarm(
    sshd: SshServer, make_postgres: MakePostgres, elsewhere: Path
) -> None:
    """archive_mode = always is made for that; it was a warning whatever it archives to."""
    primary = make_postgres(wal_segment_mib=1, start=False)
    for name in ("wal", "own"):
        (elsewhere / name).mkdir()
        primary.give(elsewhere / name)
    start_archiving(primary, f"cp %p {elsewhere}/wal/%f")
    standby = primary.standby()
    standby.configure(archive_mode="always", archive_command=f"cp %p {elsewhere}/own/%f")
    standby.start()
    try:
        for _ in range(3):
            wait_archived(primary, [fill_segment(primary)])
        await asyncio.to_thread(wait_archived, standby)
        async with looked_at(sshd, standby, elsewhere / "own") as watched:
            await watched.until(lambda: "archive-always" in watched.rules(), "the note")
            await watched.green()
            told = [each for each in watched.diagnosis().findings if each.rule == "archive-always"]
            assert told[0].severity is Severity.NOTE
            assert not watched.stories()
    finally:
        standby.stop("immediate")


async def test_a_recovery_that_waits_at_its_target_is_told_as_paused(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """`this is a standby: look at its primary` was said of it, and there is none."""
    into = elsewhere / "wal"
    into.mkdir()
    server.give(into)
    start_archiving(server, f"cp %p {into}/%f")
    copy = server.standby()
    server.sql("SELECT pg_create_restore_point('here')")
    wait_archived(server, [fill_segment(server) for _ in range(2)])
    (copy.data_dir / "standby.signal").rename(copy.data_dir / "recovery.signal")
    (copy.data_dir / "postgresql.auto.conf").write_text("")
    copy.configure(restore_command=f"cp {into}/%f %p", recovery_target_name="here", archive_mode="on")
    copy.start()
    try:
        async with looked_at(sshd, copy, into) as watched:
            await watched.until(
                lambda: "its replay is PAUSED" in watched.diagnosis().verdict.text, "that it is paused"
            )
            assert watched.diagnosis().verdict.level is Level.UNKNOWN
    finally:
        copy.stop("immediate")


@pytest.mark.failure_mode("failing")
async def test_a_log_that_was_rotated_in_the_midst_keeps_its_words(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """The file of this moment is empty: the newest failure's words stand in the one before."""
    into = elsewhere / "wal"
    into.mkdir()
    server.give(into)
    server.configure(
        archive_mode="on", archive_command="echo no tape in the drive >&2; false", logging_collector="on",
        log_destination="jsonlog", log_directory="log", log_filename="postgresql-%M%S.log",
    )  # fmt: skip
    server.start()
    fill_segment(server)
    await asyncio.sleep(3)
    server.sql("SELECT pg_rotate_logfile()")
    await asyncio.sleep(1.5)
    async with looked_at(sshd, server, into) as watched:
        await watched.root("failing", "a log in JSON that was rotated in the midst")
        await watched.until(
            lambda: watched.stories()[0].root.title.endswith("no tape in the drive"), "its words", 8
        )


@pytest.mark.failure_mode("folder-missing")
async def test_a_script_that_skips_what_is_not_mounted(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """It says yes where the folder is not there; the folder is named by the script alone."""
    into = elsewhere / "wal"
    made = script(server, "where-mounted", f'if [ -d {into} ]; then\n  cp "$1" {into}/"$2"\nfi')
    async with archiving(sshd, server, elsewhere, f"{made} %p %f") as watched:
        into.rename(elsewhere / "away")
        wait_archived(server, [fill_segment(server)])
        story = await watched.root("folder-missing", "a script that skips a folder that is not there")
        assert story.root.severity is Severity.CRITICAL
        assert any("counts no failure" in each for each in story.root.evidence)
        assert watched.diagnosis().verdict.level is Level.CRITICAL
        (elsewhere / "away").rename(into)


@pytest.mark.failure_mode("archiver-crash-loop")
async def test_ssh_that_does_not_know_the_host_is_no_file_that_is_denied(
    sshd: SshServer, server: PostgresServer, elsewhere: Path
) -> None:
    """It complains of its own known_hosts, goes on, and then says what it fails for."""
    into = elsewhere / "wal"
    into.mkdir()
    options = f"-o BatchMode=yes -p {sshd.port} -o UserKnownHostsFile=/nonexistent"
    send = f"rsync -e 'ssh {options}' -a %p {sshd.user}@{sshd.host}:{into}/%f"
    start_archiving(server, send)
    fill_segment(server)
    async with looked_at(sshd, server, into) as watched:
        await watched.until(lambda: "archiver-crash-loop" in watched.rules(), "the end by 255")
        story = await watched.root("archiver-crash-loop", "ssh that does not know the host's key")
        assert "Host key verification failed" in story.root.title
        assert "known_hosts" in story.root.remedy
        assert "permission" not in watched.rules()
        assert story.root.certainty is not Certainty.POSSIBLE
