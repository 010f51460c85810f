"""As much of HTTP/1.1 as the gate and the keys API need: keep-alive, bodies, chunked, 100-continue."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol, Self

_LONGEST_HEAD = 64 * 1024
_PIECE = 64 * 1024
_DRAINED_AT_MOST = 64 * 1024 * 1024


class MalformedError(Exception):
    """Not HTTP; the connection cannot be used any further."""


@dataclass(slots=True)
class Headers:
    """Header fields in the order they came. Names compare without case."""

    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Its value, several joined by a comma as HTTP allows."""
        values = [value for each, value in self.fields if each.lower() == name]
        return ",".join(values) if values else default

    def __contains__(self, name: str) -> bool:
        return any(each.lower() == name for each, _ in self.fields)

    def without(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """The fields but for those."""
        left_out = frozenset(names)
        return [(name, value) for name, value in self.fields if name.lower() not in left_out]


@dataclass(slots=True)
class Request:
    """A request's head; its body is still on the connection."""

    method: str
    target: str
    headers: Headers
    connection: "Connection"

    async def body(self) -> AsyncIterator[bytes]:
        """The body's pieces, as they come. Asks the client for them where it waits to be asked."""
        await self.connection.ask_for_body(self)
        async for piece in read_body(self.connection.reader, self.headers, when_unframed=b""):
            yield piece
        self.connection.body_done = True

    async def read(self, at_most: int = 1024 * 1024) -> bytes:
        """The whole body. Raises MalformedError where it is longer than `at_most`."""
        whole = bytearray()
        async for piece in self.body():
            whole += piece
            if len(whole) > at_most:
                raise MalformedError("the request's body is too long")
        return bytes(whole)


@dataclass(slots=True)
class Connection:
    """One client's connection; requests come one after another."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body_done: bool = True
    awaits_continue: bool = False
    closing: bool = False

    async def requests(self) -> AsyncIterator[Request]:
        """Requests until the client goes or asks to close."""
        while not self.closing:
            head = await read_head(self.reader)
            if head is None:
                return
            start, headers = head
            parts = start.split(" ")
            if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
                raise MalformedError(f"not a request line: {start[:60]!r}")
            self.closing = headers.get("connection").lower() == "close" or parts[2] == "HTTP/1.0"
            self.awaits_continue = headers.get("expect").lower() == "100-continue"
            self.body_done = _length(headers) == 0
            yield Request(parts[0], parts[1], headers, self)

    async def ask_for_body(self, request: Request) -> None:
        if self.awaits_continue and not self.body_done:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self.writer.drain()
        self.awaits_continue = False

    async def settle(self, request: Request) -> None:
        """Before an answer that ignores the body: take the body off the connection, or give it up."""
        if self.body_done:
            return
        length = _length(request.headers)
        if self.awaits_continue or length is None or length > _DRAINED_AT_MOST:
            self.closing = True
            return
        async for _ in request.body():
            pass

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Write an answer's head."""
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        if self.closing:
            lines.append("Connection: close")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))

    async def answer(
        self, request: Request, status: int, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A whole answer from memory."""
        await self.settle(request)
        length = [] if status == HTTPStatus.NO_CONTENT else [("Content-Length", str(len(body)))]
        self.head(status, [("Date", formatdate(usegmt=True)), *headers, *length])
        if request.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()


async def read_head(reader: asyncio.StreamReader) -> tuple[str, Headers] | None:
    """The start line and the fields; None where the other side closed between two messages."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise MalformedError("the connection ended within a head") from None
        return None
    except asyncio.LimitOverrunError:
        raise MalformedError("the head is too long") from None
    start, *lines = raw.decode("latin-1").strip("\r\n").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return start, Headers([(name.strip(), value.strip()) for name, _, value in pairs])


async def read_body(
    reader: asyncio.StreamReader, headers: Headers, *, when_unframed: bytes | None
) -> AsyncIterator[bytes]:
    """Pieces of a body; without a length it is empty (`when_unframed=b""`) or goes on to the end (None)."""
    if "chunked" in headers.get("transfer-encoding").lower():
        async for piece in _chunks(reader):
            yield piece
        return
    left = _length(headers) if "content-length" in headers or when_unframed is not None else None
    while left is None or left > 0:
        piece = await reader.read(_PIECE if left is None else min(_PIECE, left))
        if not piece:
            if left is None:
                return
            raise MalformedError("the connection ended within a body")
        left = None if left is None else left - len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            size = int((await reader.readline()).partition(b";")[0], 16)
        except ValueError:
            raise MalformedError("not a chunk's size") from None
        left = size
        while left:
            piece = await reader.read(min(_PIECE, left))
            if not piece:
                raise MalformedError("the connection ended within a chunk")
            left -= len(piece)
            yield piece
        trailer = await reader.readline()
        while size == 0 and trailer not in (b"\r\n", b"\n", b""):
            trailer = await reader.readline()
        if size == 0:
            return


def _length(headers: Headers) -> int | None:
    """Content-Length; 0 where there is no body, None where its length is not known."""
    if "chunked" in headers.get("transfer-encoding").lower():
        return None
    try:
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise MalformedError("not a length") from None
    if length < 0:
        raise MalformedError("a negative length")
    return length


class Session(Protocol):
    """What serves one connection."""

    async def handle(self, request: Request) -> None: ...

    def close(self) -> None: ...


class HttpServer:
    """A server on 127.0.0.1 and a port that the system chooses. `async with`; `port` is known then."""

    def __init__(self, new_session: Callable[[], Session]) -> None:
        self._new_session = new_session
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # start_server runs this in a task
        self._open.add(task)
        connection, session = Connection(reader, writer), self._new_session()
        try:
            async for request in connection.requests():
                await session.handle(request)
                await connection.settle(request)
        except (ConnectionError, MalformedError, asyncio.CancelledError):
            pass  # the client went, talks no HTTP, or the server closes: nobody is left to be told
        finally:
            self._open.discard(task)
            session.close()
            writer.close()
