"""Servers that answer with too much, too slowly, inflated, or from elsewhere: each is refused, and said."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from tests.data.provisioning import a_profile
from walconsole.adapters.keys_api import transport as digitalocean_transport
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.adapters.s3 import admin as spaces_admin
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.domain.profile import ApiTarget
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError, ObjectStoreError

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
MIB = 1024 * 1024
MOST_MEMORY = 24 * MIB
PAIR = KeyPair("AKID", "secret")


@dataclass
class Server:
    """Answers each request with the same head, and `size` bytes in pieces with `pause_s` between."""

    head: bytes
    body: bytes = b"x" * 65536
    times: int = 160
    pause_s: float = 0.0
    asked: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.head + b"Connection: close\r\n\r\n")
            for _ in range(self.times):
                writer.write(self.body)
                await writer.drain()
                await asyncio.sleep(self.pause_s)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it was hung up on, as it should be
        finally:
            writer.close()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


def head(status: str, *more: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *more, ""]).encode()


async def of_keys(url: str, call: Callable[[DigitalOceanKeys], Awaitable[object]]) -> KeyServiceError:
    keys = DigitalOceanKeys(ApiTarget(endpoint=url), ApiToken(TOKEN, "a test"))
    try:
        with pytest.raises(KeyServiceError) as caught:
            await call(keys)
    finally:
        await keys.close()
    assert TOKEN not in caught.value.line()
    return caught.value


async def peak_of(call: Callable[[], Awaitable[object]]) -> int:
    tracemalloc.start()
    try:
        await call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


CALLS: dict[str, Callable[[DigitalOceanKeys], Awaitable[object]]] = {
    "list": lambda keys: keys.keys(),
    "get": lambda keys: keys.key("DO1"),
    "create": lambda keys: keys.create("name", (KeyGrant("", "fullaccess"),)),
    "delete": lambda keys: keys.delete("DO1"),
}


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "400 Bad Request", "403 Forbidden"])
@pytest.mark.parametrize("call", CALLS)
async def test_a_body_of_ten_mebibytes_is_not_read(call: str, status: str) -> None:
    async with serving(Server(head(status))) as server:
        found: list[KeyServiceError] = []

        async def asking() -> None:
            found.append(await of_keys(server.url, CALLS[call]))

        peak = await peak_of(asking)
    assert "longer than" in found[0].why
    assert found[0].status == int(status[:3])
    assert peak < MOST_MEMORY


async def test_an_answer_that_was_inflated_is_refused() -> None:
    bomb = gzip.compress(b"0" * 64 * MIB)
    async with serving(Server(head("200 OK", "Content-Encoding: gzip"), bomb, 1)) as server:
        error = await of_keys(server.url, CALLS["list"])
        assert b"accept-encoding: identity" in server.asked[0].lower()
    assert "compressed" in error.why


async def test_an_answer_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digitalocean_transport, "ANSWER_WITHIN_S", 0.3)
    async with serving(Server(head("200 OK"), b" ", 200, 0.02)) as server:
        error = await of_keys(server.url, CALLS["list"])
    assert "did not end within 0.3 s" in error.why


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
async def test_no_redirect_is_followed(call: str, status: int) -> None:
    there = Server(head("200 OK"), json.dumps({"keys": []}).encode(), 1)
    async with serving(there):
        moved = head(f"{status} Moved", f"Location: {there.url}/v2/spaces/keys", "Content-Length: 0")
        async with serving(Server(moved, b"", 0)) as server:
            error = await of_keys(server.url, CALLS[call])
            assert len(server.asked) == 1
    assert there.asked == []
    assert f"HTTP {status}" in error.why
    assert "redirect" in error.remedy


def an_admin(url: str) -> SpacesAdmin:
    return SpacesAdmin(replace(a_profile().primary, endpoint=url, path_style=True), PAIR)


ADMIN_CALLS: dict[str, Callable[[SpacesAdmin], Awaitable[object]]] = {
    "buckets": lambda admin: admin.buckets(),
    "create": lambda admin: admin.create("a-bucket"),
    "get": lambda admin: admin.get("a-bucket", "a-key"),
    "put": lambda admin: admin.put("a-bucket", "a-key", b"body"),
    "remove": lambda admin: admin.remove("a-bucket", "a-key"),
}


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
@pytest.mark.parametrize("call", ADMIN_CALLS)
async def test_no_call_by_boto3_reads_ten_mebibytes(call: str, status: str) -> None:
    async with serving(Server(head(status))) as server:
        admin = an_admin(server.url)

        async def asking() -> None:
            with pytest.raises(ObjectStoreError, match="longer than"):
                await ADMIN_CALLS[call](admin)

        try:
            peak = await peak_of(asking)
        finally:
            await admin.close()
    assert peak < MOST_MEMORY


async def test_a_body_by_boto3_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces_admin, "LONGEST_CALL_S", 0.2)
    async with serving(Server(head("200 OK"), b" ", 200, 0.02)) as server:
        admin = an_admin(server.url)
        with pytest.raises(ObjectStoreError, match="no complete answer within"):
            await admin.get("a-bucket", "a-key")
        await admin.close()
