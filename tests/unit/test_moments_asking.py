"""Times and spans as operators write them; which events are listed; what they are called."""

from datetime import UTC, datetime

import pytest

from tests.data.moments import RELEASES, Dump, collect, collected, found_moments
from walconsole.domain.moments.asking import Shown, read_asked, read_span, read_time
from walconsole.domain.moments.events import Kind, Moment, RelationFile, RelationId
from walconsole.domain.moments.names import (
    MOST_ASKED,
    Names,
    Relation,
    judged_kind,
    read_names,
    relations_of,
    wanted,
)
from walconsole.domain.moments.words import about_text, rows_text, unknown_text, what_text

NOW = datetime(2026, 11, 29, 15, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("14:02", "2026-11-29T14:02:00+00:00"),
        ("14:02:33Z", "2026-11-29T14:02:33+00:00"),
        ("15:01", "2026-11-28T15:01:00+00:00"),
        ("9:05", "2026-11-29T09:05:00+00:00"),
        ("2026-11-27", "2026-11-27T00:00:00+00:00"),
        ("2026-11-27 14:02", "2026-11-27T14:02:00+00:00"),
        ("2026-11-27T14:02:11.25Z", "2026-11-27T14:02:11.250000+00:00"),
        ("2026-11-27 14:02+01:00", "2026-11-27T13:02:00+00:00"),
        ("yesterday 14:00", "2026-11-28T14:00:00+00:00"),
        ("Yesterday", "2026-11-28T00:00:00+00:00"),
        ("today 23:00", "2026-11-29T23:00:00+00:00"),
        ("-2h", "2026-11-29T13:00:00+00:00"),
        ("- 1h 30min", "2026-11-29T13:30:00+00:00"),
        ("30d ago", "2026-10-30T15:00:00+00:00"),
        ("2h 5 min ago", "2026-11-29T12:55:00+00:00"),
    ],
)
def test_times(text: str, at: str) -> None:
    assert datetime.fromtimestamp(read_time(text, NOW), UTC).isoformat() == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "25:00",
        "14:61",
        "2026-13-01",
        "20261127",
        "14:02 CET",
        "\x1b[31m",
        "yesterday noon",
        "yesterday 25:00",
        "-0s",
        "-2",
        "ago",
        "-367d",
        "2h",
        "tomorrow 1:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="write a time as"):
        read_time(text, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10min", 600), ("10 m", 600), ("2h", 7200), ("1h 30min", 5400), ("7d", 604800)],
)
def test_spans(text: str, seconds: float) -> None:
    assert read_span(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "0s", "8d", "10min later", "1y", "-5min"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="write a span as"):
        read_span(text)


def test_a_time_and_a_span_in_one_line() -> None:
    at = read_time("14:02", NOW)
    assert read_asked(" 14:02 30min ", NOW) == (at, 1800.0)
    assert read_asked("14:02", NOW) == (at, 600.0)
    assert read_asked("2026-11-29 14:02", NOW) == (at, 600.0)
    with pytest.raises(ValueError, match="write a"):
        read_asked("14:02 30", NOW)


def test_what_takes_nothing_away_is_listed_where_all_or_it_is_asked_for() -> None:
    found = found_moments()
    kinds = [moment.kind for moment in found.moments()]
    assert kinds == [Kind.RESTORE_POINT, Kind.DELETED, Kind.UPDATED, Kind.TRUNCATED, Kind.DROPPED, Kind.DDL]
    assert len(found.moments(everything=True)) == len(found.collected.moments)
    assert {each.kind for each in found.moments("ORDERS")} == {Kind.INSERTED, Kind.DELETED, Kind.DDL}
    assert [each.kind for each in found.moments("16400")] == [Kind.DROPPED]
    assert [each.xid for each in found.moments("731")] == [731]
    assert [each.kind for each in found.moments("release")] == [Kind.RESTORE_POINT]
    assert found.moments("nothing of that name") == ()


def test_only_what_lies_in_the_time_asked_for_is_listed() -> None:
    found = found_moments()
    deleted = found.moments("deleted")[0]
    assert deleted.at_us is not None
    for since, until, listed in (
        (0, -1, False),
        (1, 1, False),
        (0, 0, True),
        (None, 0, True),
        (0, None, True),
    ):
        shown = Shown(
            None if since is None else deleted.at_us + since, None if until is None else deleted.at_us + until
        )
        assert shown.has(deleted, found.names) is listed


def test_the_worst_is_the_newest_of_the_worst_kind() -> None:
    found = found_moments()
    worst = found.worst(found.moments())
    assert worst is not None
    assert worst.kind is Kind.DROPPED
    assert found.worst(()) is None
    assert found.at(worst.lsn) is worst
    assert found.at(1) is None


SHOP = Names(
    {5: "shop"},
    {
        RelationId(5, 16384): Relation("public.orders", "r"),
        RelationId(5, 16390): Relation("public.orders_pkey", "i", 16384),
        RelationId(5, 16387): Relation("pg_toast.pg_toast_16384", "t", 16384),
        RelationId(5, 16399): Relation("pg_toast.pg_toast_1", "t", 16398),
    },
    {(5, 17001): RelationId(5, 16384), (5, 17002): RelationId(5, 16387)},
    frozenset((5,)),
)


@pytest.mark.parametrize(
    ("node", "name"),
    [(17001, "public.orders"), (17002, "public.orders"), (16384, "file 5/16384"), (17003, "file 5/17003")],
)
def test_a_file_is_called_by_its_table_of_today(node: int, name: str) -> None:
    assert SHOP.of_file(RelationFile(1663, 5, node)) == name


