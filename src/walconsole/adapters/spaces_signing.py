"""Signing a listing's request with botocore's S3 signer (signature version 4).

Only botocore's signer is used, never its configuration: no profile, no AWS_* variable, no
metadata service can change who signs or where a request goes. The canonical request is composed
here, for a listing has always the same three headers, and botocore's way to it takes ten times as
long as the signature itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import EMPTY_SHA256_HASH, SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from walconsole.adapters.spaces_keys import KeyPair

_SIGNED = "host;x-amz-content-sha256;x-amz-date"


class Signer:
    """Signs GET requests to one host as one key pair for one region."""

    def __init__(self, pair: KeyPair, region: str, host: str) -> None:
        self._signer = S3SigV4Auth(Credentials(pair.access_key, pair.secret), "s3", region)
        self._request = AWSRequest("GET", f"https://{host}/")
        self._host = host

    def headers(self, path: str, query: str, at: datetime | None = None) -> Mapping[str, str]:
        """The headers that sign `path` and `query` (encoded, its names in order) as sent at `at`."""
        stamp = (at or datetime.now(UTC)).strftime(SIGV4_TIMESTAMP)
        self._request.context["timestamp"] = stamp
        canonical = (
            f"GET\n{path}\n{query}\n"
            f"host:{self._host}\nx-amz-content-sha256:{EMPTY_SHA256_HASH}\nx-amz-date:{stamp}\n\n"
            f"{_SIGNED}\n{EMPTY_SHA256_HASH}"
        )
        to_sign = self._signer.string_to_sign(self._request, canonical)
        signature = self._signer.signature(to_sign, self._request)
        credential = self._signer.scope(self._request)
        return {
            "X-Amz-Date": stamp,
            "X-Amz-Content-SHA256": EMPTY_SHA256_HASH,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={_SIGNED}, Signature={signature}"
            ),
        }


def list_query(*, prefix: str, start_after: str, max_keys: int) -> str:
    """The query of a ListObjectsV2, encoded as the signature wants it (RFC 3986, names in order)."""
    query = {
        "encoding-type": "url",
        "list-type": "2",
        "max-keys": str(max_keys),
        "prefix": prefix,
        "start-after": start_after,
    }
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items() if value)
