"""Reading HTTP/1.1 answers from a connection: status line, headers, and a body of any framing.

The bytes are received straight into one buffer for each connection, which is kept between answers:
asyncio's stream reader takes three times as long for a page of 300 KiB.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import cast

from walconsole.domain.records import record

READ_TIMEOUT_S = 10.0
"""For each part that arrives, not for the whole answer."""
BODY_LIMIT = 16 * 1024 * 1024
"""A page of a thousand keys is about 300 KiB, and at the very most 4 MiB."""
_FLOOD = BODY_LIMIT + 1024 * 1024
"""More than any answer, sent by something that was asked for nothing."""
_HEAD_LIMIT = 64 * 1024
_BUFFER = 320 * 1024


class TransportError(Exception):
    """No answer: the name, the connection, TLS, the proxy or the time failed. Its text says which."""


class CutError(TransportError):
    """The connection stood, and the answer did not come whole: it is worth asking again."""


class HungUpError(Exception):
    """The other side closed the connection; `reason` is its error, None for an orderly end."""

    def __init__(self, reason: Exception | None) -> None:
        self.reason = reason
        super().__init__(str(reason) if reason else "the connection was closed")


@record
class HttpAnswer:
    """Status, headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire(asyncio.BufferedProtocol):
    """What arrived on a connection and was not taken yet. One task reads at a time.

    It is woken when all that it waits for is there, and else at most ten times in READ_TIMEOUT_S,
    to see that something still arrives: a body comes in dozens of parts.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER)
        self._start = 0
        self._stop = 0
        self._wanted = 0
        self._wake_at = 0.0
        self._transport: asyncio.WriteTransport | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._reason: Exception | None = None
        self.ended = False
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.WriteTransport", transport)

    @property
    def clean(self) -> bool:
        """Whether the connection is open and nothing lies unread: then it may be used again."""
        return not self.ended and self.empty

    @property
    def empty(self) -> bool:
        """Whether nothing lies unread."""
        return self._start == self._stop

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport puts what comes next: at least some room, or all that is waited for."""
        if self._stop == len(self._buffer):
            self._make_room()
        return memoryview(self._buffer)[self._stop :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        self._stop += nbytes
        there = self._stop - self._start
        if there > _FLOOD and self._transport is not None:
            self._transport.abort()
        if there >= self._wanted or time.monotonic() > self._wake_at:
            self._wake()

    def eof_received(self) -> bool:
        """The other side will send no more; the transport then closes by itself."""
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.ended, self._reason = True, exc
        self.lost.set()
        self._wake()

    async def find(self, mark: bytes, limit: int) -> int:
        """How many bytes there are up to and including `mark`. Raises HungUpError, TransportError."""
        searched = self._start
        while True:
            at = self._buffer.find(mark, searched, self._stop)
            if at >= 0:
                return at + len(mark) - self._start
            if self._stop - self._start > limit:
                raise TransportError("the answer is not HTTP (a line or its headers do not end)")
            unseen = max(0, self._stop - self._start - len(mark) + 1)
            await self._more()
            searched = self._start + unseen

    async def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises HungUpError, TransportError when nothing comes for too long."""
        self._wanted = count
        try:
            while self._stop - self._start < count:
                await self._more()
        finally:
            self._wanted = 0
        return self._cut(count)

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        try:
            while self._stop - self._start <= BODY_LIMIT:
                await self._more()
        except HungUpError:
            return self._cut(self._stop - self._start)
        raise TransportError(f"the answer is longer than {BODY_LIMIT} bytes")

    def _cut(self, count: int) -> bytes:
        cut = bytes(memoryview(self._buffer)[self._start : self._start + count])
        self._start += count
        if self._start == self._stop:
            self._start = self._stop = 0
        return cut

    def _make_room(self) -> None:
        """Another buffer, not a resized one: the transport may still hold a view of this one."""
        pending = self._stop - self._start
        roomy = bytearray(max(self._wanted, 2 * pending, _BUFFER) + _BUFFER)
        roomy[:pending] = self._buffer[self._start : self._stop]
        self._buffer, self._start, self._stop = roomy, 0, pending

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _more(self) -> None:
        if self.ended:
            raise HungUpError(self._reason)
        self._arrival = asyncio.get_running_loop().create_future()
        self._wake_at = time.monotonic() + READ_TIMEOUT_S / 10
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._arrival
        except TimeoutError:
            raise TransportError(f"nothing arrived for {READ_TIMEOUT_S:.0f} s") from None
        finally:
            self._arrival = None


async def read_answer(wire: Wire) -> HttpAnswer:
    """The next final answer. Raises TransportError, HungUpError before the first byte."""
    status, headers = await read_head(wire)
    while 100 <= status < 200:
        status, headers = await read_head(wire)
    try:
        body = await _read_body(wire, headers)
    except HungUpError:
        raise CutError("the answer was cut off in the middle") from None
    return HttpAnswer(status, headers, body)


async def read_head(wire: Wire) -> tuple[int, dict[str, str]]:
    """Status and headers. Raises TransportError when it is not HTTP, HungUpError when nothing came."""
    try:
        raw = await wire.take(await wire.find(b"\r\n\r\n", _HEAD_LIMIT))
    except HungUpError:
        if not wire.empty:
            raise CutError("the answer was cut off in its headers, or is not HTTP") from None
        raise
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise TransportError("the answer is not HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return int(code), headers


async def _read_body(wire: Wire, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join([chunk async for chunk in _chunks(wire)])
    length = headers.get("content-length")
    if length is None:
        headers["connection"] = "close"
        return await wire.rest()
    if not (length.isascii() and length.isdigit()) or len(length) > 12 or int(length) > BODY_LIMIT:
        raise TransportError(f"the answer announces a body of {length[:20]} bytes")
    return await wire.take(int(length))


async def _chunks(wire: Wire) -> AsyncIterator[bytes]:
    """The parts of a chunked body (RFC 9112, 7.1); trailers are read and dropped."""
    total = 0
    while size := _chunk_size(await _line(wire)):
        total += size
        if total > BODY_LIMIT:
            raise TransportError(f"the answer is longer than {BODY_LIMIT} bytes")
        yield await wire.take(size)
        await wire.take(2)
    while (await _line(wire)).strip():
        pass


async def _line(wire: Wire) -> bytes:
    return await wire.take(await wire.find(b"\n", _HEAD_LIMIT))


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        size = -1
    if size < 0 or len(digits) > 12:
        raise TransportError("the answer's chunks are malformed")
    return size
