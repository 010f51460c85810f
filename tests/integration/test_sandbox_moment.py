"""The embedded droplet answers where to go back to, as a real one does."""

import asyncio
import os
import time

import pytest

from tests.integration.observed import RecordingScreen
from tests.integration.sandbox_child import sandbox
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.moments.events import Kind
from walconsole.domain.moments.names import relations_of
from walconsole.observe.moments.finding import MomentFinder
from walconsole.observe.moments.search import MomentSearch
from walconsole.operator_files.kept import for_this_session
from walconsole.process.clock import SystemClock
from walconsole.session.one_look import look_once

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


async def test_the_dropped_table_of_the_demo_is_found_by_its_name() -> None:
    clock = SystemClock()
    async with sandbox("--scenario", "dropped-table") as child:
        profile = child.profile
        environment = {**os.environ, **child.environment}
        until = time.monotonic() + 60
        while True:
            snapshot, _ = await look_once(profile, clock, environment, for_this_session(), 20.0)
            bucket = snapshot.primary.value
            if (bucket is not None and bucket.segments > 2) or time.monotonic() > until:
                break
            await asyncio.sleep(1)
        shell = SshShell(profile.ssh, sudo=profile.sudo, operator=RecordingScreen(), clock=clock)
        try:
            search = MomentSearch(MomentFinder(profile, shell, reserve_bytes=0), lambda: snapshot, clock.now)
            found = await search.run(await search.plan(clock.now(), 600.0))
        finally:
            await shell.aclose()
    assert found.names.unasked == ()
    (dropped,) = [moment for moment in found.moments() if moment.kind is Kind.DROPPED]
    (deleted,) = [moment for moment in found.moments() if moment.kind is Kind.DELETED]
    assert relations_of(dropped, found.names) == relations_of(deleted, found.names) == ("public.orders",)
    assert deleted.total().deleted == 20
    assert found.worst(found.moments()) is dropped
