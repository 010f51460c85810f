"""What was green, or told by a false cause, until it was brought about by hand: on servers that archive."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.integration.failure_stage import LATE, Watched, stopped_archiver
from tests.servers.fixtures import or_skip
from tests.servers.programs import find_program
from tests.servers.writer import write_script
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.standing.model import Certainty, Level, Severity

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]


@pytest.mark.failure_mode("segment-taken-away")
async def test_a_script_that_takes_segments_away(console: Watched) -> None:
    """Its words tell nothing: what is marked as archived is not in pg_wal."""
    command = console.command.replace("%p", "$1").replace("%f", "$2")
    script = write_script(console.cluster, "takes", f'{command} && rm -f -- "$1"\n')
    with console.broken("a script that archives, and removes the segment"):
        console.config(archive_command=f"{script} %p %f")
        console.switch(3)
        story = await console.root("segment-taken-away", evidence="marked as archived", within_s=30)
        assert story.root.certainty is Certainty.PROVED
        assert console.diagnosis().verdict.level is Level.CRITICAL
    console.switch()
    await console.green("the setting taken back, and one more archived")


@pytest.mark.failure_mode("archiver-held-still")
async def test_an_archiver_that_somebody_stopped(console: Watched) -> None:
    """A debugger that is left, a job that freezes: it says nothing, and nothing fails."""
    with console.broken("SIGSTOP to the archiver's process"), stopped_archiver(console):
        console.switch(2)
        story = await console.root("archiver-held-still", evidence="stopped by a signal", within_s=20)
        assert story.root.certainty is Certainty.PROVED
        assert console.diagnosis().verdict.level is Level.CRITICAL
        assert story.root.fixes[0].commands[1].startswith("kill -CONT ")
    await console.green("SIGCONT")


@pytest.mark.failure_mode("archiver-held-still")
async def test_a_server_that_somebody_stopped_as_a_whole(console: Watched) -> None:
    """It hangs without closing anything: nothing of it could be read, and no cause was told."""
    with console.broken("SIGSTOP to every process of the server"):
        console.cluster.freeze()
        try:
            await console.root("archiver-held-still", evidence="T or t", within_s=30)
            await console.until(
                lambda: console.diagnosis().verdict.text.startswith("PostgreSQL is HELD STILL"),
                "its line",
                60,
            )
        finally:
            console.cluster.thaw()
    await console.green("SIGCONT", within_s=60)


UNRUNNABLE = [
    (
        "a script with the line ends of Windows",
        b"#!/bin/sh\r\nexec cp %p /nowhere\r\n",
        "carriage return",
        "sed -i",
    ),
    (
        "a script whose interpreter is gone",
        b"#!/opt/python2.7/bin/python\n",
        "its interpreter /opt",
        "head -n 1",
    ),
]


@pytest.mark.failure_mode("command-not-executable")
@pytest.mark.parametrize(("what", "text", "why", "fix"), UNRUNNABLE, ids=[one[0] for one in UNRUNNABLE])
async def test_a_script_that_is_there_and_not_found(
    console: Watched, what: str, text: bytes, why: str, fix: str
) -> None:
    """The shell says "not found" of the script: one story, of what keeps it from running, and no chmod."""
    script = write_script(console.cluster, "unrunnable", "")
    script.write_bytes(text)
    with console.broken(what):
        console.config(archive_command=f"{script} %p %f")
        console.switch()
        story = await console.root("command-not-executable", evidence=why, within_s=20)
        assert story.root.certainty is Certainty.PROVED
        assert story.root.fixes[0].commands[0].startswith(fix)
        await console.until(lambda: "archiver-crash-loop" in console.chain(), "what follows", 20)
        assert "command-not-found" not in console.rules()
        assert "archiving works" not in console.diagnosis().verdict.text
    await console.green("the setting taken back", within_s=40)


@pytest.mark.failure_mode("silent-loss")
async def test_a_blank_is_a_command_that_says_yes(console: Watched) -> None:
    with console.broken("archive_command = ' '"):
        console.config(archive_command=" ")
        names = [console.switch() for _ in range(2)]
        await console.root("silent-loss", within_s=20)
        assert console.diagnosis().verdict.level is Level.CRITICAL
    for name in names:
        console.push(name)
    console.observer.refresh()
    await console.green("pushed by hand")


@contextmanager
def in_memory(console: Watched, kept: Path, more_files: int = 10_000) -> Iterator[None]:
    """pg_wal on a tmpfs, as it was, with room for `more_files`; then on its disk again, as it is then."""
    pg_wal = console.pg_wal
    console.cluster.stop()
    run("cp", "-a", f"{pg_wal}/.", str(kept))
    inodes = sum(1 for _ in pg_wal.rglob("*")) + 2 + more_files
    run("mount", "-t", "tmpfs", "-o", f"size=512m,nr_inodes={inodes}", "tmpfs", str(pg_wal))
    try:
        run("cp", "-a", f"{kept}/.", str(pg_wal))
        console.cluster.start()
        yield
    finally:
        console.cluster.stop("immediate")
        shutil.rmtree(kept)
        run("cp", "-a", f"{pg_wal}/.", str(kept))
        run("umount", str(pg_wal))
        for path in pg_wal.iterdir():
            if path.is_file():
                path.unlink()
        run("cp", "-a", f"{kept}/.", str(pg_wal))
        console.cluster.start()


def run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=60)


@pytest.mark.failure_mode("wal-in-memory")
@pytest.mark.root("only root mounts")
async def test_pg_wal_in_memory(console: Watched, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with console.broken("pg_wal on a tmpfs, the data on a disk"), in_memory(console, kept):
        console.observer.refresh()
        await console.root("wal-in-memory", evidence="tmpfs", within_s=30)
        assert console.diagnosis().verdict.level is Level.WARNING
    console.observer.refresh()
    await console.green("pg_wal on its disk again")


@pytest.mark.failure_mode("disk-full")
@pytest.mark.root("only root mounts")
async def test_no_inode_is_left_for_pg_wal(console: Watched, tmp_path: Path) -> None:
    """PostgreSQL panics, and does not start again: its log says why, and that comes first."""
    kept = tmp_path / "kept"
    kept.mkdir()
    with console.broken("no inode left on pg_wal's file system"), in_memory(console, kept, 8):
        console.config(archive_command="false", max_wal_size="8MB")
        with pytest.raises(psycopg.Error):
            console.switch(20)
        story = await console.root("disk-full", evidence="No space left on device", within_s=40)
        assert "no inode left for pg_wal" in story.root.title
        await console.until(lambda: "postgres-unreachable" in console.chain(), "what follows", 20)
        assert console.diagnosis().verdict.text.startswith("PostgreSQL is DOWN")
        (console.cluster.config_dir / "conf.d" / LATE).unlink()
        run("mount", "-o", "remount,nr_inodes=10000", str(console.pg_wal))
        console.cluster.start()
    await console.green("with inodes", within_s=60)


@pytest.mark.failure_mode("damaged-object")
async def test_half_of_a_compressed_segment_in_the_midst(console: Watched) -> None:
    """Its size is like others', its beginning is WAL: only its end tells."""
    names = []
    for _ in range(6):
        console.sql(
            "SELECT pg_logical_emit_message(false, 'filled', string_agg(md5(random()::text), '')) "
            "FROM generate_series(1, 9000)"
        )
        names.append(console.switch())
    await console.until(lambda: not console.waits(), "all archived", 30)
    kept = {}
    with console.broken("halves of compressed segments in mid-archive"):
        for name in names[1:5]:  # three are read by chance
            each = f"{name}.zst"
            kept[each] = console.owner.get_object(Bucket=console.bucket, Key=each)["Body"].read()
            console.owner.put_object(Bucket=console.bucket, Key=each, Body=kept[each][: len(kept[each]) // 2])
        console.observer.refresh()

        def found() -> bool:
            console.observer.refresh()
            return "damaged-object" in console.rules()

        console.found("damaged-object", await console.until(found, "a segment that is cut off", 60))
        told = next(each for each in console.diagnosis().findings if each.rule == "damaged-object")
        assert told.severity is Severity.CRITICAL
        assert "cut off" in str(told.evidence)
    for each, whole in kept.items():
        console.owner.put_object(Bucket=console.bucket, Key=each, Body=whole)
    console.observer.refresh()
    await console.green("the whole ones stored again", within_s=60)


@pytest.mark.failure_mode("same-name-different-content")
async def test_a_clone_that_writes_older_names_alone(console: Watched) -> None:
    """The newest is the server's own: some before it are compared with pg_wal, chosen by chance."""
    names = [console.switch() for _ in range(6)]
    await console.until(lambda: not console.waits(), "all archived", 30)
    with console.broken("a clone's segments over older ones"):
        for name in names[1:5]:
            theirs = bytearray((console.pg_wal / name).read_bytes())
            theirs[60:80] = bytes(20)
            console.owner.put_object(
                Bucket=console.bucket, Key=f"{name}.zst", Body=PLAIN.packed("zst", bytes(theirs))
            )

        def found() -> bool:
            console.observer.refresh()
            return "same-name-different-content" in console.roots()

        seconds = await console.until(found, "another's segment", 60)
        console.found("same-name-different-content", seconds)
        assert console.diagnosis().verdict.level is Level.CRITICAL
    for name in names[1:5]:
        console.owner.delete_object(Bucket=console.bucket, Key=f"{name}.zst")
        console.push(name)
    console.observer.refresh()
    await console.green("the server's own stored again", within_s=60)


async def test_what_was_said_yes_to_in_vain_is_not_laid_upon_the_command_that_came_after(
    console: Watched,
) -> None:
    """It was told as one that says yes too early; and the push by hand ran a command that stores nothing."""
    with console.broken("archive_command = ':'"):
        console.config(archive_command=":")
        names = [console.switch() for _ in range(3)]
        story = await console.root("silent-loss", within_s=20)
        assert not [each for each in story.root.fixes if each.step == "push-wal" and each.commands]
    story = await console.root("silent-loss", evidence="that was in force then", within_s=20)
    push = next(each for each in story.root.fixes if each.step == "push-wal")
    assert console.command.partition(" ")[0] in push.commands[0]
    for name in names:
        console.push(name)
    console.observer.refresh()
    await console.green("pushed by hand")


@pytest.mark.failure_mode("postgres-unreachable")
async def test_a_postmaster_whose_pid_file_was_deleted(console: Watched) -> None:
    """It serves on for up to a minute, and nothing is wrong with archiving; then it ends by itself."""
    with console.broken("postmaster.pid deleted while the server runs"):
        (console.cluster.data_dir / "postmaster.pid").unlink()
        await console.root("postgres-unreachable", evidence="lock file is invalid", within_s=90)
        await console.until(
            lambda: console.diagnosis().verdict.text.startswith("PostgreSQL is DOWN"), "DOWN", 20
        )
        assert all("and it grows" not in line for each in console.stories() for line in each.at_risk)
        console.cluster.start()
    await console.green("started again", within_s=60)


@asynccontextmanager
async def proxy_that_wants_a_password() -> AsyncIterator[int]:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.mark.failure_mode("endpoint-wrong")
async def test_a_proxy_that_refuses(console: Watched) -> None:
    curl = or_skip(lambda: find_program("curl", server="curl", package="curl"))
    async with proxy_that_wants_a_password() as port:
        with console.broken("a proxy that wants a password"):
            put = f"{curl} -fsS -T %p https://store.invalid/%f"
            console.config(archive_command=f"https_proxy=http://127.0.0.1:{port} {put}")
            console.switch()
            story = await console.root("endpoint-wrong", within_s=40)
            assert "the proxy that the archiver's environment names" in story.root.title
            assert "postmaster.pid" in story.root.fixes[0].commands[0]
    await console.green("the setting taken back", within_s=60)


FAILING = [
    (
        "a share that went away",
        "echo \"cp: cannot stat '/mnt/x': Stale file handle\" >&2; false",
        "Stale file handle",
        "mount the share anew",
    ),
    ("too few open files", "ulimit -n 3; cat %p 3>/dev/null 4>&3; false", "fork|open|descriptor", ""),
]


@pytest.mark.failure_mode("failing")
@pytest.mark.parametrize(("what", "command", "words", "remedy"), FAILING, ids=[one[0] for one in FAILING])
async def test_what_helps_is_told_beside_its_own_words(
    console: Watched, what: str, command: str, words: str, remedy: str
) -> None:
    with console.broken(what):
        console.config(archive_command=command.format(console.command))
        console.switch()
        await console.root("failing", within_s=20)
        told = re.compile(words)
        await console.until(lambda: told.search(console.stories()[0].root.title), "its words", 20)
        assert remedy in console.stories()[0].root.remedy
    await console.green("the setting taken back")


QUIET = [
    ("log_min_messages = panic", {"log_min_messages": "panic"}),
    ("syslog alone", {"log_destination": "syslog"}),
    ("no prefix", {"log_line_prefix": ""}),
]


@pytest.mark.failure_mode("failing")
@pytest.mark.parametrize(("what", "settings"), QUIET, ids=[one[0] for one in QUIET])
async def test_the_words_are_there_however_little_is_logged(
    console: Watched, what: str, settings: dict[str, str]
) -> None:
    with console.broken(f"a command that fails, with {what}"):
        console.config(**settings, archive_command="echo no tapes >&2; false")
        console.switch()
        story = await console.root("failing", within_s=20)
        await console.until(lambda: "no tapes" in console.stories()[0].root.title, "its words", 20)
        assert story.root.severity is Severity.CRITICAL
    await console.green("the setting taken back")


HEALTHY = [
    ("a line break and a percent sign", "test '100%%' = '100%%' \n&& {0}"),
    ("a child that lives on", "{0} && {{ sleep 5 & }}"),
    ("a limit that suffices", "ulimit -f unlimited; ulimit -n 256; {0}"),
]


@pytest.mark.parametrize(("what", "command"), HEALTHY, ids=[one[0] for one in HEALTHY])
async def test_odd_and_healthy_commands_are_silent(console: Watched, what: str, command: str) -> None:
    with console.broken(what):
        console.config(archive_command=command.format(console.command))
        name = console.switch()
        await console.until(lambda: not console.waits(), f"{name} is archived", 20)
        await console.green("nothing")
        await console.stays_green(5)


async def test_an_archive_timeout_of_a_day_is_noted(console: Watched) -> None:
    console.config(archive_timeout="1d")
    try:
        await console.until(lambda: "no-archive-timeout" in console.rules(), "the note", 20)
        told = next(each for each in console.diagnosis().findings if each.rule == "no-archive-timeout")
        assert told.severity is Severity.NOTE
        assert "of writes are in no archive" in told.title
        await console.stays_green()
    finally:
        console.config_back()
