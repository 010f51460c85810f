"""A slow droplet is no outage: how long it is waited for, what is told of it, and what is not claimed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, archiver, broken, bucket, healthy, host, link, read
from tests.unit.test_observe_poller import FakeProbe, Published
from walconsole.domain.facts.snapshot import Freshness, Problem, Snapshot, failed, fold
from walconsole.domain.facts.strain import ProcessorTime, Strain, processor_time, strain
from walconsole.domain.failures import Level, Severity, diagnose
from walconsole.domain.patience import HANGS, OVERDUE, Patience, crowd_of, seconds_text
from walconsole.observe.poller.poller import Poller
from walconsole.process.clock import SystemClock

BUSY = Strain(8.12, 1, 512 << 20, 41 << 20, 0.37, 0.22)


@pytest.mark.parametrize(
    ("measured", "usual_s", "limit_s"),
    [
        ((), 6.0, 6.0),
        ((0.1, 0.3), 6.0, 6.0),
        ((0.1, 15.0), 6.0, 60.0),
        ((15.0, 0.1, 0.1, 0.1, 0.1, 0.1), 6.0, 6.0),  # it is over: only the last answers count
        ((40.0,), 6.0, 120.0),
        ((40.0,), 300.0, 300.0),
    ],
)
def test_a_limit_follows_what_was_measured(
    measured: tuple[float, ...], usual_s: float, limit_s: float
) -> None:
    patience = Patience()
    for seconds in measured:
        patience.measured(seconds)
    assert (patience.limit(usual_s), patience.attempt(usual_s)) == (limit_s, limit_s)
    once = Patience(60.0, at_once=True)
    assert once.attempt(usual_s) == max(usual_s, 60.0)


def test_what_is_waited_for_counts_until_an_answer_or_a_loss() -> None:
    patience = Patience()
    patience.waits(9.0)
    patience.waits(3.0)
    assert patience.limit(6.0) == 36.0
    patience.lost()
    assert patience.limit(6.0) == 6.0
    patience.waits(9.0)
    patience.measured(0.1)
    assert patience.limit(6.0) == 6.0


@pytest.mark.parametrize(
    ("ran_s", "pulse_s", "more_s"),
    [(6.0, 0.03, 0.0), (6.2, 0.2, 0.0), (6.5, 0.5, 3.5), (9.0, 3.0, 51.0), (21.0, 15.0, 99.0), (120, 15, 0)],
)
def test_what_hangs_is_told_from_what_is_slow(ran_s: float, pulse_s: float, more_s: float) -> None:
    assert Patience().more(6.0, ran_s, pulse_s) == pytest.approx(more_s)


@pytest.mark.parametrize(
    ("told", "crowd"),
    [
        ("8.12 7.50 3.01 9/312 4711\n0\n", 8.12),
        ("30.00 25.10 9.00 33/900 4711\n0-1\n", 15.0),
        ("0.30 0.10 0.00 1/100 4711\n0-3\n", 1.0),
        ("4.00 0.10 0.00 1/100 4711\n", 4.0),
        ("cat: /proc/loadavg: Permission denied", 1.0),
        ("", 1.0),
    ],
)
def test_a_crowded_droplet_has_longer_though_nothing_is_answered_at_once(told: str, crowd: float) -> None:
    assert crowd_of(told) == pytest.approx(crowd)
    assert Patience().more(6.0, 6.1, 0.05, crowd_of(told)) == pytest.approx(max(0.0, 6.0 * crowd - 6.1))


@pytest.mark.parametrize(("seconds", "text"), [(0.3, "0.3 s"), (1.01, "1 s"), (17.6, "18 s"), (120, "120 s")])
def test_how_long_is_said_in_round_numbers(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


STAT = "cpu  100 0 50 700 50 0 0 {steal} 0 0"


FILES = """==> stat <==
{stat}
cpu0 99 0 10 20 0 0 0 22 0 0

==> meminfo <==
MemTotal:         524288 kB
MemFree:            1000 kB
MemAvailable:      41984 kB

==> pressure/memory <==
some avg10=37.00 avg60=4.00 avg300=1.00 total=12345
full avg10=3.00 avg60=4.00 avg300=1.00 total=12345

