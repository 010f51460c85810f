"""A Spaces account: the keys of the stateful keys API are real credentials of real Ceph RGWs.

A full-access key is one more pair of the gateway's `admin`; a limited key is a user of its own, which each
bucket's policy names. A secret stands in radosgw-admin's arguments for a moment: who looks for secrets on
this machine leaves that program out.
"""

import http.client
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.rgw import RadosGateway
from tests.servers.s3 import Permission, S3Keys, bucket_policy
from walconsole.sandbox.keys_api.keys import Grant, Key, KeyStore

_TICK_S = 0.2
_TICKS_A_LOOK = 5
"""Where a bucket has its policy it is looked at in one of so many ticks, for it may be made anew."""


class SpacesAccount(KeyStore):
    """KeyStore for KeysApi whose every change is made at each of `gateways` too.

    With `activation_s` 0 a key or grant works when the call returns, else so many seconds later. Deleting
    works at once, always. A grant on a bucket that is made later works within a quarter of a second of it, on
    one that is deleted and made anew within about a second.
    `with account:` ends with all its keys taken away from the gateways.
    """

    def __init__(self, gateways: Sequence[RadosGateway], *, activation_s: float = 0.0) -> None:
        super().__init__(activation_s=activation_s)
        self._gateways = tuple(gateways)
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._known: set[str] = set()
        """Access keys that the gateways know."""
        self._looks = tuple(_PolicyLook(gateway) for gateway in self._gateways)
        self._named: dict[tuple[int, str], str] = {}
        """The policy that was put last, by gateway and bucket."""
        self._thread = threading.Thread(target=self._follow, name="spaces account", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for key in self:
            self.delete(key)
        for look in self._looks:
            look.close()

    def create(self, name: str, grants: Iterable[Grant]) -> Key:
        """See KeyStore.create."""
        with self._lock:
            key = super().create(name, grants)
            self._apply()
            return key

    def replace(self, key: Key, name: str, grants: Iterable[Grant]) -> None:
        """See KeyStore.replace."""
        with self._lock:
            super().replace(key, name, grants)
            self._apply()

    def delete(self, key: Key) -> None:
        """See KeyStore.delete."""
        with self._lock:
            super().delete(key)
            self._apply()
            if key.access_key in self._known:
                self._known.discard(key.access_key)
                for gateway in self._gateways:
                    _take_pair(gateway, key)

    def _follow(self) -> None:
        for tick in itertools.count(1):
            if self._ended.wait(_TICK_S):
                return
            with self._lock:
                self._apply(again=True, anew=tick % _TICKS_A_LOOK == 0)

    def _apply(self, *, again: bool = False, anew: bool = False) -> None:
        """Make the gateways know what is due.

        `again`: look whether a bucket is there now; `anew`: also whether one that was is another by now.
        """
        active = [key for key in self if self.active(key.access_key)]
        for key in active:
            if key.access_key not in self._known:
                for gateway in self._gateways:
                    _give_pair(gateway, key)
                self._known.add(key.access_key)
        for at, gateway in enumerate(self._gateways):
            wanted = _policies(active, self.now())
            buckets = {bucket for where, bucket in self._named if where == at}
            for bucket in sorted(wanted.keys() | buckets):
                looks = again and (anew or (at, bucket) not in self._named)
                self._put(at, gateway, bucket, wanted.get(bucket, []), again=looks)

    def _put(
        self,
        at: int,
        gateway: RadosGateway,
        bucket: str,
        grants: list[tuple[S3Keys, Permission]],
        *,
        again: bool,
    ) -> None:
        policy = bucket_policy(bucket, grants) if grants else ""
        client = gateway.client()
        seen = self._looks[at].at(bucket) if again else _Seen.POLICY
        if seen is _Seen.NOTHING:
            self._named.pop((at, bucket), None)
            return
        if self._named.get((at, bucket)) == policy and seen is _Seen.POLICY:
            return
        if policy:
            put = _quietly(lambda: client.put_bucket_policy(Bucket=bucket, Policy=policy))
        else:
            put = _quietly(lambda: client.delete_bucket_policy(Bucket=bucket))
        if put and policy:
            self._named[at, bucket] = policy
        else:
            self._named.pop((at, bucket), None)


class _Seen(Enum):
    """What there is of a bucket."""

    NOTHING = auto()
    """No bucket, or no gateway that answers."""
    BARE = auto()
    """A bucket without a policy: it was made since one was put."""
    POLICY = auto()


class _PolicyLook:
    """Asks one gateway for buckets' policies, five times a second all day: by bare HTTP, signed once."""

    def __init__(self, gateway: RadosGateway) -> None:
        self._gateway = gateway
        self._paths: dict[str, str] = {}
        self._connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=2)

    def at(self, bucket: str) -> _Seen:
        """What is seen there now."""
        try:
            self._connection.request("GET", self._path(bucket))
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return _Seen.NOTHING
        if answer.status == http.client.OK:
            return _Seen.POLICY
        return _Seen.BARE if b"NoSuchBucketPolicy" in body else _Seen.NOTHING

    def close(self) -> None:
        """Its connection; it is made again where it is needed again."""
        self._connection.close()

    def _path(self, bucket: str) -> str:
        if bucket not in self._paths:
            signed = self._gateway.client().generate_presigned_url(
                "get_bucket_policy", Params={"Bucket": bucket}, ExpiresIn=7 * 86400
            )
            self._paths[bucket] = signed.removeprefix(self._gateway.endpoint)
        return self._paths[bucket]


def _policies(keys: Iterable[Key], now: float) -> dict[str, list[tuple[S3Keys, Permission]]]:
    by_bucket: dict[str, list[tuple[S3Keys, Permission]]] = {}
    for key in keys:
        for grant in key.grants_at(now):
            permission: Permission | None = (
                "readwrite"
                if grant.permission == "readwrite"
                else "read"
                if grant.permission == "read"
                else None
            )
            if permission is not None:
                by_bucket.setdefault(grant.bucket, []).append((_pair(key), permission))
    return by_bucket


def _pair(key: Key) -> S3Keys:
    return S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret)


def _give_pair(gateway: RadosGateway, key: Key) -> None:
    pair = _pair(key)
    if key.full_access:
        gateway.add_admin_key(pair)
    else:
        gateway.add_user(pair)


def _take_pair(gateway: RadosGateway, key: Key) -> None:
    pair = _pair(key)
    if key.full_access:
        gateway.remove_admin_key(pair)
    else:
        gateway.remove_user(pair)


def _quietly(call: Callable[[], object]) -> bool:
    """Whether it worked: the bucket may not be there (yet), and the gateway may be stopped by a test."""
    try:
        call()
    except (ClientError, BotoCoreError):
        return False
    return True
