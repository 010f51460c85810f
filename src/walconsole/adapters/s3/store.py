"""ports.ObjectStore on S3: one bucket, listed by signed requests over kept connections.

Listing at scale is what this adapter is for (a page costs one signature and one regular
expression); what is rare and writes goes through boto3 elsewhere.
"""

import asyncio
import ipaddress
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from walconsole.adapters.s3.answers import read_listing
from walconsole.adapters.s3.errors import (
    Attempt,
    asks_for_less,
    bad_endpoint,
    malformed,
    not_whole,
    refused,
    unreachable,
)
from walconsole.adapters.s3.http import HttpClient, Origin, origin_of
from walconsole.adapters.s3.key_sources import KeyPairSource
from walconsole.adapters.s3.lifecycle import read_lifecycle
from walconsole.adapters.s3.signing import Signer, list_query
from walconsole.adapters.s3.throttle import Throttle, Turns
from walconsole.adapters.s3.versions import read_versions, versions_query
from walconsole.adapters.s3.wire import CutError, HttpAnswer, TransportError
from walconsole.command_register import Telling, request_line, untold
from walconsole.domain.facts.evidence import LifecycleRule
from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.round_trips import ObjectContent, Page, StoredVersion
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import KEY_MEANINGS, Meaning, worth_asking_again
from walconsole.domain.store.http_date import http_date
from walconsole.errors import ObjectStoreError

T = TypeVar("T")

ATTEMPTS = 4
PART_BYTES = 8 * 1024 * 1024
"""Of an object that is read whole, for each request: an answer has a limit (spaces_wire)."""
_BACKOFF_S = 0.25
_BACKOFF_LIMIT_S = 4.0
_RANGE_NOT_SATISFIABLE = 416


