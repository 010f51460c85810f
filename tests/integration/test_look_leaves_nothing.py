"""A look at one of hundreds goes by itself: while the collector looks for what is left no key is painted."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_profile
from tests.integration.connect_parts import target
from tests.integration.fleet_parts import NOBODY
from tests.servers.fixtures import MakeSshd
from walconsole.adapters.ssh.shell import SshShell
from walconsole.operator_files.kept import for_this_session
from walconsole.process.clock import SystemClock
from walconsole.session.one_look import NobodyThere, look_once

pytestmark = pytest.mark.server
LIMIT_S = 60.0


@pytest.fixture
def kept_garbage() -> Iterator[list[object]]:
    """What a collection finds while nothing else collects."""
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def test_a_look_leaves_nothing_of_ours_to_the_collector(
    make_sshd: MakeSshd, tmp_path: Path, kept_garbage: list[object]
) -> None:
    profile = a_profile()
    primary, dr = (replace(one, endpoint=NOBODY) for one in profile.buckets)
    profile = replace(profile, ssh=target(make_sshd()), primary=primary, dr=dr)
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}

    clock = SystemClock()
    lent = SshShell(profile.ssh, sudo=profile.sudo, operator=NobodyThere(), clock=clock)

    async def look() -> None:
        lent.retry()
        snapshot, _ = await look_once(profile, clock, environment, for_this_session(), LIMIT_S, through=lent)
        assert snapshot.host.value is not None
        assert snapshot.primary.problem is not None

    await look()  # imports
    await asyncio.sleep(0.1)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    await look()
    await asyncio.sleep(0.1)
    gc.collect()
    await lent.aclose()
    ours = {type(one).__qualname__ for one in kept_garbage if type(one).__module__.startswith("walconsole.")}
    assert not ours
