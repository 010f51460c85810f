"""Reading one HTTP/1.1 answer from a stream: status line, headers, and a body of any framing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

READ_TIMEOUT_S = 10.0
"""For each part that arrives, not for the whole answer."""
BODY_LIMIT = 16 * 1024 * 1024
"""A page of a thousand keys is about 300 KiB, and at the very most 4 MiB."""
_PART = 512 * 1024

T = TypeVar("T")


class TransportError(Exception):
    """No answer: the name, the connection, TLS, the proxy or the time failed. Its text says which."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader) -> HttpAnswer:
    """The next final answer. Raises TransportError, IncompleteReadError before the first byte."""
    status, headers = await read_head(reader)
    while 100 <= status < 200:
        status, headers = await read_head(reader)
    try:
        body = await _read_body(reader, headers)
    except asyncio.IncompleteReadError:
        raise TransportError("the answer was cut off in the middle") from None
    return HttpAnswer(status, headers, body)


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers. Raises TransportError when it is not HTTP, IncompleteReadError at the end."""
    try:
        raw = await _timed(reader.readuntil(b"\r\n\r\n"))
    except asyncio.LimitOverrunError:
        raise TransportError("the answer is not HTTP (its headers do not end)") from None
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise TransportError("the answer was cut off in its headers, or is not HTTP") from None
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


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join([chunk async for chunk in _chunks(reader)])
    length = headers.get("content-length")
    if length is None:
        headers["connection"] = "close"
        return await _read_to_end(reader)
    if not (length.isascii() and length.isdigit()) or len(length) > 12 or int(length) > BODY_LIMIT:
        raise TransportError(f"the answer announces a body of {length[:20]} bytes")
    return await _read_exactly(reader, int(length))


async def _read_exactly(reader: asyncio.StreamReader, length: int) -> bytes:
    parts: list[bytes] = []
    missing = length
    while missing:
        part = await _timed(reader.read(missing))
        if not part:
            raise asyncio.IncompleteReadError(b"", missing)
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await _timed(reader.read(_PART)):
        parts.append(part)
        size += len(part)
        if size > BODY_LIMIT:
            raise TransportError(f"the answer is longer than {BODY_LIMIT} bytes")
    return b"".join(parts)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The parts of a chunked body (RFC 9112, 7.1); trailers are read and dropped."""
    total = 0
    while size := await _chunk_size(reader):
        total += size
        if total > BODY_LIMIT:
            raise TransportError(f"the answer is longer than {BODY_LIMIT} bytes")
        yield await _read_exactly(reader, size)
        await _read_exactly(reader, 2)
    while (await _timed(reader.readuntil(b"\n"))).strip():
        pass


async def _chunk_size(reader: asyncio.StreamReader) -> int:
    try:
        line = await _timed(reader.readuntil(b"\n"))
        return int(line.split(b";")[0], 16)
    except (ValueError, asyncio.LimitOverrunError):
        raise TransportError("the answer's chunks are malformed") from None


async def _timed(reading: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await reading
    except TimeoutError:
        raise TransportError(f"nothing arrived for {READ_TIMEOUT_S:.0f} s") from None
