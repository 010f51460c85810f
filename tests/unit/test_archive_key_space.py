"""Positions in the key space: they keep the order of keys, so that a cut loses none and doubles none."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.key_space import DaySpace, SegmentSpace, key_space
from walconsole.domain.archive.layouts import Layout, place_of
from walconsole.domain.wal import Segment

MIB = 1024 * 1024
SHA1 = "0123456789abcdef0123456789abcdef01234567"


def grouped(segment: Segment, size: int) -> str:
    """The segment in its log's folder."""
    name = segment.name(size)
    return f"{name[:16]}/{name}"


def by_name(segment: Segment, size: int) -> str:
    """The segment itself."""
    return segment.name(size)


LAYOUTS = {
    Layout.FLAT: ("", by_name, ".gz"),
    Layout.NESTED: ("shithub/", by_name, ""),
    Layout.WAL_G: ("wal_005/", by_name, ".lz4"),
    Layout.PGHOARD: ("site/xlog/", by_name, ""),
    Layout.BY_LOG: ("wal/", grouped, ".zst"),
    Layout.BARMAN: ("main/wals/", grouped, ".bz2"),
    Layout.PGBACKREST: ("archive/demo/16-1/", grouped, f"-{SHA1}.zst"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [MIB, 16 * MIB, 1024 * MIB])
@given(one=st.integers(1, 2**32), other=st.integers(1, 2**32), prefix=st.sampled_from(["", "p/"]))
def test_a_cut_lies_before_its_segment_and_after_the_one_before(
    layout: Layout, size: int, one: int, other: int, prefix: str
) -> None:
    root, written, suffix = LAYOUTS[layout]
    keys = [prefix + root + written(Segment(2, number), size) + suffix for number in (one, other)]
    assert (place := place_of((root + written(Segment(2, one), size)).rpartition("/")[0] + "/" * bool(root)))
    assert place.layout is layout
    space = key_space(keys[0], prefix, size)
    assert space is not None
    assert [space.position(key) for key in keys] == [one, other]
    cut = space.key(other)
    assert cut <= keys[1]
    assert (keys[0] <= cut) == (one < other or (one == other and not suffix))


@given(st.dates(), st.dates(), st.sampled_from(["", "p/", "p/old/"]))
def test_days_are_cut_at_their_folders(one: date, other: date, root: str) -> None:
    folders = [f"{root}{day.year:04}/{day.month:02}/{day.day:02}/" for day in (one, other)]
    name = Segment(1, 7).name()
    space = key_space(folders[0] + name, "", 16 * MIB)
    assert space == DaySpace(root)
    positions = [space.position(folder + name) for folder in folders]
    assert positions == [one.toordinal(), other.toordinal()]
    assert space.key(other.toordinal()) == folders[1]
    assert (folders[0] + name < folders[1]) == (one < other)
    assert max(one, other).toordinal() < space.limit


@pytest.mark.parametrize(
    "key",
    [
        "00000002.history",
        "NOTES.txt",
        "",
        "000000010000000000000100",
        "site/timeline/00000002.history",
        "wal/00000002.history/00000002.history",
        "wal/0000000100000002/000000010000000300000001",
        "main/base/20260801T120000/000000010000000200000001",
    ],
)
def test_what_has_no_order_is_not_split(key: str) -> None:
    assert key_space(key, "", 16 * MIB) is None


@pytest.mark.parametrize(
    "key",
    [
        "wal/0000000100000002/000000020000000200000001",
        "wal/0000000100000003/000000010000000200000001",
        "wal/000000010000000200000001",
        "wal/0000000100000002/0000000100000002000001FF",
        "wal/0000000100000002/",
        "other/0000000100000002/000000010000000200000001",
    ],
)
def test_a_key_of_another_part_has_no_position(key: str) -> None:
    assert SegmentSpace("wal/", 1, 16 * MIB, grouped=True).position(key) is None


@pytest.mark.parametrize(
    "key", ["2026/02/30/x", "0000/01/01/x", "2026/2/3/x", "٢٠٢٦/٠٨/٠١/x", "p/2026/02/03/x"]
)
def test_what_is_no_day_has_no_position(key: str) -> None:
    assert DaySpace("").position(key) is None


def test_a_key_without_a_log_s_folder_is_split_by_name() -> None:
    """barman-cloud's folders are sometimes left out."""
    space = key_space("main/wals/000000010000000200000001.gz", "", 16 * MIB)
    assert space == SegmentSpace("main/wals/", 1, 16 * MIB, grouped=False)
