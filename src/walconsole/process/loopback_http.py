"""A few pages over HTTP on this machine alone: a connection has one GET, a short head and a few seconds."""

import asyncio
import errno
from collections.abc import Callable, Mapping
from http import HTTPStatus

from walconsole.errors import BusyError, UsageError

LONGEST_HEAD = 8192
_PATIENCE_S = 5.0
_MOST_AT_ONCE = 16

Page = Callable[[], tuple[HTTPStatus, str, str]]
"""Status, type and text, made when it is asked for."""


class LoopbackPages:
    """`pages` by their paths. `async with`; listens from its beginning to its end."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Page]) -> None:
        self._host, self.port, self._pages = host, port, pages
        self._open = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "LoopbackPages":
        """Raises BusyError where another process has the port, UsageError where it cannot be had."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=LONGEST_HEAD)
        except OSError as error:
            why = error.strerror or str(error)
            remedy = "choose another with --listen, or `--listen none`"
            kind = BusyError if error.errno == errno.EADDRINUSE else UsageError
            raise kind(f"listening on {self._host} port {self.port}", why, remedy) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _MOST_AT_ONCE:
                async with asyncio.timeout(_PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it went, was slow, or talks no HTTP: nobody is left to be told
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, target, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
        page = self._pages.get(target.partition("?")[0])
        if method not in ("GET", "HEAD"):
            status, kind, text = HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", "only GET is served\n"
        elif page is None:
            status, kind, text = HTTPStatus.NOT_FOUND, "text/plain", f"here are {', '.join(self._pages)}\n"
        else:
            status, kind, text = page()
        body = text.encode()
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {kind}; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        )
        made = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return made if method == "HEAD" else made + body
