"""One POST to a receiver of notices. No redirect is followed, and no URL is told: it may be a secret."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR
from threading import Timer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from walconsole import __version__
from walconsole.adapters.trust import trusting
from walconsole.domain.redaction import printable
from walconsole.errors import NoticeError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager
    from urllib3._base_connection import BaseHTTPConnection

_CONNECT_S, _READ_S = 10.0, 45.0
"""A receiver that is only slow must have time to answer: what it took and did not say is told again."""
_WHOLE_S = 90.0
_MOST_ANSWER = 2048
_LONGEST_WAIT_S = 3600.0
_UNSURE = frozenset({408, 500, 502, 504})
"""What a proxy answers whose server did not in time, and a server that failed on the way: it may have been
told by then (RFC 9110, 15.6). What refuses tells nobody: 429, 503, and the rest."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def post(
    whom: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    denies: Callable[[bytes], bool] = lambda _: False,
) -> None:
    """Have the receiver take it. Blocks, at most _WHOLE_S. Raises NoticeError.

    `whom` is what that calls the receiver; `denies` tells by how an answer of 2xx begins that nothing was
    taken all the same.
    """
    import urllib3  # not before it is needed: a tenth of a second

    tried = f"telling {whom}"
    checked, sent = _checked(url, tried), False

    def content() -> Iterator[bytes]:
        nonlocal sent
        sent = True  # from here on whoever hears nothing cannot know; before it nobody was told
        yield body

    try:
        timeout = urllib3.Timeout(_CONNECT_S, _READ_S)
        known = trusting() if checked.startswith("https:") else None
        pools = urllib3.PoolManager(retries=False, timeout=timeout, ssl_context=known)
        with pools as pool, _ended_in_time(pool, checked):
            answer = pool.request(
                "POST",
                checked,
                body=content(),
                headers={
                    "User-Agent": f"walconsole/{__version__}",
                    "Content-Length": str(len(body)),
                    **headers,
                },
                redirect=False,
                preload_content=False,
            )
            status, after = answer.status, answer.headers.get("Retry-After", "")
            taken = 200 <= status < 300
            said = _begin_of(answer, taken=taken)
            answer.close()
            if taken and not denies(said):
                return
    except urllib3.exceptions.HTTPError as error:
        raise _unreached(tried, error, sent=sent) from None  # its text has the URL
    except (UnicodeError, ValueError):
        raise NoticeError(tried, "its URL cannot be used", "copy it again") from None
    raise NoticeError(
        tried,
        f"it answered with status {status}: {_shown(said, url)}",
        "see whether the URL and its key are still right" if status < 500 else "",
        unsure=status in _UNSURE,
        retry_after_s=min(float(after), _LONGEST_WAIT_S) if after.isdecimal() else None,
    )


def _begin_of(answer: "BaseHTTPResponse", *, taken: bool) -> bytes:
    """How it goes on. Where it is `taken`, that holds even if the rest of it never comes."""
    import urllib3

    try:
        return answer.read(_MOST_ANSWER)
    except urllib3.exceptions.HTTPError:
        if not taken:
            raise
        return b""


@contextmanager
def _ended_in_time(pool: "PoolManager", url: str) -> Iterator[None]:
    """Its connections end after _WHOLE_S: each byte that comes begins urllib3's patience anew."""
    host = pool.connection_from_url(url)
    make = host.ConnectionCls
    held: list[BaseHTTPConnection] = []

    def made(*arguments: Any, **named: Any) -> "BaseHTTPConnection":
        held.append(make(*arguments, **named))
        return held[-1]

    def end() -> None:
        for sock in [getattr(connection, "sock", None) for connection in held]:
            with suppress(OSError, ValueError):
                if sock is not None:
                    sock.shutdown(SHUT_RDWR)

    host.ConnectionCls = cast("type[BaseHTTPConnection]", made)
    timer = Timer(_WHOLE_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _checked(url: str, tried: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
        parts = urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        raise NoticeError(tried, "the secret is no URL", "it begins with https://")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise NoticeError(tried, "its URL would send it in the clear", "use https://")
    return url


def _unreached(tried: str, error: Exception, *, sent: bool) -> NoticeError:
    """What is known of a call without an answer: `sent`, whether the receiver may have taken it."""
    from urllib3 import exceptions

    if isinstance(error, exceptions.NewConnectionError | exceptions.NameResolutionError):
        return NoticeError(tried, "it cannot be reached", "is the network up?")
    if isinstance(error, exceptions.ConnectTimeoutError):
        return NoticeError(tried, f"no connection within {_CONNECT_S:g} s", "is the network up?")
    if isinstance(error, exceptions.SSLError):
        return NoticeError(tried, "its certificate is not trusted, or TLS failed", unsure=sent)
    if isinstance(error, exceptions.LocationParseError):
        return NoticeError(tried, "its URL cannot be used", "copy it again")
    return NoticeError(tried, "the connection ended before an answer", unsure=sent)


def _shown(said: bytes, url: str) -> str:
    """The answer on one line, without what is secret in the URL."""
    text = printable(said.decode("utf-8", "replace"))[:200].strip()
    parts = urlsplit(url)
    for part in (url, parts.path, *filter(None, parts.path.split("/")), parts.query):
        if len(part) > 5:
            text = text.replace(part, "[redacted]")
    return text or "nothing"
