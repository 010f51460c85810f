"""Rates and outlooks over what the console watched, and nothing about what it did not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, SEGMENT, archiver, read, wal_disk
from walconsole.domain.facts.evidence import RetentionFacts
from walconsole.domain.facts.history import SAMPLE_SPACING_S, SAMPLES_KEPT
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.trends import archived_per_minute, disk_outlook
from walconsole.ui.board.content import View
from walconsole.ui.dashboard import wal_disk as wal_disk_pane

pytestmark = pytest.mark.cases("Forecasts of a disk")


def _watch(seconds: int, step: int = 1, per_second: float = 0.5, free_per_second: float = 0.0) -> Snapshot:
    snapshot = Snapshot("x", NOW, NOW)
    for tick in range(0, seconds + 1, step):
        at, count = NOW + tick, int(tick * per_second)
        facts = archiver(archived_count=100 + count, lsn=int(tick * per_second * SEGMENT))
        snapshot = fold(snapshot, read(Snapshot.archiver, facts, at), at)
        disk = wal_disk(free_bytes=int((20 << 30) - tick * free_per_second), ready_count=tick // 10)
        snapshot = fold(snapshot, read(Snapshot.wal_disk, disk, at), at)
    return snapshot


def test_a_steady_rate_is_steady_in_every_bin_that_was_watched() -> None:
    snapshot = _watch(600)
    assert archived_per_minute(snapshot.history, NOW + 600, bins=10) == pytest.approx([30.0] * 10, rel=0.1)


def test_what_was_not_watched_is_none_and_not_zero() -> None:
    rates = archived_per_minute(_watch(120).history, NOW + 120, bins=4)
    assert rates[:2] == (None, None)
    assert rates[2:] == pytest.approx((30.0, 30.0), rel=0.1)


def test_a_reset_of_the_statistics_neither_loses_nor_invents() -> None:
    snapshot = Snapshot("x", NOW, NOW)
    for tick, count in enumerate([100, 103, 2, 4]):
        facts = archiver(archived_count=count)
        snapshot = fold(snapshot, read(Snapshot.archiver, facts, NOW + tick * 10), NOW)
    assert snapshot.history.archived == 3 + 2 + 2


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_archived_since_the_console_began_is_the_sum_of_the_deltas(counts: list[int]) -> None:
    snapshot = Snapshot("x", NOW, NOW)
    total = 0
    for tick, count in enumerate(counts):
        total += count
        snapshot = fold(
            snapshot, read(Snapshot.archiver, archiver(archived_count=total), NOW + tick), NOW + tick
        )
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
        later = fold(later, read(Snapshot.wal_disk, disk, NOW + second), NOW + second)
    during, after = disk_outlook(written, NOW + 60), disk_outlook(later, NOW + 130)
    assert during is not None
    assert during.full_in_s is not None
    assert after is not None
    assert after.full_in_s is None


@dataclass(frozen=True)
class Stretch:
    """For `seconds` pg_wal grows by `wal` and all else by `others`, MiB a second, the backlog by `waiting`.

    `clock` is how far the console's clock is set at its beginning.
    """

    seconds: int
    wal: float = 0.0
    others: float = 0.0
    waiting: float = 0.0
    clock: float = 0.0


CALM = Stretch(600)
FULL = Stretch(100_000, wal=4, waiting=0.25)
SLOW, FAST = Stretch(300, others=1), Stretch(40, wal=20)
SAWTOOTH = tuple(Stretch(each, wal=wal) for _ in range(6) for each, wal in ((200, 5), (10, -100)))
ALARMS: dict[str, tuple[float, int | None, tuple[Stretch, ...], tuple[float, float] | None]] = {
    # what happens: MiB free, max_wal_size in MiB, the stretches, when it is urgent (seconds, from and to)
    "another program's burst, just started": (52 << 10, 1024, (Stretch(12, others=96), CALM), None),
    "another program's burst of a minute": (52 << 10, 1024, (Stretch(60, others=96), CALM), None),
    "the same after ten quiet minutes": (52 << 10, 1024, (CALM, Stretch(60, others=96), CALM), None),
    "another program that does not stop": (52 << 10, 1024, (Stretch(500, others=96),), (100, 130)),
    "the same after ten quiet minutes, on": (52 << 10, 1024, (CALM, Stretch(500, others=96)), (680, 730)),
    "a burst that fills what little there is": (4 << 10, 1024, (Stretch(40, others=100),), (5, 15)),
    "WAL that is not archived, hours left": (52 << 10, 1024, (Stretch(900, wal=4, waiting=0.25),), None),
    "WAL that is not archived, minutes left": (2 << 10, 1024, (FULL,), (80, 130)),
    "the same, on a server watched for long": (2 << 10, 1024, (CALM, FULL), (680, 730)),
    "a minute left": (240, 1024, (FULL,), (9, 22)),
    "a minute left, after ten quiet ones": (240, 1024, (CALM, FULL), (608, 625)),
    "a slow fill within the hour": (1 << 10, 1024, (Stretch(600, wal=0.32, waiting=0.02),), (100, 400)),
    "max_wal_size is not known": (2 << 10, None, (Stretch(500, wal=4),), (80, 130)),
    "checkpoints recycle": (3 << 10, 1024, SAWTOOTH, None),
    "checkpoints recycle, on a disk too small": (700, 1024, SAWTOOTH, (20, 60)),
    "a bulk load up to max_wal_size": (4 << 10, 2048, (Stretch(90, wal=20), CALM), None),
    "the clock goes back": (20 << 10, 1024, (SLOW, replace(SLOW, clock=-7200)), None),
    "the clock goes forward": (20 << 10, 1024, (SLOW, replace(SLOW, clock=7200)), None),
    "the clock goes back while it fills": (4 << 10, None, (FAST, replace(FAST, clock=-20)), (60, 110)),
    "next to nothing left, and quiet": (30, 1024, (Stretch(5),), (0, 0)),
    "two segments left, and quiet": (33, 1024, (CALM,), None),
    "freed again": (2 << 10, 1024, (Stretch(60, others=-20), CALM), None),
}  # fmt: skip


def _readings(free_mib: float, stretches: tuple[Stretch, ...]) -> Iterator[tuple[float, float, WalDiskFacts]]:
    """Every two seconds: how long it has gone on, the console's clock, and pg_wal."""
    passed, at, free, wal, waiting = 0, NOW, free_mib, 256.0, 0.0
    for stretch in stretches:
        at += stretch.clock
        for _ in range(0, stretch.seconds, 2):
            segments = int(wal / 16)
            held = int(free) << 20
            yield (
                passed,
                at,
                wal_disk(free_bytes=max(0, held), wal_bytes=segments * SEGMENT, ready_count=int(waiting)),
            )
            if free <= 0:
                return
            grown = max(-wal + 64, 2 * stretch.wal)
            free, wal = free - 2 * stretch.others - grown, wal + grown
            waiting += 2 * stretch.waiting
            passed, at = passed + 2, at + 2


