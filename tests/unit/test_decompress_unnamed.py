"""Compressed objects whose names do not say so: their first bytes do."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from walconsole.adapters.decompress import PLAIN

NAME = "site/xlog/000000010000000000000005"
WAL = bytes.fromhex("10d1060001000000") + bytes(8000)


@pytest.mark.parametrize(
    "compress",
    [
        bz2.compress,
        gzip.compress,
        lzma.compress,
        lz4.frame.compress,
        zstandard.ZstdCompressor().compress,
        bytes,
    ],
)
def test_the_content_tells_how_it_is_compressed(compress: Callable[[bytes], bytes]) -> None:
    assert PLAIN.first_bytes(NAME, compress(WAL), 40) == WAL[:40]
    assert PLAIN.whole(NAME, compress(WAL), 10_000) == WAL


def test_pghoards_default_is_named() -> None:
    with pytest.raises(ValueError, match="snappy is not read here"):
        PLAIN.first_bytes(NAME, b"\xff\x06\x00\x00sNaPpY" + bytes(100), 40)


def test_a_name_that_says_it_is_believed() -> None:
    with pytest.raises(ValueError, match="it is no zst, or damaged"):
        PLAIN.whole(f"{NAME}.zst", gzip.compress(WAL), 10_000)
