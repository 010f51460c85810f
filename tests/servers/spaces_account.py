"""A Spaces account: the stateful keys API over two real Ceph gateways, one a region.

A full-access key is one of the account's own user in each region; a limited one is a user of its own in each,
to whom bucket policies give what its grants say. The gateways obey at once.
"""

from collections.abc import Iterable, Sequence

from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from walconsole.sandbox.keys import Grant, Key, KeyStore


class AccountKeys(KeyStore):
    """sandbox.keys.KeyStore whose keys work at `gateways`, which all belong to one account."""

    def __init__(self, gateways: Sequence[RadosGateway]) -> None:
        super().__init__()
        self._gateways = tuple(gateways)

    def create(self, name: str, grants: Iterable[Grant]) -> Key:
        """See KeyStore; returns when every gateway knows the key."""
        key = super().create(name, grants)
        for gateway in self._gateways:
            if key.full_access:
                gateway.add_admin_key(_keys(key, gateway))
            else:
                gateway.add_user(_keys(key, gateway))
        self._spread((), key)
        return key

    def replace(self, key: Key, name: str, grants: Iterable[Grant]) -> None:
        """See KeyStore."""
        before = key.grants
        super().replace(key, name, grants)
        self._spread(before, key)

    def delete(self, key: Key) -> None:
        """See KeyStore."""
        super().delete(key)
        for gateway in self._gateways:
            if key.full_access:
                gateway.remove_admin_key(_keys(key, gateway))
            else:
                gateway.remove_user(_keys(key, gateway))

    def _spread(self, before: Iterable[Grant], key: Key) -> None:
        """Each gateway has the buckets of its own region alone."""
        if key.full_access:
            return
        kept = {grant.bucket for grant in key.grants}
        for gateway in self._gateways:
            there = gateway.bucket_names()
            keys = _keys(key, gateway)
            for grant in before:
                if grant.bucket in there and grant.bucket not in kept:
                    gateway.revoke(grant.bucket, keys)
            for grant in key.grants:
                if grant.bucket in there and grant.permission in ("read", "readwrite"):
                    gateway.grant(grant.bucket, keys, "read" if grant.permission == "read" else "readwrite")


def _keys(key: Key, gateway: RadosGateway) -> S3Keys:
    user = gateway.admin.user if key.full_access else f"key-{key.access_key}"
    return S3Keys(user, key.access_key, key.secret)
