"""The first bytes of a WAL segment: whose it is, and of which server version.

Layout (PostgreSQL's access/xlog_internal.h, XLogLongPageHeaderData, in the writer's byte order):
magic u16, info u16, timeline u32, page address u64, remaining length u32, 4 bytes of padding, then,
in the first page of a segment, system identifier u64, segment size u32, block size u32.
"""

import re
import struct

from walconsole.domain.records import record
from walconsole.domain.wal import check_segment_bytes

# -- What an object holds that is named like a WAL segment and does not begin like one.
#
# Magic numbers from each format's own specification (gzip RFC 1952, zstd RFC 8878, the LZ4 frame
# format, bzip2, xz, snappy's framing, lzop), from age's and OpenPGP's (RFC 9580), and OpenSSL's `enc`.

_MAGICS = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"\x02\x21\x4c\x18", "compressed with lz4 (legacy format)"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x5d\x00\x00", "compressed with lzma"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with snappy"),
    (b"\x89LZO\x00\r\n\x1a\n", "compressed with lzop"),
    (b"PK\x03\x04", "a zip file"),
    (b"age-encryption.org/", "encrypted with age"),
    (b"-----BEGIN AGE ENCRYPTED FILE", "encrypted with age"),
    (b"-----BEGIN PGP MESSAGE", "encrypted with GPG"),
    (b"Salted__", "encrypted with a password by OpenSSL (pgBackRest does it too)"),
)
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_OPENPGP = re.compile(
    rb"\x84.[\x03\x06]|\x85..[\x03\x06]|\xc1(?:[\x00-\xbf]|[\xc0-\xdf].)[\x03\x06]"  # for a public key
    rb"|\x8c.[\x04-\x06]|\xc3[\x00-\xbf][\x04-\x06]",  # by a passphrase
    re.DOTALL,
)
_AWS_CHUNKED = re.compile(rb"[0-9A-Fa-f]{1,8}(?:;chunk-signature=[0-9a-f]*)?\r\n|[0-9A-Fa-f]{1,8};chunk-sig")
_MARKUP = re.compile(rb"\s*<(?:\?xml|!doctype|html|error)", re.IGNORECASE)


def what_else(head: bytes) -> str:
    """What these first bytes are, in a few words; empty where nothing is recognised.

    Only the constants of this module are returned, never what the bytes say.
    """
    if not head:
        return "empty"
    if not head.strip(b"\x00"):
        return "nothing but zeroes"
    for magic, what in _MAGICS:
        if head.startswith(magic):
            return what
    if _ZSTD_SKIPPABLE.match(head):
        return "compressed with zstd (a skippable frame comes first)"
    if _OPENPGP.match(head):
        return "encrypted with GPG"
    if _AWS_CHUNKED.match(head):
        return "stored in aws-chunked encoding, as a newer SDK sends it: the store kept the chunks' headers"
    if _MARKUP.match(head):
        return "an XML or HTML document"
    return ""


LONG_HEADER_BYTES = 40
BEGINNING_BYTES = 1024
"""With the first records in it: servers that parted earlier write others, with other checksums."""
MAJORS = {0xD106: 13, 0xD10D: 14, 0xD110: 15, 0xD113: 16, 0xD116: 17, 0xD118: 18}
"""Server versions by XLOG_PAGE_MAGIC."""

_FIELDS = "HHIQI4xQII"
_FIRST_PAGE = 0x0002
"""XLP_LONG_HEADER: set in the first page of a segment, and in no other."""
_BLOCK_BYTES = frozenset(1024 << power for power in range(7))
"""What configure's --with-wal-blocksize allows: 1 to 64 KiB."""
_SIGN = 2**63
_MODULUS = 2**64


@record
class PageHeader:
    """A segment's first page header. `major` is the server's version, None for an unknown magic.

    `timeline` may be the parent's in a child's first segment (seen on real servers): whose a segment
    is, `system_identifier` decides, as decimal digits like pg_control_system() prints it.
    """

    magic: int
    major: int | None
    timeline: int
    start_lsn: int
    system_identifier: str
    segment_bytes: int
    block_bytes: int


@record
class SegmentIdentity:
    """What the head of one archived segment said: `header`, or why it could not be read.

    `begins` is the SHA-256 of its first BEGINNING_BYTES, made plain; empty where so many were not read.
    """

    name: str
    key: str
    read_at: float
    header: PageHeader | None = None
    problem: str = ""
    begins: str = ""


def read_page_header(head: bytes) -> PageHeader:
    """Read a segment's first LONG_HEADER_BYTES, as they are once decompressed; more do no harm.

    The byte order is the one in which the segment size can exist: no size can in both. Raises
    ValueError that says what `head` is instead.
    """
    if len(head) < LONG_HEADER_BYTES:
        raise ValueError(_refusal(head, f"only {len(head)} of the first {LONG_HEADER_BYTES} bytes are there"))
    for order in "<>":
        magic, info, timeline, address, _, system, segment_bytes, block_bytes = struct.unpack_from(
            order + _FIELDS, head
        )
        if not _is_segment_size(segment_bytes):
            continue
        if not info & _FIRST_PAGE:
            raise ValueError(_refusal(head, "not the first page of a segment: it has no long header"))
        if block_bytes not in _BLOCK_BYTES:
            raise ValueError(_refusal(head, f"its block size cannot be {block_bytes} bytes"))
        return PageHeader(
            magic, MAJORS.get(magic), timeline, address, _as_printed(system), segment_bytes, block_bytes
        )
    raise ValueError(_refusal(head, _without_size(head)))


def _as_printed(system: int) -> str:
    """pg_control_system() returns a bigint: from 2038 on, when the sign bit is set, it is negative."""
    return str(system - _MODULUS if system >= _SIGN else system)


def _is_segment_size(segment_bytes: int) -> bool:
    try:
        check_segment_bytes(segment_bytes)
    except ValueError:
        return False
    return True


def _without_size(head: bytes) -> str:
    """Why a head is refused in which no segment size is found in either byte order."""
    for order in "<>":
        magic, info = struct.unpack_from(order + "HH", head)
        if magic not in MAJORS:
            continue
        if not info & _FIRST_PAGE:
            return f"a WAL page of PostgreSQL {MAJORS[magic]}, but not the first of a segment"
        (size,) = struct.unpack_from(order + "I", head, 32)
        return f"its wal_segment_size cannot be {size} bytes"
    return f"not WAL: it begins with the bytes {head[:4].hex(' ')}"


def _refusal(head: bytes, otherwise: str) -> str:
    """Why `head` is no page header: what it was recognised as, or else `otherwise`."""
    known = what_else(head)
    return f"not a WAL page header: {known}" if known else f"not a WAL page header: {otherwise}"
