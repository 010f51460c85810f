"""The sandbox as a child process: every way out leaves no process, port or folder."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_sandbox_ssh import until
from walconsole.domain.profile import Profile
from walconsole.domain.profile_json import profile_from_json
from walconsole.sandbox.leftovers import processes

pytestmark = [pytest.mark.server, pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")]


@dataclass(slots=True)
class Child:
    """A running sandbox."""

    process: asyncio.subprocess.Process
    profile: Profile
    environment: dict[str, str]

    @property
    def root(self) -> Path:
        return Path(self.profile.paths.rclone_config).parents[1]

    @property
    def ports(self) -> list[int]:
        urls = (self.profile.primary.endpoint, self.profile.dr.endpoint, self.profile.api.endpoint)
        assert self.profile.ssh.port is not None
        return [self.profile.ssh.port, *(int(url.rpartition(":")[2]) for url in urls)]

    async def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.process.wait()

    async def is_gone(self) -> None:
        """Wait until nothing of it is left."""
        await until(lambda: not self.root.exists() and not processes(self.root))
        assert not any(listens(port) for port in self.ports)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "walconsole.sandbox", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        limit=1 << 20,
    )


async def message(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, f"it ended with {await process.wait()}"
    answer: dict[str, Any] = json.loads(line)
    return answer


@asynccontextmanager
async def sandbox(*arguments: str) -> AsyncIterator[Child]:
    """A sandbox that is ready."""
    process = await start(*arguments)
    try:
        while "ready" not in (said := await message(process)):
            assert "error" not in said, said
        yield Child(process, profile_from_json(json.dumps(said["ready"])), said["environment"])
    finally:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
        await process.wait()


async def test_the_end_of_its_input_ends_it() -> None:
    async with sandbox() as child:
        assert child.root.is_dir()
        assert processes(child.root)
        assert all(listens(port) for port in child.ports)
        assert await child.end() == 0
        await child.is_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_it(number: signal.Signals) -> None:
    async with sandbox("--scenario", "healthy") as child:
        child.process.send_signal(number)
        assert await child.process.wait() == 0
        await child.is_gone()


@pytest.mark.parametrize("delay_s", [0.0, 0.5, 1.0, 1.5])
async def test_an_end_while_it_starts_leaves_nothing(delay_s: float) -> None:
    process = await start("--scenario", "healthy")
    await message(process)
    await asyncio.sleep(delay_s)
    before = folders_of(process.pid)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert not [path for path in before if path.exists()]


def folders_of(pid: int) -> list[Path]:
    """The sandboxes' folders whose locks that process holds open."""
    return [path.parent for path in open_files(pid) if path.name == "lock"]


def open_files(pid: int) -> list[Path]:
    found = []
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            found.append(link.readlink())
    return found


async def test_a_parent_that_is_killed_takes_it_along() -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'walconsole.sandbox'], stdin=subprocess.PIPE)\n"
        "time.sleep(1000)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, limit=1 << 20, start_new_session=True
    )
    while "ready" not in (said := await message(parent)):
        pass
    child = Child(parent, profile_from_json(json.dumps(said["ready"])), {})
    parent.kill()
    await parent.wait()
    await child.is_gone()


async def test_its_watchdog_cleans_up_after_a_kill() -> None:
    async with sandbox("--scenario", "healthy") as child:
        child.process.kill()
        await child.process.wait()
        await child.is_gone()


async def test_the_next_start_cleans_up_after_a_kill_of_everything_and_spares_the_living() -> None:
    async with sandbox() as living, sandbox("--scenario", "slow") as killed:
        for pid in watchdogs(killed.root):
            os.kill(pid, signal.SIGKILL)
        killed.process.kill()
        await killed.process.wait()
        assert processes(killed.root)
        async with sandbox() as third:
            await killed.is_gone()
            assert processes(living.root)
            assert all(listens(port) for port in living.ports)
            assert third.root.is_dir()


def watchdogs(root: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cmdline").read_bytes().endswith(b"watchdog\0" + os.fsencode(root) + b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def test_nothing_of_it_listens_beyond_loopback() -> None:
    async with sandbox() as child:
        everything = {*processes(child.root), child.process.pid}
        listening = listening_addresses(everything)
        assert len(listening) == len(child.ports)
        assert all(address.startswith("0100007F:") for address in listening)


def listening_addresses(pids: set[int]) -> list[str]:
    """Local addresses, as /proc/net has them, on which those processes accept anything."""
    sockets = {
        path.name[8:-1] for pid in pids for path in open_files(pid) if path.name.startswith("socket:[")
    }
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        found += [row[1] for row in rows if row[9] in sockets and row[3] in ("0A", "07")]
    return found


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--postgres-bin", "/nonexistent"), "/nonexistent"),
        (("--postgres-bin", "/bin"), "/bin"),
    ],
)
async def test_what_cannot_start_says_why_and_leaves_nothing(arguments: tuple[str, ...], why: str) -> None:
    process = await start(*arguments)
    while "error" not in (said := await message(process)):
        pass
    assert said["error"]["tried"] == "find a PostgreSQL server"
    assert why in said["error"]["why"]
    assert said["error"]["remedy"]
    assert await process.wait() == 8
