"""An S3 request: whose signature it bears, what it asks for, and which grant allows that.

AWS Signature Version 4 is verified from the header or from a presigned URL, after "Authenticating Requests
(AWS Signature Version 4)" in Amazon's S3 API reference. The signatures of an aws-chunked body's chunks are
not verified, nor is the body's hash.

Grants are as Ceph RGW, of which Spaces is made, answered a user with GetObject, PutObject, DeleteObject and
ListBucket on one bucket: everything else about that bucket was 403 AccessDenied.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from walconsole.domain.records import record
from walconsole.sandbox.http11 import Headers, Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


@record
class Claim:
    """What a request claims: by which key it was signed, when, over what.

    `expires_s` is a presigned URL's, None for a header.
    """

    access_key: str
    scope: str
    signed_at: float
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    payload_hash: str
    expires_s: float | None = None


Query = Sequence[tuple[str, str]]


def claim(headers: Headers, query: Query) -> Claim | None:
    """The request's claim, None where it is not signed. Raises ValueError where it is malformed."""
    if headers.get("authorization"):
        return _from_header(headers)
    return _from_query(dict(query))


def _from_header(headers: Headers) -> Claim:
    algorithm, _, rest = headers.get("authorization").partition(" ")
    if algorithm != _ALGORITHM:
        raise ValueError(f"not {_ALGORITHM}")
    fields = dict(_FIELD.findall(rest))
    return _claim(fields, headers.get("x-amz-date"), headers.get("x-amz-content-sha256"), None)


def _from_query(query: dict[str, str]) -> Claim | None:
    if query.get("X-Amz-Algorithm") != _ALGORITHM:
        return None
    fields = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
    expires_s = float(query.get("X-Amz-Expires", "0"))
    return _claim(fields, query.get("X-Amz-Date", ""), "UNSIGNED-PAYLOAD", expires_s)


def _claim(fields: dict[str, str], timestamp: str, payload_hash: str, expires_s: float | None) -> Claim:
    access_key, _, scope = fields.get("Credential", "").partition("/")
    if not (access_key and scope.count("/") == 3 and fields.get("SignedHeaders") and fields.get("Signature")):
        raise ValueError("an incomplete signature")
    signed_at = datetime.strptime(timestamp, _TIME).replace(tzinfo=UTC).timestamp()
    signed_headers = tuple(fields["SignedHeaders"].split(";"))
    return Claim(
        access_key, scope, signed_at, timestamp, signed_headers, fields["Signature"], payload_hash, expires_s
    )


def is_signed_with(
    secret: str, claimed: Claim, method: str, path: str, query: Query, headers: Headers
) -> bool:
    """Whether `secret` gives the claimed signature. `path` is as it stands in the request line."""
    canonical = "\n".join(
        (
            method,
            quote(unquote(path), safe="/~-._"),
            _canonical_query(query),
            *(f"{name}:{' '.join(headers.get(name).split())}" for name in claimed.signed_headers),
            "",
            ";".join(claimed.signed_headers),
            claimed.payload_hash,
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, claimed.timestamp, claimed.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in claimed.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), claimed.signature)


