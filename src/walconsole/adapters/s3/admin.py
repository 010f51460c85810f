"""ports.BucketAdmin on boto3: rare calls by one key that was given, never read from the environment."""

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from hashlib import md5
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from urllib3.exceptions import HTTPError

from walconsole.adapters.s3.bounded import NotS3Error, RedirectedError, bound_answers, in_a_thread
from walconsole.command_register import Telling, untold
from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import NOT_S3, UNREACHABLE, Meaning, meaning_of
from walconsole.domain.store.vendors import AWS, FIRST_REGION, vendor_of
from walconsole.domain.units import plural
from walconsole.errors import ObjectStoreError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
LONGEST_CALL_S = 45.0
"""For all of a call, its second attempt too; the others are for each part that arrives."""
BODY_LIMIT = 4 * 1024 * 1024
"""An account's buckets are a hundred, and an object that is read here is a probe or a settings file."""
_SHOWN = 300
ABORTED_TRIES = 5
LONGEST_APPEARANCE_S = 30.0
"""How long a bucket that was made may take to be found."""
_PAUSE_S = 0.5
_KEPT_NAME = "Spaces keeps such a name for about a week"
_LOOK_AGAIN = "look whether it was written, and what deletes it"
_NO_BUCKET = frozenset({Meaning.ABSENT_BUCKET, Meaning.ABSENT})

_REMEDIES: dict[Meaning, tuple[str, str]] = {
    Meaning.NAME_TAKEN: (
        f"the name is taken: by another account, or by a bucket that is being destroyed ({_KEPT_NAME})",
        "choose another name in the profile",
    ),
    Meaning.NAME_INVALID: (
        "no bucket may have this name",
        "choose one of 3 to 63 lower-case letters, digits and dashes",
    ),
    Meaning.CONFLICT: (
        "another change to this name is under way: somebody makes it, or a bucket of it is being destroyed"
        f" ({_KEPT_NAME})",
        "run this step again in a while, or choose another name in the profile",
    ),
    Meaning.ACCOUNT: (
        "the store serves the account no more: a quota, a cap or a bill",
        "look at the account's limits and bills at the store",
    ),
    Meaning.TOO_MANY_BUCKETS: (
        "the account has as many buckets as it may (100 on Spaces)",
        "delete one that is not needed, or ask the store for more",
    ),
    Meaning.KEY_UNKNOWN: ("the store knows no such key (yet)", "a new key takes up to a minute to work"),
    Meaning.SIGNATURE_WRONG: ("the secret does not belong to the key", "make a new key"),
    Meaning.CREDENTIALS_BAD: ("the key has expired, or is not written as a key is", "make a new key"),
    Meaning.NO_PERMISSION: ("the key may not do this", "it takes a full-access key"),
    Meaning.CLOCK_SKEW: ("this machine's clock differs from the store's", "set the clock (NTP)"),
    Meaning.ABSENT_BUCKET: ("there is no such bucket", "create it"),
    Meaning.ABSENT_OBJECT: ("there is no such object", _LOOK_AGAIN),
    Meaning.ABSENT: ("there is no such object, or no such bucket", _LOOK_AGAIN),
    Meaning.REFUSED: ("it is there, and this key may not look at it", "give the key a grant on the bucket"),
    Meaning.WRONG_REGION: (
        "the bucket is in another region, or the signature names another one",
        "correct the endpoint and the region in the profile",
    ),
}
_NETWORK = "check the network and the endpoint"
_ELSE = "run this step again; if it stays so, look at the store's status page"

T = TypeVar("T")


