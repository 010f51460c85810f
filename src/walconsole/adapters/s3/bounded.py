"""What keeps a hostile store from holding boto3's client up, or filling its memory.

botocore reads an answer to its end, however long that takes and however much it is, and its time limit is
for each part that arrives. So each call has a thread that nobody waits for, with a time after which it has
failed, and each answer is read through a tap that closes.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ReadTimeoutError as SilentError

from walconsole.command_register import Telling, request_line, untold

T = TypeVar("T")

_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""botocore goes by these to the region that the answer names, and stumbles where it names none."""


class TooLargeError(HTTPClientError):
    """An answer's body is larger than any that was asked for."""

    fmt = "the answer is longer than {limit:,} bytes"


class NotS3Error(HTTPClientError):
    """It says that all is well, and it is a page for people: something between answers for the store."""

    fmt = "a page for a browser came in the store's place (HTTP {status})"


class RedirectedError(HTTPClientError):
    """It sends whoever asks elsewhere: with a key in hand nobody goes there."""

    fmt = "it answered HTTP {status} and names another place, which is not followed"


class _Tap:
    """A raw answer of urllib3's that gives at most `limit` bytes."""

    def __init__(self, raw: Any, limit: int) -> None:
        self._raw, self._limit, self._read = raw, limit, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def read(self, amt: int | None = None, **_: Any) -> bytes:
        """As urllib3's. Raises TooLargeError."""
        return b"".join(self.stream()) if amt is None else self._part(amt)

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """As urllib3's. Raises TooLargeError."""
        while data := self._part(_CHUNK):
            yield data

    def _part(self, amt: int) -> bytes:
        """Nothing is unpacked: none was asked for packed, and a little may unpack to very much."""
        data: bytes = self._raw.read(amt, decode_content=False)
        self._read += len(data)
        if self._read > self._limit:
            self._raw.close()
            raise TooLargeError(limit=self._limit)
        return data


def bound_answers(client: Any, limit: int, telling: Telling = untold) -> None:
    """Let no answer to this client of boto3's have more than `limit` bytes, be a web page, or lead away.

    `telling` is told of each request. botocore's event `before-send` may answer one itself: it sends it as
    botocore would.
    """
    session = client._endpoint.http_session  # the one that botocore made: its pools, certificates, proxies

    def send(request: Any, **_: Any) -> Any:
        streams, request.stream_output = request.stream_output, True  # else it reads all before it returns
        host = urlsplit(request.url).netloc
        with telling(host, request_line(request.method, request.url)) as asked:
            answer = session.send(request)
            asked.status = answer.status_code
        if answer.status_code in _REDIRECTS:
            answer.raw.close()
            raise RedirectedError(status=answer.status_code)
        kind = str(answer.headers.get("Content-Type", "")).lower()
        if answer.status_code < 300 and kind.startswith("text/html") and request.method != "GET":
            raise NotS3Error(status=answer.status_code)
        answer.raw = _Tap(answer.raw, limit)
        if not streams:
            _read(answer, request.url)
        return answer

    client.meta.events.register("before-send.s3", send)


def _read(answer: Any, url: str) -> None:
    """All of it, now: botocore asks again where that breaks."""
    try:
        _ = answer.content
    except SilentError as error:
        raise ReadTimeoutError(endpoint_url=url, error=error) from error
    except HTTPError as error:
        raise ConnectionClosedError(endpoint_url=url, error=error) from error


async def in_a_thread(call: Callable[[], T], seconds: float) -> T:
    """What the call returns, or what it raises. Raises TimeoutError after so long.

    The thread is left to itself then, and where this is cancelled; it keeps no program from its end.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # no error: it is what the call returned

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001  # whatever it is, whoever waits is told
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop has ended: nobody waits

    threading.Thread(target=run, name="S3 call", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await outcome