@pytest.mark.parametrize("case", ALARMS)
def test_when_a_filling_disk_is_an_alarm(case: str) -> None:
    free, limit, stretches, expected = ALARMS[case]
    snapshot, first = Snapshot("x", NOW, NOW), None
    snapshot = fold(snapshot, read(Snapshot.retention, RetentionFacts((), limit and limit << 20), NOW), NOW)
    for passed, at, facts in _readings(free, stretches):
        snapshot = fold(snapshot, read(Snapshot.wal_disk, facts, at), at)
        if snapshot.history.disk_urgent and first is None:
            first = passed
    if expected is None:
        assert first is None
    else:
        assert first is not None
        assert expected[0] <= first <= expected[1]


def test_a_console_that_starts_anew_sees_it_in_time() -> None:
    """At every moment of a fill not more than a third of what is left is waited for, or two minutes."""
    whole = list(_readings(2 << 10, (FULL,)))
    for begin in range(0, len(whole) - 10, 25):
        snapshot = Snapshot("x", NOW, NOW)
        left = whole[-1][0] - whole[begin][0]
        for passed, at, facts in whole[begin:]:
            snapshot = fold(snapshot, read(Snapshot.wal_disk, facts, at), at)
            if snapshot.history.disk_urgent:
                assert passed - whole[begin][0] <= min(125.0, 2 + left / 3)
                break
        else:
            pytest.fail(f"no alarm in {left} s")