class SpacesAdmin:
    """The region of `target`, by `pair`. Each call runs in a thread of its own.

    `telling` is told of each request.
    """

    def __init__(self, target: BucketTarget, pair: KeyPair, telling: Telling = untold) -> None:
        self._target = target
        self._hint = pair.hint
        self._client: S3Client = _client(target, pair, telling)

    async def buckets(self) -> tuple[str, ...]:
        """See ports.BucketAdmin."""
        tried = f"listing the buckets at {self._target.endpoint}"
        answer = await self._call(tried, lambda: self._client.list_buckets())
        if "Buckets" not in answer:
            raise _not_s3(tried, "it answered with something else than a list of buckets")
        return tuple(str(bucket.get("Name", "")) for bucket in answer.get("Buckets", []))

    async def head(self, bucket: str) -> None:
        """See ports.BucketAdmin."""
        await self._call(self._about("looking at", bucket), lambda: self._client.head_bucket(Bucket=bucket))

    async def create(self, bucket: str) -> None:
        """See ports.BucketAdmin. Another change to the same name under way is waited for."""
        tried, place = self._about("creating", bucket), placed(self._target)
        for attempt in range(1, ABORTED_TRIES + 1):
            try:
                await self._call(tried, partial(self._client.create_bucket, Bucket=bucket, **place))
                break
            except ObjectStoreError as error:
                if error.meaning is Meaning.OWNED_ALREADY:
                    break
                if error.meaning is not Meaning.CONFLICT or attempt == ABORTED_TRIES:
                    raise
            await asyncio.sleep(_PAUSE_S * attempt)
        await self._until_found(bucket)

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """See ports.BucketAdmin."""
        tried = self._about(f"writing {safe(key)} to", bucket)
        await self._call(tried, lambda: self._client.put_object(Bucket=bucket, Key=key, Body=body))

    async def stat(self, bucket: str, key: str) -> None:
        """See ports.BucketAdmin."""
        tried = self._about(f"looking at {safe(key)} in", bucket)
        await self._call(tried, lambda: self._client.head_object(Bucket=bucket, Key=key))

    async def get(self, bucket: str, key: str) -> bytes:
        """See ports.BucketAdmin."""

        def read() -> bytes:
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

        return await self._call(self._about(f"reading {safe(key)} from", bucket), read)

    async def remove(self, bucket: str, key: str) -> None:
        """See ports.BucketAdmin."""
        tried = self._about(f"deleting {safe(key)} from", bucket)
        await self._call(tried, lambda: self._client.delete_object(Bucket=bucket, Key=key))

    async def erase(self, bucket: str, keys: Sequence[str]) -> Mapping[str, str]:
        """See ports.BucketAdmin. The answer tells of each key."""
        tried = self._about(f"deleting {plural(len(keys), 'object')} from", bucket)
        wanted: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": False}
        answer: Any = await self._call(
            tried, lambda: self._client.delete_objects(Bucket=bucket, Delete=wanted)
        )
        gone = {str(each.get("Key", "")) for each in answer.get("Deleted", ())}
        refused = {str(each.get("Key", "")): _said(each) for each in answer.get("Errors", ())}
        missing = {key: "the answer does not say that it is deleted" for key in keys if key not in gone}
        return missing | {key: why for key, why in refused.items() if key in keys}

    async def close(self) -> None:
        """See ports.BucketAdmin."""
        await asyncio.to_thread(self._client.close)

    async def _until_found(self, bucket: str) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_APPEARANCE_S
        while True:
            try:
                return await self.head(bucket)
            except ObjectStoreError as error:
                if error.meaning not in _NO_BUCKET:
                    raise
                if loop.time() > until:
                    why = f"it was made, and is not found yet after {LONGEST_APPEARANCE_S:g} s"
                    raise ObjectStoreError(
                        self._about("looking at", bucket), why, _ELSE, code=error.code, status=error.status
                    ) from None
            await asyncio.sleep(_PAUSE_S)

    def _about(self, doing: str, bucket: str) -> str:
        return f"{doing} bucket {bucket} at {self._target.endpoint} with key {self._hint}"

    async def _call(self, tried: str, call: Callable[[], T]) -> T:
        try:
            return await in_a_thread(lambda: _translated(tried, call), LONGEST_CALL_S)
        except TimeoutError:
            why = f"no complete answer within {LONGEST_CALL_S:g} s"
            raise ObjectStoreError(tried, why, _NETWORK, code=UNREACHABLE) from None