==> /sys/devices/system/cpu/online <==
{online}
"""


def test_strain_is_read_from_proc() -> None:
    before = processor_time(STAT.format(steal=100))
    assert before == ProcessorTime(1000, 100)
    after = "cpu  150 0 60 720 50 0 0 122 0 0"
    found = strain(FILES.format(stat=after, online="0"), 8.12, before)
    assert found.steal == pytest.approx(22 / 102)
    assert replace(found, steal=0.22) == replace(BUSY, available_bytes=41984 * 1024)
    assert strain("", None, None) == Strain()
    assert strain(after, None, None).steal == pytest.approx(122 / 1102)  # since the boot
    assert strain(STAT.format(steal=100), None, processor_time(after)).steal == pytest.approx(0.1)  # a boot
    for odd in ("", "cpu", "cpu 1 2 3", "cpu x y z a b c d e f", "cpu0 1 2 3 4 5 6 7 8 9"):
        assert processor_time(odd) is None
    for online, count in (("0", 1), ("0-3", 4), ("0-1,3", 3), ("", None), ("x", None)):
        assert strain(FILES.format(stat=after, online=online), None, None).processors == count
    assert BUSY.text == (
        "load 8.12 on 1 processor, 41.0 MiB of 512 MiB memory available, "
        "waited for memory in 37% of the last 10 s, steal time 22%"
    )
    assert Strain().text == ""


def rules(snapshot: Snapshot) -> dict[str, Severity]:
    return {each.rule: each.severity for each in diagnose(snapshot, NOW).findings}


@pytest.mark.parametrize(
    ("took_s", "severity"), [(0.2, None), (4.9, None), (6.0, Severity.NOTE), (15.0, Severity.WARNING)]
)
def test_slowness_is_a_finding_with_what_keeps_it_busy(took_s: float, severity: Severity | None) -> None:
    snapshot = healthy(host=host(round_trip_s=took_s, strain=BUSY))
    assert rules(snapshot).get("slow-droplet") == severity
    if severity is not None:
        [found] = [each for each in diagnose(snapshot, NOW).findings if each.rule == "slow-droplet"]
        assert f"took {took_s:.0f} s" in found.evidence[0]
        assert found.evidence[1] == f"{BUSY.text} (/proc)"


def late(snapshot: Snapshot, *slots: Any) -> Snapshot:
    for slot in slots:
        problem = Problem(f"{slot.name}: no answer within 18 s", "it is waited for on", OVERDUE)
        snapshot = fold(snapshot, failed(slot.of(snapshot), problem, NOW, "test", 1.0), NOW)
    return snapshot


def test_what_is_overdue_is_no_outage_and_what_was_known_stays_told() -> None:
    failing = archiver(
        failed_count=7, last_failed_wal="0" * 24, last_failed_at=NOW - 3, last_archived_at=NOW - 185
    )
    snapshot = late(
        healthy(archiver=failing, host=host(strain=BUSY)), Snapshot.host, Snapshot.archiver, Snapshot.server
    )
    told = diagnose(snapshot, NOW)
    found = rules(snapshot)
    assert found["slow-droplet"] is Severity.WARNING
    assert not {"postgres-unreachable", "ssh-lost", "host-unreadable"} & found.keys()
    assert told.verdict.level is Level.UNKNOWN
    assert "the droplet is slow to answer" in told.verdict.text
    assert "last seen" in told.verdict.text
    assert "does not answer" not in told.verdict.text


def test_a_script_that_hangs_is_no_slow_droplet() -> None:
    snapshot = healthy()
    snapshot = replace(snapshot, host=broken(Snapshot.host, "a script ran longer than 6 s", HANGS))
    assert "slow-droplet" not in rules(snapshot)
    assert "host-unreadable" in rules(snapshot)


def test_a_store_that_was_not_asked_is_not_wrong() -> None:
    """Its key lies on the droplet, which did not answer: nothing was asked of any endpoint."""
    slow = late(healthy(), Snapshot.primary, Snapshot.host)
    assert "endpoint-wrong" not in rules(slow)
    waiting = replace(healthy(), primary=broken(Snapshot.primary, "no answer within 40 s", OVERDUE))
    assert rules(waiting)["endpoint-wrong"] is Severity.WARNING  # the droplet answers: it is the store's turn
    for code in (HANGS, "Shell", "Sudo"):
        unread = replace(healthy(), primary=broken(Snapshot.primary, "its key was not read", code))
        assert "endpoint-wrong" not in rules(unread)


def test_a_fast_droplet_is_not_slow() -> None:
    snapshot = healthy(link=link(round_trip_s=0.03), primary=bucket())
    assert "slow-droplet" not in rules(snapshot)
    assert read(Snapshot.host, host()).freshness is Freshness.OK


async def test_a_late_answer_is_told_waited_for_and_taken() -> None:
    """Beside its last value: the attempt goes on, and no second one is begun beside it."""
    answers = asyncio.Event()
    answers.set()
    patience = Patience()
    probe = FakeProbe(answers.wait, cadence_s=0.01, timeout_s=0.1)
    published = Published()
    poller = Poller((probe,), SystemClock(), published, "test", patience=patience)
    running = asyncio.create_task(poller.run())
    try:
        await published.until(lambda s: s.link.value)
        answers.clear()
        patience.waits(10.0)
        snapshot = await published.until(lambda s: s.link.problem)
        assert snapshot.link.problem is not None
        assert snapshot.link.problem.code == OVERDUE
        assert "waited for on" in snapshot.link.problem.remedy
        assert snapshot.link.value is not None
        answers.set()
        snapshot = await published.until(lambda s: s.link.problem is None)
        assert snapshot.link.freshness is Freshness.OK
        assert probe.most_running == 1
    finally:
        running.cancel()
        await asyncio.wait([running])
