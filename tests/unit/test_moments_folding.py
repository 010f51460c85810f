"""What each change looks like in the WAL: told right of real servers, and in the words of older releases."""

from collections.abc import Sequence

import pytest

from tests.data.moments import RELEASES, Dump, collect, collected
from walconsole.domain.moments.collecting import Collecting
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.folding import MOST_FILES, MOST_OPEN

CHANGES: Sequence[tuple[str, Kind]] = (
    ("insert into orders(note) values ('keep me')", Kind.INSERTED),
    ("update 4 rows, delete 1, in two savepoints", Kind.UPDATED),
    ("delete from big where id <= 200", Kind.DELETED),
    ("update big: 100 rows", Kind.UPDATED),
    ("pg_create_restore_point('before the drop')", Kind.RESTORE_POINT),
    ("pg_logical_emit_message, a line break in its prefix", Kind.OTHER),
    ("a prepared insert, committed", Kind.INSERTED),
    ("alter table orders add column", Kind.DDL),
    ("alter table big alter column id type bigint", Kind.REWRITTEN),
    ("truncate orders", Kind.TRUNCATED),
    ("create, insert, truncate in one transaction", Kind.DDL),
    ("vacuum full items", Kind.REWRITTEN),
    ("drop table items", Kind.DROPPED),
    ("create table copy_of as select", Kind.DDL),
    ("create materialized view", Kind.DDL),
    ("refresh materialized view", Kind.REWRITTEN),
    ("drop index", Kind.DROPPED),
    ("reindex table orders: its files are new, as TRUNCATE's are", Kind.TRUNCATED),
    ("alter table big rename", Kind.DDL),
    ("drop table large, orders cascade", Kind.DROPPED),
    ("create schema", Kind.OTHER),
    ("create table s.a", Kind.DDL),
    ("create table s.b", Kind.DDL),
    ("insert into s.a: 10 rows", Kind.INSERTED),
    ("drop schema s cascade", Kind.DROPPED),
)


def _changes(release: str) -> list[Moment]:
    moments = [each for each in collected(release).moments if each.kind is not Kind.CHECKPOINT]
    first = next(place for place, each in enumerate(moments) if each.kind is Kind.INSERTED)
    return moments[first:]


@pytest.mark.parametrize("release", RELEASES)
def test_each_change_is_told_by_its_kind(release: str) -> None:
    found = [each.kind for each in _changes(release)[: len(CHANGES)]]
    wanted = [kind for _, kind in CHANGES]
    assert list(zip(found, CHANGES, strict=True)) == list(zip(wanted, CHANGES, strict=True))


@pytest.mark.parametrize("release", RELEASES)
def test_rows_are_counted_by_file_without_what_was_rolled_back(release: str) -> None:
    inserted, both, deleted, updated, *_ = _changes(release)
    assert [rows.inserted for _, rows in inserted.rows] == [1]
    total = both.total()
    assert (total.inserted, total.updated, total.deleted) == (0, 4, 1)
    assert [(rows.updated, rows.deleted) for _, rows in deleted.rows] == [(0, 200)]
    assert [(rows.updated, rows.deleted) for _, rows in updated.rows] == [(100, 0)]
    assert deleted.rows[0][0] == updated.rows[0][0]


@pytest.mark.parametrize("release", RELEASES)
def test_a_drop_names_the_oids_that_are_gone_the_table_first_among_its_locks(release: str) -> None:
    drop = next(each for each in _changes(release) if each.kind is Kind.DROPPED)
    assert len(drop.gone) == 4, "table, primary key, TOAST table and its index"
    assert drop.locked[0] in drop.gone
    assert {each.oid for each in drop.locked} == {each.oid for each in drop.gone}
    assert drop.classes == -4
    assert len(drop.files_dropped) == 4
    assert drop.at_us is not None
    assert drop.wal_bytes > 1000


@pytest.mark.parametrize("release", RELEASES)
def test_the_rest_is_told_too(release: str) -> None:
    moments = collected(release).moments
    assert [each.text for each in moments if each.kind is Kind.RESTORE_POINT] == ["before the drop"]
    settings = [each.text for each in moments if each.kind is Kind.PARAMETERS]
    assert ["max_connections=120" in each for each in settings] == [True]
    dropped = next(each for each in moments if each.kind is Kind.DATABASE_DROPPED)
    assert dropped.databases == (16384,)
    prepared = [each for each in moments if each.prepared]
    assert [each.total().inserted for each in prepared] == [1]
    assert sum(each.kind is Kind.CHECKPOINT for each in moments) >= 2
    truncated = [each.truncated for each in moments if each.kind is Kind.TRUNCATED]
    assert [len(each) for each in truncated] == ([1, 0] if "logical" in release else [0, 0])


