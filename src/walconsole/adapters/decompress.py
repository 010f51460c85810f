"""Plain bytes of what an archiving program compressed, and back: a head, or a small file or segment whole.

The libraries are imported when an object needs them. Output is bounded whatever the input claims.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from walconsole.ports import MoreNeededError

_GZIP = 16 + zlib.MAX_WBITS
_LZMA_MEMORY = 128 * 1024 * 1024
"""xz -9 needs 65 MiB to decompress (xz(1))."""
_ZSTD_BYTES = 64
"""A block of 4 bytes may stand for 128 KiB (RFC 8878, 3.1.1.2): these make 2 MiB at most."""
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
    "bin": "it is encrypted (rclone crypt)",
}


class _Stream(Protocol):
    """What the libraries' decompressors have in common; `eof` once the end of what they read was there."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _read(make: Callable[[], _Stream], body: bytes, limit: int) -> tuple[bytes, bool]:
    """Of all its members, one after another (RFC 1952, 2.2; pbzip2, pixz), zeroes left out."""
    parts: list[bytes] = []
    while True:
        stream = make()
        parts.append(stream.decompress(body, limit))
        limit -= len(parts[-1])
        body = (stream.unused_data or b"").lstrip(b"\0")
        if not stream.eof or not body or limit <= 0:
            return b"".join(parts), stream.eof


def _gzip(body: bytes, limit: int) -> tuple[bytes, bool]:
    return _read(lambda: zlib.decompressobj(_GZIP), body, limit)


def _bz2(body: bytes, limit: int) -> tuple[bytes, bool]:
    return _read(bz2.BZ2Decompressor, body, limit)


def _lzma(body: bytes, limit: int) -> tuple[bytes, bool]:
    return _read(lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY), body, limit)


def _lz4(body: bytes, limit: int) -> tuple[bytes, bool]:
    import lz4.frame

    return _read(lz4.frame.LZ4FrameDecompressor, body, limit)


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    """Fed a little at a time, for its output cannot be bounded otherwise, nor its end be seen.

    Of all its frames, one after another (RFC 8878, 3.1): pzstd writes many, and some to be skipped.
    """
    import zstandard

    stream, parts, at = zstandard.ZstdDecompressor().decompressobj(), list[bytes](), 0
    try:
        while at < len(body) and limit > 0:
            if stream.eof:
                stream = zstandard.ZstdDecompressor().decompressobj()
            fed = body[at : at + _ZSTD_BYTES]
            parts.append(stream.decompress(fed))
            limit -= len(parts[-1])
            at += len(fed) - len(stream.unused_data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return b"".join(parts), stream.eof


_READERS: dict[str, Callable[[bytes, int], tuple[bytes, bool]]] = {
    "gz": _gzip,
    "bz2": _bz2,
    "xz": _lzma,
    "lzma": _lzma,
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

_SALTED = b"Salted__"
"""How OpenSSL's encryption begins. pgBackRest writes it (cipherBlock.c) under the names of plain objects."""


class _Plain:
    """ports.Plain."""

    def first_bytes(self, name: str, head: bytes, count: int) -> bytes:
        """The first `count` plain bytes. Raises ValueError that says why they cannot be had."""
        plain, _ = _decompressed(name, head, count)
        if len(plain) < count:
            raise MoreNeededError(f"its first {len(head)} bytes hold {len(plain)} plain ones, not {count}")
        return plain[:count]

    def whole(self, name: str, body: bytes, limit: int) -> bytes:
        """All of a small file. Raises ValueError where it has more than `limit` bytes, or cannot be read."""
        plain, ended = _decompressed(name, body, limit + 1)
        if len(plain) > limit:
            raise ValueError(f"it has more than {limit} bytes")
        if not ended:
            raise ValueError("it is cut off: the end of what was compressed is not there")
        return plain

    def more_than(self, name: str, head: bytes, limit: int, *, whole: bool) -> bool:
        """Whether it unpacks to more than `limit` bytes, as far as its frame says so, or `head` is all of it.

        False where neither tells: zstd's and lz4's frames may name their content's size, the others' do not.
        """
        said = _frame_bytes(head)
        if said is not None or not whole:
            return said is not None and said > limit
        try:
            return len(_decompressed(name, head, limit + 1)[0]) > limit
        except ValueError:
            return False

    def zstd_bytes(self, body: bytes) -> int:
        """How many bytes zstd makes of it."""
        import zstandard

        return len(zstandard.ZstdCompressor().compress(body))

    def packed(self, way: str, body: bytes) -> bytes:
        """Compressed. Raises ValueError for a way that is not known, or whose library is not installed."""
        try:
            return _packed(way, body)
        except ImportError:
            raise ValueError(f"the library that makes {way} is not installed") from None


PLAIN = _Plain()


def _frame_bytes(head: bytes) -> int | None:
    """The content's size that the first frame names (RFC 8878, 3.1.1.1.4; lz4_Frame_format.md)."""
    try:
        if head.startswith(_magic_of("zst")):
            import zstandard

            try:
                said: int = zstandard.frame_content_size(head)
            except zstandard.ZstdError:
                return None
            return said if said >= 0 else None
        if head.startswith(_magic_of("lz4")):
            import lz4.frame

            return int(lz4.frame.get_frame_info(head)["content_size"]) or None
    except (ImportError, RuntimeError, ValueError):
        return None
    return None


def _magic_of(suffix: str) -> bytes:
    return next(magic for magic, known in _MAGICS if known == suffix)


def _decompressed(name: str, body: bytes, limit: int) -> tuple[bytes, bool]:
    """About `limit` plain bytes (zstd: up to 2 MiB more), and whether they end where the object does."""
    if body.startswith(_SALTED):
        raise ValueError("it is encrypted (as OpenSSL does, and pgBackRest by it)")
    suffix = name.rpartition("/")[2].rpartition(".")[2]
    if suffix not in _CANNOT and suffix not in _READERS:
        suffix = next((known for magic, known in _MAGICS if body.startswith(magic)), "")
    if suffix in _CANNOT:
        raise ValueError(_CANNOT[suffix])
    reader = _READERS.get(suffix)
    if reader is None:
        return body[:limit], True
    try:
        return reader(body, limit)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError) as error:
        raise ValueError(f"it is no {suffix}, or damaged: {error}") from None
    except ImportError:
        raise ValueError(f"the library that reads {suffix} is not installed") from None


def _packed(way: str, body: bytes) -> bytes:
    match way:
        case "":
            return body
        case "zst":
            import zstandard

            return zstandard.ZstdCompressor(write_checksum=True).compress(body)
        case "gz":
            return gzip.compress(body, mtime=0)
        case "lz4":
            import lz4.frame

            return bytes(lz4.frame.compress(body, content_checksum=True))
        case "bz2":
            return bz2.compress(body)
        case "xz":
            return lzma.compress(body)
    raise ValueError(f"nothing here makes {way}")
