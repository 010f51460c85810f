"""Names that the WAL does hold: rows of pg_class in the images of its pages.

With full_page_writes on, which is the default, the first change of a page after a checkpoint writes the whole
page to the WAL: with it every row of pg_class that stood on it, also that of a table which that very record
deletes. So a window that reaches back to the checkpoint before a DROP has the names of what was dropped.

A record's bytes: access/xlogrecord.h; a page's: storage/bufpage.h, storage/itemid.h, access/htup_details.h; a
row's: catalog/pg_class.h. Images that are compressed with pglz or lz4 (wal_compression) are not read.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from walconsole.domain.moments.events import PG_CLASS, RelationFile, RelationId
from walconsole.domain.records import record

WAL_PAGE = BLOCK = 8192
IMAGE_BYTES = 17_000
"""So much from a record's begin on holds the images of two pages."""
MOST_ROWS = 20_000
_SHORT_HEADER, _LONG_HEADER = 24, 40
_RECORD_HEADER = 24
_HAS_IMAGE, _SAME_REL = 0x10, 0x80
_HAS_HOLE, _OLD_COMPRESSED, _COMPRESSED, _ZSTD = 0x01, 0x02, 0x1C, 0x10
_FORK, _LAST_BLOCK = 0x0F, 32
_OTHERS = {252: (5, ""), 253: (3, ""), 254: (5, "<I"), 255: (2, "<B")}
"""Headers of what belongs to no block, by id: bytes, and how the length of main data is written."""
_ROW = struct.Struct("<I64sI16xI")
_NORMAL = 1
Unpack = Callable[[bytes, int], bytes]
"""Makes an image plain that zstd compressed, of at most so many bytes. Raises ValueError."""


@record
class PastRelation:
    """A row of pg_class as it was: name, schema's OID, relkind, file (0: none of its own)."""

    name: str
    schema: int
    kind: str
    file: int


@record
class Past:
    """What the images say, of each relation by the newest of them."""

    by_oid: Mapping[RelationId, PastRelation] = field(default_factory=dict)
    by_file: Mapping[tuple[int, int], RelationId] = field(default_factory=dict)


def past_of(
    records: Iterable[tuple[int, bytes]], major: int, segment_bytes: int, unpack: Unpack | None = None
) -> Past:
    """From the WAL's bytes from each record's begin on, by its position. What is damaged or cut is left
    out.
    """
    by_oid: dict[RelationId, PastRelation] = {}
    by_file: dict[tuple[int, int], RelationId] = {}
    for lsn, raw in sorted(records):
        try:
            for file, page in pages_of(_without_headers(lsn, raw, segment_bytes), major, unpack):
                if file.node != PG_CLASS:
                    continue
                for oid, relation in class_rows(page, major):
                    each = RelationId(file.database, oid)
                    if len(by_oid) < MOST_ROWS or each in by_oid:
                        by_oid[each] = relation
                        if relation.file:
                            by_file[file.database, relation.file] = each
        except (struct.error, IndexError, ValueError):
            continue
    return Past(by_oid, by_file)


def _without_headers(lsn: int, raw: bytes, segment_bytes: int) -> bytes:
    """A record's bytes go on behind the header that each page of the WAL begins with."""
    parts, at = [], 0
    while at < len(raw):
        here = lsn + at
        if here % WAL_PAGE == 0:
            at += _LONG_HEADER if here % segment_bytes == 0 else _SHORT_HEADER
            here = lsn + at
        room = WAL_PAGE - here % WAL_PAGE
        parts.append(raw[at : at + room])
        at += room
    return b"".join(parts)


@dataclass(slots=True)
class _Image:
    """One block as its header says: where its image stands in the record follows from those before it."""

    file: RelationFile
    is_main: bool
    length: int
    hole_offset: int
    hole_length: int
    info: int
    data_length: int


