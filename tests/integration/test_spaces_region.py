"""Every request is signed for the bucket's own region; Spaces has one for all (its S3 documentation)."""

import asyncio
import re

import pytest

from tests.integration.scripted_store import GOOD, SECRET, FixedKeys, Script, answer
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair

EMPTY = answer("200 OK")


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
    script = Script([GOOD, EMPTY, EMPTY])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    there = target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", region)
    store = SpacesStore(there, FixedKeys(), environ={})
    admin = SpacesAdmin(there, KeyPair("DO00ABCDEFGH", SECRET))
    try:
        await store.page()
        await admin.head("shithub-wal")
        await admin.put("shithub-wal", "probe", b"")
    finally:
        await admin.close()
        await store.close()
        server.close()
    assert scopes(script) == [signed_for] * 3


@pytest.mark.parametrize(
    ("endpoint", "region", "signed_for"),
    [
        ("https://nyc3.digitaloceanspaces.com", "nyc3", "us-east-1"),
        ("https://NYC3.DigitalOceanSpaces.com:443/", "nyc3", "us-east-1"),
        ("https://digitaloceanspaces.com.example.net", "nyc3", "nyc3"),
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1", "eu-central-1"),
        ("http://[::1", "fra1", "fra1"),
    ],
)
def test_whose_region_it_is(endpoint: str, region: str, signed_for: str) -> None:
    assert target(endpoint, region).signing_region == signed_for
