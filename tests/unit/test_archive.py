"""Key layouts and the names in keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.layouts import (
    Layout,
    Place,
    archived_name,
    names_pattern,
    place_of,
    segment_suffix,
    without_checksum,
)
from walconsole.domain.wal import Segment, WalNameKind

MIB = 1024 * 1024
NAME = "0000000100000002000000FE"
SHA1 = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("directory", "place"),
    [
        ("", Place(Layout.FLAT)),
        ("2026/08/01/", Place(Layout.DATED)),
        ("old/2026/08/01/", Place(Layout.DATED, "old/")),
        ("wal_005/", Place(Layout.WAL_G, "wal_005/")),
        ("pg/wal_005/", Place(Layout.WAL_G, "pg/wal_005/")),
        ("main/wals/0000000100000002/", Place(Layout.BARMAN, "main/wals/")),
        ("main/wals/", Place(Layout.BARMAN, "main/wals/")),
        ("archive/demo/15-1/0000000100000002/", Place(Layout.PGBACKREST, "archive/demo/15-1/")),
        ("archive/demo/15-2/", Place(Layout.PGBACKREST, "archive/demo/15-2/")),
        ("shithub-wal/", Place(Layout.NESTED, "shithub-wal/")),
        ("a/b/", Place(Layout.NESTED, "a/b/")),
        ("wal_005/x/", Place(Layout.NESTED, "wal_005/x/")),
        ("0000000100000002/", Place(Layout.BY_LOG)),
        ("wal/0000000100000002/", Place(Layout.BY_LOG, "wal/")),
        ("wal/00000002.history/", Place(Layout.BY_LOG, "wal/")),
        ("wal/000000010000000G/", Place(Layout.NESTED, "wal/000000010000000G/")),
        ("wal/000000010000000/", Place(Layout.NESTED, "wal/000000010000000/")),
        ("site/xlog/", Place(Layout.PGHOARD, "site/")),
        ("site/timeline/", Place(Layout.PGHOARD, "site/")),
        ("eu/site/xlog/", Place(Layout.PGHOARD, "eu/site/")),
        ("xlog/", Place(Layout.PGHOARD)),
        ("pg_xlog/", Place(Layout.NESTED, "pg_xlog/")),
        ("pg_wal/", Place(Layout.NESTED, "pg_wal/")),
        ("٢٠٢٦/٠٨/٠١/", Place(Layout.NESTED, "٢٠٢٦/٠٨/٠١/")),
        ("2026/08/", Place(Layout.DATED)),
        ("basebackups_005/base_000000010000000000000002/", None),
        ("basebackups_005/", None),
        ("main/base/20260801T120000/", None),
        ("main/base/20260801T120000Z/", None),
        ("backup/demo/20260801-120000F/pg_data/pg_wal/", None),
        ("backup/demo/20260801-120000F_20260802-120000I/", None),
        ("nightly/pg_wal/", None),
        ("site/basebackup/", None),
        ("site/basebackup_chunk/2026-08-01_12-00_0/", None),
        ("site/basebackup_delta/", None),
        ("basebackup_delta_chunk/2026-08-01_12-00_0/", None),
        ("/", Place(Layout.NESTED, "/")),
        ("//", Place(Layout.NESTED, "//")),
    ],
)
def test_a_folder_tells_the_layout(directory: str, place: Place | None) -> None:
    assert place_of(directory) == place


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".lz4", ".br", ".zst.gpg", f"-{SHA1}", f"-{SHA1}.zst"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NAME, WalNameKind.SEGMENT),
        (f"{NAME}.partial", WalNameKind.PARTIAL),
        (f"{NAME}.00000028.backup", WalNameKind.BACKUP),
        ("00000001.history", WalNameKind.HISTORY),
    ],
)
def test_a_name_is_read_with_every_suffix(text: str, kind: WalNameKind, suffix: str) -> None:
    name = archived_name(text + suffix, 16 * MIB)
    assert name is not None
    assert (name.text, name.kind, name.timeline, name.suffix) == (text, kind, 1, suffix)
    assert name.segment == (None if kind is WalNameKind.HISTORY else Segment(1, 2 * 256 + 0xFE))


@pytest.mark.parametrize(
    "basename",
    [
        "", "a", NAME.lower().replace("00fe", "00fe"), NAME[:-1], f"{NAME}0", f"{NAME}.tmp", f"{NAME}.gz.tmp",
        f"{NAME}\n", f" {NAME}", "000000010.history", "verify.probe", f"{NAME}.0028.backup", f"{NAME}-abc",
    ],
)  # fmt: skip
def test_what_no_archiver_writes_is_no_name(basename: str) -> None:
    assert archived_name(basename, 16 * MIB) is None


@pytest.mark.parametrize(
    ("basename", "segment_bytes"),
    [
        ("000000010000000000000100", 16 * MIB),
        ("000000010000000000000040", 64 * MIB),
        ("000000010000000000000004.gz", 1024 * MIB),
        ("000000010000000000000000", 16 * MIB),
    ],
)
def test_a_segment_that_cannot_exist_is_refused(basename: str, segment_bytes: int) -> None:
    with pytest.raises(ValueError, match="cannot exist"):
        archived_name(basename, segment_bytes)


@pytest.mark.parametrize(
    ("segment_bytes", "highest"),
    [(1 * MIB, 0xFFF), (2 * MIB, 0x7FF), (16 * MIB, 0xFF), (64 * MIB, 0x3F), (512 * MIB, 7), (1024 * MIB, 3)],
)
def test_the_pattern_of_a_page_knows_the_last_field(segment_bytes: int, highest: int) -> None:
    pattern = names_pattern(".gz", segment_bytes)
    assert pattern.fullmatch(f"0000000100000000{highest:08X}.gz\n{NAME[:16]}00000000.gz\n")
    assert not pattern.fullmatch(f"0000000100000000{highest + 1:08X}.gz\n")


def test_the_pattern_of_a_page_knows_the_suffix() -> None:
    assert names_pattern(f"-{SHA1}.zst", 16 * MIB).fullmatch(f"{NAME}-{SHA1[::-1]}.zst\n")
    for other in (f"{NAME}.zst\n", f"{NAME}\n", f"{NAME}.zzt\n", f"{NAME}-{SHA1}.zst"):
        assert not names_pattern(".zst", 16 * MIB).fullmatch(other) or other == f"{NAME}.zst\n"


@pytest.mark.parametrize(
    ("suffix", "left"), [("", ""), (".gz", ".gz"), (f"-{SHA1}", ""), (f"-{SHA1}.zst.gpg", ".zst.gpg")]
)
def test_a_checksum_is_left_out_of_a_suffix(suffix: str, left: str) -> None:
    assert without_checksum(suffix) == left


@given(st.text())
def test_no_folder_and_no_name_is_too_strange(text: str) -> None:
    for directory in (f"{text}/", f"a/{text}/", f"{text}/0000000100000002/"):
        place = place_of(directory)
        assert place is None or directory.startswith(place.root)
    assert archived_name(f"{text}\n", 16 * MIB) is None


def test_only_a_whole_segment_has_a_segments_suffix() -> None:
    assert segment_suffix(f"{NAME}.gz") == ".gz"
    assert segment_suffix(f"{NAME}.partial.gz") is None
    assert segment_suffix("00000002.history") is None
