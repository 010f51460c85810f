"""HTTP/1.1 over kept connections, as little of it as S3's listing needs.

Only GET, no redirects followed, no cookies, nothing from AWS_*. HTTPS goes through the proxy that
HTTPS_PROXY names unless NO_PROXY exempts the host; plain http never does. Certificates are checked
against `ca_file` or the PEM `ca_text`, or else the system's (SSL_CERT_FILE and SSL_CERT_DIR as OpenSSL
reads them).
"""

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from walconsole.adapters.s3.wire import (
    CutError,
    HttpAnswer,
    HungUpError,
    TransportError,
    Wire,
    read_answer,
    read_head,
)
from walconsole.adapters.trust import trusting
from walconsole.domain.records import record

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
_IDLE_S = 45.0


class _StaleConnectionError(TransportError):
    """A kept connection was closed by the other side before it answered anything."""


_DEFAULT_PORTS = {"http": 80, "https": 443}


@record
class Origin:
    """Where requests go: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Raises ValueError for what is no http or https address, or has a path, a query or a user in it."""
    parts = urlsplit(url)
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or more:
        raise ValueError(f"not an http or https address: {url!r}")
    return Origin(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])


@record
class _Proxy:
    """An http proxy that tunnels; `authorization` is its header's value or empty, and secret."""

    host: str
    port: int
    authorization: str = field(repr=False)


def _proxy_for(origin: Origin, environ: Mapping[str, str]) -> _Proxy | None:
    """The proxy that the environment names for `origin`. Raises ValueError for one that is none."""
    url = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if origin.scheme != "https" or not url or _exempt(origin.host, exempt):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("HTTPS_PROXY must be http://[USER:PASSWORD@]HOST:PORT")
    authorization = ""
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return _Proxy(parts.hostname, parts.port or 3128, authorization)


