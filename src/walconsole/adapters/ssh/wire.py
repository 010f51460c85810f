"""What asyncssh does not offer: two round trips less at each login, and a question whether the other
end is still there. All use of its inner parts is in this module."""

import asyncio
from typing import Any

import asyncssh
from asyncssh.auth import _ClientPublicKeyAuth
from asyncssh.public_key import SSHLocalKeyPair

PUBLIC_KEY = b"publickey"


class _SignAtOnce(_ClientPublicKeyAuth):
    """Public key authentication without asking first whether the key would do (RFC 4252, 7, allows it)."""

    async def _start(self) -> None:
        self._keypair = await self._conn.public_key_auth_requested()
        if self._keypair is None:
            self._conn.try_next_auth(next_method=True)
        else:
            await self._send_signed_request()


def begin_with_key(conn: asyncssh.SSHClientConnection, first: asyncssh.SSHKeyPair) -> None:
    """Authenticate with a key straight away. Call it from SSHClient.begin_auth.

    asyncssh would ask which methods there are (`none`), then whether the key would do, then sign. The
    second question is kept for keys that an agent or a token holds: signing may need the operator's touch.
    """
    conn._auth_methods = [PUBLIC_KEY]
    if not isinstance(first, SSHLocalKeyPair) or first.algorithm.startswith(b"sk-"):
        return

    def sign_at_once(**_: Any) -> None:
        del conn.__dict__["try_next_auth"]  # once: what follows a failure is asyncssh's own
        conn._auth = _SignAtOnce(conn, PUBLIC_KEY)

    conn.__dict__["try_next_auth"] = sign_at_once


async def answers(conn: asyncssh.SSHClientConnection, timeout_s: float) -> bool:
    """Whether the other end answers a keepalive within `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await conn._make_global_request(b"keepalive@openssh.com")
    except (TimeoutError, OSError, asyncssh.Error):
        return False
    return not conn.is_closed()
