"""The gate with boto3 and rclone: who may do what, and that bytes pass unchanged."""

import asyncio
import contextlib
import hashlib
import os
import urllib.request
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import pytest_asyncio

from tests.integration.sandbox_parts import Region, client, outcome, running_region
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Grant
from walconsole.sandbox.spaces.request import S3Refusal

pytestmark = pytest.mark.server
BODY = bytes(range(100))
LIMITED: list[tuple[str, dict[str, Any]]] = [
    ("head_bucket", {}),
    ("list_objects_v2", {}),
    ("list_objects", {}),
    ("get_object", {"Key": "k"}),
    ("head_object", {"Key": "k"}),
]
WRITES: list[tuple[str, dict[str, Any]]] = [
    ("put_object", {"Key": "k2", "Body": BODY}),
    ("delete_object", {"Key": "k2"}),
]
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("get_bucket_location", {}),
    ("get_bucket_lifecycle_configuration", {}),
    ("get_bucket_versioning", {}),
    ("get_bucket_policy", {}),
    ("list_multipart_uploads", {}),
    ("create_bucket", {}),
    ("delete_bucket", {}),
]


@pytest_asyncio.fixture
async def region() -> AsyncIterator[Region]:
    async with running_region() as region:
        (region.make_bucket("wal") / "k").write_bytes(BODY)
        region.make_bucket("other")
        yield region


async def test_a_limited_key_does_what_rgw_lets_it(region: Region) -> None:
    limited = region.client(region.keys.create("app", [Grant("wal", "readwrite")]))
    for call, arguments in LIMITED + WRITES:
        assert await outcome(limited, call, Bucket="wal", **arguments) in ((200, ""), (204, "")), call
    for call, arguments in SETTINGS:
        assert await outcome(limited, call, Bucket="wal", **arguments) == (403, "AccessDenied"), call
    for call, arguments in LIMITED + WRITES:
        status, code = await outcome(limited, call, Bucket="other", **arguments)
        assert (status, code) == (403, "403" if call.startswith("head") else "AccessDenied"), call
        status, code = await outcome(limited, call, Bucket="missing", **arguments)
        assert (status, code) == (404, "404" if call.startswith("head") else "NoSuchBucket"), call
    assert (await asyncio.to_thread(limited.list_buckets))["Buckets"] == []


async def test_a_read_grant_reads(region: Region) -> None:
    reader = region.client(region.keys.create("reader", [Grant("wal", "read")]))
    for call, arguments in LIMITED:
        assert (await outcome(reader, call, Bucket="wal", **arguments))[0] == 200, call
    for call, arguments in WRITES:
        assert await outcome(reader, call, Bucket="wal", **arguments) == (403, "AccessDenied"), call


async def test_full_access_does_everything(region: Region) -> None:
    full = region.client(region.keys.create("root", [FULL_ACCESS_GRANT]))
    assert await outcome(full, "create_bucket", Bucket="new") == (200, "")
    assert await outcome(full, "create_bucket", Bucket="new") == (200, "")
    listed = await asyncio.to_thread(full.list_buckets)
    assert [bucket["Name"] for bucket in listed["Buckets"]] == ["new", "other", "wal"]
    location = await asyncio.to_thread(full.get_bucket_location, Bucket="new")
    assert location["LocationConstraint"] == "nyc3"
    assert "Status" not in await asyncio.to_thread(full.get_bucket_versioning, Bucket="new")
    enabled = {"Status": "Enabled"}
    await asyncio.to_thread(full.put_bucket_versioning, Bucket="new", VersioningConfiguration=enabled)
    assert (await asyncio.to_thread(full.get_bucket_versioning, Bucket="new"))["Status"] == "Enabled"
    assert await outcome(full, "get_bucket_lifecycle_configuration", Bucket="new") == (
        404,
        "NoSuchLifecycleConfiguration",
    )
    assert await outcome(full, "get_object", Bucket="new", Key="none") == (404, "NoSuchKey")
    assert (await outcome(full, "delete_bucket", Bucket="new"))[0] == 204
    assert await outcome(full, "head_bucket", Bucket="new") == (404, "404")


async def test_who_is_unknown_and_who_is_wrong_differ(region: Region) -> None:
    key = region.keys.create("app", [Grant("wal", "readwrite")])
    unknown = client(region.gate.url, "DO00NOBODY", "secret")
    wrong = client(region.gate.url, key.access_key, "secret")
    assert await outcome(unknown, "list_objects_v2", Bucket="wal") == (403, "InvalidAccessKeyId")
    assert await outcome(wrong, "list_objects_v2", Bucket="wal") == (403, "SignatureDoesNotMatch")
    region.keys.activation_s = 60
    late = region.client(region.keys.create("late", [Grant("wal", "readwrite")]))
    assert await outcome(late, "list_objects_v2", Bucket="wal") == (403, "InvalidAccessKeyId")


