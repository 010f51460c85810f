"""The sandbox as a child process: every way out leaves no process, port or folder."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from tests.integration.sandbox_child import Child, listens, message, sandbox, start
from tests.integration.sandbox_parts import temporary_workspace
from tests.long import always
from walconsole.domain.profile_json import profile_from_json
from walconsole.sandbox.leftovers import processes

pytestmark = [pytest.mark.server, pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")]


async def test_the_end_of_its_input_ends_it() -> None:
    async with sandbox() as child:
        assert child.root.is_dir()
        assert processes(child.root)
        assert all(listens(port) for port in child.ports)
        assert await child.end() == 0
        await child.is_gone()


@pytest.mark.parametrize("number", always(signal.SIGTERM, of=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
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


async def test_a_command_that_still_prints_leaves_no_word_behind(capfd: pytest.CaptureFixture[str]) -> None:
    async with sandbox() as child:
        ssh = child.profile.ssh
        assert ssh.port is not None
        connecting = asyncssh.connect(
            ssh.host,
            ssh.port,
            username=ssh.user,
            client_keys=list(ssh.identity_files),
            known_hosts=ssh.known_hosts_file,
            config=None,
        )
        async with connecting as connection:
            flood = await connection.create_process("yes", encoding=None)
            await flood.stdout.readexactly(1 << 20)
            assert await child.end() == 0
    assert capfd.readouterr().err == ""


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


async def test_a_start_that_breaks_half_way_says_why_and_leaves_nothing() -> None:
    with temporary_workspace() as (space, _):
        for name, script in (
            ("postgres", "echo 'postgres (PostgreSQL) 17.9'"),
            ("initdb", "echo no room >&2; exit 3"),
        ):
            program = space.bin / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        process = await start("--postgres-bin", str(space.bin))
        found: list[Path] = []
        while "error" not in (said := await message(process)):
            found = folders_of(process.pid) or found
        assert "exit status 3: no room" in said["error"]["why"]
        assert await process.wait() == 8
        assert found
        assert not found[0].exists()


SYSTEM_SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.mark.long
@pytest.mark.skipif(not SYSTEM_SERVERS, reason="no PostgreSQL server in /usr/lib/postgresql")
async def test_a_systems_own_server_will_do() -> None:
    folder = SYSTEM_SERVERS[-1].parent
    async with sandbox("--scenario", "idle", "--postgres-bin", str(folder)) as child:
        assert child.profile.postgres.cluster is not None
        assert child.profile.postgres.cluster.version == folder.parent.name
