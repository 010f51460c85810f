"""The droplet's SSH server: public keys alone, sessions that really run, forwarding as sshd does it."""

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import asyncssh

from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, end, signal_group, start
from walconsole.sandbox.profile import CLIENT_KEY, KNOWN_HOSTS
from walconsole.sandbox.workspace import Workspace

_PIECE = 64 * 1024
_NOT_STARTED = 127
_SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server",
                 "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server")  # fmt: skip
# RFC 4254, 6.10: the names that may be sent.
_SIGNAL_NAMES = "ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2"
_SIGNALS = {name: signal.Signals[f"SIG{name}"] for name in _SIGNAL_NAMES.split()}


class HostSession(asyncssh.SSHServerSession[bytes]):
    """Joins a channel to a process. When the channel goes first, so does the process with its group."""

    def __init__(
        self,
        root: Path,
        account: Account,
        peer: str,
        running: set[asyncio.Task[None]],
        closed: Callable[[], None],
    ) -> None:
        self._root, self._account, self._peer = root, account, peer
        self._running, self._closed = running, closed
        self._argv: Sequence[str | Path] = ()
        self._channel: asyncssh.SSHServerChannel[bytes]
        self._process: Process | None = None
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        return False  # as `PermitTTY no`: nothing of the console needs a terminal there

    def shell_requested(self) -> bool:
        self._argv = ("/bin/sh",)
        return True

    def exec_requested(self, command: str) -> bool:
        self._argv = ("/bin/sh", "-c", command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        server = next((path for path in _SFTP_SERVERS if Path(path).exists()), None)
        self._argv = (server,) if server and subsystem == "sftp" else ()
        return bool(self._argv)

    def session_started(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._running.add(self._task)
        self._task.add_done_callback(self._running.discard)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._channel.pause_reading()  # until the process took this piece
        self._input.put_nowait(data)

    def eof_received(self) -> bool:
        self._input.put_nowait(None)
        return True  # half open: the process may still have something to say

    def signal_received(self, signal: str) -> None:
        if self._process and signal in _SIGNALS:
            signal_group(self._process, _SIGNALS[signal])

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed()
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        extra = {"SSH_CONNECTION": self._peer, "SSH_CLIENT": self._peer.rsplit(" ", 2)[0]}
        try:
            process = await start(
                self._argv, self._root, self._account, stdin=PIPE, stdout=PIPE, stderr=PIPE, extra=extra
            )
        except SandboxError as error:
            self._channel.write_stderr(f"{error.line()}\n".encode())
            self._channel.exit(_NOT_STARTED)
            return
        self._process = process
        feeding = asyncio.get_running_loop().create_task(self._feed(process))
        try:
            await asyncio.gather(self._relay(process.stdout, None), self._relay(process.stderr, 1))
            self._exit(await process.wait())
        except (BrokenPipeError, ConnectionError, asyncssh.Error):
            await _to_the_end(end(process, patience_s=1.0))  # the channel went while the process still wrote
        except asyncio.CancelledError:
            await _to_the_end(end(process, patience_s=1.0))
            raise
        finally:
            feeding.cancel()

    async def _feed(self, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101  # for the type checker: it was started with a pipe
        with contextlib.suppress(ConnectionError):
            while (piece := await self._input.get()) is not None:
                process.stdin.write(piece)
                await process.stdin.drain()
                self._channel.resume_reading()
        process.stdin.close()

    async def _relay(self, reader: asyncio.StreamReader | None, datatype: asyncssh.DataType) -> None:
        assert reader is not None  # noqa: S101  # for the type checker: it was started with pipes
        while piece := await reader.read(_PIECE):
            await self._writable.wait()
            self._channel.write(piece, datatype)

    def _exit(self, status: int) -> None:
        if status < 0:
            self._channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            self._channel.exit(status)


async def _to_the_end(ending: Coroutine[None, None, None]) -> None:
    """Await it whatever happens to this task meanwhile."""
    task = asyncio.ensure_future(ending)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)


async def end_sessions(running: set[asyncio.Task[None]]) -> None:
    """End what still runs, and wait until it is gone."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


_MAX_SESSIONS = 10
"""sshd_config(5): MaxSessions, per connection."""


@record
class _StillOpen:
    """What must be gone before the server is: connections, and the tasks of the sessions' processes."""

    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    processes: set[asyncio.Task[None]] = field(default_factory=set)


class _Server(asyncssh.SSHServer):
    """One connection. It enters what must end before the server does in `still_open`."""

    def __init__(
        self,
        workspace: Workspace,
        account: Account,
        client_key: asyncssh.SSHKey,
        still_open: "_StillOpen",
    ) -> None:
        self._root, self._account = workspace.root, account
        self._client_key = client_key.public_data
        self._still_open = still_open
        self._channels = 0
        self._peer = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        here, there = conn.get_extra_info("sockname"), conn.get_extra_info("peername")
        self._peer = f"{there[0]} {there[1]} {here[0]} {here[1]}"
        self._still_open.connections.add(conn)
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self._still_open.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._account.name and key.public_data == self._client_key

    def session_requested(self) -> HostSession:
        if self._channels >= _MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        self._channels += 1
        return HostSession(self._root, self._account, self._peer, self._still_open.processes, self._closed)

    def _closed(self) -> None:
        self._channels -= 1

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Forward to loopback only: the sandbox is nobody's way to elsewhere."""
        try:
            return dest_host == "localhost" or ip_address(dest_host).is_loopback
        except ValueError:
            return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        """Forward to the sandbox's own sockets."""
        return Path(dest_path).resolve().is_relative_to(self._root)


@asynccontextmanager
async def ssh_server(workspace: Workspace, account: Account) -> AsyncIterator[int]:
    """Listen on 127.0.0.1; yields the port. Writes the client's key and known_hosts into `client`."""
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    still_open = _StillOpen()
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(workspace, account, client_key, still_open),
        server_host_keys=[host_key],
        encoding=None,
        server_version="walconsole-demo",
        allow_scp=False,
        gss_host=None,
    )
    port = listener.get_port()
    identity = workspace.client / CLIENT_KEY
    identity.touch(mode=0o600)
    client_key.write_private_key(str(identity))
    known = f"[127.0.0.1]:{port} {host_key.export_public_key().decode().strip()}\n"
    (workspace.client / KNOWN_HOSTS).write_text(known, encoding="utf-8")
    try:
        yield port
    finally:
        listener.close()
        for connection in tuple(still_open.connections):
            connection.abort()
            await connection.wait_closed()
        await end_sessions(still_open.processes)
        await listener.wait_closed()