def test_an_alarm_does_not_come_and_go() -> None:
    """It wavers about an hour, and stays; it stops, and the alarm ends within five minutes."""
    wavering = tuple(Stretch(60, others=rate) for rate in (2.0, 1.2) for _ in range(1)) * 10
    snapshot, changes = Snapshot("x", NOW, NOW), []
    for passed, at, facts in _readings(5 << 10, (Stretch(240, others=2.0), *wavering, CALM)):
        before = snapshot.history.disk_urgent
        snapshot = fold(snapshot, read(Snapshot.wal_disk, facts, at), at)
        if snapshot.history.disk_urgent != before:
            changes.append(passed)
    assert len(changes) == 2
    assert changes[0] <= 130
    assert 240 + 1200 < changes[1] <= 240 + 1200 + 300


def test_the_time_to_full_is_a_range_and_names_whose_growth_it_is() -> None:
    snapshot = Snapshot("x", NOW, NOW)
    for _, at, facts in _readings(
        100 << 10, (Stretch(200, wal=4, waiting=0.25), Stretch(102, wal=4, others=12))
    ):
        snapshot = fold(snapshot, read(Snapshot.wal_disk, facts, at), at)
    outlook = disk_outlook(snapshot, NOW + 300)
    assert outlook is not None
    assert outlook.wal_change_bytes_per_s == pytest.approx(4 << 20, rel=0.02)
    assert outlook.full_in_s is not None
    assert outlook.soonest_s is not None
    assert outlook.soonest_s == pytest.approx((97 << 10) / 16, rel=0.03)
    assert outlook.soonest_s < outlook.full_in_s
    assert " to " in outlook.full_in_text


def test_the_clock_that_went_back_does_not_freeze_the_history() -> None:
    snapshot = Snapshot("x", NOW, NOW)
    for at in (NOW, NOW + 10, NOW + 20, NOW - 3600, NOW - 3590, NOW - 3580, NOW - 3570):
        snapshot = fold(snapshot, read(Snapshot.archiver, archiver(), at), at)
        snapshot = fold(snapshot, read(Snapshot.wal_disk, wal_disk(), at), at)
    for samples in (snapshot.history.archiver, snapshot.history.disk):
        assert [sample.at for sample in samples] == [NOW - 3600, NOW - 3590, NOW - 3580, NOW - 3570]


def test_a_disk_that_does_not_fill_has_no_end() -> None:
    outlook = disk_outlook(_watch(120), NOW + 120)
    assert outlook is not None
    assert outlook.full_in_s is None


def test_one_look_is_no_trend() -> None:
    outlook = disk_outlook(_watch(0), NOW)
    assert outlook is not None
    assert (outlook.backlog_per_min, outlook.full_in_s) == (None, None)
    assert disk_outlook(Snapshot("x", NOW, NOW), NOW) is None


@pytest.mark.parametrize(
    ("stretches", "limit_mib", "free_mib", "says"),
    [
        ((Stretch(300),), 1024, 20 << 10, "not filling"),
        ((Stretch(300, others=-1),), 1024, 20 << 10, "not filling"),
        ((Stretch(300, others=0.05),), 1024, 20 << 10, "not within 1 d 18 h"),
        ((Stretch(300, wal=1),), 1024, 20 << 10, "never by WAL: pg_wal stops at max_wal_size"),
        ((Stretch(60, others=96), Stretch(200)), 1024, 52 << 10, "n/a it does not go on"),
        ((Stretch(20, others=1),), 1024, 90 << 10, "n/a not watched for long enough"),
    ],
)
def test_a_growth_is_never_beside_a_disk_that_does_not_fill(
    stretches: tuple[Stretch, ...], limit_mib: int, free_mib: int, says: str
) -> None:
    snapshot = fold(
        Snapshot("x", NOW, NOW), read(Snapshot.retention, RetentionFacts((), limit_mib << 20), NOW), NOW
    )
    now = NOW
    for _, now, facts in _readings(free_mib, stretches):
        snapshot = fold(snapshot, read(Snapshot.wal_disk, facts, now), now)
    shown = {
        line.entry: line
        for line in wal_disk_pane.render(View(snapshot, diagnose(snapshot, now), now, 78)).lines
    }
    assert shown["full_in"].value == says
    assert shown["growth"].value.startswith("+") == (says != "not filling")
