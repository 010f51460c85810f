"""Connections that are cut, frozen and slowed, and how they come back."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.connect_parts import open_shell, target, text, through
from tests.servers.fixtures import MakeProxy, MakeSshd
from tests.servers.ports import wait_until
from tests.servers.reaper import descendants
from tests.servers.sshd import SshServer
from walconsole.adapters.ssh import connection as ssh_connection
from walconsole.adapters.ssh import shell as ssh
from walconsole.adapters.ssh.shell import SshShell
from walconsole.errors import SshError, WalconsoleError

pytestmark = pytest.mark.server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same mechanisms with shorter times."""
    monkeypatch.setattr(ssh, "LIVENESS_S", 0.5)
    monkeypatch.setattr(ssh_connection, "KEEPALIVE_INTERVAL_S", 0.4)
    monkeypatch.setattr(ssh_connection, "LONGEST_PAUSE_S", 0.5)


async def healed(shell: SshShell, within_s: float = 15.0) -> float:
    """Seconds until the shell serves again, called once every 50 ms as a probe would."""
    began = time.monotonic()
    while True:
        try:
            await shell.run(":", timeout_s=2)
        except WalconsoleError:
            if time.monotonic() - began > within_s:
                raise
            await asyncio.sleep(0.05)
        else:
            return time.monotonic() - began


@pytest.mark.parametrize("reset", [True, False])
async def test_a_cut_connection_is_an_error_once_and_then_made_again(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path, reset: bool
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        running = asyncio.create_task(shell.run("sleep 30", timeout_s=60))
        await text(shell, ":") if running.done() else await asyncio.sleep(0.5)
        proxy.cut(reset=reset)
        with pytest.raises(SshError, match="lost"):
            await running
        assert await text(shell, "echo back") == "back"
        assert (await shell.link()).reconnects == 1


async def test_a_connection_that_was_cut_while_idle_is_not_even_noticed(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        await shell.run(":")
        proxy.cut()
        await asyncio.sleep(0.2)
        assert await text(shell, "echo back") == "back"


@pytest.mark.usefixtures("impatient")
async def test_a_frozen_network_is_an_error_and_heals_after_the_thaw(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        await shell.run(":")
        proxy.stall()
        began = time.monotonic()
        with pytest.raises(SshError):
            await shell.run("echo never", timeout_s=1)
        assert time.monotonic() - began < 4
        proxy.resume()
        await healed(shell)


@pytest.mark.usefixtures("impatient")
async def test_a_connection_is_asked_as_often_as_was_said_after_its_pace_was_measured_too(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)

    async def passed(seconds: float) -> int:
        proxy.reset_traffic()
        await asyncio.sleep(seconds)
        return proxy.reset_traffic().bytes_up

    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        shell.connection.ask_when_silent(60.0)
        await shell.run(":", timeout_s=2)
        await asyncio.sleep(0.2)
        assert await passed(1.5) == 0
        shell.connection.ask_when_silent(None)
        assert await passed(1.5) > 0


@pytest.mark.usefixtures("impatient")
async def test_keepalives_notice_a_freeze_while_a_stream_is_silent(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        stream = aiter(shell.stream("echo begun; sleep 60"))
        assert await anext(stream) == b"begun\n"
        proxy.stall()
        with pytest.raises(SshError, match="lost"):
            await asyncio.wait_for(anext(stream), 10)
        proxy.resume()


@pytest.mark.usefixtures("impatient")
async def test_what_a_stream_ran_ends_with_its_connection_though_sshd_knows_nothing_of_it(
    make_sshd: MakeSshd,
) -> None:
    """As in a network that swallows all: whoever runs the same again would have two of them."""
    sshd, seconds = make_sshd(), 1000 + os.getpid() % 1000
    async with open_shell(target(sshd)) as shell:
        stream = aiter(shell.stream(f"echo begun; sleep {seconds}; :"))
        assert await anext(stream) == b"begun\n"
        frozen = [pid for pid in descendants(sshd.pid) if name_of(pid).startswith("sshd")]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(SshError, match="lost"):
                await asyncio.wait_for(anext(stream), 10)
            assert sleeping(seconds)
            await healed(shell)
            await asyncio.to_thread(wait_until, lambda: not sleeping(seconds), "its end", 15)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)


def name_of(pid: int) -> str:
    return (Path("/proc") / str(pid) / "comm").read_text()


def sleeping(seconds: int) -> bool:
    """Whether a process of that command runs."""
    return any(words_of(each) == b"sleep\0%d\0" % seconds for each in Path("/proc").glob("[0-9]*"))


def words_of(process: Path) -> bytes:
    """What it was started as; nothing where it has ended meanwhile."""
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def test_closing_while_the_network_is_frozen_takes_no_time(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        running = asyncio.create_task(shell.run("sleep 20", timeout_s=60))
        await asyncio.sleep(0.5)
        proxy.stall()
        began = time.monotonic()
    assert time.monotonic() - began < 4
    with pytest.raises(WalconsoleError):
        await running
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_closing_while_connecting(sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path) -> None:
    proxy = make_proxy(sshd.port)
    proxy.stall()
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        running = asyncio.create_task(shell.run(":"))
        await asyncio.sleep(0.2)
    with pytest.raises((WalconsoleError, asyncio.CancelledError)):
        await running


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_goes_and_comes_back(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    async with open_shell(target(server)) as shell:
        await shell.run(":")
        server.stop()
        await asyncio.sleep(0.1)
        with pytest.raises(SshError, match="refused"):
            await shell.run(":")
        server.start()
        await healed(shell)


@pytest.mark.usefixtures("impatient")
async def test_a_frozen_server_is_noticed(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    async with open_shell(target(server)) as shell:
        await shell.run(":")
        server.freeze()
        with pytest.raises(SshError):
            await shell.run(":", timeout_s=0.5)
        server.thaw()
        await healed(shell)


async def test_a_slow_network_is_only_slow(sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        proxy.delay(0.2)
        assert await text(shell, "echo slow") == "slow"
        assert (await shell.link()).round_trip_s > 0.3
