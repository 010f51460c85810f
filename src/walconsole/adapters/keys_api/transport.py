"""Connections to the keys API: no redirect is followed, and no body is read beyond what one may have."""

import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from azure.core.pipeline.policies import RedirectPolicy
from azure.core.pipeline.transport import RequestsTransport
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util.ssl_ import create_urllib3_context

from walconsole.adapters.trust import as_others_do
from walconsole.command_register import Telling, request_line, untold

# -- Reading an answer's body, which need not be what was asked for: bounded in length and time, as it came.

_PIECE_BYTES = 64 * 1024


class UnboundedError(ValueError):
    """A body that is longer, slower or other than any that was asked for; its text says which."""


class RawBody(Protocol):
    """What urllib3 has of an answer after its head."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes: ...

    def close(self) -> None: ...


def read_bounded(raw: RawBody, limit: int, within_s: float) -> bytes:
    """The whole body as it came. Raises UnboundedError beyond `limit` bytes or `within_s` seconds.

    What urllib3 raises is left to the caller. The connection is closed where the body is refused.
    """
    until = time.monotonic() + within_s
    body = bytearray()
    while piece := raw.read1(_PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > limit:
            raw.close()
            raise UnboundedError(f"the answer is longer than {limit} bytes")
        if time.monotonic() > until:
            raw.close()
            raise UnboundedError(f"the answer did not end within {within_s:g} s")
    return bytes(body)


CONNECT_TIMEOUT_S = 5.0
BODY_LIMIT = 4 * 1024 * 1024
"""A page of 200 keys with a grant on each of 100 buckets is about 2 MiB."""
ERROR_LIMIT = 64 * 1024
ANSWER_WITHIN_S = 15.0
"""For the whole body, however steadily it drips."""
_ERRORS_FROM = 300


class RefusedAnswerError(Exception):
    """An answer whose body is not read to its end. `status` is HTTP's."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


def transport(ca_file: str | None, read_timeout_s: float, telling: Telling = untold) -> RequestsTransport:
    """Connections whose requests keep their own Authorization; `telling` is told of each.

    requests itself would put what ~/.netrc has for the host, or by default, in the token's place. Raises,
    beside what azure.core raises, RefusedAnswerError.
    """
    options: dict[str, Any] = {"connection_timeout": CONNECT_TIMEOUT_S, "read_timeout": read_timeout_s}
    if ca_file:
        options["connection_verify"] = ca_file
    made = RequestsTransport(**options)
    made.open()
    if made.session is not None:
        made.session.auth = _as_it_is
        made.session.headers["Accept-Encoding"] = "identity"  # what is small on the way may be large here
        for scheme in ("http://", "https://"):
            made.session.mount(scheme, _Bounded(telling))
    return made


def never_connected(error: BaseException | None) -> bool:
    """Whether the request certainly never left: no address for its name, or no connection.

    Whatever else goes wrong, also in TLS, may have gone wrong after it was sent.
    """
    while error is not None:
        reason = next((one.reason for one in error.args if isinstance(one, MaxRetryError)), None)
        if isinstance(reason, NewConnectionError | ConnectTimeoutError):
            return True
        error = error.__cause__ or getattr(error, "inner_exception", None)
    return False


def no_redirects() -> RedirectPolicy[Any, Any]:
    """Where the token goes is the operator's to say, not an answer's."""
    return RedirectPolicy.no_redirects()


class _Bounded(HTTPAdapter):
    """Reads the body itself, before requests would read all of it."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """See HTTPAdapter.init_poolmanager; whom it trusts is said with each request."""
        context = create_urllib3_context()
        as_others_do(context)
        super().init_poolmanager(*arguments, ssl_context=context, **options)

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """See HTTPAdapter.send."""
        url = request.url or ""
        with self._telling(urlsplit(url).netloc, request_line(request.method or "", url)) as asked:
            answer = super().send(request, *arguments, **options)
            asked.status = answer.status_code
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            answer.close()
            raise RefusedAnswerError(answer.status_code, "it is compressed, which was not asked for")
        limit = BODY_LIMIT if answer.status_code < _ERRORS_FROM else ERROR_LIMIT
        try:
            body = read_bounded(answer.raw, limit, ANSWER_WITHIN_S)
        except UnboundedError as error:
            raise RefusedAnswerError(answer.status_code, str(error)) from None
        except ReadTimeoutError as error:
            raise RequestsConnectionError(error, request=request) from error
        except (HTTPError, OSError) as error:
            raise ChunkedEncodingError(error, request=request) from error
        answer._content = body  # requests has no other way to be given a body
        return answer


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    return request
