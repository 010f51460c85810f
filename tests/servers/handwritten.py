"""Layouts of archivers that Debian does not package, from their sources: WAL-G and pghoard.

Keys and compression are theirs, the segments a real server's.
"""

import lzma
from collections.abc import Callable, Iterable, Mapping

from tests.servers.postgres import PostgresServer
from tests.servers.s3 import s3_client
from tests.servers.writer import Destination

SEGMENT_DIGITS = 24


def put_wal_g(server: PostgresServer, names: Iterable[str], to: Destination) -> None:
    """`wal_005/NAME` and a suffix, a different one each time (WAL-G: compression/, utility.GetFileExtension).

    Its base backups lie beside, in `basebackups_005/`, with WAL names in theirs.
    """
    ways = _wal_g_compressions()
    client = s3_client(to.endpoint, to.keys)
    for position, name in enumerate(sorted(names)):
        suffix = list(ways)[position % len(ways)]
        body = ways[suffix](_read(server, name))
        client.put_object(Bucket=to.bucket, Key=f"wal-g/wal_005/{name}{suffix}", Body=body)
    backup = f"wal-g/basebackups_005/base_{min(names)}"
    for key in (f"{backup}_backup_stop_sentinel.json", f"{backup}/tar_partitions/part_1.tar.lz4"):
        client.put_object(Bucket=to.bucket, Key=key, Body=b"{}")


def put_pghoard(server: PostgresServer, names: Iterable[str], to: Destination) -> None:
    """`SITE/xlog/NAME`, `SITE/timeline/NAME.history`: compressed, history too, and no suffix says so.

    The algorithm stands in the object's metadata; labels and partial segments are left out
    (pghoard/transfer.py form_key_path, compressor.py get_event_filetype).
    """
    client = s3_client(to.endpoint, to.keys)
    for name in sorted(name for name in names if len(name) == SEGMENT_DIGITS or name.endswith(".history")):
        folder = "timeline" if name.endswith(".history") else "xlog"
        client.put_object(
            Bucket=to.bucket,
            Key=f"site/{folder}/{name}",
            Body=lzma.compress(_read(server, name), preset=0),
            Metadata={"compression-algorithm": "lzma"},
        )
    client.put_object(Bucket=to.bucket, Key="site/basebackup/2026-05-10_0", Body=b"tar")


def _read(server: PostgresServer, name: str) -> bytes:
    return (server.data_dir / "pg_wal" / name).read_bytes()


def _wal_g_compressions() -> Mapping[str, Callable[[bytes], bytes]]:
    import lz4.frame
    import zstandard

    return {
        ".lz4": lz4.frame.compress,
        ".zst": zstandard.ZstdCompressor().compress,
        ".lzma": lambda body: lzma.compress(body, lzma.FORMAT_ALONE, preset=0),
    }
