"""Plain bytes of what each program compressed, bounded, and why there are none."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from walconsole.adapters.decompress import PLAIN
from walconsole.ports import MoreNeededError

NAME = "000000010000000000000001"
KIB = 1024
SEGMENT = random.Random(1).randbytes(200 * KIB) + bytes(800 * KIB)  # noqa: S311  # half WAL, half zeroes
HISTORY = b"1\t0/3000000\tno recovery target specified\n"


def zstd_stream(body: bytes) -> bytes:
    """As `zstd` writes from a pipe: the size is not in the frame's header."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(body)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda body: lzma.compress(body, format=lzma.FORMAT_ALONE),
    "zst": zstandard.ZstdCompressor().compress,
    "zstd": zstd_stream,
    "lz4": lz4.frame.compress,
}
formats = pytest.mark.parametrize("suffix", COMPRESSORS)


@formats
def test_the_beginning_of_a_whole_object(suffix: str) -> None:
    body = COMPRESSORS[suffix](SEGMENT)
    assert PLAIN.first_bytes(f"wal/{NAME}.{suffix}", body, 40) == SEGMENT[:40]
    assert PLAIN.first_bytes(f"wal/{NAME}.{suffix}", body, len(SEGMENT)) == SEGMENT


@pytest.mark.parametrize(
    ("suffix", "enough"),
    [
        ("gz", 4 * KIB),
        ("xz", 4 * KIB),
        ("lzma", 4 * KIB),
        ("lz4", 160 * KIB),
        ("zst", 160 * KIB),
        ("zstd", 160 * KIB),
        ("bz2", len(SEGMENT)),
    ],
)
def test_the_beginning_of_a_beginning(suffix: str, enough: int) -> None:
    """A compressor's block is there or it is not: then more is asked for, and no byte is wrong."""
    body = COMPRESSORS[suffix](SEGMENT)
    assert PLAIN.first_bytes(f"{NAME}.{suffix}", body[:enough], 40) == SEGMENT[:40]
    for count in (0, 1, 20):
        with pytest.raises(MoreNeededError, match=f"its first {count} bytes"):
            PLAIN.first_bytes(f"{NAME}.{suffix}", body[:count], 40)


@formats
def test_a_whole_file(suffix: str) -> None:
    body = COMPRESSORS[suffix](HISTORY)
    assert PLAIN.whole(f"00000002.history.{suffix}", body, len(HISTORY)) == HISTORY
    assert PLAIN.whole(f"00000002.history.{suffix}", COMPRESSORS[suffix](b""), 10) == b""
    with pytest.raises(ValueError, match=f"more than {len(HISTORY) - 1} bytes"):
        PLAIN.whole(f"00000002.history.{suffix}", body, len(HISTORY) - 1)


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix != "lzma"])
def test_a_file_that_was_cut_is_not_a_shorter_one(suffix: str) -> None:
    body = COMPRESSORS[suffix](HISTORY * 400)
    for stop in (0, 5, len(body) // 2, len(body) - 1):
        with pytest.raises(ValueError, match="cut off"):
            PLAIN.whole(f"00000002.history.{suffix}", body[:stop], 100_000)


@formats
def test_a_bomb_makes_no_more_than_was_asked_for(suffix: str) -> None:
    bomb = COMPRESSORS[suffix](bytes(16 * KIB * KIB))
    assert PLAIN.first_bytes(f"{NAME}.{suffix}", bomb, 40) == bytes(40)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        PLAIN.whole(f"{NAME}.{suffix}", bomb, 1000)


@formats
def test_what_is_no_such_format(suffix: str) -> None:
    damaged = bytearray(COMPRESSORS[suffix](SEGMENT))
    damaged[:4] = b"WAL!"
    for body in (bytes(damaged), b"\xff" * 5000):
        with pytest.raises(ValueError, match=f"it is no {suffix}, or damaged"):
            PLAIN.first_bytes(f"{NAME}.{suffix}", body, 40)


def test_an_xz_that_wants_gigabytes_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    compressor = lzma.LZMACompressor(filters=filters)
    body = bytearray(compressor.compress(b"x") + compressor.flush())
    with pytest.raises(ValueError, match="emory"):
        PLAIN.first_bytes(f"{NAME}.xz", bytes(body), 1)


@pytest.mark.parametrize("name", [NAME, f"wal.v2/{NAME}", "00000002.history", f"{NAME}-{'0' * 40}"])
def test_what_is_not_compressed_is_as_it_is(name: str) -> None:
    assert PLAIN.first_bytes(name, SEGMENT, 40) == SEGMENT[:40]
    assert PLAIN.whole(name, HISTORY, 1000) == HISTORY
    with pytest.raises(MoreNeededError, match="hold 39 plain ones, not 40"):
        PLAIN.first_bytes(name, SEGMENT[:39], 40)
    with pytest.raises(ValueError, match="more than"):
        PLAIN.whole(name, HISTORY, 3)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst", "lz4"])
def test_a_name_without_a_suffix_does_not_hide_the_format(suffix: str) -> None:
    assert PLAIN.first_bytes(f"site/xlog/{NAME}", COMPRESSORS[suffix](SEGMENT), 40) == SEGMENT[:40]


@pytest.mark.parametrize(
    ("suffix", "why"),
    [
        ("br", "brotli is not read"),
        ("lzo", "lzop is not read"),
        ("snappy", "snappy is not read"),
        ("gpg", "encrypted"),
        ("age", "encrypted"),
        ("zst.gpg", "encrypted"),
        ("zst.bin", "rclone crypt"),
    ],
)
def test_what_is_not_read_here_says_why(suffix: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        PLAIN.first_bytes(f"{NAME}.{suffix}", b"\x8c\x0d" * 100, 40)
    assert not isinstance(caught.value, MoreNeededError)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".lz4", ".bz2"])