def placed(target: BucketTarget) -> dict[str, Any]:
    """What a CreateBucket says of the region: for Amazon S3 alone, whose first region must not be named.

    Elsewhere the endpoint decides; Ceph refuses a name that is not its zone group's.
    """
    if vendor_of(target.endpoint) is not AWS or target.signing_region == FIRST_REGION:
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": target.signing_region}}


def _translated(tried: str, call: Callable[[], T]) -> T:
    """What the call returns. Raises ObjectStoreError, without botocore's own behind it, which has more."""
    try:
        return call()
    except ClientError as error:
        raise _refused(tried, error) from None
    except (NotS3Error, RedirectedError) as error:
        raise _not_s3(tried, str(error)) from None
    except (BotoCoreError, HTTPError, HTTPException, OSError) as error:
        why = f"no answer: {safe(str(error))[:_SHOWN]}"
        raise ObjectStoreError(tried, why, _NETWORK, code=UNREACHABLE) from None


def _said(error: Mapping[str, Any]) -> str:
    """`AccessDenied: why`, of one key's error."""
    told = (safe(str(error.get(name) or ""))[:_SHOWN] for name in ("Code", "Message"))
    return ": ".join(dict.fromkeys(text for text in told if text)) or "it was not deleted"


def _with_md5(request: "AWSRequest", **_: Any) -> None:
    """What stores asked for before there were other checksums, and all still take (S3's DeleteObjects)."""
    for name in ("x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"):
        del request.headers[name]
    body: Any = request.body
    digest = md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = b64encode(digest).decode("ascii")


def _not_s3(tried: str, why: str) -> ObjectStoreError:
    remedy = "correct the endpoint and the region in the profile, or log in to the network that you are in"
    return ObjectStoreError(tried, why, remedy, code=NOT_S3)


def _refused(tried: str, error: ClientError) -> ObjectStoreError:
    answer: Any = error.response
    code = safe(str(answer.get("Error", {}).get("Code", "")))[:_SHOWN]
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = safe(str(answer.get("Error", {}).get("Message", "")))[:_SHOWN]
    meaning = meaning_of(code, status, message)
    if meaning is Meaning.ABSENT and error.operation_name == "HeadBucket":
        meaning = Meaning.ABSENT_BUCKET
    named = bool(code) and not code.isdigit()
    own = ": ".join(dict.fromkeys(text for text in (code if named else "", message) if text))
    words, remedy = _REMEDIES.get(meaning, ("", _ELSE))
    if not words:
        words = f"the store answered HTTP {status} {own}".strip()
    elif named:
        words = f"{words} ({own})"
    return ObjectStoreError(tried, words, remedy, code=code, status=status)


_NOBODYS: dict[str, Any] = {
    name: (in_file, None, default, made)
    for name, (in_file, _, default, made) in botocore.session.Session.SESSION_VARIABLES.items()
} | {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""What botocore lets the environment say, without the environment; in no file of the operator's either."""


@cache
def _loader() -> Loader:
    """S3's description, read once: it is most of what a client costs. It holds nothing of a key."""
    return create_loader()


def _client(target: BucketTarget, pair: KeyPair, telling: Telling) -> "S3Client":
    """A session of its own: what the environment says of AWS is not looked at, be it nonsense or not."""
    core = botocore.session.Session(_NOBODYS)
    core.register_component("data_loader", _loader())
    session = boto3.session.Session(
        aws_access_key_id=pair.access_key,
        aws_secret_access_key=pair.secret,
        region_name=target.signing_region,
        botocore_session=core,
    )
    config = Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "path" if target.path_style else "virtual",
            "us_east_1_regional_endpoint": "regional",  # else a variable says
        },
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 2, "mode": "standard"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = session.client("s3", endpoint_url=target.endpoint, config=config, verify=target.ca_file or None)
    bound_answers(client, BODY_LIMIT, telling)
    client.meta.events.register("before-sign.s3.DeleteObjects", _with_md5)
    return client
