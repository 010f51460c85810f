"""Segments' first pages: as real servers wrote them, and what else is stored under such names."""

import bz2
import gzip
import lzma
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.page_header import LONG_HEADER_BYTES, MAJORS, read_page_header

MIB = 1024 * 1024
PG15_1M = bytes.fromhex("10d10700010000000000600000000000d900000000000000953845072e5a066b0000100000200000")
PG15_16M = bytes.fromhex("10d102000100000000000001000000000000000000000000aac88aa12e5a066b0000000100200000")
PG15_64M = bytes.fromhex("10d102000100000000000004000000000000000000000000bf1856392f5a066b0000000400200000")
PG18_16M = bytes.fromhex("18d102000100000000000001000000000000000000000000d8283bc12f5a066b0000000100200000")


def page(
    order: str = "<",
    *,
    magic: int = 0xD110,
    info: int = 2,
    timeline: int = 1,
    address: int = 16 * MIB,
    system: int = 7411950568243775658,
    segment_bytes: int = 16 * MIB,
    block_bytes: int = 8192,
) -> bytes:
    """A long page header in that byte order."""
    fields = (magic, info, timeline, address, 0, system, segment_bytes, block_bytes)
    return struct.pack(order + "HHIQI4xQII", *fields)


@pytest.mark.parametrize(
    ("head", "major", "segment_bytes", "start_lsn", "system"),
    [
        (PG15_1M, 15, MIB, 6 * MIB, "7711950565655525525"),
        (PG15_16M, 15, 16 * MIB, 16 * MIB, "7711950568243775658"),
        (PG15_64M, 15, 64 * MIB, 64 * MIB, "7711950570790459583"),
        (PG18_16M, 18, 16 * MIB, 16 * MIB, "7711950573070395608"),
    ],
)
def test_what_real_servers_wrote_is_read(
    head: bytes, major: int, segment_bytes: int, start_lsn: int, system: str
) -> None:
    """Each head was written by initdb of that version, each identifier printed by its pg_controldata."""
    header = read_page_header(head)
    assert (header.major, header.timeline, header.block_bytes) == (major, 1, 8192)
    assert (header.segment_bytes, header.start_lsn) == (segment_bytes, start_lsn)
    assert header.system_identifier == system


@given(
    order=st.sampled_from("<>"),
    magic=st.sampled_from([*MAJORS, 0xD119]),
    info=st.sampled_from([0x2, 0x3, 0x6, 0x7, 0xF]),
    timeline=st.integers(1, 2**32 - 1),
    number=st.integers(1, 2**34 - 1),
    system=st.integers(0, 2**64 - 1),
    power=st.integers(20, 30),
    block_power=st.integers(10, 16),
    more=st.binary(max_size=20),
)
def test_any_header_is_read_in_either_byte_order(
    order: str,
    magic: int,
    info: int,
    timeline: int,
    number: int,
    system: int,
    power: int,
    block_power: int,
    more: bytes,
) -> None:
    head = page(
        order,
        magic=magic,
        info=info,
        timeline=timeline,
        address=number << power,
        system=system,
        segment_bytes=1 << power,
        block_bytes=1 << block_power,
    )
    header = read_page_header(head + more)
    assert (header.magic, header.major, header.timeline) == (magic, MAJORS.get(magic), timeline)
    assert (header.start_lsn, header.segment_bytes) == (number << power, 1 << power)
    assert header.block_bytes == 1 << block_power
    assert int(header.system_identifier) % 2**64 == system


def test_an_identifier_is_printed_as_a_bigint() -> None:
    assert read_page_header(page(system=2**64 - 1)).system_identifier == "-1"
    assert read_page_header(page(system=2**63 - 1)).system_identifier == str(2**63 - 1)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "empty"),
        (PG15_16M[:39], "only 39 of the first 40 bytes are there"),
        (bytes(40), "nothing but zeroes"),
        (gzip.compress(PG15_16M, mtime=0), "compressed with gzip"),
        (bz2.compress(PG15_16M), "compressed with bzip2"),
        (lzma.compress(PG15_16M), "compressed with xz"),
        (lzma.compress(PG15_16M, lzma.FORMAT_ALONE), "compressed with lzma"),
        (b"\x28\xb5\x2f\xfd" + PG15_16M, "compressed with zstd"),
        (b"\x51\x2a\x4d\x18" + PG15_16M, "compressed with zstd"),
        (b"\x04\x22\x4d\x18" + PG15_16M, "compressed with lz4"),
        (b"\xff\x06\x00\x00sNaPpY" + bytes(40), "compressed with snappy"),
        (b"\x89LZO\x00\r\n\x1a\n" + bytes(40), "compressed with lzop"),
        (b"age-encryption.org/v1\n-> X25519 " + bytes(40), "encrypted with age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n" + bytes(40), "encrypted with age"),
        (b"-----BEGIN PGP MESSAGE-----\n\n" + bytes(40), "encrypted with GPG"),
        (b"\x85\x02\x0c\x03" + bytes(range(40)), "encrypted with GPG"),
        (b"\x8c\x0d\x04\x09\x03\x02" + bytes(range(40)), "encrypted with GPG"),
        (b"\xc1\xc1\x4e\x03" + bytes(range(40)), "encrypted with GPG"),
        (b"Salted__" + bytes(range(40)), "encrypted with a password"),
        (b"1000000;chunk-signature=" + b"0" * 64 + b"\r\n" + PG15_16M, "aws-chunked"),
        (b"1000000\r\n" + PG15_16M, "aws-chunked"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "XML or HTML"),
        (
            b"\x1b[31m" + b"hostile text, hostile text, hostile text",
            "not WAL: it begins with the bytes 1b 5b",
        ),
        (page(info=0), "not the first page of a segment"),
        (page(info=0, segment_bytes=0, block_bytes=0), "PostgreSQL 15, but not the first of a segment"),
        (page(segment_bytes=3 * MIB), "wal_segment_size cannot be 3145728 bytes"),
        (page(">", segment_bytes=512 * 1024), "wal_segment_size cannot be 524288 bytes"),
        (page(segment_bytes=2**31), "wal_segment_size cannot be 2147483648 bytes"),
        (page(block_bytes=8193), "block size cannot be 8193 bytes"),
    ],
)
def test_what_is_no_first_page_is_named(head: bytes, said: str) -> None:
    with pytest.raises(ValueError, match="not a WAL page header: ") as refused:
        read_page_header(head)
    assert said in str(refused.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_header_or_a_plain_refusal(head: bytes) -> None:
    said, header = "", None
    try:
        header = read_page_header(head)
    except ValueError as error:
        said = str(error)
    assert (header is None) is bool(said)
    assert said.isascii()
    assert said.isprintable()
    assert header is None or len(head) >= LONG_HEADER_BYTES
