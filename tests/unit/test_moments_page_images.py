"""Names of relations that are gone, from images of pg_class's pages in the WAL of real servers."""

import gzip
import struct
from base64 import b64decode

import pytest
import zstandard

from tests.data.moments import WALDUMP
from walconsole.domain.moments.events import RelationFile, RelationId
from walconsole.domain.moments.names import Names, Relation
from walconsole.domain.moments.page_images import BLOCK, Past, PastRelation, class_rows, pages_of, past_of
from walconsole.domain.wal import parse_lsn

SEGMENT = 1 << 24
MAJORS = (15, 18)


def images(major: int) -> list[tuple[int, bytes]]:
    """The WAL from each record's begin on that has an image of a page of pg_class."""
    text = gzip.decompress((WALDUMP / f"{major}-pg_class.txt.gz").read_bytes()).decode()
    lines = (line.split(" ") for line in text.splitlines())
    return [(parse_lsn(lsn), b64decode(encoded)) for lsn, encoded in lines]


def past(major: int) -> Past:
    return past_of(images(major), major, SEGMENT)


@pytest.mark.parametrize("major", MAJORS)
def test_tables_that_were_dropped_later_have_their_names_schemas_and_kinds(major: int) -> None:
    named = {
        each.name: (each.kind, each.schema)
        for key, each in past(major).by_oid.items()
        if key.oid >= 16384 and key.database == 16384
    }
    assert named["orders"] == ("r", 2200)
    assert named["items"] == ("r", 2200)
    assert named["big"] == ("r", 2200)
    assert named["orders_id_seq"] == ("S", 2200)
    assert named["items_pkey"] == ("i", 2200)
    assert all(kind == "t" and schema == 99 for name, (kind, schema) in named.items() if name[-1].isdigit())


@pytest.mark.parametrize("major", MAJORS)
def test_their_files_are_known_by_them_and_names_are_told(major: int) -> None:
    found = past(major)
    (items,) = (each for each, was in found.by_oid.items() if was.name == "items")
    names = Names(past=found)
    assert names.of_oid(items) == "public.items"
    assert names.of_file(RelationFile(1663, 16384, found.by_oid[items].file)) == "public.items"
    assert names.knows(items)
    today = Names(by_oid={items: Relation("public.renamed", "r")}, past=found)
    assert today.of_oid(items) == "public.renamed"


@pytest.mark.parametrize(
    ("name", "schema", "schemas", "told"),
    [
        ("orders", 2200, {}, "public.orders"),
        ("Orders", 16500, {RelationId(5, 16500): '"My Shop"'}, '"My Shop"."Orders"'),
        ('a"b', 16501, {}, 'schema 16501."a""b"'),
        ("x\x1b[31m\n", 2200, {}, None),
    ],
)
def test_a_past_name_is_quoted_as_sql_wants_it(
    name: str, schema: int, schemas: dict[RelationId, str], told: str | None
) -> None:
    each = RelationId(5, 16384)
    said = Names(schemas=schemas, past=Past({each: PastRelation(name, schema, "r", 0)})).of_oid(each)
    assert said.isprintable()
    assert told in (None, said)


@pytest.mark.parametrize("major", MAJORS)
def test_what_is_cut_or_damaged_says_nothing_and_raises_nothing(major: int) -> None:
    for lsn, raw in images(major):
        for length in (0, 3, 24, 60, 100, 1000, 5000):
            past_of([(lsn, raw[:length])], major, SEGMENT)
        for at in range(120):
            broken = raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]
            past_of([(lsn, broken)], major, SEGMENT)
    assert past_of([(1 << 40, b"\xff" * 17_000), (8, b"\0" * 17_000)], major, SEGMENT) == Past()


def _record(image: bytes, hole: tuple[int, int], info: int, *, same: bool = False) -> bytes:
    """A record with one block and no main data, as FPI has it."""
    header = struct.pack("<BBHHHB", 0, 0x10 | (0x80 if same else 0), 0, len(image), hole[0], info)
    if info & 0x1C and info & 1:
        header += struct.pack("<H", hole[1])
    if not same:
        header += struct.pack("<III", 1663, 5, 1259)
    body = header + struct.pack("<I", 0) + image
    return struct.pack("<IIQBBHI", 24 + len(body), 0, 0, 0, 0, 0, 0) + body


def test_images_that_zstd_compressed_are_read_and_others_are_left_out() -> None:
    page = bytes(12) + struct.pack("<HH", 24, BLOCK) + bytes(BLOCK - 16)

    def unpack(stored: bytes, most: int) -> bytes:
        return zstandard.ZstdDecompressor().decompress(stored, max_output_size=most)

    packed = zstandard.ZstdCompressor().compress(page)
    assert list(pages_of(_record(packed, (0, 0), 0x10), 15, unpack)) == [(RelationFile(1663, 5, 1259), page)]
    for info, major in ((0x04, 15), (0x08, 18), (0x02, 14)):
        with pytest.raises(ValueError, match="compressed"):
            list(pages_of(_record(packed, (0, 0), info), major, unpack))


def test_a_hole_is_filled_and_a_first_block_needs_its_file() -> None:
    page = bytes(12) + struct.pack("<HH", 24, BLOCK) + bytes(BLOCK - 16)
    record = _record(page[:24] + page[1024:], (24, 1000), 0x01)
    assert [found for _, found in pages_of(record, 15, None)] == [page]
    with pytest.raises(ValueError, match="no file"):
        list(pages_of(_record(page, (0, 0), 0, same=True), 15, None))


def test_of_two_versions_of_a_row_the_newer_one_counts() -> None:
    rows = class_rows(_two_versions(), 15)
    assert [(oid, each.name) for oid, each in rows] == [(16384, "older"), (16384, "newer")]


def _two_versions() -> bytes:
    """A page on which the newer version of a row stands before the older one."""
    page = bytearray(BLOCK)
    struct.pack_into("<HH", page, 12, 32, 4096)
    for place, (offset, xmin, name) in enumerate(((7000, 900, b"newer"), (7500, 800, b"older"))):
        struct.pack_into("<I", page, 24 + place * 4, offset | 1 << 15 | 200 << 17)
        struct.pack_into("<I", page, offset, xmin)
        page[offset + 22] = 32
        row = struct.pack("<I64sI16xI", 16384, name, 2200, 16384)
        page[offset + 32 : offset + 32 + len(row)] = row
        page[offset + 32 + 115] = ord("r")
    return bytes(page)