def pages_of(record: bytes, major: int, unpack: Unpack | None) -> Iterator[tuple[RelationFile, bytes]]:
    """The whole pages in it, of files' main forks. Raises struct.error, IndexError or ValueError.

    Its headers end where what is left is as long as they say that the data are (xlogreader.c,
    DecodeXLogRecord): a record may have no main data.
    """
    (total,) = struct.unpack_from("<I", record)
    at, announced, images = _RECORD_HEADER, 0, list[_Image]()
    while total - at > announced:
        id = record[at]
        if id in _OTHERS:
            size, length_as = _OTHERS[id]
            if length_as:
                announced += struct.unpack_from(length_as, record, at + 1)[0]
            at += size
            continue
        image, at = _block(record, at, images[-1].file if images else None, major)
        announced += image.length + image.data_length
        images.append(image)
    for image in images:
        if image.length and image.is_main:
            yield image.file, _whole(image, record[at : at + image.length], major, unpack)
        at += image.length + image.data_length


def _block(record: bytes, at: int, before: RelationFile | None, major: int) -> tuple[_Image, int]:
    """The header of a block that stands at `at`, and where it ends."""
    id, flags, data_length = struct.unpack_from("<BBH", record, at)
    if id > _LAST_BLOCK:
        raise ValueError("not the header of a block")
    at += 4
    length = hole_offset = hole_length = info = 0
    if flags & _HAS_IMAGE:
        length, hole_offset, info = struct.unpack_from("<HHB", record, at)
        at += 5
        hole_length = BLOCK - length
        if _is_compressed(info, major):
            hole_length = 0
            if info & _HAS_HOLE:
                (hole_length,) = struct.unpack_from("<H", record, at)
                at += 2
    if flags & _SAME_REL:
        if before is None:
            raise ValueError("the first block has no file")
        file = before
    else:
        file = RelationFile(*struct.unpack_from("<III", record, at))
        at += 12
    return _Image(file, not flags & _FORK, length, hole_offset, hole_length, info, data_length), at + 4


def _is_compressed(info: int, major: int) -> bool:
    return bool(info & (_COMPRESSED if major >= 15 else _OLD_COMPRESSED))


def _whole(image: _Image, stored: bytes, major: int, unpack: Unpack | None) -> bytes:
    """The page, with the hole that was left out."""
    if len(stored) != image.length:
        raise ValueError("the image is cut")
    if _is_compressed(image.info, major):
        if unpack is None or major < 15 or not image.info & _ZSTD:
            raise ValueError("the image is compressed in a way that is not read")
        stored = unpack(stored, BLOCK)
    page = stored[: image.hole_offset] + bytes(image.hole_length) + stored[image.hole_offset :]
    if len(page) != BLOCK:
        raise ValueError("the image is not a page")
    return page


def class_rows(page: bytes, major: int) -> list[tuple[int, PastRelation]]:
    """The rows of pg_class on that page, each with its OID; deleted ones too, a newer version after an
    older one.
    """
    lower, upper = struct.unpack_from("<HH", page, 12)
    if not 24 <= lower <= upper <= BLOCK:
        raise ValueError("not a page of a table")
    kind_at = 119 if major >= 18 else 115
    found: list[tuple[int, int, PastRelation]] = []
    for place in range(24, lower, 4):
        (pointer,) = struct.unpack_from("<I", page, place)
        offset, flags, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
        if flags != _NORMAL or offset + length > BLOCK or length < 24:
            continue
        row = page[offset + page[offset + 22] : offset + length]
        if len(row) <= kind_at:
            continue
        oid, name, schema, file = _row(row)
        kind = chr(row[kind_at])
        if name and kind in "rpimvStcfI":
            (made_by,) = struct.unpack_from("<I", page, offset)
            found.append((made_by, oid, PastRelation(name, schema, kind, file)))
    found.sort(key=lambda each: each[0])
    return [(oid, relation) for _, oid, relation in found]


def _row(row: bytes) -> tuple[int, str, int, int]:
    oid, name, schema, file = _ROW.unpack_from(row)
    return oid, name.partition(b"\0")[0].decode("utf-8", "replace"), schema, file
