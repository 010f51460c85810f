"""A hostile store against the client that writes: it learns nothing, holds nobody, and fills no memory.

Every byte of it is scripted; where its certificate is the matter, a real TLS handshake is.
"""

import asyncio
import re
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.scripted_store import SECRET, FixedKeys, answer, error
from walconsole.adapters.s3 import admin as spaces_admin
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import ObjectStoreError

PAIR = KeyPair("DO00ABCDEFGH", SECRET)


@dataclass
class Hostile:
    """Answers every request alike: `first`, then `again` over and over; keeps all that it was sent."""

    first: bytes
    again: bytes = b""
    pause_s: float = 0.0
    ends: bool = True
    heard: bytearray = field(default_factory=bytearray)
    requests: int = 0
    sent: int = 0
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self.serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.readuntil(b"\r\n\r\n"):
                self.heard += data
                self.requests += 1
                await self._say(writer, self.first)
                while self.again:
                    await asyncio.sleep(self.pause_s)
                    await self._say(writer, self.again)
                if self.ends:
                    self.heard += await reader.read(65536)
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.transport.abort()

    async def _say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self.sent += len(data)
        await writer.drain()


@asynccontextmanager
async def served(hostile: Hostile, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    server = await asyncio.start_server(hostile.accept, "127.0.0.1", 0, ssl=tls)
    hostile.port = server.sockets[0].getsockname()[1]
    try:
        yield hostile
    finally:
        server.close()
        for task in hostile.serving:
            task.cancel()
        await asyncio.gather(*hostile.serving, return_exceptions=True)


def target(port: int, scheme: str = "http", host: str = "127.0.0.1") -> BucketTarget:
    return BucketTarget(
        BucketRole.DR,
        "shithub-wal",
        "nyc3",
        f"{scheme}://{host}:{port}",
        KeyReference(KeySource.ENVIRONMENT),
        path_style=True,
    )


Call = Callable[[SpacesAdmin], Awaitable[object]]
CALLS: dict[str, Call] = {
    "buckets": lambda admin: admin.buckets(),
    "head": lambda admin: admin.head("shithub-wal"),
    "create": lambda admin: admin.create("shithub-wal"),
    "put": lambda admin: admin.put("shithub-wal", "probe", b"x" * 1000),
    "stat": lambda admin: admin.stat("shithub-wal", "probe"),
    "get": lambda admin: admin.get("shithub-wal", "probe"),
    "remove": lambda admin: admin.remove("shithub-wal", "probe"),
}


async def refusal(call: Call, where: BucketTarget) -> ObjectStoreError:
    admin = SpacesAdmin(where, PAIR)
    with pytest.raises(ObjectStoreError) as caught:
        await call(admin)
    await admin.close()
    text = str(caught.value)
    assert SECRET not in text
    assert text.isprintable()
    assert caught.value.remedy
    return caught.value


# Redirects: neither another host nor another scheme learns anything.


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "400 Bad Request"]
)
@pytest.mark.parametrize("name", sorted(CALLS))
async def test_no_redirect_leads_to_another_host(status: str, name: str) -> None:
    async with served(Hostile(b"")) as elsewhere:
        there = f"127.0.0.1:{elsewhere.port}"
        body = f"<Error><Code>PermanentRedirect</Code><Endpoint>{there}</Endpoint><Region>x</Region></Error>"
        headers = (f"Location: http://{there}/shithub-wal", f"x-amz-bucket-region: {there}")
        async with served(Hostile(answer(status, body.encode(), *headers))) as hostile:
            await refusal(CALLS[name], target(hostile.port))
        assert elsewhere.requests == 0
        assert SECRET.encode() not in hostile.heard


@pytest.mark.parametrize("region", ["evil-1", "evil.example/", "us-east-1\t.evil", "a" * 5000])
async def test_a_region_that_the_store_names_signs_for_nobody_else(region: str) -> None:
    code = "AuthorizationHeaderMalformed"
    body = f"<Error><Code>{code}</Code><Region>{region}</Region></Error>".encode()
    said = answer("400 Bad Request", body, f"x-amz-bucket-region: {region}")
    async with served(Hostile(said)) as hostile:
        await refusal(CALLS["put"], target(hostile.port))
        hosts = {line for line in bytes(hostile.heard).splitlines() if line.lower().startswith(b"host:")}
        assert hosts == {b"Host: 127.0.0.1:%d" % hostile.port}
        assert hostile.requests <= 4


async def test_https_is_not_followed_down_to_http(tmp_path: Path) -> None:
    certificate = certified(tmp_path)
    async with served(Hostile(b"")) as plain:
        moved = answer("301 Moved Permanently", b"", f"Location: http://127.0.0.1:{plain.port}/shithub-wal")
        async with served(Hostile(moved), context_of(certificate)) as hostile:
            where = target(hostile.port, "https")
            trusting = BucketTarget(
                where.role, where.bucket, where.region, where.endpoint, where.keys, path_style=True,
                ca_file=str(certificate / "cert.pem"),
            )  # fmt: skip
            for call in CALLS.values():
                await refusal(call, trusting)
            store = SpacesStore(trusting, FixedKeys(), environ={})
            with pytest.raises(ObjectStoreError):
                await store.page()
            await store.close()
        assert plain.requests == 0


# Certificates: nothing is sent to whom nobody vouches for.


