"""A command on the droplet that never ends: it is given up, what it started ends, and what hung is said."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_site, events
from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import MakeProxy
from tests.servers.proxy import Proxy
from tests.servers.sshd import SshServer
from walconsole.errors import ProvisionError, SshError
from walconsole.provision.droplet import commands as droplet
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.model import Command, Event, Printed
from walconsole.provision.engine.site import Site

pytestmark = pytest.mark.server


@pytest.fixture
async def site(sshd: SshServer, tmp_path: Path) -> AsyncIterator[Site]:
    profile = profile_of(sshd)
    profile = replace(profile, paths=replace(profile.paths, root=str(tmp_path)))
    async with connected(profile) as parts:
        yield a_site(profile, parts.shell, take_survey)


async def collect(running: AsyncIterator[Event], seen: list[Event], proxy: Proxy | None = None) -> None:
    """What it tells, also where it fails; at its first words `proxy` stalls."""
    async for event in running:
        seen.append(event)
        if proxy is not None and isinstance(event, Printed):
            proxy.stall()


def printed(seen: list[Event]) -> list[str]:
    return [event.text for event in seen if isinstance(event, Printed)]


async def gone(pid: int) -> bool:
    """Whether the process ends, within a moment."""
    for _ in range(50):
        if not await asyncio.to_thread(Path(f"/proc/{pid}").exists):
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.mark.parametrize("text", ["sleep 600", "trap '' TERM HUP; while :; do sleep 0.2; done"])
async def test_it_is_given_up_and_what_it_started_ends(site: Site, text: str) -> None:
    # $$ would be the stream's shell, which hears signals: it is the subshell in it that has to go.
    command = Command(f"echo $(exec sh -c 'echo $PPID'); echo waiting for a lock; {text}")
    seen: list[Event] = []
    with pytest.raises(ProvisionError) as caught:
        await collect(droplet.run(site, command, timeout_s=1.0), seen)
    pid, said = printed(seen)
    assert said == "waiting for a lock"
    error = caught.value
    assert error.tried.startswith("running as root on the droplet: echo $(exec sh")
    assert "had not ended after 1 s, and was ended; its last words: " in error.why
    assert "waiting for a lock" in error.why
    assert "running it by hand" in error.remedy
    assert await gone(int(pid))
    assert printed(await events(site, droplet.run(site, Command("echo as ever")))) == ["as ever"]


async def test_a_silent_one_is_given_up_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(droplet, "LONGEST_COMMAND_S", 0.4)
    with pytest.raises(ProvisionError, match=r"had not ended after 0\.4 s, and was ended"):
        await events(site, droplet.run(site, Command("sleep 600")))


async def test_a_script_that_hangs_is_named(site: Site) -> None:
    with pytest.raises(ProvisionError) as caught:
        await droplet.ask(site, "sync /a/disk/that/hangs; sleep 600", timeout_s=0.5, tried="writing /etc/x")
    assert caught.value.tried == "writing /etc/x"
    assert "was ended" in caught.value.why
    assert "run this step again" in caught.value.remedy
    assert await droplet.ask(site, "echo as ever") == "as ever\n"


async def test_one_that_tells_all_the_time_is_given_up_too(site: Site) -> None:
    with pytest.raises(ProvisionError, match="had not ended after 1 s"):
        await events(site, droplet.run(site, Command("while :; do echo x; sleep 0.05; done"), timeout_s=1.0))


async def test_a_slow_one_has_its_time(site: Site) -> None:
    seen = await events(site, droplet.run(site, Command("sleep 0.3; echo done"), timeout_s=30.0))
    assert printed(seen) == ["done"]


async def test_where_the_connection_stalls_it_is_the_connection_that_is_named(
    sshd: SshServer, tmp_path: Path, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(droplet, "_ANSWERS_WITHIN_S", 0.5)
    profile = profile_of(sshd)
    assert profile.ssh.port is not None
    proxy = make_proxy(profile.ssh.port)
    known = tmp_path / "known_hosts"
    text = await asyncio.to_thread(Path(str(profile.ssh.known_hosts_file)).read_text)
    await asyncio.to_thread(known.write_text, text.replace(f":{profile.ssh.port} ", f":{proxy.port} "))
    profile = replace(profile, ssh=replace(profile.ssh, port=proxy.port, known_hosts_file=str(known)))
    async with connected(profile) as parts:
        site = a_site(profile, parts.shell, take_survey)
        running = droplet.run(site, Command("echo begun; sleep 600"), timeout_s=0.8)
        with pytest.raises(SshError, match="did not answer"):
            await collect(running, [], proxy)
        proxy.cut()
