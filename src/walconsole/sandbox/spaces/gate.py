"""The gate before a region's S3 server: who may do what, as Spaces decides it.

It verifies the signature, knows the keys and their grants, refuses with RGW's codes (their messages
are empty), and passes the rest on, piece by piece, to rclone, which listens on a Unix socket and knows no
keys.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

from walconsole.sandbox.http11 import Headers, HttpServer, MalformedError, Request, read_body, read_head
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Key, KeyStore
from walconsole.sandbox.spaces.request import (
    ALLOWED,
    BUCKET_SETTINGS,
    Claim,
    Operation,
    S3Refusal,
    Target,
    answer_refusal,
    bucket_list,
    claim,
    classify,
    is_signed_with,
    location,
    parse,
    request_id,
    versioning,
)

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


# -- A bucket's settings, which rclone does not keep: what was PUT comes back at GET. They change nothing.

# What S3 answers where a setting was never made.
_NEVER_MADE = {
    "lifecycle": "NoSuchLifecycleConfiguration",
    "policy": "NoSuchBucketPolicy",
    "cors": "NoSuchCORSConfiguration",
    "tagging": "NoSuchTagSet",
    "website": "NoSuchWebsiteConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "object-lock": "ObjectLockConfigurationNotFoundError",
}


@dataclass(slots=True)
class BucketSettings:
    """Settings of a region's buckets."""

    region: str
    _documents: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def serve(self, request: Request, target: Target, headers: list[tuple[str, str]]) -> None:
        """GET, PUT or DELETE of one setting."""
        name = next(iter(sorted(BUCKET_SETTINGS & set(target.names))))
        place = (target.bucket, name)
        if request.method == "PUT":
            self._documents[place] = await request.read()
            await request.connection.answer(request, HTTPStatus.OK, b"", headers)
        elif request.method == "DELETE":
            self._documents.pop(place, None)
            await request.connection.answer(request, HTTPStatus.NO_CONTENT, b"", headers)
        elif request.method == "GET":
            body = self._document(place)
            await request.connection.answer(
                request, HTTPStatus.OK, body, [*headers, ("Content-Type", "application/xml")]
            )
        else:
            raise S3Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", target.bucket)

    def _document(self, place: tuple[str, str]) -> bytes:
        bucket, name = place
        if place in self._documents:
            return self._documents[place]
        if name == "location":
            return location(self.region)
        if name == "versioning":
            return versioning("")
        if name in _NEVER_MADE:
            raise S3Refusal(HTTPStatus.NOT_FOUND, _NEVER_MADE[name], bucket)
        raise S3Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", bucket)


_MOST_SKEW_S = 15 * 60


