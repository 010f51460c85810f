"""The account's keys are the gateways' own, and the buckets made, probed and granted by them are real."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from tests.servers.rgw import RadosGateway
from tests.servers.spaces_account import SpacesAccount
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.command_register import CommandRegister, Telling, telling_of_requests, untold
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import ObjectStoreError
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Grant, Key

pytestmark = pytest.mark.server


@pytest.fixture
def account(rgw: RadosGateway) -> Iterator[SpacesAccount]:
    with SpacesAccount([rgw]) as account:
        yield account


def admin(rgw: RadosGateway, key: Key, telling: Telling = untold) -> SpacesAdmin:
    keys = KeyReference(KeySource.ENVIRONMENT)
    target = BucketTarget(BucketRole.PRIMARY, "unused", "nyc3", rgw.endpoint, keys, path_style=True)
    return SpacesAdmin(target, KeyPair(key.access_key, key.secret), telling)


async def refusal(rgw: RadosGateway, key: Key, bucket: str) -> str:
    """S3's code for a HEAD that must fail; it tells no secret."""
    by = admin(rgw, key)
    with pytest.raises(ObjectStoreError) as refused:
        await by.head(bucket)
    await by.close()
    assert key.secret not in f"{refused.value!r} {refused.value.line()} {by!r}"
    return refused.value.code


async def test_a_key_works_as_long_as_it_is_there(rgw: RadosGateway, account: SpacesAccount) -> None:
    bucket = f"wal-{secrets.token_hex(4)}"
    full = account.create("temporary", [FULL_ACCESS_GRANT])
    limited = account.create("app", [Grant(bucket, "read")])
    assert await refusal(rgw, full, bucket) == "404"
    by = admin(rgw, full)
    await by.create(bucket)
    await by.create(bucket)
    assert bucket in await by.buckets()
    account.replace(limited, "app", [Grant(bucket, "readwrite")])
    account.delete(full)
    with pytest.raises(ObjectStoreError) as refused:
        await by.buckets()
    assert refused.value.code == "InvalidAccessKeyId"
    await by.close()
    mine = admin(rgw, limited)
    await mine.put(bucket, "a/key", b"bytes")
    assert await mine.get(bucket, "a/key") == b"bytes"
    account.replace(limited, "app", [Grant(bucket, "read")])
    with pytest.raises(ObjectStoreError) as readonly:
        await mine.remove(bucket, "a/key")
    assert readonly.value.code == "AccessDenied"
    account.replace(limited, "app", [])
    assert await refusal(rgw, limited, bucket) == "403"
    await mine.close()


async def test_what_boto3_asks_is_told(rgw: RadosGateway, account: SpacesAccount) -> None:
    register, bucket = CommandRegister(), f"wal-{secrets.token_hex(4)}"
    full = account.create("temporary", [FULL_ACCESS_GRANT])
    by = admin(rgw, full, telling_of_requests(register, lambda: 1.0))
    await by.create(bucket)
    await by.put(bucket, "a/key", b"bytes")
    await by.remove(bucket, "a/key")
    account.delete(full)
    with pytest.raises(ObjectStoreError):
        await by.stat(bucket, "a/key")
    await by.close()
    told = [(entry.text, entry.status, entry.failed) for entry in reversed(register.entries())]
    assert told == [
        (f"PUT /{bucket}", 200, False),
        (f"HEAD /{bucket}", 200, False),
        (f"PUT /{bucket}/a/key", 200, False),
        (f"DELETE /{bucket}/a/key", 204, False),
        (f"HEAD /{bucket}/a/key", 403, True),
    ]
    assert {entry.where for entry in register.entries()} == {rgw.endpoint.removeprefix("http://")}
    assert full.secret not in repr(register.entries())


@pytest.mark.parametrize("by_another", [True, False])
async def test_names_that_cannot_be_had(rgw: RadosGateway, account: SpacesAccount, by_another: bool) -> None:
    full = admin(rgw, account.create("temporary", [FULL_ACCESS_GRANT]))
    name = f"taken-{secrets.token_hex(4)}" if by_another else "no"
    if by_another:
        rgw.client(rgw.full_user()).create_bucket(Bucket=name)
    with pytest.raises(ObjectStoreError) as refused:
        await full.create(name)
    assert refused.value.code == ("BucketAlreadyExists" if by_another else "InvalidBucketName")
    assert refused.value.remedy
    await full.close()


async def test_keys_and_grants_take_a_while_and_buckets_made_later_count(rgw: RadosGateway) -> None:
    bucket = f"later-{secrets.token_hex(4)}"
    with SpacesAccount([rgw], activation_s=0.5) as account:
        key = account.create("app", [Grant(bucket, "readwrite")])
        assert await refusal(rgw, key, bucket) == "403"
        rgw.bucket(bucket)
        by = admin(rgw, key)
        await until(by, bucket, answered=True)
        account.replace(key, "app", [])
        await by.head(bucket)
        await until(by, bucket, answered=False)
        await by.close()


async def until(by: SpacesAdmin, bucket: str, *, answered: bool) -> None:
    for _ in range(300):
        try:
            await by.head(bucket)
            now = True
        except ObjectStoreError:
            now = False
        if now == answered:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"HEAD {bucket} is {'not ' if answered else ''}answered after 15 s")
