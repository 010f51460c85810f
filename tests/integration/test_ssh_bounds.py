"""What runs on the droplet ends there, whatever becomes of the console and of the connection."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from tests.integration.connect_parts import open_shell, target, text, through
from tests.servers.fixtures import MakeProxy, MakeSshd
from tests.servers.reaper import alive, descendants
from tests.servers.sshd import SshServer
from walconsole.adapters.ssh import scripts as ssh_scripts
from walconsole.errors import SshError, WalconsoleError
from walconsole.observe.logs.stream import server_log_command

pytestmark = pytest.mark.server

DEAF = "trap '' TERM HUP INT; sleep {0}; sleep {0}; sleep {0}"
_NUMBERS = itertools.count(70_000 + os.getpid() % 10_000 * 10)
_CONSOLE = """
import asyncio, sys
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.profile import SshTarget
from tests.integration.connect_parts import ScriptedOperator, WallClock
host, port, user, key, known, config, script = sys.argv[1:]
target = SshTarget(
    host, int(port), user, identity_files=(key,), known_hosts_file=known, config_file=config, use_agent=False
)
shell = SshShell(target, sudo=False, operator=ScriptedOperator(), clock=WallClock())
asyncio.run(shell.run(script, timeout_s=300))
"""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same mechanisms with shorter times."""
    monkeypatch.setattr(ssh_scripts, "LEFT_ALONE_S", 1)
    monkeypatch.setattr(ssh_scripts, "_RELENTLESS_S", 1)


def running(words: str) -> list[int]:
    """PIDs of processes that have `words` in their command lines."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if words.encode() in line and int(file.parent.name) != os.getpid():
            found.append(int(file.parent.name))
    return found


async def until(holds: Callable[[], bool], what: str, within_s: float = 15.0) -> None:
    limit = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < limit, what
        await asyncio.sleep(0.1)


def a_sleep() -> str:
    """The arguments of a sleep that no other test starts."""
    return f"8{next(_NUMBERS)}"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("script", ["sleep {0}; echo never", DEAF])
async def test_a_script_in_flight_ends_when_the_connection_is_cut(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path, script: str
) -> None:
    """Nobody connects again: the host has to do it."""
    proxy, seconds = make_proxy(sshd.port), a_sleep()
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        call = asyncio.create_task(shell.run(script.format(seconds), timeout_s=300))
        await until(lambda: bool(running(f"sleep {seconds}")), "it never began")
        name = shell._session.name if shell._session else ""
        proxy.cut(reset=True)
        with pytest.raises(SshError, match="lost"):
            await call
        proxy.stall()
        await until(lambda: not running(f"sleep {seconds}") and not running(name), "it still runs")


async def test_a_script_in_flight_is_given_a_moment_to_end_by_itself(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """What writes a file is not cut in two by a connection that is."""
    proxy, begun, written = make_proxy(sshd.port), tmp_path / "begun", tmp_path / "written"
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        call = asyncio.create_task(shell.run(f"touch {begun}; sleep 1; touch {written}", timeout_s=30))
        await until(begun.exists, "it never began")
        proxy.cut()
        with pytest.raises(SshError, match="lost"):
            await call
        await until(written.exists, "it was ended")


async def test_the_next_connection_ends_at_once_what_the_lost_one_left(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_scripts, "LEFT_ALONE_S", 600)
    proxy, seconds = make_proxy(sshd.port), a_sleep()
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        call = asyncio.create_task(shell.run(DEAF.format(seconds), timeout_s=300))
        await until(lambda: bool(running(f"sleep {seconds}")), "it never began")
        proxy.cut()
        with pytest.raises(SshError, match="lost"):
            await call
        assert await text(shell, "echo back") == "back"
        await until(lambda: not running(f"sleep {seconds}"), "it still runs", within_s=8.0)


async def test_a_script_ends_though_its_connection_says_nothing_for_ever(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that was stopped, a network that swallows: sshd holds the channel open for hours."""
    monkeypatch.setattr(ssh_scripts, "LONGEST_SCRIPT_S", 1.0)
    monkeypatch.setattr(ssh_scripts, "_RELENTLESS_S", 1)
    proxy, seconds = make_proxy(sshd.port), a_sleep()
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        call = asyncio.create_task(shell.run(DEAF.format(seconds), timeout_s=1.0))
        await until(lambda: bool(running(f"sleep {seconds}")), "it never began")
        proxy.stall()
        await until(lambda: not running(f"sleep {seconds}"), "it still runs")
        proxy.cut()
        with pytest.raises(WalconsoleError):
            await call


async def test_short_scripts_outlive_the_longest_time_of_one(
    sshd: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_scripts, "LONGEST_SCRIPT_S", 1.0)
    async with open_shell(target(sshd)) as shell:
        pids = set()
        for _ in range(6):
            pids.add(await text(shell, "echo $$; sleep 0.5", timeout_s=1.0))
        assert len(pids) == 1