def _canonical_query(query: Query) -> str:
    encoded = sorted(
        (quote(n, safe="~-._"), quote(v, safe="~-._")) for n, v in query if n != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


class Operation(StrEnum):
    """S3's own names."""

    LIST_BUCKETS = "ListBuckets"
    CREATE_BUCKET = "CreateBucket"
    DELETE_BUCKET = "DeleteBucket"
    HEAD_BUCKET = "HeadBucket"
    LIST_OBJECTS = "ListObjects"
    GET_OBJECT = "GetObject"
    PUT_OBJECT = "PutObject"
    DELETE_OBJECT = "DeleteObject"
    LIST_UPLOADS = "ListMultipartUploads"
    BUCKET_SETTING = "bucket setting"
    UNKNOWN = "unknown"


BUCKET_SETTINGS = frozenset(
    ("location", "lifecycle", "versioning", "policy", "policyStatus", "acl", "cors", "tagging", "website",
     "logging", "notification", "encryption", "object-lock", "requestPayment", "ownershipControls",
     "publicAccessBlock", "replication", "accelerate", "versions")
)  # fmt: skip

_READ = frozenset((Operation.HEAD_BUCKET, Operation.LIST_OBJECTS, Operation.GET_OBJECT))
ALLOWED = {"read": _READ, "readwrite": _READ | {Operation.PUT_OBJECT, Operation.DELETE_OBJECT}}
"""What a limited key may do, by its grant's permission."""

_ON_BUCKET = {
    "PUT": Operation.CREATE_BUCKET,
    "DELETE": Operation.DELETE_BUCKET,
    "HEAD": Operation.HEAD_BUCKET,
    "GET": Operation.LIST_OBJECTS,
}
_ON_OBJECT = {
    "PUT": Operation.PUT_OBJECT,
    "POST": Operation.PUT_OBJECT,
    "DELETE": Operation.DELETE_OBJECT,
    "HEAD": Operation.GET_OBJECT,
    "GET": Operation.GET_OBJECT,
}


@record
class Target:
    """A path-style target taken apart. `path` is still encoded, bucket, key and query are not."""

    path: str
    bucket: str
    key: str
    query: tuple[tuple[str, str], ...]

    @property
    def names(self) -> Collection[str]:
        """The query's names."""
        return {name for name, _ in self.query}


def parse(target: str) -> Target:
    """Take a request's target apart."""
    path, _, query = target.partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    return Target(path or "/", unquote(bucket), unquote(key), tuple(parse_qsl(query, keep_blank_values=True)))


def classify(method: str, target: Target) -> Operation:
    """What is asked for."""
    if not target.bucket:
        return Operation.LIST_BUCKETS if method == "GET" else Operation.UNKNOWN
    if target.key:
        return _ON_OBJECT.get(method, Operation.UNKNOWN)
    names = target.names
    if BUCKET_SETTINGS & set(names):
        return Operation.BUCKET_SETTING
    if "uploads" in names:
        return Operation.LIST_UPLOADS
    if method == "POST" and "delete" in names:
        return Operation.DELETE_OBJECT
    return _ON_BUCKET.get(method, Operation.UNKNOWN)


# -- S3's own answers: errors as RGW words them, and the list of buckets.

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class S3Refusal(Exception):  # noqa: N818  # an answer, which is raised
    """An error answer: HTTP's status and S3's code."""

    def __init__(self, status: int, code: str, bucket: str = "") -> None:
        self.status, self.code, self.bucket = status, code, bucket
        super().__init__(code)


def request_id(region: str) -> str:
    """As RGW builds it: a transaction, the time, the zone."""
    return f"tx{secrets.token_hex(10)}-{secrets.token_hex(5)}-{region}"


async def answer_refusal(request: Request, refusal: S3Refusal, region: str) -> None:
    """The error as XML; a HEAD has no body, so it does not tell the code."""
    number = request_id(region)
    bucket = f"<BucketName>{escape(refusal.bucket)}</BucketName>" if refusal.bucket else ""
    body = (
        f"{_DECLARATION}<Error><Code>{refusal.code}</Code><Message></Message>{bucket}"
        f"<RequestId>{number}</RequestId><HostId>{region}</HostId></Error>"
    )
    headers = [("x-amz-request-id", number), ("Content-Type", "application/xml")]
    await request.connection.answer(request, refusal.status, body.encode(), headers)


def bucket_list(folders: Iterable[Path]) -> bytes:
    """ListAllMyBucketsResult."""
    buckets = "".join(_bucket(folder) for folder in folders)
    return (
        f"{_DECLARATION}<ListAllMyBucketsResult {_XMLNS}><Owner><ID>demo</ID>"
        f"<DisplayName>demo</DisplayName></Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
    ).encode()


def _bucket(folder: Path) -> str:
    made = datetime.fromtimestamp(folder.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return f"<Bucket><Name>{escape(folder.name)}</Name><CreationDate>{made}</CreationDate></Bucket>"


def location(region: str) -> bytes:
    """LocationConstraint."""
    return f"{_DECLARATION}<LocationConstraint {_XMLNS}>{region}</LocationConstraint>".encode()


def versioning(status: str) -> bytes:
    """VersioningConfiguration."""
    inner = f"<Status>{status}</Status>" if status else ""
    return f"{_DECLARATION}<VersioningConfiguration {_XMLNS}>{inner}</VersioningConfiguration>".encode()
