"""Where a recovery stops before an event or with it, and what is lost: truth tables of PostgreSQL's own
rules.
"""

import pytest

from tests.data.moments import Dump, collect
from walconsole.domain.moments.collecting import Collected
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.targets import (
    ArchiveEnd,
    By,
    Kept,
    Loss,
    Target,
    loss_after,
    targets_before,
    targets_with,
    time_value,
)
from walconsole.domain.wal import format_lsn

NOON_US = 1795953600_000000


def _three(times: tuple[str, str, str] = ("12:00:01", "12:00:02", "12:00:03")) -> Collected:
    """Three transactions: 7, 8 (which deletes) and 9."""
    dump = Dump()
    for xid, at in zip((7, 8, 9), times, strict=True):
        operation = "DELETE" if xid == 8 else "INSERT"
        dump.add("Heap", xid, f"{operation} off: 1, blkref #0: rel 1663/5/16384 blk 0")
        dump.commit(xid, at)
    return collect(dump.text)


def _by(targets: tuple[Target, ...], by: By) -> Target:
    return next(target for target in targets if target.by is by)


def test_before_an_event_each_setting_says_the_same_and_the_lsn_comes_first() -> None:
    found = _three()
    moment = found.moments[1]
    targets = targets_before(moment, found.ends)
    assert [target.by for target in targets] == [By.LSN, By.XID, By.TIME]
    assert [target.fault for target in targets] == ["", "", ""]
    assert [target.lines() for target in targets] == [
        (
            f"recovery_target_lsn = '{format_lsn(moment.lsn)}'",
            "recovery_target_inclusive = 'off'",
            "recovery_target_timeline = '1'",
        ),
        ("recovery_target_xid = '8'", "recovery_target_inclusive = 'off'", "recovery_target_timeline = '1'"),
        (
            "recovery_target_time = '2026-11-29 12:00:02.000000+00'",
            "recovery_target_inclusive = 'off'",
            "recovery_target_timeline = '1'",
        ),
    ]


@pytest.mark.parametrize(
    ("times", "before", "with_it"),
    [
        (("12:00:01", "12:00:02", "12:00:03"), "", ""),
        (("12:00:02", "12:00:02", "12:00:03"), "at transaction 7", ""),
        (("12:00:03", "12:00:02", "12:00:01"), "at transaction 7", "at transaction 7"),
        (("12:00:01", "12:00:02", "12:00:02"), "", ""),
        (("12:00:01", "12:00:02", "12:00:01"), "", ""),
    ],
)
def test_a_time_stops_where_the_first_of_that_time_or_later_stands_in_the_wal(
    times: tuple[str, str, str], before: str, with_it: str
) -> None:
    found = _three(times)
    earlier = _by(targets_before(found.moments[1], found.ends), By.TIME)
    later = _by(targets_with(found.moments[1], found.ends), By.TIME)
    assert (before in earlier.fault, bool(earlier.fault)) == (True, bool(before))
    assert (with_it in later.fault, bool(later.fault)) == (True, bool(with_it))
    assert later.inclusive is True


def test_a_rollback_stops_a_recovery_to_a_time_as_well() -> None:
    dump = Dump()
    dump.add("Transaction", 6, "ABORT 2026-11-29 12:00:02 UTC")
    dump.commit(7, "12:00:02")
    found = collect(dump.text)
    assert "at transaction 6" in _by(targets_before(found.moments[0], found.ends), By.TIME).fault


def test_what_would_stop_elsewhere_comes_last() -> None:
    found = _three(("12:00:02", "12:00:02", "12:00:03"))
    assert [each.by for each in targets_before(found.moments[1], found.ends)][-1] is By.TIME


def test_a_restore_point_is_named_where_its_name_is_whole() -> None:
    dump = Dump()
    dump.commit(7, "12:00:01")
    dump.add("XLOG", 0, "RESTORE_POINT it's 1")
    dump.add("XLOG", 0, "RESTORE_POINT two\nlines")
    dump.commit(8, "12:00:02")
    found = collect(dump.text)
    whole, broken = [each for each in found.moments if each.kind is Kind.RESTORE_POINT]
    assert _by(targets_with(whole, found.ends), By.NAME).lines() == (
        "recovery_target_name = 'it''s 1'",
        "recovery_target_timeline = '1'",
    )
    assert [each.by for each in targets_with(broken, found.ends)] == [By.LSN]
    assert [each.by for each in targets_before(whole, found.ends)] == [By.LSN]
    assert whole.time_us == NOON_US + 1_000_000


@pytest.mark.parametrize(
    ("place", "keeping", "transactions", "kept"),
    [
        (0, False, 3, None),
        (0, True, 2, 7),
        (1, False, 2, 7),
        (1, True, 1, 8),
        (2, False, 1, 8),
        (2, True, 0, 9),
    ],
)
def test_what_is_lost_is_what_was_committed_from_there_on(
    place: int, keeping: bool, transactions: int, kept: int | None
) -> None:
    found = _three()
    moment = found.moments[place]
    loss = loss_after(moment, found.ends, ArchiveEnd(0x3000000, NOON_US + 60_000_000, True), keeping=keeping)
    assert loss.transactions == transactions
    assert (loss.kept.xid if loss.kept else None) == kept
    assert loss.is_all
    assert loss.wal_bytes == 0x3000000 - moment.lsn
    assert loss.seconds == (None if kept is None else 60 - (kept - 6))


@pytest.mark.parametrize(
    ("end", "is_all", "wal_bytes", "seconds"),
    [
        (ArchiveEnd(), False, None, 2.0),
        (ArchiveEnd(0x3000000), False, True, 2.0),
        (ArchiveEnd(0x3000000, NOON_US + 31_000_000), False, True, 30.0),
        (ArchiveEnd(0x3000000, NOON_US, True), True, True, 2.0),
    ],
)
def test_what_is_not_known_of_the_end_is_not_told(
    end: ArchiveEnd, is_all: bool, wal_bytes: bool | None, seconds: float
) -> None:
    found = _three()
    loss = loss_after(found.moments[1], found.ends, end)
    assert (loss.is_all, loss.wal_bytes is not None, loss.seconds) == (is_all, bool(wal_bytes), seconds)


def test_the_last_that_is_kept_is_not_one_that_was_rolled_back() -> None:
    dump = Dump()
    first = dump.commit(7, "12:00:01")
    dump.add("Transaction", 8, "ABORT 2026-11-29 12:00:02 UTC")
    dump.commit(9, "12:00:03")
    found = collect(dump.text)
    moment = found.moments[-1]
    assert loss_after(moment, found.ends, ArchiveEnd()).kept == Kept(7, first, NOON_US + 1_000_000)


def test_an_event_without_a_time_has_no_target_by_time() -> None:
    moment = Moment(Kind.CHECKPOINT, 0x2000028, 3, None, NOON_US)
    (target,) = targets_before(moment, _three().ends)
    assert target.settings() == (
        ("recovery_target_lsn", "0/2000028"),
        ("recovery_target_inclusive", "off"),
        ("recovery_target_timeline", "3"),
    )
    assert Loss(0, True, 0, None, NOON_US).seconds is None


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (NOON_US, "2026-11-29 12:00:00.000000+00"),
        (NOON_US + 1, "2026-11-29 12:00:00.000001+00"),
        (-1, "1969-12-31 23:59:59.999999+00"),
    ],
)
def test_times_are_written_to_the_microsecond(at_us: int, text: str) -> None:
    assert time_value(at_us) == text
