"""The whole observation of real servers: the first picture, each plug pulled and put back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.observed import RecordingScreen, connected, profile_of
from tests.servers.fixtures import MakePostgres, MakeProxy, MakeSshd
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.profile import Profile
from walconsole.observe.logs.stream import LogFollower, log_sources
from walconsole.observe.poller.observer import LatestFacts, ServerObserver
from walconsole.process.clock import SystemClock

pytestmark = pytest.mark.server


@asynccontextmanager
async def observing(profile: Profile) -> AsyncIterator[tuple[ServerObserver, RecordingScreen]]:
    """ServerObserver on the real adapters; nothing of it may be left at the end."""
    before = asyncio.all_tasks()
    async with connected(profile) as to:
        observer = ServerObserver(
            profile.name,
            shell=to.shell,
            database=to.database,
            clock=to.clock,
            host=to.host,
            log=LogFollower(to.shell, to.clock, log_sources(profile.paths, to.host)),
        )
        screen = RecordingScreen()
        task = asyncio.create_task(observer.run(screen))
        try:
            yield observer, screen
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before


def all_fresh(snapshot: Snapshot) -> bool:
    readings = (
        snapshot.link,
        snapshot.host,
        snapshot.wal_disk,
        snapshot.server,
        snapshot.archiver,
        snapshot.settings,
    )
    return all(reading.freshness is Freshness.OK for reading in readings)


async def test_the_first_picture_and_the_next(postgres: PostgresServer, sshd: SshServer) -> None:
    began = time.monotonic()
    async with observing(profile_of(sshd, postgres)) as (observer, screen):
        await screen.until(lambda: screen.snapshots and all_fresh(screen.last), "the first picture")
        assert time.monotonic() - began < 5  # a second on a quiet machine
        first = screen.last
        known = LatestFacts(SystemClock())
        known.follow(lambda: observer.snapshot)
        assert known.segment_bytes() == 16 * 1024 * 1024
        assert first.host.value is not None
        assert first.host.value.cluster is not None
        await screen.until(
            lambda: (screen.last.archiver.read_at or 0) > (first.archiver.read_at or 0), "a tick"
        )
        assert screen.last.history.archiver


async def test_postgresql_goes_and_comes(make_postgres: MakePostgres, sshd: SshServer) -> None:
    server = make_postgres()
    async with observing(profile_of(sshd, server)) as (_, screen):
        await screen.until(lambda: screen.snapshots and all_fresh(screen.last), "the first picture")
        server.stop()
        await screen.until(lambda: screen.last.archiver.freshness is Freshness.STALE, "the archiver is stale")
        await screen.until(lambda: not running(screen.last), "the host sees it stopped")
        assert screen.last.host.freshness is Freshness.OK
        assert screen.last.wal_disk.freshness is Freshness.OK
        assert screen.last.archiver.value is not None
        assert screen.last.archiver.failing_since is not None
        server.start()
        await screen.until(lambda: all_fresh(screen.last) and running(screen.last), "all is back", 15)


def running(snapshot: Snapshot) -> bool:
    host = snapshot.host.value
    return host is not None and host.cluster is not None and host.cluster.running


async def test_sshd_goes_and_comes(postgres: PostgresServer, make_sshd: MakeSshd) -> None:
    sshd = make_sshd()
    async with observing(profile_of(sshd, postgres)) as (_, screen):
        await screen.until(lambda: screen.snapshots and all_fresh(screen.last), "the first picture")
        sshd.stop()
        await screen.until(
            lambda: screen.last.host.problem and screen.last.archiver.problem, "both are stale"
        )
        assert screen.last.host.problem is not None
        assert screen.last.host.problem.code == "SshLost"
        assert screen.last.host.value is not None
        sshd.start()
        await screen.until(lambda: all_fresh(screen.last), "all is back", 40)


async def test_the_network_freezes_and_thaws(
    postgres: PostgresServer, sshd: SshServer, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(sshd.port)
    async with observing(profile_of(sshd, postgres, port=proxy.port)) as (_, screen):
        await screen.until(lambda: screen.snapshots and all_fresh(screen.last), "the first picture")
        proxy.stall()
        await screen.until(
            lambda: screen.last.host.problem and screen.last.archiver.problem, "both are stale", 40
        )
        proxy.resume()
        await screen.until(lambda: all_fresh(screen.last), "all is back", 40)