class SpacesStore:
    """One bucket. Raises ObjectStoreError for every failure, with S3's own code where it gave one.

    `telling` is told of each request. `environ` is looked at for HTTPS_PROXY and NO_PROXY alone. An endpoint
    that can never work is told by the first `page`, so that one wrong bucket does not keep the rest from
    being observed. Call `close` when done.
    """

    def __init__(
        self,
        target: BucketTarget,
        key_pairs: KeyPairSource,
        *,
        environ: Mapping[str, str],
        connections: int = 64,
        telling: Telling = untold,
    ) -> None:
        self._target = target
        self._telling = telling
        self._key_pairs = key_pairs
        self._environ = environ
        self._connections = connections
        self._route: _Route | None = None
        self._pair: KeyPair | None = None
        self._signer: Signer | None = None
        self._key_problem = "not read yet"
        self._throttle = Throttle(connections)
        self._answered = False
        self._turns = Turns()

    @property
    def key_hint(self) -> str:
        """`DO00AB…`, or why there is no key."""
        return self._pair.hint if self._pair else self._key_problem

    @property
    def key_endpoint(self) -> str:
        """The endpoint that stands beside the key where it came from; empty when there is none."""
        return self._pair.endpoint if self._pair else ""

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        """One ListObjectsV2 under the target's prefix, asked for again where that is worth it."""
        query = list_query(prefix=self._target.prefix, start_after=start_after, max_keys=max_keys)
        return await self._persistently(lambda: self._page_once(query, start_after))

    async def read(self, key: str, count: int) -> ObjectContent:
        """The first `count` bytes of an object, one GET, asked for again where that is worth it."""
        return await self._persistently(lambda: self._read_once(key, count))

    async def whole(self, key: str, limit: int) -> ObjectContent:
        """See ports.WholeStore. Every part is of the same object, by its ETag."""
        first = await self.read(key, PART_BYTES)
        size = len(first.body) if first.size is None else first.size
        if size > limit:
            raise not_whole(Attempt(self._target, self.key_hint, key), f"it has more than {limit:,} bytes")
        body = bytearray(first.body)
        same = {"If-Match": first.headers["etag"]} if "etag" in first.headers else {}
        while len(body) < size:
            body += await self._persistently(partial(self._part_once, key, len(body), same))
        return replace(first, body=bytes(body))

    async def lifecycle(self) -> tuple[LifecycleRule, ...]:
        """The bucket's rules; empty where it has none. One GET ?lifecycle."""
        return await self._persistently(self._lifecycle_once)

    async def versions(self, after: str, max_keys: int) -> tuple[StoredVersion, ...]:
        """See ports.VersionStore. One GET ?versions."""
        query = versions_query(self._target.prefix, after, max_keys)
        return await self._persistently(lambda: self._versions_once(query))

    async def close(self) -> None:
        """Close the kept connections and forget the key."""
        self._pair = self._signer = None
        if self._route is not None:
            await self._route.http.close()

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return await ask()
            except ObjectStoreError as error:
                if not self._worth_another_try(error):
                    raise
            pause = min(_BACKOFF_S * 2**attempt, _BACKOFF_LIMIT_S)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        return await ask()

    def _worth_another_try(self, error: ObjectStoreError) -> bool:
        if error.meaning in KEY_MEANINGS and self._key_pairs.forget():
            self._pair = self._signer = None
            return True
        broken = isinstance(error.__cause__, CutError)
        garbled = error.meaning is Meaning.NOT_S3 and error.status == 200 and self._answered
        again = worth_asking_again(error.code, error.status, error.why)
        return again or broken or garbled

    async def _page_once(self, query: str, start_after: str) -> Page:
        answer, attempt, seconds = await self._answer("", query, {})
        await self._turns.mine()
        page = _read_page(attempt, answer, seconds, start_after)
        if self._route is not None:
            page = replace(page, certificate=self._route.http.certificate)
        self._answered = True
        return page

    async def _lifecycle_once(self) -> tuple[LifecycleRule, ...]:
        answer, attempt, _ = await self._answer("", "lifecycle=", {})
        if answer.status != 200:
            if refused(attempt, answer).meaning is Meaning.ABSENT_SETTINGS:
                return ()
            raise refused(attempt, answer)
        return read_lifecycle(answer.body)

    async def _versions_once(self, query: str) -> tuple[StoredVersion, ...]:
        answer, attempt, _ = await self._answer("", query, {})
        if answer.status != 200:
            raise refused(attempt, answer)
        return read_versions(answer.body, lambda why: malformed(attempt, why))

    async def _read_once(self, key: str, count: int) -> ObjectContent:
        wanted = {"Range": f"bytes=0-{max(0, count - 1)}"}
        answer, attempt, _ = await self._answer(key, "", wanted)
        return _read_content(attempt, answer, key, count)

    async def _part_once(self, key: str, start: int, same: Mapping[str, str]) -> bytes:
        wanted = {"Range": f"bytes={start}-{start + PART_BYTES - 1}", **same}
        answer, attempt, _ = await self._answer(key, "", wanted)
        if answer.status not in (200, 206):
            raise refused(attempt, answer)
        part = answer.body if answer.status == 206 else answer.body[start:]  # the store reads no Range
        if not part:
            raise not_whole(attempt, f"it ends after {start:,} bytes, before its size")
        return part

    async def _answer(
        self, key: str, query: str, more: Mapping[str, str]
    ) -> tuple[HttpAnswer, Attempt, float]:
        """One signed GET of the bucket, or of a key in it; how long it took, in seconds."""
        if self._route is None:
            self._route = _route(self._target, self._environ, self._connections)
        route = self._route
        signer = self._signer or await self._signing(route)
        attempt = Attempt(self._target, self.key_hint, key)
        path = f"{route.path.rstrip('/')}/{_encoded(key)}" if key else route.path
        target = f"{path}?{query}" if query else path
        async with self._throttle:
            headers = signer.headers(path, query)
            began = time.monotonic()
            try:
                with self._telling(route.http.origin.authority, request_line("GET", target)) as asked:
                    answer = await route.http.get(target, {**headers, **more})
                    asked.status = answer.status
            except TransportError as error:
                raise unreachable(attempt, str(error)) from error
        if asks_for_less(answer):
            self._throttle.slow_down(max(_BACKOFF_S, _retry_after(answer)))
        else:
            self._throttle.answered()
        return answer, attempt, time.monotonic() - began

    async def _signing(self, route: "_Route") -> Signer:
        try:
            pair = await self._key_pairs.key_pair()
        except ObjectStoreError as error:
            self._key_problem = f"no key: {error.why}"
            self._key_pairs.forget()  # what is wrong there may be put right while the console runs
            raise
        signer = Signer(pair, route.signing_region, route.http.origin.authority)
        self._pair, self._signer = pair, signer
        return signer


