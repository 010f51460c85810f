"""The schedule's arithmetic, and the poller with probes that behave in every bad way."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.facts.observed import ConfigFiles, LinkFacts
from walconsole.domain.facts.snapshot import AnySlot, Freshness, Problem, Reading, Snapshot
from walconsole.errors import DatabaseError, HostKeyError, ObjectStoreError, SshError
from walconsole.observe.poller.poller import LONGEST_PAUSE_S, Poller, Schedule
from walconsole.observe.poller.probe import Fact, code_of, problem_of
from walconsole.process.clock import SystemClock

LINK = LinkFacts("h", "u", "OpenSSH", "SHA256:x", 0.01, 0.0, 0)

# --- the schedule


@given(
    cadence=st.floats(0.1, 60),
    took=st.lists(st.floats(0, 10_000), min_size=1, max_size=20),
)
def test_due_times_stay_on_the_grid_and_never_pile_up(cadence: float, took: list[float]) -> None:
    schedule, now = Schedule(cadence, due=0.0), 0.0
    for duration in took:
        now += duration
        schedule.succeeded(now)
        assert schedule.due is not None
        assert now - 1e-6 <= schedule.due <= now + cadence * 1.000001
        off = schedule.due / cadence
        assert abs(off - round(off)) < 1e-6 * max(1.0, off)
        now = schedule.due


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_pauses_double_to_half_a_minute(jitters: list[float]) -> None:
    schedule = Schedule(1.0, due=0.0)
    for count, jitter in enumerate(jitters):
        schedule.failed(100.0, "SshLost", jitter)
        wait = schedule.wait_s(100.0)
        nominal = min(LONGEST_PAUSE_S, 2.0**count)
        assert wait == pytest.approx(nominal, rel=0.2001)
    schedule.succeeded(100.0)
    assert schedule.failures == 0


@pytest.mark.parametrize(
    ("code", "failures", "wait_s"),
    [
        ("SshLost", 0, 1.0),
        ("SshLost", 9, 30.0),
        ("Overdue", 9, 2.0),
        ("Authentication", 0, 30.0),
        ("HostKey", 0, None),
    ],
)
def test_how_long_a_failure_waits(code: str, failures: int, wait_s: float | None) -> None:
    schedule = Schedule(1.0, due=0.0, failures=failures)
    schedule.failed(50.0, code, 0.0)
    assert schedule.wait_s(50.0) == wait_s
    schedule.wake(60.0)
    assert schedule.wait_s(60.0) == 0.0


def test_another_pace_counts_from_the_last_attempt() -> None:
    schedule = Schedule(4.0, due=0.0)
    schedule.succeeded(1.0)
    schedule.set_pace(0.25, 2.0)
    assert schedule.wait_s(2.0) == 0.0
    schedule.succeeded(2.0)
    assert schedule.wait_s(2.0) == pytest.approx(1.0)
    schedule.set_pace(4.0, 2.0)
    assert schedule.wait_s(2.0) == pytest.approx(16.0)


# --- codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SshError("ssh h", "gone"), "SshLost"),
        (HostKeyError("ssh h", "changed"), "HostKey"),
        (DatabaseError("q", "no", sqlstate="57P01"), "57P01"),
        (DatabaseError("q", "no"), "Database"),
        (ObjectStoreError("GET", "no", code="NoSuchBucket"), "NoSuchBucket"),
    ],
)
def test_every_error_has_a_stable_code(error: SshError, code: str) -> None:
    assert code_of(error) == code


def test_a_problem_is_safe_to_show() -> None:
    problem = problem_of(SshError("ssh \x1b[31mh", "password=hunter2", "a\nb"))
    assert problem == Problem("ssh h: password=[redacted]", "ab", "SshLost", brief="password=[redacted]")


# --- the poller


@dataclass
class FakeProbe:
    """A probe that does what the test says."""

    act: Callable[[], Awaitable[object]]
    name: str = "fake"
    slots: tuple[AnySlot, ...] = (Snapshot.link,)
    cadence_s: float = 0.02
    timeout_s: float = 0.2
    taken: int = 0
    running: int = 0
    most_running: int = 0
    refreshed: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)

    def refresh(self) -> None:
        self.refreshed += 1

    async def take(self) -> Sequence[Fact]:
        self.taken += 1
        self.running += 1
        self.started.set()
        self.most_running = max(self.most_running, self.running)
        try:
            await self.act()
        finally:
            self.running -= 1
        value = LINK if self.slots == (Snapshot.link,) else ConfigFiles(())
        return [Fact(self.slots[0], value, 1.0, "fake")]


@dataclass
class Published:
    snapshots: list[Snapshot] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self.changed.set()

    async def until(self, holds: Callable[[Snapshot], object]) -> Snapshot:
        async with asyncio.timeout(5):
            while not (self.snapshots and holds(self.snapshots[-1])):
                self.changed.clear()
                await self.changed.wait()
        return self.snapshots[-1]


@asynccontextmanager
async def polling(*probes: FakeProbe) -> AsyncIterator[tuple[Poller, Published]]:
    published = Published()
    poller = Poller(probes, SystemClock(), published, "test")
    task = asyncio.create_task(poller.run())
    try:
        yield poller, published
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def at_once() -> None:
    return None


async def forever() -> None:
    await asyncio.Event().wait()


def raising(error: BaseException) -> Callable[[], Awaitable[object]]:
    async def act() -> None:
        raise error

    return act


async def test_what_another_look_knows_is_asked_when_it_is_old_or_somebody_hurries() -> None:
    now = SystemClock().now()
    probe, other = FakeProbe(at_once, cadence_s=60.0), FakeProbe(at_once, slots=(Snapshot.files,))
    known: list[Reading[Any]] = [
        Reading(Snapshot.link, "before", LINK, now - 1.0, cadence_s=1.3),
        Reading(Snapshot.dr_policy, "before", None, now, cadence_s=60.0),
    ]
    published = Published()
    poller = Poller((probe, other), SystemClock(), published, "test", known=known)
    assert (poller.snapshot.link.value, poller.snapshot.link.source) == (LINK, "before")
    assert poller.snapshot.link.age_s(now) == 1.0, "its age is told"
    running = asyncio.create_task(poller.run())
    await published.until(lambda snapshot: snapshot.files.value is not None)
    assert probe.taken == 0
    await published.until(lambda snapshot: snapshot.link.source == "fake")
    assert (probe.taken, SystemClock().now() - now >= 0.25) == (1, True)
    poller.hurry(Snapshot.link)
    await asyncio.sleep(0.05)
    assert probe.taken == 2
    running.cancel()
    await asyncio.wait([running])


async def test_a_hung_probe_delays_no_other_never_overlaps_and_fails() -> None:
    hung = FakeProbe(forever, "hung", (Snapshot.files,))
    quick = FakeProbe(at_once)
    async with polling(hung, quick) as (_, published):
        snapshot = await published.until(lambda s: s.files.problem and s.link.value)
        assert snapshot.files.problem is not None
        assert snapshot.files.problem.code == "Overdue"
        assert "hung" in snapshot.files.problem.why
        assert snapshot.files.freshness is Freshness.FAILED
    assert hung.most_running == 1
    assert quick.taken > 4
    assert hung.running == 0


async def test_a_bug_dims_its_pane_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    buggy = FakeProbe(raising(ZeroDivisionError("x")), "buggy", (Snapshot.files,))
    quick = FakeProbe(at_once)
    async with polling(buggy, quick) as (_, published):
        snapshot = await published.until(lambda s: s.files.problem)
        assert snapshot.files.problem is not None
        assert snapshot.files.problem.code == "Bug"
        assert "ZeroDivisionError" in snapshot.files.problem.why
        count = quick.taken
        await published.until(lambda _: quick.taken > count)
    assert "Traceback" in caplog.text


async def test_a_probe_whose_group_of_tasks_failed_is_taken_again_and_again() -> None:
    async def refused() -> None:
        await asyncio.sleep(0)
        raise ObjectStoreError("LIST", "no", code="AccessDenied")

    refusals = 2

    async def act() -> None:
        nonlocal refusals
        if not refusals:
            return
        refusals -= 1
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(refused())
        except* ObjectStoreError:
            pass
        raise ObjectStoreError("LIST", "no", code="AccessDenied")

    grouped = FakeProbe(act)
    async with polling(grouped) as (_, published):
        snapshot = await published.until(lambda s: s.link.value and not s.link.problem)
    assert snapshot.link.value == LINK
    assert grouped.taken >= 3


async def test_an_adapter_that_cancels_itself_ends_nothing() -> None:
    probe = FakeProbe(raising(asyncio.CancelledError()))
    async with polling(probe) as (_, published):
        snapshot = await published.until(lambda s: s.link.problem)
        assert snapshot.link.problem is not None
        assert snapshot.link.problem.code == "SshLost"


async def test_a_stale_value_is_kept_and_since_when() -> None:
    answers: list[Callable[[], Awaitable[object]]] = [at_once, raising(SshError("ssh", "lost"))]

    async def act() -> None:
        await (answers.pop(0) if len(answers) > 1 else answers[0])()

    async with polling(FakeProbe(act)) as (_, published):
        snapshot = await published.until(lambda s: s.link.problem)
        assert snapshot.link.value == LINK
        assert snapshot.link.freshness is Freshness.STALE
        assert snapshot.link.failing_since is not None


async def test_what_gave_up_after_a_while_has_failed_since_it_was_begun() -> None:
    async def act() -> None:
        await asyncio.sleep(0.1)
        raise SshError("ssh", "no answer within 0.1 s")

    async with polling(FakeProbe(act)) as (_, published):
        snapshot = await published.until(lambda s: s.link.problem)
        assert snapshot.link.failing_since is not None
        assert snapshot.taken_at - snapshot.link.failing_since >= 0.09


async def test_readings_of_one_turn_are_one_publication() -> None:
    gate = asyncio.Event()
    probes = [
        FakeProbe(gate.wait, "a", (Snapshot.link,), cadence_s=60),
        FakeProbe(gate.wait, "b", (Snapshot.files,), cadence_s=60),
    ]
    async with polling(*probes) as (_, published):
        await asyncio.gather(*(probe.started.wait() for probe in probes))
        gate.set()
        await published.until(lambda s: s.link.value)
        assert len(published.snapshots) == 1
        assert published.snapshots[0].files.value is not None


async def test_refresh_takes_all_now_also_what_was_refused() -> None:
    refused = FakeProbe(raising(HostKeyError("ssh", "unknown key")), "refused")
    slow = FakeProbe(at_once, "slow", (Snapshot.files,), cadence_s=3600)
    async with polling(refused, slow) as (poller, published):
        await published.until(lambda s: s.link.problem and s.files.value)
        await asyncio.sleep(0.05)
        assert (refused.taken, slow.taken) == (1, 1)
        poller.refresh()
        await published.until(lambda _: refused.taken == 2 and slow.taken == 2)
    assert (refused.refreshed, slow.refreshed) == (1, 1)


async def test_pause_stops_refresh_takes_once_and_resume_goes_on() -> None:
    probe = FakeProbe(at_once)
    async with polling(probe) as (poller, published):
        await published.until(lambda s: s.link.value)
        poller.pause(True)
        await asyncio.sleep(0.03)
        count = probe.taken
        await asyncio.sleep(0.1)
        assert probe.taken == count
        poller.refresh()
        await asyncio.sleep(0.1)
        assert probe.taken == count + 1
        poller.pause(False)
        await published.until(lambda _: probe.taken > count + 2)


async def test_pace_changes_the_cadence_within_bounds() -> None:
    probe = FakeProbe(at_once, cadence_s=0.08)
    async with polling(probe) as (poller, published):
        snapshot = await published.until(lambda s: s.link.value)
        assert snapshot.link.cadence_s == 0.08
        poller.pace(0.0001)
        snapshot = await published.until(lambda s: s.link.cadence_s != 0.08)
        assert snapshot.link.cadence_s == pytest.approx(0.02)


async def test_when_the_connection_is_back_its_dependants_try_at_once() -> None:
    up = asyncio.Event()

    async def act() -> None:
        if not up.is_set():
            raise SshError("ssh", "lost")

    first = FakeProbe(act, "first")
    other = FakeProbe(act, "other", (Snapshot.files,))
    async with polling(first, other) as (poller, published):
        await published.until(lambda s: s.link.problem and s.files.problem)
        up.set()
        poller.wake("first")  # as its own back-off would
        loop = asyncio.get_running_loop()
        began = loop.time()
        await published.until(lambda s: s.link.value and s.files.value)
        assert loop.time() - began < 0.5


async def test_a_wake_during_an_attempt_is_not_lost() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    probe = FakeProbe(lambda: gates[min(probe.taken - 1, 1)].wait(), cadence_s=3600, timeout_s=5)
    async with polling(probe) as (poller, published):
        await probe.started.wait()
        poller.wake("fake")
        gates[0].set()
        gates[1].set()
        await published.until(lambda _: probe.taken == 2)


async def test_part_of_a_look_may_fail() -> None:
    class Half(FakeProbe):
        async def take(self) -> Sequence[Fact]:
            return [
                Fact(Snapshot.link, LINK, 1.0, "half"),
                Fact(Snapshot.files, Problem("no"), 1.0, "half", 7.0),
            ]

    async with polling(Half(at_once, slots=(Snapshot.link, Snapshot.files))) as (_, published):
        snapshot = await published.until(lambda s: s.link.value)
        assert snapshot.files.problem == Problem("no")
        assert snapshot.files.cadence_s == 7.0


async def test_what_fails_as_the_look_ends_is_nobodys_affair() -> None:
    async def broken_off() -> None:
        try:
            await forever()
        finally:
            raise SshError("ssh h", "the console is closing")

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    probe = FakeProbe(broken_off, timeout_s=60.0)
    async with polling(probe):
        await probe.started.wait()
    gc.collect()
    assert told == []
