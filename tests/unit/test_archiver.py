"""The archiver's state, lag and exposure, where they are easily got wrong."""

from typing import Any

import pytest

from tests.data.facts import (
    MIB,
    NOW,
    SEGMENT,
    archiver,
    broken,
    bucket,
    healthy,
    read,
    server,
    settings,
    wal_disk,
)
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.standing.archiver import ArchiverState, Lag, is_stalled, lag, state
from walconsole.domain.standing.exposure import agreement, exposure

FAILED = {"last_failed_wal": "000000010000000000000042", "failed_count": 3}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ArchiverState.WORKING),
        ({"settings": settings(archive_mode="off", archive_command="(disabled)")}, ArchiverState.OFF),
        ({"settings": settings(archive_command="")}, ArchiverState.NO_COMMAND),
        ({"settings": settings(archive_command="", archive_library="basic_archive")}, ArchiverState.WORKING),
        ({"server": server(in_recovery=True)}, ArchiverState.STANDBY),
        (
            {"server": server(in_recovery=True), "settings": settings(archive_mode="always")},
            ArchiverState.WORKING,
        ),
        ({"archiver": archiver(**FAILED, last_failed_at=NOW - 5, ready_count=1)}, ArchiverState.FAILING),
        # A failure before the last success is history, however large the counter.
        ({"archiver": archiver(**FAILED, last_failed_at=NOW - 900)}, ArchiverState.WORKING),
        # Its file is gone: nothing waits, so nothing fails any more.
        ({"archiver": archiver(**FAILED, last_failed_at=NOW - 5, ready_count=0)}, ArchiverState.WORKING),
        # The bucket holds what came before the current segment: the counters were only reset.
        (
            {"archiver": archiver(last_archived_wal=None, last_archived_at=None, archived_count=0)},
            ArchiverState.WORKING,
        ),
        (
            {
                "archiver": archiver(last_archived_wal=None, last_archived_at=None, archived_count=0),
                "primary": bucket(newest_segment="000000010000000000000012"),
            },
            ArchiverState.NEVER,
        ),
        (
            {
                "archiver": archiver(last_archived_wal=None, last_archived_at=None, archived_count=0),
                "primary": broken(Snapshot.primary, "no"),
            },
            ArchiverState.NEVER,
        ),
        ({"archiver": archiver(ready_count=5), "wal_disk": wal_disk(ready_count=None)}, ArchiverState.BEHIND),
        # The host saw none a moment ago: they have waited no longer.
        ({"archiver": archiver(ready_count=5)}, ArchiverState.WORKING),
        ({"archiver": archiver(ready_count=4)}, ArchiverState.WORKING),
        (
            {"archiver": archiver(ready_count=3), "wal_disk": wal_disk(oldest_ready_at=NOW - 20)},
            ArchiverState.BEHIND,
        ),
        # Idle: long after archive_timeout no switch came, so nothing worth one was written.
        ({"archiver": archiver(last_archived_at=NOW - 7200)}, ArchiverState.IDLE),
        ({"archiver": archiver(last_archived_at=NOW - 7200, lsn=0x42 * SEGMENT + 300)}, ArchiverState.IDLE),
        # Without archive_timeout a third of a segment may be hours of a user's writes.
        (
            {"archiver": archiver(last_archived_at=NOW - 7200), "settings": settings(archive_timeout="0")},
            ArchiverState.WORKING,
        ),
        ({"settings": broken(Snapshot.settings, "no")}, ArchiverState.UNKNOWN),
    ],
)
def test_state(facts: dict[str, Any], expected: ArchiverState) -> None:
    assert state(healthy(**facts), NOW) is expected


def test_a_backlog_with_neither_success_nor_failure_is_a_stall() -> None:
    facts = {
        "archiver": archiver(ready_count=4, last_archived_at=NOW - 600, **FAILED, last_failed_at=NOW - 700),
        "wal_disk": wal_disk(ready_count=4, oldest_ready_at=NOW - 590),
    }
    assert state(healthy(**facts), NOW) is ArchiverState.STALLED
    # One failure a minute is a retry, not a stall.
    retrying = archiver(ready_count=4, last_archived_at=NOW - 600, **FAILED, last_failed_at=NOW - 50)
    assert not is_stalled(healthy(**(facts | {"archiver": retrying})), NOW)


