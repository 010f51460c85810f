"""What an S3 request asks for, and which grant allows it.

As Ceph RGW, of which Spaces is made, answered a user with GetObject, PutObject, DeleteObject and
ListBucket on one bucket: everything else about that bucket was 403 AccessDenied.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, unquote


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


@dataclass(frozen=True, slots=True)
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