@pytest.mark.parametrize("release", RELEASES)
def test_every_end_of_a_transaction_is_known_with_its_time(release: str) -> None:
    found = collected(release)
    ends = found.ends
    assert found.doubts == ()
    assert all(ends.time_of(place) is not None for place in range(len(ends)))
    assert ends.committed_from(0) == sum(each.is_transaction for each in found.moments)
    rolled_back = len(ends) - ends.committed_from(0)
    assert rolled_back == 2, "one by ROLLBACK, one that was prepared"


@pytest.mark.parametrize(
    ("description", "rows"),
    [
        ("INSERT off 2 flags 0x00, blkref #0: rel 1663/5/16384 blk 0", (1, 0, 0)),
        ("INSERT+INIT off: 1, flags: 0x00, blkref #0: rel 1663/5/16384 blk 0", (1, 0, 0)),
        ("MULTI_INSERT 52 tuples flags 0x02, blkref #0: rel 1663/5/16384 blk 13", (52, 0, 0)),
        ("MULTI_INSERT+INIT ntuples: 52, flags: 0x02, blkref #0: rel 1663/5/16384 blk 13", (52, 0, 0)),
        ("DELETE off 4 flags 0x00 KEYS_UPDATED , blkref #0: rel 1663/5/16384 blk 0 FPW", (0, 0, 1)),
        ("UPDATE off 1 xmax 7 flags 0x00 ; new off 4 xmax 0, blkref #0: rel 1663/5/16384 blk 5", (0, 1, 0)),
        ("HOT_UPDATE old_xmax: 7, old_off: 1, blkref #0: rel 1663/5/16384 blk 1", (0, 1, 0)),
        ("LOCK off 1: xid 7: flags 0x00 LOCK_ONLY, blkref #0: rel 1663/5/16384 blk 1", None),
        ("INSERT off 2 flags 0x00, blkref #0: rel 1663/5/16384 fork vm blk 0", None),
        ("INSERT off 2 flags 0x00", None),
        ("HEAP_CONFIRM off 3, blkref #0: rel 1663/5/16384 blk 1", None),
    ],
)
def test_rows_in_the_words_of_every_release(description: str, rows: tuple[int, int, int] | None) -> None:
    dump = Dump()
    dump.add("Heap2" if "MULTI" in description else "Heap", 7, description)
    dump.commit(7, "12:00:00.000001")
    (moment,) = collect(dump.text).moments
    found = [(each.inserted, each.updated, each.deleted) for _, each in moment.rows]
    assert found == ([] if rows is None else [rows])