def test_a_backlog_that_just_appeared_is_no_stall_however_old_the_last_success() -> None:
    facts = {
        "archiver": archiver(ready_count=1, last_archived_at=NOW - 86400),
        "wal_disk": wal_disk(ready_count=1, oldest_ready_at=NOW - 2),
    }
    assert not is_stalled(healthy(**facts), NOW)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Lag(0, 5 * MIB, 41.0, idle=False)),
        ({"archiver": archiver(lsn=0x42 * SEGMENT)}, Lag(0, 0, 41.0, idle=True)),
        ({"archiver": archiver(lsn=0x45 * SEGMENT + 7)}, Lag(3, 3 * SEGMENT + 7, 41.0, idle=False)),
        # The oldest waiting file is older than the last success: a slow archiver's queue.
        (
            {
                "archiver": archiver(lsn=0x45 * SEGMENT, last_archived_at=NOW - 1, ready_count=3),
                "wal_disk": wal_disk(ready_count=3, oldest_ready_at=NOW - 95),
            },
            Lag(3, 3 * SEGMENT, 95.0, idle=False),
        ),
        # After a promotion the last archived segment has the parent's timeline.
        (
            {
                "archiver": archiver(last_archived_wal="000000010000000000000041.partial"),
                "server": server(timeline=2),
            },
            Lag(0, 5 * MIB, 41.0, idle=False),
        ),
        # A history file names no segment: the bucket's newest does.
        ({"archiver": archiver(last_archived_wal="00000002.history")}, Lag(0, 5 * MIB, 41.0, idle=False)),
        # The position was read before the statistics moved on: never negative.
        ({"archiver": archiver(lsn=0x41 * SEGMENT)}, Lag(0, 0, 41.0, idle=True)),
    ],
)
def test_lag(facts: dict[str, Any], expected: Lag) -> None:
    assert lag(healthy(**facts), NOW) == expected


def test_lag_is_unknown_where_nothing_is_known_to_be_archived() -> None:
    nothing = archiver(last_archived_wal=None, last_archived_at=None, archived_count=0)
    assert lag(healthy(archiver=nothing, primary=bucket(newest_segment=None)), NOW) is None
    assert exposure(healthy(archiver=nothing, primary=bucket(newest_segment=None)), NOW) is None


def test_ages_follow_the_servers_clock() -> None:
    late = server(clock=NOW + 3600, clock_read_at=NOW)
    behind = lag(healthy(server=late, archiver=archiver(last_archived_at=NOW + 3600 - 41)), NOW)
    assert behind is not None
    assert behind.seconds == pytest.approx(41)


def test_the_bucket_decides_what_would_be_lost_where_it_holds_less() -> None:
    snapshot = healthy(primary=bucket(newest_segment="000000010000000000000031", newest_at=NOW - 900))
    assert exposure(snapshot, NOW) == Lag(16, 16 * SEGMENT + 5 * MIB, 900.0, idle=False)
    assert lag(snapshot, NOW) == Lag(0, 5 * MIB, 41.0, idle=False)


def _agreement(snapshot: Snapshot) -> tuple[bool | None, int | None]:
    claims, by = snapshot.archiver.value, snapshot.server.value
    assert claims is not None
    assert by is not None
    answer = agreement(claims, by, snapshot)
    return answer.ok, answer.behind


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (True, 0)),
        # A clean shutdown archives a segment that the statistics never count.
        ({"primary": bucket(newest_segment="000000010000000000000042")}, (True, -1)),
        ({"primary": bucket(newest_segment="00000001000000000000003E")}, (False, 3)),
        ({"primary": bucket(newest_segment=None)}, (False, None)),
        ({"primary": broken(Snapshot.primary, "no such bucket", "NoSuchBucket")}, (None, None)),
        ({"archiver": archiver(last_archived_wal=None)}, (None, None)),
    ],
)
def test_agreement(facts: dict[str, Any], expected: tuple[bool | None, int | None]) -> None:
    assert _agreement(healthy(**facts)) == expected


def test_a_listing_that_is_older_than_the_last_success_proves_nothing() -> None:
    listed_before = read(Snapshot.primary, bucket(newest_segment="000000010000000000000040"), at=NOW - 50)
    assert _agreement(healthy(primary=listed_before))[0] is None


def test_on_a_busy_server_what_was_archived_since_the_listing_is_not_held_against_the_bucket() -> None:
    def look(snapshot: Snapshot, count: int, at: float) -> Snapshot:
        wal = f"0000000100000000000000{count:02X}"
        facts = archiver(
            archived_count=count, last_archived_wal=wal, last_archived_at=at, lsn=(count + 1) * SEGMENT
        )
        return fold(snapshot, read(Snapshot.archiver, facts, at), at)

    snapshot = Snapshot("busy", NOW, NOW)
    snapshot = fold(snapshot, read(Snapshot.server, server(), NOW), NOW)
    for tick in range(30):
        snapshot = look(snapshot, 0x20 + tick, NOW + tick)
    agreeing = bucket(newest_segment=f"0000000100000000000000{0x20 + 20:02X}")
    assert _agreement(fold(snapshot, read(Snapshot.primary, agreeing, NOW + 20), NOW + 29))[0] is True
    frozen = bucket(newest_segment="000000010000000000000021")
    assert _agreement(fold(snapshot, read(Snapshot.primary, frozen, NOW + 20), NOW + 29))[0] is False
