"""What a store, a proxy or something else entirely may answer: every byte of it is scripted here."""

import asyncio
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.scripted_store import (
    GOOD,
    LISTING,
    Cut,
    FixedKeys,
    Script,
    answer,
    error,
    failure,
    scripted,
)
from walconsole.adapters.s3 import store as spaces
from walconsole.adapters.s3 import wire as spaces_wire
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import ObjectStoreError


def chunked(*parts: bytes, end: bytes = b"0\r\nTrailer: x\r\n\r\n") -> bytes:
    chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end


@pytest.mark.parametrize(
    "raw",
    [
        GOOD,
        chunked(LISTING[:10], LISTING[10:]),
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
        Cut(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + LISTING),
        Cut(b"HTTP/1.1 200 OK\r\n\r\n" + LISTING),
        b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LISTING) + LISTING,
    ],
)
async def test_every_framing_of_a_body(raw: bytes) -> None:
    async with scripted(raw) as (store, _):
        for _ in range(2):
            page = await store.page()
            assert list(page.objects.keys) == ["a"]
            assert page.store_clock is None


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (None, "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 600_000, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", "announces"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "announces"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "longer"),
    ],
)
async def test_what_is_no_http_is_unreachable(
    raw: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)
    problem = await failure(raw)
    assert problem.code == "Unreachable"
    assert why in problem.why
    assert "http://127.0.0.1:" in problem.why


async def test_an_answer_that_is_cut_off_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)
    for raw in (GOOD[:-20], GOOD[:15], chunked(LISTING)[:-40]):
        problem = await failure(Cut(raw))
        assert problem.code == "Unreachable"
        assert "cut off" in problem.why


async def test_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces_wire, "READ_TIMEOUT_S", 0.1)
    assert "nothing arrived" in (await failure(...)).why
    assert "nothing arrived" in (await failure(GOOD[:-20])).why


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (
            error("301 Moved", "PermanentRedirect", "<Endpoint>ams3.example</Endpoint>"),
            "PermanentRedirect",
            "ams3.example",
        ),
        (
            error("400 Bad", "AuthorizationHeaderMalformed", "<Region>eu-1</Region>"),
            "AuthorizationHeaderMalformed",
            "eu-1",
        ),
        (error("403 No", "AccessDenied"), "AccessDenied", "DO00AB…"),
        (error("400 Bad", "InvalidBucketName"), "InvalidBucketName", "shithub-wal"),
        (error("418 Tea", "Teapot", "<Message>short &amp; stout</Message>"), "Teapot", "short & stout"),
        (error("403 No", "AccessDenied", "<Message>on Sundays</Message>"), "AccessDenied", "on Sundays"),
        (
            error("403 No", "AccessDenied", "<Message>Forbidden: No such key: GK1</Message>"),
            "AccessDenied",
            "knows no key",
        ),
        (
            error("403 No", "AccessDenied", "<Message>See the Caps &amp; Alerts page</Message>"),
            "AccessDenied",
            "limits and bills",
        ),
        (
            error("400 Bad", "ExpiredToken", "<Message>&#27;[2Jover</Message>"),
            "ExpiredToken",
            "(ExpiredToken: over)",
        ),
        (error("403 No", "\x1b[2J[red]Evil"), "[red]Evil", "403"),
        (answer("404 Not Found", b"<html>nginx</html>"), "NotS3", "404"),
        (answer("302 Found", b"", "Location: https://evil.example/"), "NotS3", "302"),
        (answer("200 OK", b"<html>hello</html>"), "NotS3", "cannot be read"),
        (answer("200 OK", LISTING[:-4]), "NotS3", "complete"),
    ],
)  # fmt: skip
async def test_each_refusal_is_one_clear_line(raw: bytes, code: str, words: str) -> None:
    problem = await failure(raw)
    assert problem.code == code
    assert words in str(problem)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (GOOD, "does not begin after"),
        (answer("200 OK", LISTING.replace(b"false", b"true")), "does not begin after"),
        (
            answer("200 OK", b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"),
            "no key to go on from",
        ),
    ],
)
async def test_a_page_that_a_listing_cannot_go_on_from_is_no_end_of_it(raw: bytes, why: str) -> None:
    async with scripted(raw) as (store, _):
        with pytest.raises(ObjectStoreError, match=why) as caught:
            await store.page(start_after="b")
    assert caught.value.code == "NotS3"


async def test_a_flood_that_nobody_asked_for_is_ended() -> None:
    flood = GOOD + b"x" * (spaces_wire.BODY_LIMIT + 4 * 1024 * 1024)
    async with scripted(flood, GOOD) as (store, script):
        for _ in range(3):
            assert list((await store.page()).objects.keys) == ["a"]
            await asyncio.sleep(0.2)
        assert len(script.requests) == 3


async def test_a_redirect_is_not_followed() -> None:
    async with scripted(answer("307 T", b"", "Location: http://127.0.0.1:1/")) as (store, script):
        with pytest.raises(ObjectStoreError, match="307"):
            await store.page()
        assert len(script.requests) == 1


