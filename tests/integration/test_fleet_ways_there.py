"""What happens on the way to a list's hosts while it is open: each is told in its row, and costs no other."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_profile
from tests.integration.connect_parts import target
from tests.integration.fleet_parts import NOBODY
from tests.integration.test_ssh_connect import agent
from tests.servers.fixtures import MakeSshd
from tests.servers.ports import free_port
from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.profile import Profile, SshTarget
from walconsole.domain.standing.model import Level
from walconsole.process.cleanup import Cleanups
from walconsole.session.fleet import Fleet
from walconsole.session.wish import Session

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(400)]
WITHIN_S = 90.0


def at(ssh: SshTarget, name: str) -> Profile:
    """Nothing but the way there is of interest: no server runs there, and nobody answers for its buckets."""
    profile = a_profile()
    primary, dr = (replace(one, endpoint=NOBODY) for one in profile.buckets)
    return replace(profile, name=name, ssh=ssh, primary=primary, dr=dr, remembered_as=name)


async def until(what: str, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.1)
    assert what


async def test_a_dead_jump_a_changed_key_an_agent_that_goes_and_a_name_of_nobody(
    make_sshd: MakeSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, changing = make_sshd(), make_sshd()
    config = tmp_path / "ssh_config"
    config.write_text(
        "Include ~nosuchuser/config\n"
        'Match host inner exec "true"\n  ForwardAgent no\n'
        f"Host inn*\n  HostName {calm.host}\n  Port {calm.port}\n  ProxyJump 127.0.0.1:{free_port()}\n"
    )
    ways = {
        "calm": target(calm),
        "agent": replace(target(calm), use_agent=True, identity_files=(str(tmp_path / "none"),)),
        "inner": replace(target(calm), host="inner", port=None, config_file=str(config)),
        "nowhere": replace(target(calm), host="nowhere.invalid"),
        "changing": target(changing),
    }
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    wishes = [
        Session(
            at(replace(ssh, connect_timeout_s=5.0), name),
            tmp_path / "log",
            called=name,
            environment=environment,
        )
        for name, ssh in ways.items()
    ]
    async with agent(tmp_path, calm.identity_file) as path, Cleanups() as cleanups:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        fleet = Fleet(wishes, cleanups)
        running = asyncio.create_task(fleet.run())

        def row(name: str) -> FleetRow:
            return next(each for each in fleet.rows if each.name == name)

        def unreached(name: str, words: str) -> bool:
            return row(name).level is Level.UNKNOWN and words in row(name).verdict

        def reached(name: str) -> bool:
            return bool(row(name).verdict) and "be reached" not in row(name).verdict

        try:
            await until(
                "all were looked at", lambda: not any("not looked" in each.verdict for each in fleet.rows)
            )
            assert unreached("inner", "cannot be reached"), row("inner").verdict
            assert "its jump host 127.0.0.1:" in row("inner").verdict, "what is dead is named"
            assert unreached("nowhere", "nowhere.invalid"), row("nowhere").verdict
            before = {name: row(name).verdict for name in ("calm", "agent", "changing")}
            assert all(map(reached, before)), before

            changing.change_host_key()
            fleet.want("changing")
            await until("the changed key is told", lambda: unreached("changing", "CHANGED"))
            changing.trust_host_key()
            fleet.want("changing")
            await until("and trusted again", lambda: reached("changing"))

            await asyncio.to_thread(Path(path).unlink)
            fleet.want("agent")
            await asyncio.sleep(3.0)
            assert reached("agent"), "the connection is kept: nothing asks the agent"
            calm.restart()
            for name in ("agent", "calm"):
                fleet.want(name)
            await until("an agent that is gone is told", lambda: unreached("agent", "agent"))
            await until("and costs the other nothing", lambda: reached("calm"))
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.wait([running])
