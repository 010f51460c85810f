"""Every request is signed for the bucket's own region; Spaces has one for all (its S3 documentation)."""

import asyncio
import re

import pytest

from tests.integration.scripted_store import GOOD, SECRET, FixedKeys, Script, answer
from walconsole.adapters.s3.admin import SpacesAdmin, placed
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair

EMPTY = answer("200 OK")
BUCKETS = answer(
    "200 OK",
    b"<ListAllMyBucketsResult><Buckets><Bucket><Name>a</Name></Bucket></Buckets></ListAllMyBucketsResult>",
)


def target(endpoint: str, region: str) -> BucketTarget:
    keys = KeyReference(KeySource.ENVIRONMENT)
    return BucketTarget(BucketRole.PRIMARY, "shithub-wal", region, endpoint, keys, path_style=True)


def scopes(script: Script) -> list[str]:
    """The region of each request's signature."""
    return [
        match[1].decode()
        for request in script.requests
        if (match := re.search(rb"Credential=[^/]+/\d{8}/([^/]+)/s3/aws4_request", request))
    ]


@pytest.mark.parametrize(("region", "signed_for"), [("eu-central-1", "eu-central-1"), ("", "us-east-1")])
async def test_the_listing_and_the_rare_calls_sign_for_the_buckets_region(
    region: str, signed_for: str
) -> None:
    script = Script([GOOD, EMPTY, EMPTY, EMPTY, EMPTY, BUCKETS])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    there = target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", region)
    store = SpacesStore(there, FixedKeys(), environ={})
    admin = SpacesAdmin(there, KeyPair("DO00ABCDEFGH", SECRET))
    try:
        await store.page()
        await admin.head("shithub-wal")
        await admin.put("shithub-wal", "probe", b"")
        await admin.create("shithub-wal")  # and the HEAD that finds it
        await admin.buckets()
    finally:
        await admin.close()
        await store.close()
        server.close()
    assert scopes(script) == [signed_for] * 6
    assert not any(b"LocationConstraint" in request for request in script.requests)


@pytest.mark.parametrize(
    ("endpoint", "region", "signed_for"),
    [
        ("https://nyc3.digitaloceanspaces.com", "nyc3", "us-east-1"),
        ("https://NYC3.DigitalOceanSpaces.com:443/", "nyc3", "us-east-1"),
        ("https://digitaloceanspaces.com.example.net", "nyc3", "nyc3"),
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1", "eu-central-1"),
        ("https://0123.r2.cloudflarestorage.com", "weur", "auto"),
        ("http://[::1", "fra1", "fra1"),
    ],
)
def test_whose_region_it_is(endpoint: str, region: str, signed_for: str) -> None:
    assert target(endpoint, region).signing_region == signed_for


@pytest.mark.parametrize(
    ("endpoint", "region", "named"),
    [
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1", "eu-central-1"),
        ("https://s3.us-east-1.amazonaws.com", "us-east-1", ""),
        ("https://nyc3.digitaloceanspaces.com", "nyc3", ""),
        ("http://127.0.0.1:7480", "fra1", ""),
    ],
)
def test_where_a_bucket_is_made_is_told_to_amazon_alone(endpoint: str, region: str, named: str) -> None:
    told = {"CreateBucketConfiguration": {"LocationConstraint": named}} if named else {}
    assert placed(target(endpoint, region)) == told