def certified(folder: Path, name: str = "IP:127.0.0.1", days: str = "2", start: str = "") -> Path:
    """A certificate of its own and its key, for a name; with `start` (a date) it has expired."""
    dates = ["-not_before", start, "-not_after", "20200102000000Z"] if start else ["-days", days]
    request = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key.pem"]
    subprocess.run([*request, "-out", "csr.pem"], cwd=folder, check=True, capture_output=True)
    (folder / "ext").write_text(f"subjectAltName={name}\nbasicConstraints=CA:TRUE\n")
    if start:
        config = folder / "ca.cnf"
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={folder}\ndatabase={folder}/db\nserial={folder}/serial\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        (folder / "db").write_text("")
        (folder / "serial").write_text("01\n")
        sign = ["openssl", "ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "key.pem"]
        sign += ["-in", "csr.pem", "-startdate", start, "-enddate", "20200102000000Z"]
        sign += ["-extfile", "ext", "-notext", "-out", "cert.pem"]
    else:
        sign = ["openssl", "x509", "-req", "-in", "csr.pem", "-signkey", "key.pem", *dates]
        sign += ["-extfile", "ext", "-out", "cert.pem"]
    subprocess.run(sign, cwd=folder, check=True, capture_output=True)
    return folder


def context_of(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize("wrong", ["self-signed", "another name", "expired"])
async def test_a_wrong_certificate_is_sent_nothing(wrong: str, tmp_path: Path) -> None:
    name = "DNS:elsewhere.example" if wrong == "another name" else "IP:127.0.0.1"
    folder = certified(tmp_path, name, start="20200101000000Z" if wrong == "expired" else "")
    ca_file = None if wrong == "self-signed" else str(folder / "cert.pem")
    async with served(Hostile(answer("200 OK", b"")), context_of(folder)) as hostile:
        where = target(hostile.port, "https")
        asked = BucketTarget(
            where.role,
            where.bucket,
            where.region,
            where.endpoint,
            where.keys,
            path_style=True,
            ca_file=ca_file,
        )
        written = await refusal(CALLS["put"], asked)
        store = SpacesStore(asked, FixedKeys(), environ={})
        with pytest.raises(ObjectStoreError) as listed:
            await store.page()
        await store.close()
        assert (written.code, listed.value.code) == ("Unreachable", "Unreachable")
        for problem in (written, listed.value):
            assert re.search(r"certificate|SSL validation failed", str(problem))
        assert hostile.heard == b""


async def test_a_proxy_that_answers_for_the_store_is_no_store() -> None:
    page = answer(
        "200 OK", b"<html><body>Please log in to the network</body></html>", "Content-Type: text/html"
    )
    for name in ("buckets", "get"):
        async with served(Hostile(page)) as hostile:
            admin = SpacesAdmin(target(hostile.port), PAIR)
            if name == "get":  # what an object is, the caller compares with what it wrote
                assert await admin.get("shithub-wal", "probe") != b"x"
            else:
                with pytest.raises(ObjectStoreError):
                    await admin.buckets()
            await admin.close()


# What never ends, or is too large.

ENDLESS = {
    "a body without an end": Hostile(b"HTTP/1.1 200 OK\r\n\r\n<ListAllMyBucketsResult>", b"<Bucket/>" * 7000),
    "an error without an end": Hostile(
        b"HTTP/1.1 500 Oops\r\n\r\n<Error><Code>x</Code>", b"<Message/>" * 7000
    ),
    "chunks without an end": Hostile(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"
    ),
    "a length of a terabyte": Hostile(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", b"x" * 65536
    ),
    "100 Continue for ever": Hostile(
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01
    ),
    "headers without an end": Hostile(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60000 + b"\r\n", 0.01),
    "a byte now and then": Hostile(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", 0.05),
    "half a status line": Hostile(b"HTTP/1.1 20", b"0", 0.05),
}


@pytest.mark.parametrize("kind", sorted(ENDLESS))
@pytest.mark.parametrize("name", ["buckets", "get", "put"])
async def test_what_never_ends_ends_soon_and_small(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces_admin, "LONGEST_CALL_S", 0.4)
    monkeypatch.setattr(spaces_admin, "BODY_LIMIT", 1024 * 1024)
    script = ENDLESS[kind]
    async with served(Hostile(script.first, script.again, script.pause_s)) as hostile:
        admin = SpacesAdmin(target(hostile.port), PAIR)
        began = time.monotonic()
        with pytest.raises(ObjectStoreError) as caught:
            await CALLS[name](admin)
        assert time.monotonic() - began < 5.0
        assert SECRET not in str(caught.value)
        assert hostile.sent < 40 * 1024 * 1024
        await admin.close()


async def test_a_call_that_hangs_keeps_no_program_from_its_end() -> None:
    async with served(Hostile(b"HTTP/1.1 20", b"0", 0.05)) as hostile:
        admin = SpacesAdmin(target(hostile.port), PAIR)
        hanging = asyncio.create_task(admin.buckets())
        for _ in range(500):
            if hostile.requests:
                break
            await asyncio.sleep(0.01)
        hanging.cancel()
        await asyncio.wait([hanging])
        assert all(thread.daemon for thread in threading.enumerate() if "S3" in thread.name)
        assert [thread for thread in threading.enumerate() if "S3" in thread.name]
        await admin.close()


async def test_a_huge_error_is_one_short_line() -> None:
    message = "<Message>" + "m" * 100_000 + "\x1b]52;c;aGk=\x07</Message>"
    async with served(Hostile(error("403 Forbidden", "Evil\x1b[2J" + "C" * 10_000, message))) as hostile:
        problem = await refusal(CALLS["put"], target(hostile.port))
        assert len(str(problem)) < 1000


async def test_a_wrong_etag_is_no_proof_of_anything() -> None:
    """A PUT that says 200 is no proof: what was written is read back and compared by who asked for it."""
    async with served(Hostile(answer("200 OK", b"", 'ETag: "00000000000000000000000000000000"'))) as hostile:
        admin = SpacesAdmin(target(hostile.port), PAIR)
        await admin.put("shithub-wal", "probe", b"x")
        assert await admin.get("shithub-wal", "probe") != b"x"
        await admin.close()
