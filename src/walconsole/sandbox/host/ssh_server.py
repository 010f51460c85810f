"""The droplet's SSH server: public keys alone, sessions that really run, forwarding as sshd does it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import asyncssh

from walconsole.sandbox.host.process import Account
from walconsole.sandbox.host.ssh_session import HostSession, end_sessions
from walconsole.sandbox.profile import CLIENT_KEY, KNOWN_HOSTS
from walconsole.sandbox.workspace import Workspace

_MAX_SESSIONS = 10
"""sshd_config(5): MaxSessions, per connection."""


@dataclass(frozen=True, slots=True)
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