async def test_a_skewed_clock_is_told(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = region.client(region.keys.create("app", [Grant("wal", "readwrite")]))
    now = region.gate.clock
    for offset_s in (-1000.0, 1000.0):
        monkeypatch.setattr(region.gate, "clock", lambda offset_s=offset_s: now() + offset_s)
        assert await outcome(limited, "list_objects_v2", Bucket="wal") == (403, "RequestTimeTooSkewed")
    monkeypatch.setattr(region.gate, "clock", lambda: now() + 800)
    assert await outcome(limited, "list_objects_v2", Bucket="wal") == (200, "")


async def test_start_after_walks_pages_of_a_thousand(region: Region) -> None:
    names = [f"{number:024X}" for number in range(2500)]
    bucket = region.make_bucket("many")
    for name in names:
        (bucket / name).touch()
    limited = region.client(region.keys.create("app", [Grant("many", "read")]))
    walked: list[str] = []
    pages = 0
    truncated = True
    while truncated:
        page = await asyncio.to_thread(
            limited.list_objects_v2, Bucket="many", StartAfter=walked[-1] if walked else "", MaxKeys=1000
        )
        walked += [each["Key"] for each in page["Contents"]]
        truncated, pages = page["IsTruncated"], pages + 1
    assert walked == names
    assert pages == 3


@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
async def test_bytes_come_back_as_they_went(region: Region, checksums: str) -> None:
    key = region.keys.create("app", [Grant("wal", "readwrite")])
    limited = region.client(key, request_checksum_calculation=checksums)
    for size in (0, 1, 65_536, 3_000_001):
        body = os.urandom(size)
        name = f"dir/ü +%&{size}"
        await asyncio.to_thread(limited.put_object, Bucket="wal", Key=name, Body=body)
        read, etag = await asyncio.to_thread(_read, limited, Bucket="wal", Key=name)
        assert read == body
        assert etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    part, _ = await asyncio.to_thread(_read, limited, Bucket="wal", Key="k", Range="bytes=5-9")
    assert part == BODY[5:10]


def _read(client: Any, **arguments: str) -> tuple[bytes, str]:
    answer = client.get_object(**arguments)
    return answer["Body"].read(), answer["ETag"].strip('"')


async def test_an_existing_object_is_not_overwritten_when_asked(region: Region) -> None:
    limited = region.client(region.keys.create("app", [Grant("wal", "readwrite")]))
    arguments = {"Bucket": "wal", "Key": "k", "Body": b"new", "IfNoneMatch": "*"}
    assert await outcome(limited, "put_object", **arguments) == (412, "PreconditionFailed")
    assert await outcome(limited, "put_object", **(arguments | {"Key": "fresh"})) == (200, "")


async def test_a_presigned_address_works_until_it_expires(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = region.client(region.keys.create("app", [Grant("wal", "read")]), signature_version="s3v4")
    address = limited.generate_presigned_url("get_object", {"Bucket": "wal", "Key": "k"}, ExpiresIn=60)

    def fetch() -> bytes:
        with urllib.request.urlopen(address) as answer:  # noqa: S310  # the gate's own http address
            return bytes(answer.read())

    assert await asyncio.to_thread(fetch) == BODY
    now = region.gate.clock
    monkeypatch.setattr(region.gate, "clock", lambda: now() + 61)
    with pytest.raises(HTTPError, match="403"):
        await asyncio.to_thread(fetch)


@pytest.mark.parametrize(
    "target", ["/wal/../../../etc/passwd", "/wal/%2e%2e/%2e%2e/etc/passwd", "/..", "/%2e%2e"]
)
async def test_no_name_leads_out_of_the_folder(region: Region, target: str) -> None:
    key = region.keys.create("root", [FULL_ACCESS_GRANT])
    full = region.client(key, signature_version="s3v4")
    bucket, _, name = target.strip("/").replace("%2e", ".").partition("/")
    address = full.generate_presigned_url("get_object", {"Bucket": "wal", "Key": "x"})
    assert bucket
    status, body = await asyncio.to_thread(_raw, region.gate.port, address.replace("/wal/x", target, 1))
    assert status in (400, 403, 404)
    assert b"root:" not in body, name


def _raw(port: int, address: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", address.partition(str(port))[2])
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01 TLS\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PUT /wal/k HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"PUT /wal/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_rubbish_closes_the_connection_and_nothing_else(region: Region, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", region.gate.port)
    writer.write(raw)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            await reader.read()
    writer.close()
    limited = region.client(region.keys.create("app", [Grant("wal", "read")]))
    assert await outcome(limited, "head_bucket", Bucket="wal") == (200, "")


async def test_a_refusal_can_be_ordered(region: Region) -> None:
    limited = region.client(region.keys.create("app", [Grant("wal", "readwrite")]))
    region.gate.refusals.append(S3Refusal(503, "SlowDown"))
    assert await outcome(limited, "put_object", Bucket="wal", Key="k", Body=BODY) == (503, "SlowDown")
    assert await outcome(limited, "put_object", Bucket="wal", Key="k", Body=BODY) == (200, "")


@pytest.mark.skipif(not Path("/usr/bin/rclone").exists(), reason="no rclone in /usr/bin")
async def test_the_distributions_rclone_archives_with_a_limited_key(region: Region) -> None:
    key = region.keys.create("app", [Grant("wal", "readwrite")])
    config = region.root / "client/rclone.conf"
    config.write_text(
        f"[s]\ntype=s3\nprovider=Ceph\naccess_key_id={key.access_key}\nsecret_access_key={key.secret}\n"
        f"endpoint={region.gate.url}\nregion=us-east-1\nforce_path_style=true\n"
    )
    segment = region.root / "client/seg"
    segment.write_bytes(os.urandom(1_048_576))
    argv = ["/usr/bin/rclone", "--config", str(config), "--retries", "1", "copyto", str(segment), "s:wal/SEG"]
    for flags, status in (([], 1), (["--s3-no-check-bucket"], 0)):
        environment = {"PATH": os.environ["PATH"], "HOME": str(region.root)}
        process = await asyncio.create_subprocess_exec(
            *argv, *flags, env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        assert process.returncode == status, said
    assert (region.gate.folder / "wal/SEG").read_bytes() == segment.read_bytes()