def _exempt(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY (`*`, or names that end the host's at a dot, separated by commas) covers it."""
    names = [name.strip().lstrip(".").lower() for name in no_proxy.split(",")]
    return "*" in names or any(name and (host == name or host.endswith("." + name)) for name in names)


@dataclass(slots=True)
class _Connection:
    transport: asyncio.WriteTransport
    wire: Wire
    used_at: float
    answered: int = 0


class HttpClient:
    """Requests to one origin over at most `limit` connections, which are kept between requests."""

    def __init__(
        self,
        origin: Origin,
        environ: Mapping[str, str],
        *,
        ca_file: str | None = None,
        ca_text: str = "",
        limit: int = 64,
    ) -> None:
        self.origin = origin
        self._proxy = _proxy_for(origin, environ)
        self._ca_file, self._ca_text = ca_file, ca_text
        self._tls: ssl.SSLContext | None = None
        self.certificate: tuple[float, float] | None = None
        """From when to when the origin's is valid, as the newest connection had it; None without TLS."""
        self._idle: list[_Connection] = []
        self._places = asyncio.Semaphore(limit)
        _keep_freed_pages()

    async def get(self, target: str, headers: Mapping[str, str]) -> HttpAnswer:
        """One GET of `target` (path and query). Raises TransportError.

        A kept connection that turns out to be closed is replaced once.
        """
        lines = [f"GET {target} HTTP/1.1", f"Host: {self.origin.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        async with self._places:
            try:
                return await self._exchange(head, fresh=False)
            except _StaleConnectionError:
                return await self._exchange(head, fresh=True)

    async def close(self) -> None:
        """Close the kept connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                for connection in idle:
                    await connection.wire.lost.wait()
        for connection in idle:
            connection.transport.abort()

    async def _exchange(self, head: bytes, *, fresh: bool) -> HttpAnswer:
        connection = None if fresh else self._kept()
        if connection is None:
            connection = await self._connect()
        keep = False
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                connection.transport.write(head)
                answer = await read_answer(connection.wire)
            keep = answer.headers.get("connection", "").lower() != "close"
            return answer
        except TimeoutError:
            raise TransportError(f"no complete answer within {ANSWER_TIMEOUT_S:.0f} s") from None
        except HungUpError as error:
            raise _broken(connection, error) from error
        finally:
            self._give_back(connection, keep=keep)

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        if keep and connection.wire.clean:
            connection.used_at = time.monotonic()
            connection.answered += 1
            self._idle.append(connection)
        else:
            connection.transport.abort()

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if time.monotonic() - connection.used_at < _IDLE_S and connection.wire.clean:
                return connection
            connection.transport.abort()
        return None

    async def _connect(self) -> _Connection:
        host, port = (
            (self._proxy.host, self._proxy.port) if self._proxy else (self.origin.host, self.origin.port)
        )
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await self._open(host, port)
        except TimeoutError:
            raise TransportError(f"no connection to {host}:{port} within {CONNECT_TIMEOUT_S:.0f} s") from None
        except OSError as error:
            kind = CutError if isinstance(error, ConnectionResetError) else TransportError
            raise kind(_connect_reason(error, host, port)) from error

    async def _open(self, host: str, port: int) -> _Connection:
        loop = asyncio.get_running_loop()
        tls = await self._context() if self.origin.scheme == "https" else None
        if self._proxy is None:
            name = self.origin.host if tls else None
            direct, wire = await loop.create_connection(Wire, host, port, ssl=tls, server_hostname=name)
            self.certificate = _valid(direct)
            return _Connection(direct, wire, time.monotonic())
        plain, wire = await loop.create_connection(Wire, host, port)
        try:
            await self._tunnel(self._proxy, plain, wire)
            secured = (
                await loop.start_tls(plain, wire, tls, server_hostname=self.origin.host) if tls else plain
            )
        except BaseException:
            plain.abort()
            raise
        if secured is None:
            raise TransportError(f"{self.origin.host} hung up during TLS")
        self.certificate = _valid(secured)
        return _Connection(secured, wire, time.monotonic())

    async def _tunnel(self, proxy: _Proxy, transport: asyncio.WriteTransport, wire: Wire) -> None:
        to = f"{self.origin.host}:{self.origin.port}"
        head = f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n"
        if proxy.authorization:
            head += f"Proxy-Authorization: {proxy.authorization}\r\n"
        transport.write(f"{head}\r\n".encode("latin-1"))
        try:
            status, _ = await read_head(wire)
        except HungUpError:
            raise TransportError(f"the proxy {proxy.host}:{proxy.port} hung up") from None
        if status != 200:
            raise TransportError(f"the proxy {proxy.host}:{proxy.port} answered {status} to CONNECT {to}")

    async def _context(self) -> ssl.SSLContext:
        """Of all clients that trust the same, in a thread: see `_trusting`."""
        if self._tls is None:
            try:
                text = "" if self._ca_file else self._ca_text
                self._tls = await asyncio.to_thread(_trusting, self._ca_file, text)
            except OSError as error:
                why = error.strerror or "it holds no certificate"
                whose = f"the CA file {self._ca_file}" if self._ca_file else "the certificates of the droplet"
                raise TransportError(f"cannot use {whose}: {why}") from error
        return self._tls


def _valid(transport: asyncio.BaseTransport) -> tuple[float, float] | None:
    """From when to when the certificate of its other side is valid, seconds since the epoch."""
    tls = transport.get_extra_info("ssl_object")
    seen = tls.getpeercert() if tls is not None else None
    try:
        ends = [ssl.cert_time_to_seconds(seen[name]) for name in ("notBefore", "notAfter")] if seen else []
    except (KeyError, ValueError):
        return None
    return (float(ends[0]), float(ends[1])) if ends else None


_trusted: dict[tuple[str | None, ...], tuple[float, ssl.SSLContext]] = {}
_TRUSTED_S = 600.0
_CERT_PLACES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_MOST_TRUSTED = 8


def _trusting(ca_file: str | None, ca_text: str) -> ssl.SSLContext:
    """What checks certificates against these, or the system's. Reads files: raises OSError.

    Reading the system's takes 20 ms of processor time, and a look at one of hundreds of clusters makes its
    clients anew: they share it for ten minutes, after which certificates that came are known as well.
    """
    system = (None, None) if ca_file or ca_text else (os.environ.get(name) for name in _CERT_PLACES)
    now, key = time.monotonic(), (ca_file, ca_text, *system)
    found = _trusted.get(key)
    if found is not None and now - found[0] < _TRUSTED_S:
        return found[1]
    made = trusting(ca_file, ca_text or None)
    while len(_trusted) >= _MOST_TRUSTED:
        _trusted.pop(next(iter(_trusted)), None)
    _trusted[key] = now, made
    return made


def _keep_freed_pages() -> None:
    """Let glibc keep what a page's text leaves free, for the next page.

    It gives free memory back beyond twice the largest block that was freed (mallopt(3), "dynamic
    mmap threshold"); fetching it again, with two copies of 250 KiB for each page, takes a third of
    a sweep's processor time.
    """
    bytearray(1024 * 1024)


def _broken(connection: _Connection, error: HungUpError) -> TransportError:
    if connection.answered:
        return _StaleConnectionError("a kept connection was closed")
    if error.reason is None:
        return CutError("the connection was closed without an answer")
    return CutError(f"the connection broke: {_reason(error.reason)}")


def _connect_reason(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {host} does not resolve ({error.strerror})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{host}:{port} has a certificate that is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"{host}:{port} does not speak TLS as it should: {_reason(error)}"
    if isinstance(error, ConnectionRefusedError):
        return f"{host}:{port} refused the connection"
    return f"no connection to {host}:{port}: {_reason(error)}"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)
