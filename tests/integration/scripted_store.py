"""A store of which every byte that it answers is scripted."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from walconsole.adapters.s3.key_sources import KeyPairSource
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import ObjectStoreError

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
LISTING = (
    b"<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
    b"<LastModified>2026-08-01T12:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>"
)


class FixedKeys:
    """One pair, always."""

    async def key_pair(self) -> KeyPair:
        return KeyPair("DO00ABCDEFGH", SECRET)

    def forget(self) -> bool:
        return False


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error(status: str, code: str, extra: str = "", *headers: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code>{extra}</Error>"
    return answer(status, body.encode(), *headers)


GOOD = answer("200 OK", LISTING)


class Cut(bytes):
    """Sent, and then the connection is closed."""


class Script:
    """Answers requests in turn, the last one for ever, each after `answer_s`. `...` hangs, None closes.

    `times` are when each request came, `at_once` how many were under way then.
    """

    def __init__(self, answers: Sequence[object], answer_s: float = 0.0) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.times: list[float] = []
        self.at_once: list[int] = []
        self._answer_s = answer_s
        self._under_way = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                self.times.append(time.monotonic())
                self._under_way += 1
                self.at_once.append(self._under_way)
                next_one = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await asyncio.sleep(self._answer_s)
                self._under_way -= 1
                if isinstance(next_one, bytes):
                    writer.write(next_one)
                    await writer.drain()
                if next_one is None or isinstance(next_one, Cut):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(
    *answers: object, keys: KeyPairSource | None = None, answer_s: float = 0.0, connections: int = 64
) -> AsyncIterator[tuple[SpacesStore, Script]]:
    script = Script(answers, answer_s)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    target = BucketTarget(
        BucketRole.DR, "shithub-wal", "nyc3", endpoint, KeyReference(KeySource.ENVIRONMENT), path_style=True
    )
    store = SpacesStore(target, keys or FixedKeys(), environ={}, connections=connections)
    try:
        yield store, script
    finally:
        await store.close()
        server.close()


async def failure(*answers: object, reading: str = "") -> ObjectStoreError:
    """The error that a listing, or reading the object of that key, ends with."""
    async with scripted(*answers) as (store, _):
        with pytest.raises(ObjectStoreError) as caught:
            await (store.read(reading, 40) if reading else store.page())
    text = str(caught.value)
    assert SECRET not in text
    assert text.isprintable()
    assert caught.value.remedy
    return caught.value
