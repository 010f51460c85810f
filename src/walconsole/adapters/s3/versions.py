"""ListObjectVersions answers: what a bucket that keeps versions has of each key, deleted ones too.

Read by patterns as a listing's pages are: S3 writes these elements without attributes, comments or CDATA.
"""

import re
from urllib.parse import quote, unquote_plus

from walconsole.adapters.s3.answers import Complaint, timestamp, unescaped
from walconsole.domain.round_trips import StoredVersion

_EACH = re.compile(r"<(Version|DeleteMarker)>(.*?)</\1>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_ID = re.compile(r"<VersionId>([^<]{0,1024})</VersionId>")
_MODIFIED = re.compile(r"<LastModified>\s*([^<\s]{1,40})\s*</LastModified>")


def versions_query(prefix: str, after: str, max_keys: int) -> str:
    """The query of a ListObjectVersions, encoded as the signature wants it (RFC 3986, names in order)."""
    query = {
        "encoding-type": "url",
        "key-marker": after,
        "max-keys": str(max_keys),
        "prefix": prefix,
        "versions": "",
    }
    return "&".join(
        f"{name}={quote(value, safe='-_.~')}" for name, value in query.items() if value or name == "versions"
    )


def read_versions(body: bytes, complain: Complaint) -> tuple[StoredVersion, ...]:
    """In the order of keys, the newest of each first. Raises what `complain` makes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise complain("it is not UTF-8") from None
    if "<ListVersionsResult" not in text[:512] or not text.rstrip().endswith("</ListVersionsResult>"):
        raise complain("it is not a complete ListVersionsResult")
    encoded = "<EncodingType>url<" in text
    found = []
    for kind, inside in _EACH.findall(text):
        key, version, modified = _KEY.search(inside), _ID.search(inside), _MODIFIED.search(inside)
        at = timestamp(modified[1]) if modified else None
        if key is None or version is None or at is None:
            raise complain("a version has no key, no id, or no time that can be read")
        name = unescaped(key[1])
        found.append(
            StoredVersion(
                unquote_plus(name) if encoded else name,
                unescaped(version[1]),
                at,
                newest="<IsLatest>true<" in inside,
                marks_deleted=kind == "DeleteMarker",
            )
        )
    return tuple(found)