def test_what_is_encrypted_under_a_plain_name_is_told(suffix: str) -> None:
    for body in (b"Salted__" + SEGMENT[:4096], b"Salted__"):
        with pytest.raises(ValueError, match="encrypted") as caught:
            PLAIN.first_bytes(f"main/16-1/0000000100000000/{NAME}-{'0' * 40}{suffix}", body, 40)
        assert not isinstance(caught.value, MoreNeededError)
        with pytest.raises(ValueError, match="encrypted"):
            PLAIN.whole(f"main/16-1/00000002.history{suffix}", body, 1000)


def test_zstd_makes_less_of_a_segment_that_is_half_empty() -> None:
    assert len(SEGMENT) / 5 < PLAIN.zstd_bytes(SEGMENT) < len(SEGMENT) / 4


# -- More than a segment.


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_what_unpacks_to_more_than_a_segment_is_told_of_the_whole_object(suffix: str) -> None:
    twice, name = COMPRESSORS[suffix](SEGMENT * 2), f"{NAME}.{suffix}"
    assert PLAIN.more_than(name, twice, len(SEGMENT), whole=True)
    assert not PLAIN.more_than(name, twice, 2 * len(SEGMENT), whole=True)
    assert not PLAIN.more_than(name, COMPRESSORS[suffix](SEGMENT), len(SEGMENT), whole=True)


def test_of_a_beginning_the_frame_tells_it_where_it_names_its_contents_size() -> None:
    import lz4.frame
    import zstandard

    named = {
        "zst": zstandard.ZstdCompressor().compress(SEGMENT * 2),
        "lz4": lz4.frame.compress(SEGMENT * 2),
    }
    for suffix, body in named.items():
        assert PLAIN.more_than(f"{NAME}.{suffix}", body[:32], len(SEGMENT), whole=False), suffix
        assert not PLAIN.more_than(f"{NAME}.{suffix}", body[:32], 2 * len(SEGMENT), whole=False), suffix
    unnamed = zstandard.ZstdCompressor().compressobj().compress(SEGMENT * 2)
    assert not PLAIN.more_than(f"{NAME}.zst", unnamed[:32], len(SEGMENT), whole=False)


@pytest.mark.parametrize("body", [b"", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x8b", b"no frame"])
@pytest.mark.parametrize("whole", [True, False])
def test_of_what_cannot_be_read_nothing_is_told(body: bytes, whole: bool) -> None:
    assert not PLAIN.more_than(f"{NAME}.zst", body, 8, whole=whole)


@formats
def test_all_members_of_an_object_are_read(suffix: str) -> None:
    """pigz, pbzip2, pixz and pzstd write many; a block of zeroes behind them is none."""
    if suffix == "lzma":
        return  # has no members
    pack = COMPRESSORS[suffix]
    body = b"".join(pack(SEGMENT[at : at + 300 * KIB]) for at in range(0, len(SEGMENT), 300 * KIB))
    assert PLAIN.whole(f"{NAME}.{suffix}", body, len(SEGMENT)) == SEGMENT
    if suffix not in ("zst", "zstd", "lz4"):
        assert PLAIN.whole(f"{NAME}.{suffix}", body + bytes(512), len(SEGMENT)) == SEGMENT
    with pytest.raises(ValueError, match=r"cut off|damaged"):
        PLAIN.whole(f"{NAME}.{suffix}", body[:-20], len(SEGMENT))
    assert len(PLAIN.first_bytes(f"{NAME}.{suffix}", body, 310 * KIB)) == 310 * KIB
