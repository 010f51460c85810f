"""Passing a request on to the S3 server behind the gate, and its answer back, piece by piece."""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from walconsole.sandbox.http11 import Headers, MalformedError, Request, read_body, read_head

_HEAD_LIMIT = 64 * 1024
_NOT_PASSED_ON = ("authorization", "connection", "expect", "keep-alive", "transfer-encoding", "x-amz-date")
_NOT_PASSED_BACK = ("connection", "date", "keep-alive", "server", "transfer-encoding", "x-amz-request-id",
                    "x-amz-id-2", "access-control-allow-headers", "access-control-allow-methods",
                    "access-control-allow-origin", "access-control-expose-headers")  # fmt: skip


class UpstreamError(Exception):
    """The server behind the gate does not answer."""


@dataclass(slots=True)
class Upstream:
    """One connection to the server behind, opened when it is first needed and again when it was lost."""

    socket: Path
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None)

    async def pass_on(self, request: Request, headers: list[tuple[str, str]]) -> None:
        """Send the request on and its answer back, with `headers` added."""
        reader, writer = await self._connected()
        try:
            await _send(request, writer)
            head = await read_head(reader)
        except (ConnectionError, MalformedError) as error:
            self.close()
            if not request.connection.body_done:
                raise  # the client broke off, or the server did while the body was under way
            raise UpstreamError(str(error)) from None
        if head is None:
            self.close()
            raise UpstreamError("it closed the connection")
        try:
            keep = await _send_back(request, head, reader, headers)
        except BaseException:
            self.close()
            raise
        if not keep:
            self.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            try:
                self._streams = await asyncio.open_unix_connection(str(self.socket), limit=_HEAD_LIMIT)
            except OSError as error:
                raise UpstreamError(str(error)) from None
        return self._streams

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def _send(request: Request, writer: asyncio.StreamWriter) -> None:
    chunked = "chunked" in request.headers.get("transfer-encoding").lower()
    fields = request.headers.without(_NOT_PASSED_ON)
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
    async for piece in request.body():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _send_back(
    request: Request, head: tuple[str, Headers], reader: asyncio.StreamReader, headers: list[tuple[str, str]]
) -> bool:
    """Relay the answer; returns whether the connection behind can be used again."""
    start, answered = head
    status = int(start.split(" ")[1])
    bodiless = request.method == "HEAD" or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    unframed = not bodiless and "content-length" not in answered
    # RGW keeps no checksums, and rclone sends the whole object's with a part of it.
    kept = [
        (n, v) for n, v in answered.without(_NOT_PASSED_BACK) if not n.lower().startswith("x-amz-checksum")
    ]
    fields = [*kept, *headers]
    if unframed:
        fields.append(("Transfer-Encoding", "chunked"))
    client = request.connection
    client.head(status, fields)
    if not bodiless:
        async for piece in read_body(reader, answered, when_unframed=None):
            client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if unframed else piece)
            await client.writer.drain()
        if unframed:
            client.writer.write(b"0\r\n\r\n")
    await client.writer.drain()
    chunked_behind = "chunked" in answered.get("transfer-encoding").lower()
    return answered.get("connection").lower() != "close" and (bodiless or not unframed or chunked_behind)
