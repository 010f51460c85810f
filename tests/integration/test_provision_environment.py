"""Whatever AWS's tools are told on this machine, the S3 clients of provisioning go by the profile alone."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.ports import LOOPBACK
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair

PAIR = KeyPair("DO00PROVISIONED", "s" * 43)
REGION = "nyc3"
LISTING = b"<R><Buckets><Bucket><Name>wal</Name></Bucket></Buckets></R>"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AKIAOPERATORSOWN",
    "AWS_SECRET_ACCESS_KEY": "operators-own-secret",
    "AWS_SESSION_TOKEN": "operators-own-token",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_RETRY_MODE": "nonsense",
    "AWS_MAX_ATTEMPTS": "nonsense",
    "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_SUPPORTED",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "nonsense",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "AWS_DATA_PATH": "/nowhere",
    "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
    "AWS_DISABLE_REQUEST_COMPRESSION": "nonsense",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "nonsense",
    "AWS_SIGV4A_SIGNING_REGION_SET": "*",
    "AWS_ACCOUNT_ID": "1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "nonsense",
    "AWS_SDK_UA_APP_ID": "x" * 80,
    "BOTO_CONFIG": "/nowhere/boto.cfg",
}
FILES = """\
[default]
aws_access_key_id = AKIAOPERATORSOWN
aws_secret_access_key = operators-own-secret
region = eu-west-1
endpoint_url = http://127.0.0.1:9
s3 =
    addressing_style = virtual
    use_accelerate_endpoint = true
    payload_signing_enabled = nonsense

[profile production]
credential_process = false
use_fips_endpoint = true
"""


@pytest.fixture
async def store() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A store that answers every request with a listing of buckets: its endpoint, and what it was asked."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LISTING)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + LISTING)
        await writer.drain()
        writer.close()

    front = await asyncio.start_server(answer, LOOPBACK, 0)
    async with front:
        yield f"http://{LOOPBACK}:{front.sockets[0].getsockname()[1]}", asked


async def buckets(endpoint: str) -> tuple[str, ...]:
    keys = KeyReference(KeySource.ENVIRONMENT)
    target = BucketTarget(BucketRole.PRIMARY, "wal", REGION, endpoint, keys, path_style=True)
    admin = SpacesAdmin(target, PAIR)
    try:
        return await admin.buckets()
    finally:
        await admin.close()


def signed_by(head: bytes) -> str:
    """The key and the region of a request's signature."""
    found = re.search(rb"Credential=([^/]+)/\d+/([^/]+)/s3/", head)
    return f"{found[1].decode()} {found[2].decode()}" if found else ""


@pytest.mark.parametrize("variable", VARIABLES)
async def test_no_variable_counts(
    store: tuple[str, list[bytes]], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, VARIABLES[variable])
    if variable == "AWS_SESSION_TOKEN":  # it is looked at beside a pair alone
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", VARIABLES["AWS_ACCESS_KEY_ID"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", VARIABLES["AWS_SECRET_ACCESS_KEY"])
    endpoint, asked = store
    assert await buckets(endpoint) == ("wal",)
    (head,) = asked
    assert signed_by(head) == f"{PAIR.access_key} {REGION}"
    assert b"token" not in head.lower()


async def test_no_file_counts(
    store: tuple[str, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir()
    for name in ("config", "credentials"):
        (folder / name).write_text(FILES)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "production")
    endpoint, asked = store
    assert await buckets(endpoint) == ("wal",)
    assert signed_by(asked[0]) == f"{PAIR.access_key} {REGION}"
