"""Two consoles at one droplet, over a real OpenSSH server: the second is told, and does no harm."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.data.provisioning import MemoryRecord, RealClock, ScriptedGate, a_profile, a_site
from tests.integration.connect_parts import open_shell, target
from tests.servers.fixtures import or_skip
from tests.servers.programs import find_program
from tests.servers.sshd import SshServer
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet import claim as claims
from walconsole.provision.droplet.claim import DropletClaim
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Change, Check, CheckState, Event, Plan, Printed, Risk
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site

pytestmark = pytest.mark.server


@dataclass
class Droplet:
    """The one that two consoles change; `place` is of this test alone."""

    sshd: SshServer
    place: str
    changes: list[str] = field(default_factory=list)
    at_it: int = 0
    together: int = 0


@dataclass
class Step:
    """It changes the droplet for `takes_s`, unless another has."""

    droplet: Droplet
    who: str
    takes_s: float = 0.0
    id: str = "change"
    title: str = "Change"
    risk: Risk = Risk.CHANGES
    explanation: str = ""
    gated: bool = True
    always: bool = False

    async def check(self) -> Check:
        return Check(CheckState.DONE if self.droplet.changes else CheckState.NEEDED, "looked at")

    async def plan(self) -> Plan:
        return Plan("change it")

    async def apply(self) -> AsyncIterator[Event]:
        self.droplet.at_it += 1
        self.droplet.together = max(self.droplet.together, self.droplet.at_it)
        try:
            yield Printed("begun")
            await asyncio.sleep(self.takes_s)
            self.droplet.changes.append(self.who)
        finally:
            self.droplet.at_it -= 1

    async def verify(self) -> AsyncIterator[Event]:
        yield Printed("verified")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        yield Printed("undone")


async def _no_look(_: Site) -> Survey:
    raise AssertionError("the droplet is not looked at")


@asynccontextmanager
async def a_console(droplet: Droplet, who: str, takes_s: float = 0.0) -> AsyncIterator[Runner]:
    """A console of another machine: its own connection, its own name."""
    async with open_shell(target(droplet.sshd)) as shell:
        site = a_site(a_profile(), shell, _no_look, record=MemoryRecord())
        site.claim = DropletClaim(shell, droplet.place, RealClock(), holder=lambda: who)
        yield Runner(site, (Step(droplet, who, takes_s),), ScriptedGate(), lambda _: None)


@pytest.fixture
def droplet(sshd: SshServer, request: pytest.FixtureRequest) -> Droplet:
    return Droplet(sshd, f"/etc of {request.node.name}")


async def until_at_it(droplet: Droplet) -> None:
    async with asyncio.timeout(20):
        while not droplet.at_it:  # noqa: ASYNC110  # a step's own list, which tells nobody
            await asyncio.sleep(0.02)


async def test_the_second_console_is_told_who_is_at_it(droplet: Droplet) -> None:
    async with a_console(droplet, "ann@laptop", 30.0) as first, a_console(droplet, "bob@desk") as second:
        running = asyncio.create_task(first.run())
        await until_at_it(droplet)
        with pytest.raises(BlockedError, match=r"ann@laptop since [0-9:]+ UTC") as caught:
            await second.run()
        assert re.search(r"runs out in \d+ s", caught.value.why)
        assert (droplet.changes, droplet.together) == ([], 1)
        running.cancel()
        await asyncio.wait([running])
        await second.run()  # it was given back at once
    assert droplet.changes == ["bob@desk"]


async def test_of_two_that_begin_at_once_one_changes_it(droplet: Droplet) -> None:
    async with a_console(droplet, "ann@laptop", 1.0) as first, a_console(droplet, "bob@desk", 1.0) as second:
        ends = await asyncio.gather(first.run(), second.run(), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["BlockedError", "NoneType"]
    assert (len(droplet.changes), droplet.together) == (1, 1)


async def test_a_holder_that_is_gone_holds_it_no_longer_than_its_lease(
    droplet: Droplet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_S", 2)
    async with open_shell(target(droplet.sshd)) as shell:
        await DropletClaim(shell, droplet.place, RealClock(), holder=lambda: "a killed one").take()
    async with a_console(droplet, "bob@desk") as second:
        with pytest.raises(BlockedError, match="a killed one"):
            await second.run()
        await asyncio.sleep(2.2)
        await second.run()
    assert droplet.changes == ["bob@desk"]


async def test_a_console_of_this_machine_that_was_killed_holds_nothing(droplet: Droplet) -> None:
    """What it left is taken over at once, unless the process is alive, or may be another machine's."""
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    mine = claims._of_this_machine()
    for who, free in (
        (f"ann@laptop (process {ended.pid}{mine})", True),
        (f"ann@laptop (process {os.getpid()}{mine})", False),
        (f"ann@laptop (process {ended.pid} of 00000000)", False),
        (f"ann@laptop (process {ended.pid})", False),
    ):
        async with open_shell(target(droplet.sshd)) as shell, a_console(droplet, "bob@desk") as second:
            left = DropletClaim(shell, droplet.place, RealClock(), holder=partial(str, who))
            await left.take()
            if free:
                await second.run()
                assert droplet.changes == ["bob@desk"]
                droplet.changes.clear()
            else:
                with pytest.raises(BlockedError, match="ann@laptop"):
                    await second.run()
            await left.release()
    assert droplet.changes == []


