"""Rates and outlooks over what the console watched, and nothing about what it did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, SEGMENT, archiver, read, wal_disk
from walconsole.domain.history import SAMPLE_SPACING_S, SAMPLES_KEPT
from walconsole.domain.snapshot import Slot, Snapshot, fold
from walconsole.domain.standing.trends import archived_per_minute, disk_outlook, segments_per_minute


def _watch(seconds: int, step: int = 1, per_second: float = 0.5, free_per_second: float = 0.0) -> Snapshot:
    snapshot = Snapshot("x", NOW, NOW)
    for tick in range(0, seconds + 1, step):
        at, count = NOW + tick, int(tick * per_second)
        facts = archiver(archived_count=100 + count, lsn=int(tick * per_second * SEGMENT))
        snapshot = fold(snapshot, read(Slot.ARCHIVER, facts, at), at)
        disk = wal_disk(free_bytes=int((20 << 30) - tick * free_per_second), ready_count=tick // 10)
        snapshot = fold(snapshot, read(Slot.WAL_DISK, disk, at), at)
    return snapshot


def test_a_steady_rate_is_steady_in_every_bin_that_was_watched() -> None:
    snapshot = _watch(600)
    rates = segments_per_minute(snapshot.history, NOW + 600, bins=10)
    assert rates == pytest.approx([30.0] * 10)
    assert archived_per_minute(snapshot.history, NOW + 600, bins=10) == pytest.approx([30.0] * 10, rel=0.1)


def test_what_was_not_watched_is_none_and_not_zero() -> None:
    rates = segments_per_minute(_watch(120).history, NOW + 120, bins=4)
    assert rates[:2] == (None, None)
    assert rates[2:] == pytest.approx((30.0, 30.0))


def test_a_reset_of_the_statistics_neither_loses_nor_invents() -> None:
    snapshot = Snapshot("x", NOW, NOW)
    for tick, count in enumerate([100, 103, 2, 4]):
        facts = archiver(archived_count=count)
        snapshot = fold(snapshot, read(Slot.ARCHIVER, facts, NOW + tick * 10), NOW)
    assert snapshot.history.archived == 3 + 2 + 2


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_archived_since_the_console_began_is_the_sum_of_the_deltas(counts: list[int]) -> None:
    snapshot = Snapshot("x", NOW, NOW)
    total = 0
    for tick, count in enumerate(counts):
        total += count
        snapshot = fold(snapshot, read(Slot.ARCHIVER, archiver(archived_count=total), NOW + tick), NOW + tick)
    assert snapshot.history.archived == total - counts[0]


def test_history_is_bounded_and_keeps_the_newest() -> None:
    snapshot = _watch(3 * 3600, step=2)
    assert len(snapshot.history.archiver) <= SAMPLES_KEPT
    assert snapshot.history.archiver[-1].at == NOW + 3 * 3600
    spans = [
        later.at - at.at
        for at, later in zip(snapshot.history.archiver, snapshot.history.archiver[1:], strict=False)
    ]
    assert min(spans[:-1]) >= SAMPLE_SPACING_S


def test_a_disk_that_fills_says_when_it_is_full() -> None:
    outlook = disk_outlook(_watch(240, free_per_second=1 << 20), NOW + 240)
    assert outlook is not None
    assert outlook.free_change_bytes_per_s == pytest.approx(-(1 << 20), rel=0.01)
    assert outlook.full_in_s == pytest.approx(20 * 1024 - 240, rel=0.01)
    assert outlook.backlog_per_min == pytest.approx(6, rel=0.1)


def test_a_few_seconds_of_writes_say_nothing_of_tonight_and_all_of_the_next_minutes() -> None:
    tonight = disk_outlook(_watch(20, free_per_second=1 << 20), NOW + 20)  # in 5.7 h
    soon = disk_outlook(_watch(20, free_per_second=1 << 25), NOW + 20)  # in 10 min
    assert tonight is not None
    assert soon is not None
    assert (tonight.full_in_s, soon.full_in_s is not None) == (None, True)


def test_a_burst_of_writes_that_is_over_is_no_trend() -> None:
    """4 GiB in a minute, as an upgrade or an index build takes them, and then nothing."""
    written = later = _watch(60, free_per_second=70 << 20)
    for second in range(60, 130):
        disk = wal_disk(free_bytes=(20 << 30) - 60 * (70 << 20))
        later = fold(later, read(Slot.WAL_DISK, disk, NOW + second), NOW + second)
    during, after = disk_outlook(written, NOW + 60), disk_outlook(later, NOW + 130)
    assert during is not None
    assert during.full_in_s is not None
    assert after is not None
    assert after.full_in_s is None


def test_a_disk_that_does_not_fill_has_no_end() -> None:
    outlook = disk_outlook(_watch(120), NOW + 120)
    assert outlook is not None
    assert outlook.full_in_s is None


def test_one_look_is_no_trend() -> None:
    outlook = disk_outlook(_watch(0), NOW)
    assert outlook is not None
    assert (outlook.backlog_per_min, outlook.full_in_s) == (None, None)
    assert disk_outlook(Snapshot("x", NOW, NOW), NOW) is None