@record
class _Route:
    """Where requests go: the client for the origin, the bucket's path, and the region to sign for."""

    http: HttpClient
    path: str
    signing_region: str


def _read_page(attempt: Attempt, answer: HttpAnswer, seconds: float, start_after: str) -> Page:
    """Raises what `refused` or `malformed` make; also for a page from which a listing cannot go on."""
    if answer.status != 200:
        raise refused(attempt, answer)
    objects, truncated = read_listing(answer.body, lambda why: malformed(attempt, why))
    if objects.keys and objects.keys[-1] <= start_after:
        raise malformed(attempt, "it does not begin after the key that it should begin after")
    if truncated and not objects.keys:
        raise malformed(attempt, "it says that more follows, and holds no key to go on from")
    return Page(objects, truncated, http_date(answer.headers.get("date")), time.time(), seconds)


def _retry_after(answer: HttpAnswer) -> float:
    """Seconds that a refusal asks to wait for, 0 where it does not say."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _read_content(attempt: Attempt, answer: HttpAnswer, key: str, count: int) -> ObjectContent:
    """A part (206), all of it (200), or nothing of an object that is empty (416)."""
    empty = answer.status == _RANGE_NOT_SATISFIABLE
    if answer.status not in (200, 206) and not empty:
        raise refused(attempt, answer)
    body = b"" if empty else answer.body[:count]
    return ObjectContent(key, body, _whole_size(answer, empty=empty), answer.headers, time.time())


def _whole_size(answer: HttpAnswer, *, empty: bool) -> int | None:
    """From Content-Range (`bytes 0-39/16777216`), else all that came."""
    if empty:
        return 0
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    if total.isascii() and total.isdigit():
        return int(total)
    return len(answer.body) if answer.status == 200 else None


def _encoded(key: str) -> str:
    """A key as S3 signs it in a path: every byte but letters, digits and -_.~/ as %XX."""
    return quote(key.encode("utf-8", "surrogatepass"), safe="/-_.~")


def _route(target: BucketTarget, environ: Mapping[str, str], connections: int) -> _Route:
    """Raises ObjectStoreError for an endpoint, or a proxy, that can never work."""
    origin = _origin(target)
    path = "/"
    if target.path_style or _is_address(origin.host):
        path += quote(target.bucket, safe="-_.~")
    else:
        origin = replace(origin, host=f"{target.bucket}.{origin.host}")
    try:
        http = HttpClient(origin, environ, ca_file=target.ca_file, ca_text=target.ca_text, limit=connections)
    except ValueError as error:
        raise bad_endpoint(target, str(error), "correct HTTPS_PROXY") from None
    return _Route(http, path, target.signing_region)


def _origin(target: BucketTarget) -> Origin:
    try:
        origin = origin_of(target.endpoint)
    except ValueError:
        shape = "write it as https://REGION.digitaloceanspaces.com"
        raise bad_endpoint(target, "it is no plain http or https address", shape) from None
    if origin.scheme == "http" and not _is_loopback(origin.host):
        raise bad_endpoint(target, "plain http is for loopback only", "write it with https://")
    if origin.host.startswith(f"{target.bucket}."):
        raise bad_endpoint(
            target,
            "it contains the bucket's name, which would store everything one folder deeper",
            f"leave {target.bucket}. out of it",
        )
    return origin


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return (
        host == "localhost"
        or host.endswith(".localhost")
        or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
    )
