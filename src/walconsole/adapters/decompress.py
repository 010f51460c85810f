"""Plain bytes of what an archiving program compressed: the head of a segment, or a small file whole.

The libraries are imported when an object needs them. Output is bounded whatever the input claims.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from walconsole.ports import MoreNeededError

_GZIP = 16 + zlib.MAX_WBITS
_CANNOT = {
    "br": "brotli is not read here",
    "lzo": "lzop is not read here",
    "snappy": "snappy is not read here",
    "sz": "snappy is not read here",
    "deflate": "raw deflate is not read here",
    "gpg": "it is encrypted (GPG)",
    "pgp": "it is encrypted (PGP)",
    "age": "it is encrypted (age)",
    "aes": "it is encrypted",
    "enc": "it is encrypted",
}


class _Stream(Protocol):
    """What bz2's and lzma's decompressors have in common."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _gzip(body: bytes, limit: int) -> bytes:
    return zlib.decompressobj(_GZIP).decompress(body, limit)


def _streamed(make: Callable[[], _Stream]) -> Callable[[bytes, int], bytes]:
    return lambda body, limit: make().decompress(body, limit)


def _zstd(body: bytes, limit: int) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as stream:
            return _until(stream.read, limit)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def _until(read: Callable[[int], bytes], limit: int) -> bytes:
    """Up to `limit` bytes, whatever the reader gives at a time; a cut input ends it early."""
    parts: list[bytes] = []
    while limit > 0 and (part := read(limit)):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _lz4(body: bytes, limit: int) -> bytes:
    import lz4.frame

    return bytes(lz4.frame.LZ4FrameDecompressor().decompress(body, max_length=limit))


_READERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gz": _gzip,
    "bz2": _streamed(bz2.BZ2Decompressor),
    "xz": _streamed(lzma.LZMADecompressor),
    "lzma": _streamed(lzma.LZMADecompressor),
    "zst": _zstd,
    "zstd": _zstd,
    "lz4": _lz4,
}

_MAGICS = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xff\x06\x00\x00sNaPpY", "sz"),
)
"""How each format begins, for pghoard's objects: their names do not tell (its transfer.py)."""


class _Plain:
    """ports.Plain."""

    def first_bytes(self, name: str, head: bytes, count: int) -> bytes:
        """The first `count` plain bytes. Raises ValueError that says why they cannot be had."""
        plain = _decompressed(name, head, count)
        if len(plain) < count:
            raise MoreNeededError(f"its first {len(head)} bytes hold {len(plain)} plain ones, not {count}")
        return plain[:count]

    def whole(self, name: str, body: bytes, limit: int) -> bytes:
        """All of a small file. Raises ValueError where it has more than `limit` bytes, or cannot be read."""
        plain = _decompressed(name, body, limit + 1)
        if len(plain) > limit:
            raise ValueError(f"it has more than {limit} bytes")
        return plain

    def zstd_bytes(self, body: bytes) -> int:
        """How many bytes zstd makes of it."""
        import zstandard

        return len(zstandard.ZstdCompressor().compress(body))


PLAIN = _Plain()


def _decompressed(name: str, body: bytes, limit: int) -> bytes:
    suffix = name.rpartition("/")[2].rpartition(".")[2]
    if suffix not in _CANNOT and suffix not in _READERS:
        suffix = next((known for magic, known in _MAGICS if body.startswith(magic)), "")
    if suffix in _CANNOT:
        raise ValueError(_CANNOT[suffix])
    reader = _READERS.get(suffix)
    if reader is None:
        return body[:limit]
    try:
        return reader(body, limit)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError) as error:
        raise ValueError(f"it is no {suffix}, or damaged: {error}") from None
    except ImportError:
        raise ValueError(f"the library that reads {suffix} is not installed") from None