@pytest.mark.parametrize("raw", [error("503 Slow", "SlowDown"), answer("503 Unavailable", b"<html/>")])
async def test_a_store_that_asks_for_fewer_requests_gets_fewer(
    raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.05)
    async with scripted(raw, raw, GOOD) as (store, script):
        await store.page()
        first, second, third = script.times
        assert second - first >= 0.04
        assert third - second >= 0.09
    assert (await failure(raw)).code in ("SlowDown", "ServiceUnavailable")


async def test_a_stale_connection_is_tried_once_more_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scripted(GOOD, None, GOOD) as (store, script):
        await store.page()
        await store.page()
        assert len(script.requests) == 3
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.001)
    async with scripted(GOOD, *[None] * 20) as (store, script):
        await store.page()
        with pytest.raises(ObjectStoreError, match="without an answer"):
            await store.page()
        assert len(script.requests) == 1 + 1 + spaces.ATTEMPTS


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("nyc3.digitaloceanspaces.com", "https://REGION"),
        ("ftp://nyc3.example", "https://REGION"),
        ("https://", "https://REGION"),
        ("https://nyc3.example:port", "https://REGION"),
        ("https://nyc3.example/shithub-wal", "https://REGION"),
        ("https://me:secret@nyc3.example", "https://REGION"),
        ("http://nyc3.digitaloceanspaces.com", "loopback"),
        ("https://shithub-wal.nyc3.digitaloceanspaces.com", "leave shithub-wal. out"),
    ],
)
async def test_an_endpoint_that_can_never_work(endpoint: str, words: str) -> None:
    target = BucketTarget(
        BucketRole.PRIMARY, "shithub-wal", "nyc3", endpoint, KeyReference(KeySource.ENVIRONMENT)
    )
    store = SpacesStore(target, FixedKeys(), environ={})
    with pytest.raises(ObjectStoreError, match=words) as caught:
        await store.page()
    assert caught.value.code == "Endpoint"


async def test_a_name_that_does_not_resolve() -> None:
    target = BucketTarget(
        BucketRole.PRIMARY, "b", "x", "https://nosuch.invalid", KeyReference(KeySource.ENVIRONMENT)
    )
    store = SpacesStore(target, FixedKeys(), environ={})
    with pytest.raises(ObjectStoreError, match=r"b\.nosuch\.invalid") as caught:
        await store.page()
    assert caught.value.code == "Unreachable"


async def test_https_goes_through_the_proxy_and_a_refusing_proxy_is_named() -> None:
    script = Script([answer("407 Proxy Authentication Required")])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = BucketTarget(
        BucketRole.PRIMARY, "b", "x", "https://spaces.invalid", KeyReference(KeySource.ENVIRONMENT)
    )
    store = SpacesStore(target, FixedKeys(), environ={"HTTPS_PROXY": f"http://me:pass@127.0.0.1:{port}"})
    with pytest.raises(ObjectStoreError, match="407") as caught:
        await store.page()
    assert script.requests[0].startswith(b"CONNECT b.spaces.invalid:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in script.requests[0]
    assert "pass" not in str(caught.value)
    exempt = SpacesStore(
        target,
        FixedKeys(),
        environ={"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": ".spaces.invalid"},
    )
    with pytest.raises(ObjectStoreError, match="resolve"):
        await exempt.page()
    assert len(script.requests) == 1
    server.close()


async def test_a_certificate_that_is_not_trusted_and_one_that_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    script = Script([GOOD])
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=context)
    endpoint = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    target = BucketTarget(BucketRole.DR, "b", "x", endpoint, KeyReference(KeySource.ENVIRONMENT))
    untrusting = SpacesStore(target, FixedKeys(), environ={})
    with pytest.raises(ObjectStoreError, match="not trusted") as caught:
        await untrusting.page()
    assert caught.value.code == "Unreachable"
    trusting = SpacesStore(replace(target, ca_file=str(folder / "cert.pem")), FixedKeys(), environ={})
    assert list((await trusting.page()).objects.keys) == ["a"]
    await trusting.close()
    missing = SpacesStore(replace(target, ca_file="/nonexistent/ca.pem"), FixedKeys(), environ={})
    with pytest.raises(ObjectStoreError, match=r"/nonexistent/ca\.pem"):
        await missing.page()
    server.close()


def make_certificate(folder: Path) -> None:
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
        ],
        check=True, capture_output=True,
    )  # fmt: skip


async def test_a_key_that_is_put_right_is_found() -> None:
    class Late(FixedKeys):
        """No key at first; whoever forgets it looks again."""

        forgotten = 0

        async def key_pair(self) -> KeyPair:
            if not self.forgotten:
                raise ObjectStoreError("reading the S3 key", "it is empty", "set it", code="NoKey")
            return await super().key_pair()

        def forget(self) -> bool:
            self.forgotten += 1
            return True

    async with scripted(GOOD, keys=Late()) as (store, _):
        assert store.key_hint == "not read yet"
        with pytest.raises(ObjectStoreError, match="empty"):
            await store.page()
        assert store.key_hint == "no key: it is empty"
        assert (await store.page()).objects
        assert store.key_hint == "DO00AB…"