async def test_it_is_renewed_while_a_step_takes_long(
    droplet: Droplet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_S", 2)
    monkeypatch.setattr(claims, "RENEWAL_S", 0.3)
    async with a_console(droplet, "ann@laptop", 4.0) as first, a_console(droplet, "bob@desk") as second:
        running = asyncio.create_task(first.run())
        await until_at_it(droplet)
        await asyncio.sleep(3.0)
        with pytest.raises(BlockedError, match="ann@laptop"):
            await second.run()
        await running
    assert droplet.changes == ["ann@laptop"]


async def test_one_whose_claim_was_lost_stops(droplet: Droplet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection was cut for longer than the lease, and another console began meanwhile."""
    monkeypatch.setattr(claims, "RENEWAL_S", 0.5)
    monkeypatch.setattr(claims, "LEASE_S", 0)
    async with a_console(droplet, "ann@laptop", 30.0) as first, open_shell(target(droplet.sshd)) as shell:
        running = asyncio.create_task(first.run())
        await until_at_it(droplet)
        monkeypatch.setattr(claims, "LEASE_S", 60)
        other = DropletClaim(shell, droplet.place, RealClock(), holder=lambda: "bob@desk")
        await other.take()
        with pytest.raises(ProvisionError, match="bob@desk"):
            await running
        await other.release()
    assert droplet.changes == []


async def test_nothing_of_it_stays_on_the_droplet(droplet: Droplet) -> None:
    async with a_console(droplet, "ann@laptop") as first, open_shell(target(droplet.sshd)) as shell:
        await first.run()
        key = DropletClaim(shell, droplet.place, RealClock())._key
        found = await shell.run(
            f'ls /run/walconsole "${{TMPDIR:-/tmp}}/walconsole-$(id -u)" 2>/dev/null | grep {key} || :'
        )
    assert found.stdout == b""


@pytest.mark.parametrize("name", ["_ACQUIRE", "_RELEASE"])
def test_shellcheck_has_nothing_to_say_of_the_scripts(name: str) -> None:
    program = or_skip(lambda: find_program("shellcheck", server="shellcheck", package="shellcheck"))
    script = getattr(claims, name).format(key="k", token="t", lease=90, who="'ann@laptop'", dead="''")
    answer = subprocess.run(
        [str(program), "--shell=sh", "-"], input=script.encode(), capture_output=True, check=False
    )
    assert answer.stdout.decode() == ""
