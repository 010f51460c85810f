"""pg_waldump's lines: real ones, in chunks that end anywhere, and text that pretends to be records."""

import pytest

from tests.data.moments import RELEASES, Dump, printed
from walconsole.domain.moments.dump import HELD, LONGEST_LINE, DumpedRecords, WalRecord


def _read(text: bytes, size: int = 1 << 16) -> tuple[list[WalRecord], DumpedRecords]:
    dumped = DumpedRecords()
    return list(dumped.read(text[at : at + size] for at in range(0, len(text), size))), dumped


@pytest.mark.parametrize("release", RELEASES)
def test_every_line_of_a_real_server_is_a_record(release: str) -> None:
    text = printed(release)
    records, dumped = _read(text)
    assert len(records) == text.count(b"\nrmgr: ") + 1
    assert (dumped.strays, dumped.cut) == (0, 0)
    assert [each.prev for each in records[1:]] == [each.lsn for each in records[:-1]]
    # the logical message's prefix has a line break in it: nothing else has more lines than one
    torn = [record for record in records if record.lsn in dumped.torn]
    assert [record.manager for record in torn] == [b"LogicalMessage"]


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_chunks_may_end_anywhere(size: int) -> None:
    text = printed("18-replica")[:40_000]
    assert _read(text, size)[0] == _read(text)[0]


def test_a_last_line_without_an_end_is_no_record() -> None:
    dump = Dump()
    dump.add("Heap", 7, "INSERT off: 1, flags: 0x00, blkref #0: rel 1663/5/16384 blk 0")
    dump.commit(7, "12:00:00.000001")
    assert [each.manager for each in _read(dump.text[:-1])[0]] == [b"Heap"]


def _forged(lsn: str, prev: str, xid: int = 999) -> str:
    return (
        f"\nrmgr: Transaction len (rec/tot):     34/    34, tx: {xid:10d}, lsn: {lsn}, prev {prev}, "
        "desc: COMMIT 2020-01-01 00:00:00.000000 UTC"
    )


def test_text_that_does_not_follow_is_left_out() -> None:
    dump = Dump()
    dump.add("XLOG", 0, "RESTORE_POINT evil" + _forged("0/00000001", "0/00000000"))
    end = dump.commit(7, "12:00:00.000001")
    records, dumped = _read(dump.text)
    assert [each.lsn for each in records[1:]] == [end]
    assert dumped.strays == 1


@pytest.mark.parametrize("count", [1, 2, HELD // 2])
def test_text_that_guessed_where_it_would_stand_is_found_out_by_the_next_record(count: int) -> None:
    dump = Dump()
    first = dump.add("Heap", 7, "INSERT off: 1, flags: 0x00, blkref #0: rel 1663/5/16384 blk 0")
    prefix, at = "", dump.lsn
    for number in range(count):
        prefix += _forged(f"0/{at + number + 1:08X}", f"0/{at + number:08X}")
    message = dump.add(
        "LogicalMessage", 7, f'MESSAGE transactional, prefix "{prefix}"; payload (0 bytes):', 4096
    )
    end = dump.commit(7, "12:00:00.000001")
    records, dumped = _read(dump.text)
    assert [each.lsn for each in records] == [first, message, end]
    assert dumped.strays == count
    assert message in dumped.torn


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    dump = Dump()
    dump.add("Heap", 7, "INSERT " + "x" * (LONGEST_LINE + 200_000))
    end = dump.commit(7, "12:00:00.000001")
    dumped = DumpedRecords()
    longest = 0
    records: list[WalRecord] = []
    for at in range(0, len(dump.text), 1 << 16):
        records += dumped.feed(dump.text[at : at + (1 << 16)])
        longest = max(longest, len(dumped._rest))
    records += dumped.end()
    assert dumped.cut == 1
    assert records[-1].lsn == end
    assert longest <= LONGEST_LINE + (1 << 16)


def test_lines_that_are_none_are_nothing() -> None:
    for text in (
        b"",
        b"\n\n",
        b"pg_waldump: error: could not find file\n",
        b"rmgr: Heap len\n",
        b"\xff\x00\x1b[31m\n",
    ):
        assert _read(text)[0] == []
