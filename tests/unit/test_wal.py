"""WAL names and positions, tabled, and as properties for every segment size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.wal import (
    Segment,
    WalName,
    WalNameKind,
    check_segment_bytes,
    format_lsn,
    parse_lsn,
    wal_name,
)

MIB = 1024 * 1024
SIZES = st.sampled_from([MIB << shift for shift in range(11)])


@pytest.mark.parametrize(
    ("name", "size", "timeline", "number"),
    [
        ("000000010000000000000001", 16 * MIB, 1, 1),
        ("0000000100000000000000FF", 16 * MIB, 1, 255),
        ("000000010000000100000000", 16 * MIB, 1, 256),
        ("0000000A0000000100000000", 64 * MIB, 10, 64),
        ("00000001000000000000003F", 64 * MIB, 1, 63),
        ("000000010000000100000003", 1024 * MIB, 1, 7),
        ("000000010000000000000FFF", MIB, 1, 4095),
        ("FFFFFFFFFFFFFFFF000000FF", 16 * MIB, 0xFFFFFFFF, 2**40 - 1),
    ],
)
def test_a_name_is_timeline_log_and_segment(name: str, size: int, timeline: int, number: int) -> None:
    segment = Segment.parse(name, size)
    assert segment == Segment(timeline, number)
    assert segment.name(size) == name


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("000000010000000000000100", 16 * MIB),
        ("000000010000000000000040", 64 * MIB),
        ("000000010000000000000004", 1024 * MIB),
        ("00000001000000000000000a", 16 * MIB),
        ("00000001000000000000001", 16 * MIB),
        ("0000000100000000000000011", 16 * MIB),
        ("000000010000000000000001.partial", 16 * MIB),
        ("00000001000000000000000١", 16 * MIB),
        ("000000010000000000000001\n", 16 * MIB),
        ("", 16 * MIB),
    ],
)
def test_what_is_no_segment_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"not the name|cannot exist"):
        Segment.parse(name, size)


@pytest.mark.parametrize(
    ("text", "kind", "timeline"),
    [
        ("000000020000000000000001", WalNameKind.SEGMENT, 2),
        ("000000020000000000000001.partial", WalNameKind.PARTIAL, 2),
        ("000000020000000000000001.00000028.backup", WalNameKind.BACKUP, 2),
        ("00000003.history", WalNameKind.HISTORY, 3),
    ],
)
def test_the_kinds_of_names_that_are_archived(text: str, kind: WalNameKind, timeline: int) -> None:
    name = WalName.parse(text)
    assert (name.kind, name.timeline) == (kind, timeline)
    assert (name.segment is None) == (kind is WalNameKind.HISTORY)


@pytest.mark.parametrize("text", [None, "", "postgresql.conf", "00000003.histor", "RECOVERYXLOG"])
def test_text_from_outside_that_is_no_wal_name_is_none(text: str | None) -> None:
    assert wal_name(text) is None


@given(SIZES, st.integers(1, 2**32 - 1), st.data())
def test_every_segment_survives_its_name(size: int, timeline: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2**64 // size - 1))
    segment = Segment(timeline, number)
    assert Segment.parse(segment.name(size), size) == segment
    assert Segment.at(timeline, segment.start_lsn(size), size) == segment


@given(SIZES, st.integers(1, 2**64 - 1))
def test_a_boundary_belongs_to_the_segment_that_ends_there(size: int, lsn: int) -> None:
    ending, holding = Segment.ending_at(1, lsn, size), Segment.at(1, lsn, size)
    assert holding == (ending.next() if lsn % size == 0 else ending)


@pytest.mark.parametrize(
    ("lsn", "size", "ending", "holding"),
    [
        ("0/1000000", 16 * MIB, "000000010000000000000000", "000000010000000000000001"),
        ("0/1000001", 16 * MIB, "000000010000000000000001", "000000010000000000000001"),
        ("0/2000000", 16 * MIB, "000000010000000000000001", "000000010000000000000002"),
        ("1/0", 16 * MIB, "0000000100000000000000FF", "000000010000000100000000"),
        ("1/0", 64 * MIB, "00000001000000000000003F", "000000010000000100000000"),
        ("1/0", MIB, "000000010000000000000FFF", "000000010000000100000000"),
        ("1/0", 1024 * MIB, "000000010000000000000003", "000000010000000100000000"),
        ("1/40000000", 1024 * MIB, "000000010000000100000000", "000000010000000100000001"),
        ("FFFFFFFF/FFFFFFFF", 16 * MIB, "00000001FFFFFFFF000000FF", "00000001FFFFFFFF000000FF"),
    ],
)
def test_an_lsn_at_the_end_of_a_segment_or_of_a_log(lsn: str, size: int, ending: str, holding: str) -> None:
    position = parse_lsn(lsn)
    assert Segment.ending_at(1, position, size).name(size) == ending
    assert Segment.at(1, position, size).name(size) == holding


@given(SIZES, st.integers(1, 2**32 - 2), st.integers(0, 2**64 - 1))
def test_a_switch_within_a_segment_names_it_on_both_timelines(size: int, timeline: int, lsn: int) -> None:
    """The child begins with a copy of its parent's segment: the same number under two names."""
    parent, child = Segment.at(timeline, lsn, size), Segment.at(timeline + 1, lsn, size)
    assert parent.name(size)[8:] == child.name(size)[8:]
    assert parent < child
    assert parent.start_lsn(size) == child.start_lsn(size) <= lsn < parent.next().start_lsn(size)


@given(SIZES, st.integers(0, 2**32 - 2))
def test_the_last_segment_of_a_log_is_followed_by_the_first_of_the_next(size: int, log: int) -> None:
    per_log = 2**32 // size
    last = Segment.parse(f"00000001{log:08X}{per_log - 1:08X}", size)
    assert last.next().name(size) == f"00000001{log + 1:08X}00000000"


@given(SIZES, st.integers(0, 2**40), st.integers(0, 2**40))
def test_names_sort_as_positions_do(size: int, one: int, other: int) -> None:
    lsns = sorted([one, other])
    names = [Segment.at(1, lsn, size).name(size) for lsn in lsns]
    assert names == sorted(names)


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_survives_its_text(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@pytest.mark.parametrize("text", ["", "0", "0/", "/0", "G/0", "0/123456789", "0/0 ", "-1/0"])
def test_what_is_no_lsn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an LSN"):
        parse_lsn(text)


@pytest.mark.parametrize("size", [0, -1, 1, 512 * 1024, 3 * MIB, 2048 * MIB])
def test_sizes_that_no_server_was_made_with(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        check_segment_bytes(size)


def test_sizes_that_a_server_may_have() -> None:
    assert [check_segment_bytes(MIB << shift) for shift in range(11)][-1] == 1024 * MIB