@dataclass(slots=True)
class SpacesGate:
    """One region. `folder` has a folder a bucket, `socket` is the S3 server's behind it.

    `async with SpacesGate(...) as gate:` then `gate.url`. `refusals` is for tests: each answers one
    request, whatever it is (`gate.refusals.append(S3Refusal(503, "SlowDown"))`).
    """

    region: str
    folder: Path
    socket: Path
    keys: KeyStore
    clock: Callable[[], float] = time.time
    refusals: list[S3Refusal] = field(default_factory=list)
    settings: BucketSettings = field(init=False)
    _server: HttpServer = field(init=False)

    def __post_init__(self) -> None:
        self.settings = BucketSettings(self.region)
        self._server = HttpServer(lambda: _GateSession(self, Upstream(self.socket)))

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    def has_bucket(self, bucket: str) -> bool:
        """Whether the region has it."""
        return bucket not in ("", ".", "..") and "/" not in bucket and (self.folder / bucket).is_dir()

    def has_object(self, target: Target) -> bool:
        """Whether the bucket holds the key."""
        path = (self.folder / target.bucket / target.key).resolve()
        return path.is_relative_to(self.folder.resolve() / target.bucket) and path.is_file()

    def admit(self, request: Request, target: Target, operation: Operation) -> Key:
        """The key that may do this. Raises S3Refusal."""
        if self.refusals:
            raise self.refusals.pop(0)
        key = self._authenticate(request, target)
        if not self._is_allowed(key, target.bucket, operation):
            raise S3Refusal(HTTPStatus.FORBIDDEN, "AccessDenied", target.bucket)
        return key

    def _authenticate(self, request: Request, target: Target) -> Key:
        try:
            claimed = claim(request.headers, target.query)
        except ValueError:
            raise S3Refusal(HTTPStatus.BAD_REQUEST, "InvalidArgument") from None
        if claimed is None:
            raise S3Refusal(HTTPStatus.FORBIDDEN, "AccessDenied", target.bucket)
        key = self.keys.active(claimed.access_key)
        if key is None:
            raise S3Refusal(HTTPStatus.FORBIDDEN, "InvalidAccessKeyId", target.bucket)
        self._check_time(claimed)
        if not is_signed_with(
            key.secret, claimed, request.method, target.path, target.query, request.headers
        ):
            raise S3Refusal(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch", target.bucket)
        return key

    def _check_time(self, claimed: Claim) -> None:
        age_s = self.clock() - claimed.signed_at
        if claimed.expires_s is not None and age_s > claimed.expires_s:
            raise S3Refusal(HTTPStatus.FORBIDDEN, "AccessDenied")
        if claimed.expires_s is None and abs(age_s) > _MOST_SKEW_S:
            raise S3Refusal(HTTPStatus.FORBIDDEN, "RequestTimeTooSkewed")

    def _is_allowed(self, key: Key, bucket: str, operation: Operation) -> bool:
        grants = key.grants_at(self.keys.now())
        if FULL_ACCESS_GRANT in grants or operation is Operation.LIST_BUCKETS:
            return True
        if operation is Operation.CREATE_BUCKET:
            return False
        if not self.has_bucket(bucket):
            raise S3Refusal(HTTPStatus.NOT_FOUND, "NoSuchBucket", bucket)
        permissions = [grant.permission for grant in grants if grant.bucket == bucket]
        return any(operation in ALLOWED.get(permission, ()) for permission in permissions)

    def owned_buckets(self, key: Key) -> list[Path]:
        """What ListBuckets shows: everything to a full-access key, nothing to a limited one."""
        return sorted(path for path in self.folder.iterdir() if path.is_dir()) if key.full_access else []


@dataclass(slots=True)
class _GateSession:
    """One client's connection, with one of its own to the server behind."""

    gate: SpacesGate
    upstream: Upstream

    async def handle(self, request: Request) -> None:
        target = parse(request.target)
        operation = classify(request.method, target)
        try:
            key = self.gate.admit(request, target, operation)
            await self._serve(request, target, operation, key)
        except S3Refusal as refusal:
            await answer_refusal(request, refusal, self.gate.region)
        except UpstreamError:
            unavailable = S3Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", target.bucket)
            await answer_refusal(request, unavailable, self.gate.region)

    async def _serve(self, request: Request, target: Target, operation: Operation, key: Key) -> None:
        headers = [("x-amz-request-id", request_id(self.gate.region))]
        exists = self.gate.has_bucket(target.bucket)
        if operation is Operation.LIST_BUCKETS:
            body = bucket_list(self.gate.owned_buckets(key))
            await request.connection.answer(request, HTTPStatus.OK, body, [*headers, _XML])
        elif operation is Operation.CREATE_BUCKET and exists:
            await request.connection.answer(
                request, HTTPStatus.OK, b"", headers
            )  # RGW: the owner's own again
        elif operation is not Operation.CREATE_BUCKET and not exists:
            raise S3Refusal(HTTPStatus.NOT_FOUND, "NoSuchBucket", target.bucket)
        elif operation is Operation.HEAD_BUCKET:
            await request.connection.answer(request, HTTPStatus.OK, b"", headers)
        elif operation is Operation.BUCKET_SETTING:
            await self.gate.settings.serve(request, target, headers)
        elif self._must_not_exist(request) and self.gate.has_object(target):
            raise S3Refusal(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", target.bucket)
        else:
            await self.upstream.pass_on(request, [("Date", formatdate(usegmt=True)), *headers])

    @staticmethod
    def _must_not_exist(request: Request) -> bool:
        return request.method == "PUT" and request.headers.get("if-none-match") == "*"

    def close(self) -> None:
        self.upstream.close()


_XML = ("Content-Type", "application/xml")
