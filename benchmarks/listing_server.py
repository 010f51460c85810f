"""A minimal ListObjectsV2 server over a large flat WAL archive, for measuring listings alone.

It knows one bucket, checks no signature, and cuts its pages out of ready-made text in the words of
Ceph RGW, so that its own time is small and the same for every client.
`python -m benchmarks.listing_server --keys 1000000`.
"""

import argparse
import asyncio
import hashlib
import socket
import sys
from email.utils import formatdate
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

BUCKET = "archive-wal"
PAGE_KEYS = 1000
REQUESTS_PATH = "/requests"
"""Answers how many requests came until now, itself not counted."""
SEGMENT_BYTES = 16 * 1024 * 1024
_PER_LOG = 256
_LOG = b"@@@@@@@@"
_OBJECT = (
    "<Contents><Key>{}</Key><LastModified>2026-08-01T12:00:00.{:03d}Z</LastModified>"
    "<ETag>&quot;{}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass><Type>Normal</Type></Contents>"
)
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
_REQUEST_LIMIT = 64 * 1024


class Archive:
    """`count` segments of timeline 1 from segment 1 on, each stored as NAME + `suffix`.

    All objects' text stands ready in key order; the objects of one log's 256 segments are as long
    as those of any other, so that a segment's place in it is arithmetic.
    """

    def __init__(self, count: int, suffix: str, *, uneven: bool) -> None:
        self.count, self.suffix = count, suffix
        objects = [_object(low, suffix, uneven=uneven).encode() for low in range(_PER_LOG)]
        self._starts = [0, *accumulate(map(len, objects))]
        log = b"".join(objects)
        self._text = memoryview(
            b"".join(log.replace(_LOG, b"%08X" % at) for at in range(count // _PER_LOG + 1))
        )

    def key(self, number: int) -> str:
        """The key of segment `number`."""
        return f"00000001{number // _PER_LOG:08X}{number % _PER_LOG:08X}{self.suffix}"

    def first_after(self, key: str) -> int:
        """The lowest number whose key sorts after `key`; count + 1 when there is none."""
        low, high = 1, self.count + 1
        while low < high:
            middle = (low + high) // 2
            if self.key(middle) > key:
                high = middle
            else:
                low = middle + 1
        return low

    def page(self, after: str, limit: int, *, encode: bool) -> tuple[bytes, memoryview, bytes]:
        """The body of a ListObjectsV2 answer, in three parts."""
        start = self.first_after(after)
        stop = min(start + limit, self.count + 1)
        truncated = stop <= self.count
        head = (
            f"{_HEAD}{'<EncodingType>url</EncodingType>' if encode else ''}<Name>{BUCKET}</Name>"
            "<Prefix></Prefix>"
            f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{'true' if truncated else 'false'}</IsTruncated>"
        )
        token = f"<NextContinuationToken>{self.key(stop - 1)}</NextContinuationToken>" if truncated else ""
        tail = f"{token}<KeyCount>{stop - start}</KeyCount></ListBucketResult>"
        return head.encode(), self._text[self._place(start) : self._place(stop)], tail.encode()

    def _place(self, number: int) -> int:
        log, low = divmod(number, _PER_LOG)
        return log * self._starts[-1] + self._starts[low]


def _object(low: int, suffix: str, *, uneven: bool) -> str:
    size = SEGMENT_BYTES // (1 + low * 7919 % 251) if uneven else SEGMENT_BYTES
    etag = hashlib.md5(bytes([low]), usedforsecurity=False).hexdigest()
    return _OBJECT.format(f"00000001{_LOG.decode()}{low:08X}{suffix}", low, etag, size)


class Pages:
    """Answers requests, each `latency_s` after it came."""

    def __init__(self, archive: Archive, latency_s: float) -> None:
        self._archive, self._latency_s = archive, latency_s
        self._requests = 0

    async def accept(self, listener: socket.socket) -> None:
        """Serve every connection that comes."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                connection, _ = await loop.sock_accept(listener)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                tasks.create_task(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            try:
                while head := await _request(loop, connection):
                    if self._latency_s:
                        await asyncio.sleep(self._latency_s)
                    await _send(loop, connection, self._answer(head.split(b" ", 2)[1].decode()))
            except ConnectionError:
                return

    def _answer(self, target: str) -> list[bytes | memoryview]:
        parts = urlsplit(target)
        if parts.path == REQUESTS_PATH:
            told = str(self._requests).encode()
            return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told), told]
        self._requests += 1
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if query.get("list-type") != "2" and "location" not in query:
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = min(int(query.get("max-keys", PAGE_KEYS)), PAGE_KEYS)
        body = self._archive.page(after, limit, encode=query.get("encoding-type") == "url")
        head = (
            f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {sum(map(len, body))}\r\n\r\n"
        )
        return [head.encode(), *body]


async def _request(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    """The next request's head, empty when there is none: what is asked for has no body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = await loop.sock_recv(connection, _REQUEST_LIMIT)
        if not more or len(head) > _REQUEST_LIMIT:
            return b""
        head += more
    return head


async def _send(
    loop: asyncio.AbstractEventLoop, connection: socket.socket, parts: list[bytes | memoryview]
) -> None:
    """Send the parts without joining them."""
    try:
        sent = connection.sendmsg(parts)
    except BlockingIOError:
        sent = 0
    for part in parts:
        if sent < len(part):
            await loop.sock_sendall(connection, memoryview(part)[sent:])
        sent = max(0, sent - len(part))


async def serve(keys: int, latency_s: float, suffix: str, *, uneven: bool) -> None:
    """Serve until standard input ends; the port is the first line printed."""
    pages = Pages(Archive(keys, suffix, uneven=uneven), latency_s)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.setblocking(False)
        serving = asyncio.create_task(pages.accept(listener))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        serving.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--suffix", default="", help="as in .zst")
    parser.add_argument("--uneven", action="store_true", help="objects of many sizes, as compressed ones are")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.keys, arguments.latency, arguments.suffix, uneven=arguments.uneven))


if __name__ == "__main__":
    main()
