"""The logs of a real host, through rotation, the collector's new files, and a lost connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.observed import Connected, RecordingScreen, connected, profile_of
from tests.servers.fixtures import MakePostgres, MakeSshd
from tests.servers.postgres_debian import DebianCluster
from tests.servers.sshd import SshServer
from walconsole.observe.logs.stream import LogFollower, log_sources
from walconsole.ports import Clock

pytestmark = pytest.mark.server


@asynccontextmanager
async def following(to: Connected, *, only: str | None = None) -> AsyncIterator[RecordingScreen]:
    screen = RecordingScreen()
    clock: Clock = to.clock
    sources = [s for s in log_sources(to.profile.paths, to.host) if only in (None, s.origin)]
    task = asyncio.create_task(LogFollower(to.shell, clock, sources).run(screen.log))
    try:
        yield screen
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def seen(screen: RecordingScreen, text: str) -> int:
    return sum(text in line.text for line in screen.lines)


def rotate(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


def write(path: Path, text: str) -> None:
    with path.open("a") as log:
        log.write(text)


async def test_a_debian_cluster_s_log(debian_cluster: DebianCluster, make_sshd: MakeSshd) -> None:
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={debian_cluster.conf_root}"})
    async with connected(profile_of(sshd, None)) as to, following(to, only="postgresql") as screen:
        debian_cluster.sql("DO $$ BEGIN RAISE LOG 'archive sign one'; END $$")
        await screen.until(lambda: seen(screen, "LOG:  archive sign one"), "the line")
        line = next(line for line in screen.lines if "LOG:  archive sign one" in line.text)
        assert line.origin == "postgresql"
        assert line.about_archiving
        assert line.stamp


async def test_what_closes_every_log_is_said_once(make_sshd: MakeSshd) -> None:
    sshd = make_sshd()
    sshd.stop()
    async with connected(profile_of(sshd, None)) as to, following(to) as screen:
        follower = "connection refused"
        await screen.until(lambda: seen(screen, follower), "the reason")
        await asyncio.sleep(2.5)  # every source tried again
        assert seen(screen, follower) == 1


async def test_the_collector_s_files_one_after_another(make_postgres: MakePostgres, sshd: SshServer) -> None:
    server = make_postgres(start=False)
    server.configure(logging_collector="on", log_filename="postgresql-%H%M%S.log", log_rotation_age="0")
    server.start()
    async with connected(profile_of(sshd, server)) as to, following(to, only="postgresql") as screen:
        server.sql("DO $$ BEGIN RAISE LOG 'sign one'; END $$")
        await screen.until(lambda: seen(screen, "LOG:  sign one"), "the first file's line")
        server.sql("SELECT pg_sleep(1.1)")
        server.sql("SELECT pg_rotate_logfile()")
        server.sql("DO $$ BEGIN RAISE LOG 'sign two'; END $$")
        await screen.until(lambda: seen(screen, "LOG:  sign two"), "the second file's line")
        assert (seen(screen, "LOG:  sign one"), seen(screen, "LOG:  sign two")) == (1, 1)


async def test_where_the_postmaster_s_standard_error_goes(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    server = make_postgres()
    async with connected(profile_of(sshd, server)) as to, following(to, only="postgresql") as screen:
        await screen.until(lambda: seen(screen, "database system is ready"), "what was there before")
        server.sql("DO $$ BEGIN RAISE LOG 'sign one'; END $$")
        await screen.until(lambda: seen(screen, "LOG:  sign one"), "the new line")


async def test_rotation_and_a_lost_connection_repeat_and_lose_nothing(make_sshd: MakeSshd) -> None:
    sshd = make_sshd()
    async with connected(profile_of(sshd)) as to, following(to, only="archive.log") as screen:
        path = Path(to.profile.paths.log)
        write(path, "".join(f"first {n}.\n" for n in range(50)))
        await screen.until(lambda: seen(screen, "first 49."), "the first lines")
        rotate(path)
        write(path, "".join(f"second {n}.\n" for n in range(50)))
        await screen.until(lambda: seen(screen, "second 49."), "the rotated lines")
        sshd.restart()
        write(path, "third\n")
        await screen.until(lambda: seen(screen, "third"), "the line after the connection was lost")
        for name in ("first", "second"):
            assert [seen(screen, f"{name} {n}.") for n in range(50)] == [1] * 50
        assert seen(screen, "third") == 1
        assert all(line.origin == "archive.log" for line in screen.lines)


async def test_a_flood_is_bounded_and_told(sshd: SshServer) -> None:
    async with connected(profile_of(sshd)) as to, following(to, only="archive.log") as screen:
        path = Path(to.profile.paths.log)
        write(path, "begin\n")
        await screen.until(lambda: seen(screen, "begin"), "the first line")
        write(path, "".join(f"{n:06} {'x' * 90}\n" for n in range(150_000)) + "the end\n")
        await screen.until(lambda: seen(screen, "the end"), "the last line")
        assert seen(screen, "lines were dropped here")
        assert len(screen.lines) < 100_000
