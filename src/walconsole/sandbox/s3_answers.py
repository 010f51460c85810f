"""S3's own answers: errors as RGW words them, and the list of buckets."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from walconsole.sandbox.http11 import Request

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