@pytest.mark.parametrize(
    ("database", "oid", "name"),
    [
        (5, 16384, "public.orders"),
        (5, 16390, "public.orders"),
        (5, 16399, "pg_toast.pg_toast_1"),
        (5, 16500, "OID 16500"),
        (6, 16384, "OID 16384"),
    ],
)
def test_an_oid_is_called_by_its_table_of_today(database: int, oid: int, name: str) -> None:
    assert SHOP.of_oid(RelationId(database, oid)) == name


def _reindexed(*locked: int) -> Moment:
    dump = Dump()
    for oid in locked:
        dump.add("Standby", 7, f"LOCK xid 7 db 5 rel {oid} ")
    dump.add("Storage", 7, "CREATE base/5/17100")
    dump.commit(7, "12:00:01", "; rels: base/5/17001; inval msgs: relcache 16384")
    (moment,) = collect(dump.text).moments
    return moment


@pytest.mark.parametrize(
    ("locked", "names", "kind", "what"),
    [
        ((16390,), SHOP, Kind.DDL, "index rebuilt"),
        ((16384, 16390), SHOP, Kind.TRUNCATED, "truncated"),
        ((16390,), Names(), Kind.TRUNCATED, "truncated or rebuilt"),
        ((16390, 16500), SHOP, Kind.TRUNCATED, "truncated or rebuilt"),
    ],
)
def test_reindex_is_told_from_truncate_by_todays_catalogue(
    locked: tuple[int, ...], names: Names, kind: Kind, what: str
) -> None:
    moment = _reindexed(*locked)
    assert judged_kind(moment, names) is kind
    assert what_text(moment, names) == what


@pytest.mark.parametrize("release", RELEASES)
def test_the_dropped_table_comes_first_and_how_to_learn_its_name_is_said(release: str) -> None:
    drop = next(each for each in collected(release).moments if each.kind is Kind.DROPPED)
    names = Names({16384: "shop"})
    assert relations_of(drop, names)[0] == f"OID {drop.locked[0].oid}"
    assert about_text(drop, names).startswith(f"shop: OID {drop.locked[0].oid}, ")
    assert about_text(drop, names).endswith(" and 1 more")
    assert f"ask SELECT {drop.locked[0].oid}::regclass; in shop" in unknown_text(drop, names)
    known = Names({}, {each: Relation("x", "r") for each in (*drop.gone, *drop.locked)})
    assert unknown_text(drop, known) == ""


def test_what_is_asked_is_bounded_and_no_catalogue_of_initdbs() -> None:
    dump = Dump()
    for node in (1259, *range(16384, 16384 + MOST_ASKED + 5)):
        dump.add("Heap", 7, f"DELETE off: 1, blkref #0: rel 1663/5/{node} blk 0")
        dump.commit(7, "12:00:01")
    asked = wanted(collect(dump.text).moments)
    assert list(asked) == [5]
    assert len(asked[5]) == MOST_ASKED
    assert min(asked[5]) == 16384


def test_names_are_read_and_nonsense_is_left_out() -> None:
    said = """\
["database", 5, "shop\\u001b[31m"]
["relation", 5, 16384, 17001, "public.orders", "r", null]
["relation", 5, 16390, null, "public.v", "v", null]
["unasked", 6, "it is not there, or nobody may connect"]
["unasked", 5, "its catalogue could not be read"]
psql: error: connection refused
["relation", 5]
["relation", "x", {}, null, "n", "r", null]
17
{"database": 1}
"""
    names = read_names(said)
    assert names.database(5) == "shop[31m".replace("[31m", "") or names.database(5).isprintable()
    assert names.of_oid(RelationId(5, 16384)) == "public.orders"
    assert names.of_file(RelationFile(1663, 5, 17001)) == "public.orders"
    assert names.unasked[0] == "database 6: it is not there, or nobody may connect"
    assert all(line.isprintable() for line in names.unasked)
    assert read_names("") == Names()


def test_counts_of_a_part_are_marked() -> None:
    dump = Dump()
    dump.add("Heap", 7, "DELETE off: 1, blkref #0: rel 1663/5/16384 blk 0")
    dump.commit(7, "12:00:01")
    assert rows_text(collect(dump.text).moments[0]) == "-1?"
    dump = Dump()
    dump.add("Standby", 0, "RUNNING_XACTS nextXid 7 latestCompletedXid 6 oldestRunningXid 7")
    for operation in ("DELETE", "INSERT", "UPDATE", "INSERT"):
        dump.add("Heap", 7, f"{operation} off: 1, blkref #0: rel 1663/5/16384 blk 0")
    dump.commit(7, "12:00:01")
    assert rows_text(collect(dump.text).moments[0]) == "-1 ~1 +2"


@pytest.mark.parametrize(
    ("updated", "deleted", "listed"), [(9, 0, False), (10, 0, True), (3, 1, True), (0, 1, True)]
)
def test_updates_of_few_rows_are_listed_where_all_is_asked_for(
    updated: int, deleted: int, listed: bool
) -> None:
    dump = Dump()
    for operation, count in (("UPDATE", updated), ("DELETE", deleted)):
        for _ in range(count):
            dump.add("Heap", 7, f"{operation} off: 1, blkref #0: rel 1663/5/16384 blk 0")
    dump.commit(7, "12:00:01")
    (moment,) = collect(dump.text).moments
    assert Shown().has(moment, Names()) is listed
    assert Shown(everything=True).has(moment, Names())
