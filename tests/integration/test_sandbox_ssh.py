"""The sandbox's SSH server: commands that really run, and end when their channel does."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from tests.integration.sandbox_child import until
from tests.integration.sandbox_parts import temporary_workspace
from walconsole.sandbox.host.process import Account
from walconsole.sandbox.host.ssh_server import ssh_server
from walconsole.sandbox.profile import CLIENT_KEY, KNOWN_HOSTS
from walconsole.sandbox.workspace import Workspace


class Host:
    """A running server and how to connect to it."""

    def __init__(self, space: Workspace, account: Account, port: int) -> None:
        self.space, self.account, self.port = space, account, port

    def connect(self, **changes: Any) -> Any:
        arguments: dict[str, Any] = {
            "username": self.account.name,
            "client_keys": [str(self.space.client / CLIENT_KEY)],
            "known_hosts": str(self.space.client / KNOWN_HOSTS),
            "config": None,
            "agent_path": None,
        }
        return asyncssh.connect("127.0.0.1", self.port, **(arguments | changes))


@pytest_asyncio.fixture
async def host() -> AsyncIterator[Host]:
    with temporary_workspace() as (space, account):
        async with ssh_server(space, account) as port:
            yield Host(space, account, port)


@pytest_asyncio.fixture
async def connection(host: Host) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with host.connect() as connection:
        yield connection


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


async def test_a_command_runs_as_the_sandboxs_user_in_its_folder(
    host: Host, connection: asyncssh.SSHClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THIS_PROCESS", "hidden")
    done = await connection.run("id -un; pwd; env; echo oops >&2; exit 7")
    user, folder, *environment = str(done.stdout).splitlines()
    assert (user, folder) == (host.account.name, str(host.space.home))
    assert (done.stderr, done.exit_status) == ("oops\n", 7)
    names = {line.partition("=")[0] for line in environment}
    assert names == {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "PWD", "SSH_CONNECTION", "SSH_CLIENT")
    } | ({"OLDPWD", "_", "SHLVL"} & names)
    assert f"PATH={host.space.root}/usr/local/bin:{host.space.root}/usr/bin:" in str(done.stdout)


async def test_a_long_lived_shell_answers_line_by_line(connection: asyncssh.SSHClientConnection) -> None:
    async with connection.create_process(encoding=None) as shell:
        for number in range(50):
            shell.stdin.write(b"echo %d\n" % number)
            assert await shell.stdout.readline() == b"%d\n" % number
        shell.stdin.write_eof()
        assert (await shell.wait()).exit_status == 0


async def test_bytes_pass_both_ways_unchanged(connection: asyncssh.SSHClientConnection) -> None:
    body = os.urandom(3_000_000)
    done = await connection.run("cat", input=body, encoding=None)
    assert done.stdout == body


async def test_a_reader_that_stops_holds_the_writer_up(connection: asyncssh.SSHClientConnection) -> None:
    async with connection.create_process("yes", encoding=None) as process:
        await process.stdout.readexactly(100_000)
        process.stdout.channel.pause_reading()
        await asyncio.sleep(0.3)
        process.stdout.channel.resume_reading()
        assert set(await process.stdout.readexactly(4_000_000)) == set(b"y\n")


async def test_a_process_ends_with_its_channel_and_all_it_started(
    connection: asyncssh.SSHClientConnection,
) -> None:
    process = await connection.create_process("sleep 1000 & echo $$ $!; trap '' HUP; wait")
    pids = [int(word) for word in (await process.stdout.readline()).split()]
    assert all(runs(pid) for pid in pids)
    process.close()
    await until(lambda: not any(runs(pid) for pid in pids))


async def test_processes_end_with_the_connection_and_with_the_server() -> None:
    with temporary_workspace() as (space, account):
        async with ssh_server(space, account) as port:
            host = Host(space, account, port)
            first, second = await host.connect(), await host.connect()
            pids = []
            for connection in (first, second):
                process = await connection.create_process("echo $$; exec sleep 1000")
                pids.append(int(await process.stdout.readline()))
            first.abort()
            await until(lambda: not runs(pids[0]))
            assert runs(pids[1])
        await until(lambda: not runs(pids[1]))
        await second.wait_closed()


async def test_a_signal_reaches_the_process_and_is_told(connection: asyncssh.SSHClientConnection) -> None:
    process = await connection.create_process("echo ready; exec sleep 1000")
    await process.stdout.readline()
    process.send_signal("TERM")
    done = await process.wait()
    assert done.exit_signal is not None
    assert done.exit_signal[0] == "TERM"


async def test_sessions_are_limited_as_sshd_does(connection: asyncssh.SSHClientConnection) -> None:
    processes = [await connection.create_process("cat") for _ in range(10)]
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.create_process("cat")
    processes[0].close()
    await processes[0].wait_closed()
    assert (await connection.run("echo again")).stdout == "again\n"


async def test_who_may_not_come_in(host: Host) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await host.connect(client_keys=[stranger])
    with pytest.raises(asyncssh.PermissionDenied):
        await host.connect(username="somebody-else")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await host.connect(known_hosts=asyncssh.import_known_hosts(""))


async def test_forwarding_leads_to_loopback_and_the_sandboxs_sockets_only(
    host: Host, connection: asyncssh.SSHClientConnection
) -> None:
    reader, writer = await connection.open_connection("127.0.0.1", host.port)
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    writer.close()
    for forbidden in ("192.0.2.1", "example.invalid", "10.0.0.1"):
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection(forbidden, host.port)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()

    path = host.space.root / "run/greeter"
    async with await asyncio.start_unix_server(greet, path):
        reader, writer = await connection.open_unix_connection(str(path))
        assert await reader.readline() == b"hello\n"
        writer.close()
    for missing in (host.space.root / "run/none", "/run/other.sock"):
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection(str(missing))


async def test_a_terminal_is_refused_and_the_command_runs(connection: asyncssh.SSHClientConnection) -> None:
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.run("tty", term_type="xterm")
    assert (await connection.run("echo still")).stdout == "still\n"