@pytest.mark.parametrize(
    ("operation", "xid", "committed"),
    [
        ("COMMIT 2026-11-29 12:00:00.5 UTC", 7, True),
        ("ABORT 2026-11-29 12:00:00.5 UTC; subxacts: 8", 7, False),
        ("COMMIT_PREPARED 7: 2026-11-29 12:00:00.5 UTC; rels: base/5/16390", 0, True),
        ("ABORT_PREPARED 7: 2026-11-29 12:00:00.5 UTC", 0, False),
    ],
)
def test_ends_of_transactions(operation: str, xid: int, committed: bool) -> None:
    dump = Dump()
    dump.add("Heap", 7, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
    if xid == 0:
        dump.add("Transaction", 7, "PREPARE gid x; rels: base/5/1: 2026-11-29 11:00:00.5 UTC")
    dump.add("Transaction", xid, operation)
    found = collect(dump.text)
    assert found.ends.xid_of(0) == 7
    assert found.ends.time_of(0) == 1795953600_500000
    assert found.ends.committed_from(0) == committed
    assert [each.total().deleted for each in found.moments] == [1] * committed


def test_subtransactions_count_where_they_were_kept() -> None:
    dump = Dump()
    for xid in (7, 8, 9):
        dump.add("Heap", xid, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
    dump.add("Transaction", 9, "ABORT 2026-11-29 12:00:00.1 UTC")
    dump.commit(7, "12:00:00.5", "; subxacts: 8")
    (moment,) = collect(dump.text).moments
    assert moment.total().deleted == 2
    assert (moment.records, moment.wal_bytes) == (2, 64 + 64 + 34)


@pytest.mark.parametrize("at", ["2026-11-29 12:00:00.5 CET", "2026-13-29 12:00:00 UTC", "", "infinity"])
def test_a_time_that_cannot_be_read_is_none_and_said(at: str) -> None:
    dump = Dump()
    dump.add("Transaction", 7, f"COMMIT {at}")
    found = collect(dump.text)
    assert found.moments[0].at_us is None
    assert found.doubts == ("1 transactions have no time that could be read",)


def test_without_statistics_a_drop_is_told_by_pg_class_as_releases_before_15_write_it() -> None:
    dump = Dump()
    dump.add("Standby", 7, "LOCK xid 7 db 5 rel 16384 ")
    for _ in range(3):
        dump.add("Heap", 7, "DELETE off 4 flags 0x00 KEYS_UPDATED , blkref #0: rel 1663/5/1259 blk 0")
    dump.commit(7, "12:00:00.5", "; rels: base/5/16384 base/5/16388; inval msgs: catcache 50 relcache 16384")
    (moment,) = collect(dump.text).moments
    assert moment.kind is Kind.DROPPED
    assert ([each.oid for each in moment.locked], moment.gone, moment.classes) == ([16384], (), -3)


def test_files_of_tablespaces_are_told_and_temporary_ones_are_not() -> None:
    dump = Dump()
    rels = "; rels: base/5/t3_16390 pg_tblspc/16385/PG_15_202209061/5/16391 global/16392 base/5/16393_fsm"
    dump.commit(7, "12:00:00.5", rels)
    (moment,) = collect(dump.text).moments
    assert [tuple(each) for each in moment.files_dropped] == [(16385, 5, 16391), (1664, 0, 16392)]


def test_a_new_timeline_is_told_and_what_was_open_ends_with_the_old_one() -> None:
    old, new = Dump(), Dump(0x3000028)
    old.add("Heap", 7, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
    new.add("XLOG", 0, "END_OF_RECOVERY tli 2; prev tli 1; time 2026-11-29 12:00:00.5 UTC")
    new.commit(7, "12:00:01.5")
    collecting = Collecting(1)
    collecting.feed(old.text)
    collecting.next_timeline(2)
    ended, committed = collecting.read([new.text]).moments
    assert (ended.kind, ended.text, ended.timeline) == (Kind.TIMELINE, "timeline 1 ended, 2 began", 2)
    assert committed.total().deleted == 0


def test_what_may_have_begun_before_is_said() -> None:
    dump = Dump()
    dump.commit(7, "12:00:00.1")
    dump.add("Standby", 0, "RUNNING_XACTS nextXid 10 latestCompletedXid 7 oldestRunningXid 9; 1 xacts: 9")
    dump.commit(9, "12:00:00.2")
    dump.commit(10, "12:00:00.3")
    assert [each.has_beginning for each in collect(dump.text).moments] == [False, False, True]


def test_memory_is_bounded_by_events_transactions_and_files() -> None:
    dump = Dump()
    for node in range(16384, 16384 + MOST_FILES + 5):
        dump.add("Heap", 7, f"DELETE off: 1, blkref #0: rel 1663/5/{node} blk 0")
    dump.commit(7, "12:00:00.1")
    for xid in range(8, 8 + MOST_OPEN + 3):
        dump.add("Heap", xid, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
    found = collect(dump.text)
    assert len(found.moments[0].rows) == MOST_FILES
    assert not found.moments[0].is_whole
    assert found.doubts == ("of 3 transactions not all was kept: too many ran at a time",)


def test_the_worst_events_are_kept_where_there_are_too_many() -> None:
    dump = Dump()
    for xid in range(7, 27):
        for _ in range(1 + xid % 3):
            dump.add("Heap", xid, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
        dump.commit(xid, f"12:00:{xid}.1")
    dump.add("Database", 30, "DROP dir 1663/16400")
    dump.commit(30, "12:00:30.1")
    found = Collecting(1, most=5).read([dump.text])
    assert [each.total().deleted for each in found.moments] == [3, 3, 3, 3, 0]
    assert found.moments[-1].kind is Kind.DATABASE_DROPPED
    assert found.left_out == 16
    assert found.ends.committed_from(0) == 21
