"""Reading the beginning of an object: scripted answers, and a real Ceph with keys that are hard to sign."""

import pytest

from tests.integration.scripted_store import Cut, answer, error, failure, scripted
from tests.integration.test_spaces import store_of, target_of
from tests.servers.rgw import RadosGateway
from walconsole.adapters.s3 import store as spaces
from walconsole.errors import ObjectStoreError

KEY = "wal/000000010000000000000001.zst"
BODY = bytes(range(256)) * 16
PART = answer("206 Partial Content", BODY[:40], "Content-Range: bytes 0-39/16777216", 'ETag: "d41d"')


async def test_a_part_of_it() -> None:
    async with scripted(PART) as (store, script):
        content = await store.read(KEY, 40)
    assert (content.key, content.body, content.size) == (KEY, BODY[:40], 16_777_216)
    assert content.headers["etag"] == '"d41d"'
    (request,) = script.requests
    assert request.startswith(f"GET /shithub-wal/{KEY} HTTP/1.1\r\n".encode())
    assert b"\r\nRange: bytes=0-39\r\n" in request


@pytest.mark.parametrize(
    ("raw", "body", "size"),
    [
        (answer("200 OK", BODY), BODY[:40], len(BODY)),  # the store reads no Range
        (answer("200 OK", BODY[:9]), BODY[:9], 9),
        (answer("206 Partial Content", BODY[:9], "Content-Range: bytes 0-8/9"), BODY[:9], 9),
        (answer("206 Partial Content", BODY[:40], "Content-Range: bytes 0-39/*"), BODY[:40], None),
        (answer("206 Partial Content", BODY[:40]), BODY[:40], None),
        (error("416 Range Not Satisfiable", "InvalidRange"), b"", 0),
    ],
)
async def test_all_of_it_and_none_of_it(raw: bytes, body: bytes, size: int | None) -> None:
    async with scripted(raw) as (store, _):
        content = await store.read(KEY, 40)
    assert (content.body, content.size) == (body, size)


@pytest.mark.parametrize(
    ("raw", "code", "why"),
    [
        (
            error("403 Forbidden", "AccessDenied"),
            "AccessDenied",
            "DO00AB… may not read from bucket shithub-wal",
        ),
        (error("404 Not Found", "NoSuchKey"), "NoSuchKey", "it is not in bucket shithub-wal any more"),
        (error("404 Not Found", "NoSuchBucket"), "NoSuchBucket", "no bucket shithub-wal"),
        (error("403 Forbidden", "InvalidObjectState"), "InvalidObjectState", "HTTP 403"),
        (Cut(PART[:-9]), "Unreachable", "cut off in the middle"),
    ],
)
async def test_why_it_cannot_be_read(
    raw: bytes, code: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)
    problem = await failure(raw, reading=KEY)
    assert problem.code == code
    assert why in problem.why
    assert problem.tried == f"reading {KEY} of bucket shithub-wal with key DO00AB…"


async def test_a_hostile_key_is_harmless_in_a_message() -> None:
    problem = await failure(error("404 Not Found", "NoSuchKey"), reading="x" * 500 + "\x1b]0;evil\x07\n[red]")
    assert "[red] of bucket" in problem.tried
    assert len(problem.tried) < 200


async def test_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)
    slow = error("503 Slow Down", "SlowDown")
    async with scripted(slow, Cut(PART[:-9]), error("500 Oops", "InternalError"), PART) as (store, script):
        assert (await store.read(KEY, 40)).body == BODY[:40]
        assert len(script.requests) == 4


AWKWARD_KEYS = [
    "two words",
    "100%/50%25",
    "a+b",
    "?query=1&more=#fragment",
    "ümläut/€/𝄞",
    "tab\tand\nnewline",
    "\x01\x1b[31m",
    "/leading",
    "//twice//double//",
    'it\'s "<quoted>"; $(here)',
    "*!()~,:@=|\\^`{}",
    "trailing ",
]


@pytest.mark.server
async def test_any_key_is_signed_and_read(rgw: RadosGateway) -> None:
    bucket, client = rgw.bucket(), rgw.client()
    for key in AWKWARD_KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    async with store_of(target_of(rgw.endpoint, bucket), rgw.admin) as store:
        assert list((await store.page()).objects.keys) == sorted(AWKWARD_KEYS)
        for key in AWKWARD_KEYS:
            content = await store.read(key, 1000)
            assert (content.key, content.body, content.size) == (key, key.encode(), len(key.encode()))


@pytest.mark.server
async def test_parts_of_real_objects(rgw: RadosGateway) -> None:
    bucket, client = rgw.bucket(), rgw.client()
    stored = client.put_object(Bucket=bucket, Key=KEY, Body=BODY)
    client.put_object(Bucket=bucket, Key="empty", Body=b"")
    async with store_of(target_of(rgw.endpoint, bucket), rgw.limited_user({bucket: "read"})) as store:
        for count in (1, 40, len(BODY) - 1, len(BODY), len(BODY) + 1):
            content = await store.read(KEY, count)
            assert (content.body, content.size) == (BODY[:count], len(BODY))
            assert content.headers["etag"] == stored["ETag"]
        empty = await store.read("empty", 40)
        assert (empty.body, empty.size) == (b"", 0)


@pytest.mark.server
async def test_real_refusals_to_read(rgw: RadosGateway) -> None:
    bucket, client = rgw.bucket(), rgw.client()
    client.put_object(Bucket=bucket, Key=KEY, Body=BODY)
    async with store_of(target_of(rgw.endpoint, bucket), rgw.limited_user()) as store:
        with pytest.raises(ObjectStoreError, match=f"may not read from bucket {bucket}") as caught:
            await store.read(KEY, 40)
        assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)
    async with store_of(target_of(rgw.endpoint, bucket), rgw.admin) as store:
        assert (await store.read(KEY, 40)).body == BODY[:40]
        client.delete_object(Bucket=bucket, Key=KEY)
        with pytest.raises(ObjectStoreError, match="any more") as caught:
            await store.read(KEY, 40)
        assert (caught.value.code, caught.value.status) == ("NoSuchKey", 404)
        assert "list the bucket again" in caught.value.remedy
