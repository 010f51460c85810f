"""What a refused or failed S3 call means, and what the operator does about it."""

import re
import time

from walconsole.adapters.s3.answers import unescaped
from walconsole.adapters.s3.wire import HttpAnswer
from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import (
    BAD_ENDPOINT,
    NOT_S3,
    NOT_WHOLE,
    UNREACHABLE,
    Meaning,
    code_for_status,
    meaning_of,
)
from walconsole.domain.store.http_date import http_date
from walconsole.domain.store.vendors import vendor_of
from walconsole.domain.units import duration_text
from walconsole.errors import ObjectStoreError

_NAME_SHOWN = 60
_ELEMENT = re.compile(r"<(Code|Message|Region|Endpoint)>\s*([^<]{0,300})\s*</\1>")

_SAYS: dict[Meaning, tuple[str, str]] = {
    Meaning.ABSENT_BUCKET: (
        "no bucket {bucket} at {endpoint}",
        "create the bucket, or correct its name or endpoint in the profile",
    ),
    Meaning.ABSENT_OBJECT: (
        "it is not in bucket {bucket} any more",
        "it was deleted since it was listed; list the bucket again",
    ),
    Meaning.NO_PERMISSION: (
        "key {key} may not {do} bucket {bucket}",
        "give the key a grant on the bucket (read is enough here, readwrite to archive)",
    ),
    Meaning.KEY_UNKNOWN: (
        "{endpoint} knows no key {key}",
        "the key was deleted, is not active yet, or is another store's; check its source",
    ),
    Meaning.SIGNATURE_WRONG: (
        "the secret does not belong to key {key}",
        "the secret was mistyped or replaced; put the right one beside the key",
    ),
    Meaning.CREDENTIALS_BAD: (
        "key {key} has expired, or is not written as a key is",
        "check the key and its secret where they come from; make a new one where it has expired",
    ),
    Meaning.CLOCK_SKEW: ("this machine's clock is {skew} {endpoint}'s", "set this machine's clock (NTP)"),
    Meaning.ACCOUNT: (
        "{endpoint} serves the account no more: a quota, a cap or a bill",
        "look at the account's limits and bills at the store",
    ),
    Meaning.NAME_INVALID: (
        "{bucket} is no name that a bucket can have",
        "correct the bucket's name in the profile",
    ),
    Meaning.THROTTLED: ("{endpoint} asks for fewer requests", "it is asked again, more slowly"),
    Meaning.NOT_S3: (
        "{endpoint} does not answer as S3 does (HTTP {status})",
        "correct the endpoint in the profile (scheme, host, port; no bucket name in it)",
    ),
}
"""Why, and what to do; other answers are told as the store wrote them."""
_MOVED = "bucket {bucket} is not in the region of {endpoint}"
_SIGNED_FOR_ANOTHER = "{endpoint} signs for another region than {region}"
_REGION_REMEDIES = {
    301: (_MOVED, "set the bucket's own region as its endpoint in the profile"),
    307: (_MOVED, "wait, a new bucket's name takes time to spread; else correct its endpoint"),
}
"""By the status: a redirection is of the bucket, anything else of the signature."""
_OF_THE_REGION = (_SIGNED_FOR_ANOTHER, "correct the region in the profile")
_FALLBACK_REMEDY = "try again; if it stays, look at the store's status page"


@record
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
    found = _elements(answer)
    code = found.get("Code", "") or code_for_status(answer.status)
    message = found.get("Message", "")
    target = attempt.target
    texts = {
        "bucket": target.bucket,
        "endpoint": target.endpoint,
        "region": target.signing_region,
        "key": attempt.key_hint,
        "do": "read from" if attempt.name else "list",
        "skew": _skew(answer),
        "status": answer.status,
    }
    meaning = meaning_of(code, answer.status, message)
    says = _says(meaning, answer.status)
    own = f"{code}: {message}" if message and code != message else code
    if says is None:
        why, remedy = f"{target.endpoint} answered HTTP {answer.status} {own}", _FALLBACK_REMEDY
    else:
        why, remedy = says[0].format(**texts), says[1]
        why = why if meaning is Meaning.NOT_S3 else f"{why} ({own})"
    named = found.get("Endpoint") or found.get("Region")
    if named:
        remedy += f"; the store names {named}"
    elif meaning is Meaning.WRONG_REGION and (vendor := vendor_of(target.endpoint)) is not None:
        remedy += f"; {vendor.name} signs for {vendor.region}"
    return ObjectStoreError(attempt.tried, why, remedy, code=code, status=answer.status)


def asks_for_less(answer: HttpAnswer) -> bool:
    """Whether a refusal asks for fewer requests; Spaces says it by a 503, with a code or with none."""
    found = _elements(answer) if answer.status >= 400 else {}
    code, message = found.get("Code", ""), found.get("Message", "")
    return answer.status in (429, 503) or meaning_of(code, said=message) is Meaning.THROTTLED


def _elements(answer: HttpAnswer) -> dict[str, str]:
    head = answer.body[:8192].decode("utf-8", "replace")
    return {name: safe(unescaped(text)).strip() for name, text in _ELEMENT.findall(head)}


def _says(meaning: Meaning, status: int) -> tuple[str, str] | None:
    if meaning is Meaning.WRONG_REGION:
        return _REGION_REMEDIES.get(status, _OF_THE_REGION)
    return _SAYS.get(meaning)


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
        code=UNREACHABLE,
    )


def malformed(attempt: Attempt, why: str) -> ObjectStoreError:
    """An answer with status 200 that is not a listing."""
    return ObjectStoreError(
        attempt.tried,
        f"{attempt.target.endpoint} sent a listing that cannot be read: {safe(why)}",
        _SAYS[Meaning.NOT_S3][1],
        code=NOT_S3,
        status=200,
    )


def not_whole(attempt: Attempt, why: str) -> ObjectStoreError:
    """An object that was to be read from its beginning to its end, and was not."""
    return ObjectStoreError(attempt.tried, why, "look at the object itself", code=NOT_WHOLE)


def bad_endpoint(target: BucketTarget, why: str, remedy: str) -> ObjectStoreError:
    """The profile's endpoint can never work."""
    return ObjectStoreError(
        f"listing bucket {target.bucket}",
        f"endpoint {safe(target.endpoint)}: {why}",
        remedy,
        code=BAD_ENDPOINT,
    )
