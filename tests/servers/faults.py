"""An HTTP front of an S3 server that spoils a share of its answers, in the ways that networks have.

It runs on the test's own event loop, passes GET requests on one by one, and is seeded: which request
meets which fault is decided by its number alone.
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Self

from tests.servers.ports import LOOPBACK

_HEAD_END = b"\r\n\r\n"
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
_ONE_IN = 4
"""So much of an answer is left away where it does not come whole."""


class Fault(Enum):
    """What happens to a request instead of its answer."""

    INTERNAL_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    OVERLOADED = "503 without a code, as a load balancer answers"
    TOO_MANY = "429 with Retry-After"
    RESET = "the connection is reset before anything was answered"
    HANG_UP = "the connection is closed before anything was answered"
    CUT = "the connection is closed in the middle of the answer"
    CUT_BY_RESET = "the connection is reset in the middle of the answer"
    TRUNCATED = "the body ends early, and Content-Length says so"


_REFUSALS = {
    Fault.INTERNAL_ERROR: ("500 Internal Server Error", "<Error><Code>InternalError</Code></Error>", ""),
    Fault.SLOW_DOWN: ("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", ""),
    Fault.OVERLOADED: ("503 Service Unavailable", "<html>overloaded</html>", ""),
    Fault.TOO_MANY: ("429 Too Many Requests", "<html>too many</html>", "Retry-After: 1\r\n"),
}
_UNANSWERED = frozenset({Fault.RESET, Fault.HANG_UP})
_BY_RESET = frozenset({Fault.RESET, Fault.CUT_BY_RESET})


class FaultyFront:
    """`async with` it; `port` then serves what `target_port` does, but for a `share` of the requests.

    `met` counts the faults by kind, `requests` all that were asked.
    """

    def __init__(
        self, target_port: int, share: float, seed: int = 0, kinds: Sequence[Fault] = tuple(Fault)
    ) -> None:
        self.port = 0
        self.requests = 0
        self.met: Counter[Fault] = Counter()
        self._target_port, self._share, self._kinds = target_port, share, kinds
        self._random = random.Random(seed)  # noqa: S311  # no secret: it is to be the same each time
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._answer(await reader.readuntil(_HEAD_END), writer):
                    pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request in its way; False when the connection is not to be used any more."""
        fault = self._next_fault()
        if fault in _REFUSALS:
            writer.write(_refusal(*_REFUSALS[fault]))
        elif fault not in _UNANSWERED:
            writer.write(_spoilt(*await self._asked(request), fault))
        if fault is None or fault in _REFUSALS or fault is Fault.TRUNCATED:
            await writer.drain()
            return True
        await writer.drain()
        if fault in _BY_RESET:
            await asyncio.sleep(0.005)  # what was sent before a reset may be thrown away with it
            _reset(writer)
        return False

    def _next_fault(self) -> Fault | None:
        self.requests += 1
        hit, kind = self._random.random() < self._share, self._random.choice(self._kinds)
        if not hit:
            return None
        self.met[kind] += 1
        return kind

    async def _asked(self, request: bytes) -> tuple[bytes, bytes]:
        """The server's answer, head and body; by HTTP/1.0, so that the connection ends with it."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        try:
            writer.write(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
            head, _, body = (await reader.read(-1)).partition(_HEAD_END)
        finally:
            writer.transport.abort()
        return head, body


def _refusal(status: str, body: str, more: str) -> bytes:
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _spoilt(head: bytes, body: bytes, fault: Fault | None) -> bytes:
    """The answer in HTTP/1.1 with a Content-Length, as much of it as `fault` lets through."""
    status, *lines = head.split(b"\r\n")
    if b"Transfer-Encoding: chunked" in lines:  # RGW's listings are, to an HTTP/1.0 client too
        body = _unchunked(body)
    kept = body[: len(body) - len(body) // _ONE_IN - 1]
    announced = len(kept) if fault is Fault.TRUNCATED else len(body)
    lines = [line for line in lines if line.partition(b":")[0].lower() not in _FRAMING]
    lines = [b"HTTP/1.1" + status[len("HTTP/1.1") :], *lines, b"Content-Length: %d" % announced]
    return b"\r\n".join(lines) + _HEAD_END + (body if fault is None else kept)


def _unchunked(body: bytes) -> bytes:
    """The parts of a chunked body (RFC 9112, 7.1) together."""
    parts: list[bytes] = []
    while size := int((split := body.partition(b"\r\n"))[0], 16):
        parts.append(split[2][:size])
        body = split[2][size + 2 :]
    return b"".join(parts)


def _reset(writer: asyncio.StreamWriter) -> None:
    """SO_LINGER with 0 seconds makes close() send RST (socket(7))."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