async def test_a_script_may_not_be_given_longer_than_the_host_gives_it(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        with pytest.raises(ValueError, match="360"):
            await shell.run(":", timeout_s=361.0)


_BUSYBOX_PS = """#!/bin/sh
case $* in *-A*|*=*) echo "ps: unrecognized option: A" >&2; exit 1 ;; esac
exec /usr/bin/ps -A "$@"
"""


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("busybox", [False, True])
async def test_a_console_that_is_killed_leaves_nothing(
    make_sshd: MakeSshd, tmp_path: Path, busybox: bool
) -> None:
    if busybox:
        (tmp_path / "ps").write_text(_BUSYBOX_PS)
        (tmp_path / "ps").chmod(0o755)
    seconds, ssh = a_sleep(), target(make_sshd({"SetEnv": f"PATH={tmp_path}:/usr/bin:/bin"}))
    keys = [*ssh.identity_files, str(ssh.known_hosts_file), str(ssh.config_file)]
    script = f"trap '' TERM; sleep {seconds}"
    console = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CONSOLE, ssh.host, str(ssh.port), str(ssh.user), *keys, script)
    )
    try:  # the console has the words in its arguments, too
        await until(lambda: len(running(f"sleep {seconds}")) > 1, "it never began")
    finally:
        console.kill()
        await console.wait()
    await until(lambda: not running(f"sleep {seconds}"), "it still runs")


async def test_closing_leaves_no_process_of_the_shell(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        await shell.run(":")
        assert shell._session is not None
        name = shell._session.name
        assert running(name)
    await until(lambda: not running(name), "something of it still runs", within_s=6.0)


@pytest.mark.usefixtures("hasty")
async def test_a_stream_that_hears_no_signal_ends_with_its_iterator(sshd: SshServer) -> None:
    seconds = a_sleep()
    async with open_shell(target(sshd)) as shell:
        stream = shell.stream(f"echo begun; ({DEAF.format(seconds)}); :")
        async with aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks:
            assert await anext(chunks) == b"begun\n"
            await until(lambda: bool(running(f"sleep {seconds}")), "it never began")
        await until(lambda: not running(f"sleep {seconds}"), "it still runs")


def started_by(pid: int) -> list[int]:
    """PIDs of its children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def parents_of(pid: int) -> list[int]:
    """PIDs from its parent up to sshd's process of the connection."""
    found = [int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])]
    if b"sshd" in Path(f"/proc/{found[0]}/cmdline").read_bytes():
        return found
    return found + parents_of(found[0])


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("victim", ["the session", "the shell", "the shell with its watcher"])
async def test_a_quiet_log_s_stream_outlives_nothing_that_held_it(
    sshd: SshServer, tmp_path: Path, victim: str
) -> None:
    """However it is killed: nothing is printed that would fail."""
    log = tmp_path / "postgresql.log"
    log.write_text("a line\n")
    owner = log.owner()
    async with open_shell(target(sshd)) as shell:
        stream = shell.stream(server_log_command(b"", str(log), owner))
        async with aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks:
            assert await anext(chunks) == b"a line\n"
            (tail,) = running(f"tail -n 200 -F -- {log}")
            parents = parents_of(tail)
            *_, main, session = parents
            watcher = next(pid for pid in started_by(main) if pid not in parents)
            victims = {"the session": [session], "the shell": [main]}.get(victim, [watcher, main])
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not running(str(log)), "its reader is left")
            left = [pid for pid in (*parents[:-1], watcher) if alive(pid)]
            await until(lambda: not [pid for pid in left if alive(pid)], "a shell is left")


@pytest.mark.usefixtures("hasty")
async def test_what_only_the_server_notices_ends_all_of_it(
    make_sshd: MakeSshd, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """The network swallows everything: sshd gives the connection up by ClientAliveInterval."""
    server = make_sshd({"ClientAliveInterval": "1", "ClientAliveCountMax": "1"})
    proxy, seconds, log = make_proxy(server.port), a_sleep(), tmp_path / "postgresql.log"
    log.write_text("a line\n")
    command = server_log_command(b"", str(log), log.owner())
    async with open_shell(through(server, proxy.port, tmp_path)) as shell:
        stream = shell.stream(command)
        async with aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks:
            assert await anext(chunks) == b"a line\n"
            call = asyncio.create_task(shell.run(DEAF.format(seconds), timeout_s=300))
            await until(lambda: bool(running(f"sleep {seconds}")), "it never began")
            proxy.stall()
            own = [pid for pid in descendants(server.pid) if pid not in running("sshd")]
            assert len(own) > 5
            await until(lambda: not [pid for pid in own if alive(pid)], "something of it is left")
            call.cancel()
        await asyncio.gather(call, return_exceptions=True)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_half_a_stream_s_script_starts_nothing(shell: str, tmp_path: Path) -> None:
    """A connection that is cut in the middle of it: what began would have nobody to watch it."""
    begun = tmp_path / "begun"
    script = ssh_scripts.stream(ssh_scripts.new_name(), f"echo 1 >{begun}")
    half = script[: script.index("watcher=")]
    ended = subprocess.run([shell, "-s"], input=half, capture_output=True, text=True, check=False, timeout=20)
    time.sleep(0.1)
    assert ended.stdout == ""
    assert not begun.exists()


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_served_shell_is_any_posix_shell_s(shell: str) -> None:
    name = ssh_scripts.new_name()
    ended = subprocess.run(
        [shell, "-c", 'read -r script; eval "$script"', name],
        input=ssh_scripts.serving(name, sudo=False) + "echo one\n(exit 3)\necho $?\nexit 7\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("one\n3\n", "", 7)
