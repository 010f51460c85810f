"""Signing a listing's request with botocore's S3 signer (signature version 4).

Only botocore's signer is used, never its configuration: no profile, no AWS_* variable, no
metadata service can change who signs or where a request goes.
"""

from collections.abc import Mapping
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from walconsole.adapters.spaces_keys import KeyPair


class Signer:
    """Signs GET requests as one key pair for one region."""

    def __init__(self, pair: KeyPair, region: str) -> None:
        self._signer = S3SigV4Auth(Credentials(pair.access_key, pair.secret), "s3", region)

    def headers(self, base_url: str, target: str) -> Mapping[str, str]:
        """The headers that sign `target` (path and query, encoded) at `base_url` (scheme and host)."""
        request = AWSRequest("GET", base_url + target)
        self._signer.add_auth(request)
        return dict(request.headers.items())


def list_target(path: str, *, prefix: str, start_after: str, max_keys: int) -> str:
    """Path and query of a ListObjectsV2, encoded as the signature wants it (RFC 3986, sorted)."""
    query = {
        "encoding-type": "url",
        "list-type": "2",
        "max-keys": str(max_keys),
        "prefix": prefix,
        "start-after": start_after,
    }
    pairs = (f"{name}={quote(value, safe='-_.~')}" for name, value in query.items() if value)
    return f"{path}?{'&'.join(pairs)}"
