"""The way from here to an endpoint: name, TCP, TLS, and what answers to an unsigned GET of /."""

import asyncio
import contextlib
import socket
import ssl
import time
from dataclasses import replace
from urllib.parse import urlsplit

from walconsole.adapters.trust import trusting
from walconsole.domain.facts.endpoint_reach import Reach, addresses, skew
from walconsole.domain.redaction import safe
from walconsole.domain.store.http_date import http_date

TIMEOUT_S = 8.0
_PORTS = {"https": 443, "http": 80}


async def reach(endpoint: str, ca_file: str | None = None) -> Reach:
    """`endpoint` is a URL; `ca_file` is whom to trust instead of the usual ones.

    Raises nothing: what failed is the result's `problem`.
    """
    parts = urlsplit(endpoint)
    host, port = parts.hostname or endpoint, parts.port or _PORTS.get(parts.scheme, 443)
    began = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return Reach(host, problem=f"the name {host} is not resolved: {_why(error)}")
    shown = host if port in _PORTS.values() else f"{host}:{port}"
    named = Reach(shown, addresses([str(entry[4][0]) for entry in found]), name_s=time.monotonic() - began)
    context = None
    if parts.scheme != "http":
        try:
            context = trusting(ca_file)
        except OSError as error:
            return replace(named, problem=f"the CA file {ca_file} cannot be used: {_why(error)}")
    return await _connected(named, host, port, context)


async def _connected(named: Reach, host: str, port: int, context: ssl.SSLContext | None) -> Reach:
    began = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return replace(named, problem=f"no TCP connection to port {port}: {_why(error)}")
    there = replace(named, connect_s=time.monotonic() - began)
    try:
        if context is not None:
            began = time.monotonic()
            async with asyncio.timeout(TIMEOUT_S):
                await writer.start_tls(context, server_hostname=host)
            there = replace(there, tls_s=time.monotonic() - began)
        return await _asked(there, host, reader, writer)
    except (OSError, TimeoutError, ssl.SSLError) as error:
        stage = "TLS" if context is not None and there.tls_s is None else "HTTP"
        return replace(there, problem=f"{stage} fails: {_why(error)}")
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            await asyncio.wait_for(writer.wait_closed(), 1.0)


async def _asked(
    there: Reach, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Reach:
    asked_at = time.time()
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(TIMEOUT_S):
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    answered_at = time.time()
    status, date = _head(head.decode("latin-1"))
    if status is None:
        return replace(there, problem="what answers does not speak HTTP")
    return replace(there, status=status, skew_s=skew(date, asked_at, answered_at))


def _head(text: str) -> tuple[int | None, float | None]:
    """The status and the Date of an answer."""
    first, *rest = text.split("\r\n")
    words = first.split(" ")
    if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdigit():
        return None, None
    for line in rest:
        name, _, value = line.partition(":")
        if name.strip().lower() == "date":
            return int(words[1]), http_date(value.strip())
    return int(words[1]), None


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    return safe(getattr(error, "strerror", None) or str(error)) or type(error).__name__
