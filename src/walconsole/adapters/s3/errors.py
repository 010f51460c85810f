"""What a refused or failed S3 call means, and what the operator does about it."""

import re
import time
from dataclasses import dataclass

from walconsole.adapters.s3.wire import HttpAnswer
from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.http_date import http_date
from walconsole.domain.units import duration_text
from walconsole.errors import ObjectStoreError

_NAME_SHOWN = 60
_ELEMENT = re.compile(r"<(Code|Message|Region|Endpoint)>\s*([^<]{0,300})\s*</\1>")

_WHY = {
    "NoSuchBucket": "no bucket {bucket} at {endpoint}",
    "AccessDenied": "key {key} may not {do} bucket {bucket}",
    "AllAccessDisabled": "key {key} may not {do} bucket {bucket}",
    "NoSuchKey": "it is not in bucket {bucket} any more",
    "InvalidAccessKeyId": "{endpoint} knows no key {key}",
    "SignatureDoesNotMatch": "the secret does not belong to key {key}",
    "RequestTimeTooSkewed": "this machine's clock is {skew} {endpoint}'s",
    "PermanentRedirect": "bucket {bucket} is not in the region of {endpoint}",
    "TemporaryRedirect": "bucket {bucket} is not in the region of {endpoint}",
    "AuthorizationHeaderMalformed": "{endpoint} signs for another region than {region}",
    "SlowDown": "{endpoint} asks for fewer requests",
    "InvalidBucketName": "{bucket} is no name that a bucket can have",
    "NotS3": "{endpoint} does not answer as S3 does (HTTP {status})",
}
_REMEDY = {
    "NoSuchBucket": "create the bucket, or correct its name or endpoint in the profile",
    "AccessDenied": "give the key a grant on the bucket (read is enough here, readwrite to archive)",
    "AllAccessDisabled": "give the key a grant on the bucket",
    "NoSuchKey": "it was deleted since it was listed; list the bucket again",
    "InvalidAccessKeyId": "the key was deleted, is not active yet, or is another store's; check its source",
    "SignatureDoesNotMatch": "the secret was mistyped or replaced; put the right one beside the key",
    "RequestTimeTooSkewed": "set this machine's clock (NTP)",
    "PermanentRedirect": "set the bucket's own region as its endpoint in the profile",
    "TemporaryRedirect": "wait, a new bucket's name takes time to spread; else correct its endpoint",
    "AuthorizationHeaderMalformed": "correct the region in the profile",
    "SlowDown": "it is asked again, more slowly",
    "InvalidBucketName": "correct the bucket's name in the profile",
    "NotS3": "correct the endpoint in the profile (scheme, host, port; no bucket name in it)",
}
_FALLBACK_REMEDY = "try again; if it stays, look at the store's status page"

TRANSIENT = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "InternalError",
        "RequestTimeout",
        "TooManyRequests",
        "OperationAborted",
    }
)
"""Codes that a later attempt may not meet."""

KEY_REFUSED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch"})
"""Codes that a new key pair may cure."""

_STATUS_CODES = {
    429: "TooManyRequests",
    500: "InternalError",
    502: "ServiceUnavailable",
    503: "ServiceUnavailable",
    504: "ServiceUnavailable",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried, for the texts."""

    target: BucketTarget
    key_hint: str
    name: str = ""

    @property
    def tried(self) -> str:
        """`listing bucket shithub-wal with key DO00AB…`, or `reading NAME of bucket …`."""
        doing = f"reading {safe(self.name[-_NAME_SHOWN:])} of" if self.name else "listing"
        return f"{doing} bucket {self.target.bucket} with key {self.key_hint}"


def refused(attempt: Attempt, answer: HttpAnswer) -> ObjectStoreError:
    """The error that an answer other than 200 stands for."""
    found = dict(_ELEMENT.findall(answer.body[:8192].decode("utf-8", "replace")))
    code = safe(found.get("Code", "")).strip() or _STATUS_CODES.get(answer.status, "NotS3")
    texts = {
        "bucket": attempt.target.bucket,
        "endpoint": attempt.target.endpoint,
        "region": attempt.target.region,
        "key": attempt.key_hint,
        "do": "read from" if attempt.name else "list",
        "skew": _skew(answer),
        "status": answer.status,
    }
    why = _WHY.get(code, f"{attempt.target.endpoint} answered HTTP {answer.status} {code}").format(**texts)
    if code not in _WHY and found.get("Message"):
        why += f" ({safe(found['Message'])})"
    remedy = _REMEDY.get(code, _FALLBACK_REMEDY)
    if found.get("Endpoint") or found.get("Region"):
        remedy += f"; the store names {safe(found.get('Endpoint') or found['Region'])}"
    shown = f"{why} ({code})" if code in _WHY and code != "NotS3" else why
    return ObjectStoreError(attempt.tried, shown, remedy, code=code, status=answer.status)


def _skew(answer: HttpAnswer) -> str:
    """How far this machine's clock is from the store's, by the refusal's Date header."""
    store = http_date(answer.headers.get("date"))
    if store is None:
        return "too far from"
    offset = time.time() - store
    return f"{duration_text(abs(offset))} {'ahead of' if offset > 0 else 'behind'}"


def unreachable(attempt: Attempt, why: str) -> ObjectStoreError:
    """No answer at all."""
    return ObjectStoreError(
        attempt.tried,
        f"{attempt.target.endpoint} cannot be reached: {safe(why)}",
        "check the network, HTTPS_PROXY and the endpoint; it is tried again by itself",
        code="Unreachable",
    )


def malformed(attempt: Attempt, why: str) -> ObjectStoreError:
    """An answer with status 200 that is not a listing."""
    return ObjectStoreError(
        attempt.tried,
        f"{attempt.target.endpoint} sent a listing that cannot be read: {safe(why)}",
        _REMEDY["NotS3"],
        code="NotS3",
        status=200,
    )


def not_whole(attempt: Attempt, why: str) -> ObjectStoreError:
    """An object that was to be read from its beginning to its end, and was not."""
    return ObjectStoreError(attempt.tried, why, "look at the object itself", code="NotWhole")


def bad_endpoint(target: BucketTarget, why: str, remedy: str) -> ObjectStoreError:
    """The profile's endpoint can never work."""
    return ObjectStoreError(
        f"listing bucket {target.bucket}", f"endpoint {safe(target.endpoint)}: {why}", remedy, code="Endpoint"
    )
