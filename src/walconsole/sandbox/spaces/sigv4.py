"""Verifying AWS Signature Version 4 of an S3 request, from the header or from a presigned URL.

After "Authenticating Requests (AWS Signature Version 4)" in Amazon's S3 API reference. The
signatures of an aws-chunked body's chunks are not verified, nor is the body's hash.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from walconsole.sandbox.http11 import Headers

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


@dataclass(frozen=True, slots=True)
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
