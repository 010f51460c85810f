"""A minimal ListObjectsV2 server over a large flat WAL archive, for measuring listings alone.

It knows one bucket, checks no signature, and builds pages from arithmetic, so that its own time is
small and the same for every client. `python -m benchmarks.listing_server --keys 1000000`.
"""

import argparse
import asyncio
import sys
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

BUCKET = "archive-wal"
PAGE_KEYS = 1000
SEGMENT_BYTES = 16 * 1024 * 1024
_PER_LOG = 256
_LOG = "@@@@@@@@"
_OBJECT = (
    "<Contents><Key>{}</Key><LastModified>2026-08-01T12:00:00.000Z</LastModified>"
    '<ETag>"9e107d9d372bb6826bd81d3542a419d6"</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>'
)
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)


class Archive:
    """`count` segments of timeline 1 from segment 1 on, each stored as NAME + `suffix`.

    A page is cut out of ready-made text of one log's 256 objects, all of one width.
    """

    def __init__(self, count: int, suffix: str, *, uneven: bool) -> None:
        self.count, self.suffix = count, suffix
        sizes = [SEGMENT_BYTES - (low * 7919 % 5000 if uneven else 0) for low in range(_PER_LOG)]
        objects = [_OBJECT.format(f"00000001{_LOG}{low:08X}{suffix}", sizes[low]) for low in range(_PER_LOG)]
        self._width = len(objects[0])
        self._log = "".join(objects)

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

    def page(self, after: str, limit: int, *, encode: bool) -> bytes:
        """The body of a ListObjectsV2 answer."""
        start = self.first_after(after)
        stop = min(start + limit, self.count + 1)
        logs = range(start // _PER_LOG, (stop - 1) // _PER_LOG + 1) if stop > start else range(0)
        text = "".join(self._log.replace(_LOG, f"{log:08X}") for log in logs)
        begin = start % _PER_LOG * self._width
        objects = text[begin : begin + (stop - start) * self._width]
        truncated = stop <= self.count
        token = f"<NextContinuationToken>{self.key(stop - 1)}</NextContinuationToken>" if truncated else ""
        return (
            f"{_HEAD}<Name>{BUCKET}</Name><Prefix></Prefix><KeyCount>{stop - start}</KeyCount>"
            f"<MaxKeys>{limit}</MaxKeys>{'<EncodingType>url</EncodingType>' if encode else ''}"
            f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>{token}{objects}"
            "</ListBucketResult>"
        ).encode()


class Pages:
    """Answers requests, each `latency_s` after it came."""

    def __init__(self, archive: Archive, latency_s: float) -> None:
        self._archive, self._latency_s = archive, latency_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                if self._latency_s:
                    await asyncio.sleep(self._latency_s)
                writer.write(self._answer(target))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if query.get("list-type") != "2" and "location" not in query:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        after = query.get("continuation-token") or query.get("start-after", "")
        limit = min(int(query.get("max-keys", PAGE_KEYS)), PAGE_KEYS)
        body = self._archive.page(after, limit, encode=query.get("encoding-type") == "url")
        head = (
            f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def serve(keys: int, latency_s: float, suffix: str, *, uneven: bool) -> None:
    """Serve until standard input ends; the port is the first line printed."""
    pages = Pages(Archive(keys, suffix, uneven=uneven), latency_s)
    server = await asyncio.start_server(pages.serve, "127.0.0.1", 0, limit=65536)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


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
