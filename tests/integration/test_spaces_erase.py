"""Deleting many objects by one request: the answer for each key, on real servers and on one that lies."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.integration.scripted_store import answer
from tests.integration.test_spaces_admin_hostile import Hostile, served, target
from tests.servers.rclone import RcloneS3
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.answers import Meaning
from walconsole.errors import ObjectStoreError

pytestmark = pytest.mark.server

ODD = ("a & <b>", 'quo"te', "ü/ñ", "plus+and space", "%41", "base/20261129T031000Z/backup.json")


@asynccontextmanager
async def admin_of(endpoint: str, keys: S3Keys) -> AsyncIterator[SpacesAdmin]:
    reference = KeyReference(KeySource.ENVIRONMENT)
    region = BucketTarget(BucketRole.PRIMARY, "unused", "nyc3", endpoint, reference, path_style=True)
    admin = SpacesAdmin(region, KeyPair(keys.access_key, keys.secret_key))
    try:
        yield admin
    finally:
        await admin.close()


@pytest.mark.long
async def test_a_thousand_and_odd_names_by_one_request_each(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    keys = rgw.limited_user({bucket: "readwrite"})
    client = rgw.client(keys)
    many = [f"{number:024X}.zst" for number in range(994)]
    for key in (*many, *ODD, "stays"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    async with admin_of(rgw.endpoint, keys) as admin:
        assert await admin.erase(bucket, [*many, *ODD]) == {}
        assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["stays"]
        assert await admin.erase(bucket, ["never was"]) == {}


async def test_a_key_that_may_only_read_deletes_nothing(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    rgw.client().put_object(Bucket=bucket, Key="a", Body=b"")
    keys = rgw.limited_user({bucket: "read"})
    async with admin_of(rgw.endpoint, keys) as admin:
        for name, meaning in ((bucket, Meaning.NO_PERMISSION), ("no-such-bucket", Meaning.ABSENT_BUCKET)):
            with pytest.raises(ObjectStoreError) as caught:
                await admin.erase(name, ["a"])
            assert caught.value.meaning is meaning
    rgw.client().head_object(Bucket=bucket, Key="a")


async def test_another_server_takes_it_too(rclone_s3: RcloneS3) -> None:
    bucket = rclone_s3.bucket("erased")
    for key in ("one", "base/two", "stays"):
        rclone_s3.client().put_object(Bucket=bucket, Key=key, Body=b"1")
    async with admin_of(rclone_s3.endpoint, rclone_s3.keys) as admin:
        assert await admin.erase(bucket, ["one", "base/two"]) == {}
    assert [each.name for each in (rclone_s3.buckets / bucket).iterdir() if each.is_file()] == ["stays"]


LIES: list[tuple[str, Sequence[str]]] = [
    ("", ("a: the answer does not say that it is deleted", "b: the answer does not say that it is deleted")),
    ("<Deleted><Key>a</Key></Deleted>", ("b: the answer does not say that it is deleted",)),
    (
        "<Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>SlowDown</Code><Message>less</Message></Error>",
        ("b: SlowDown: less",),
    ),
    (
        "<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted><Error><Key>a</Key></Error>",
        ("a: it was not deleted",),
    ),
    ("<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted><Error><Key>c</Key></Error>", ()),
]


@pytest.mark.parametrize(("told", "expected"), LIES)
async def test_what_the_answer_does_not_say_is_not_believed(told: str, expected: Sequence[str]) -> None:
    body = f"<?xml version='1.0'?><DeleteResult>{told}</DeleteResult>".encode()
    async with served(Hostile(answer("200 OK", body))) as hostile:
        admin = SpacesAdmin(target(hostile.port), KeyPair("DO00ABCDEFGH", "secret"))
        refused = await admin.erase("shithub-wal", ["a", "b"])
        await admin.close()
    assert sorted(f"{key}: {why}" for key, why in refused.items()) == list(expected)
