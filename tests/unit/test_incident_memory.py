"""What a session remembers: looks gathered, steps heard, nothing lost where a file cannot be written."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.data.facts import NOW
from tests.data.provisioning import GivenKey, MemoryRecord, ScriptedGate, a_profile, a_site
from tests.data.snapshots import STATES
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.model import IncidentLog, Look, Note, RunResult
from walconsole.domain.incidents.time_line import remembered_events
from walconsole.domain.standing.event_times import EventKind
from walconsole.domain.store.temporary_keys import LedgerEntry, limited_name, temporary_name
from walconsole.errors import ProvisionError, RegisterError
from walconsole.operator_files.incident_file import SessionIncidents
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Event,
    Plan,
    Printed,
    Risk,
)
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.session.heard_ledger import HeardLedger
from walconsole.session.incident_memory import AGAIN_AFTER_S, WRITE_EVERY_S, IncidentMemory, StepsHeard


@dataclass
class HandClock:
    at: float = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class WatchedShelf:
    """A shelf in memory that counts what is written, and may fail."""

    kept: SessionIncidents = field(default_factory=SessionIncidents)
    written: list[tuple[Note, ...]] = field(default_factory=list)
    fails: bool = False

    def note(self, notes: Sequence[Note], at: float) -> IncidentLog:
        if self.fails:
            raise RegisterError("writing what is remembered", "No space left on device", "free some")
        self.written.append(tuple(notes))
        return self.kept.note(notes, at)


def looked(memory: IncidentMemory, clock: HandClock, state: str) -> IncidentLog:
    snapshot = STATES[state]()
    return memory.look(snapshot, diagnose(snapshot, NOW), clock.at)


async def settled(memory: IncidentMemory) -> None:
    """Until what was called for is heard, and what is being written is written."""
    await asyncio.sleep(0.01)
    if memory._task is not None:
        await asyncio.wait([memory._task])
    await asyncio.sleep(0)


async def test_a_look_a_second_is_not_a_write_a_second_but_a_turn_is_one_at_once() -> None:
    clock, shelf = HandClock(), WatchedShelf()
    memory = IncidentMemory(shelf, clock)
    for state in ("healthy",) * 5 + ("failing",) * 5:
        looked(memory, clock, state)
        await settled(memory)
        clock.at += 1
    assert [len(notes) for notes in shelf.written] == [1, 5]  # the first look, and the first bad one
    assert memory.log.open is not None
    clock.at += WRITE_EVERY_S
    looked(memory, clock, "failing")
    await settled(memory)
    assert len(shelf.written) == 3
    looked(memory, clock, "failing")
    await memory.close()
    assert len(shelf.written) == 4
    assert shelf.kept.note((), 0.0) == memory.log


async def test_a_picture_that_is_not_whole_opens_nothing() -> None:
    clock, memory = HandClock(), IncidentMemory(SessionIncidents(), HandClock())
    partial = replace(STATES["failing"](), wal_disk=STATES["unread"]().wal_disk)
    log = memory.look(partial, diagnose(partial, NOW), clock.at)
    await memory.close()
    assert log.open is None


async def test_what_cannot_be_written_is_kept_in_the_session_and_written_later() -> None:
    clock, shelf = HandClock(), WatchedShelf(fails=True)
    memory = IncidentMemory(shelf, clock)
    for _ in range(100):
        looked(memory, clock, "failing")
        clock.at += 1
    await settled(memory)
    assert memory.log.open is not None
    assert "No space left" in memory.log.problem
    before = memory.log.open
    shelf.fails = False
    clock.at += AGAIN_AFTER_S
    looked(memory, clock, "failing")
    await settled(memory)
    assert memory.log.problem == ""
    assert memory.log.open is not None
    assert memory.log.open.opened_at == before.opened_at == NOW
    assert before.worst.waiting is not None
    assert memory.log.open.worst.waiting is not None
    assert memory.log.open.worst.waiting.value == before.worst.waiting.value
    assert len(shelf.written[0]) <= 65
    assert isinstance(shelf.written[0][0], Look)


async def no_look(_: Site) -> Survey:
    raise AssertionError("nothing is looked at")


@dataclass
class GrantStep:
    """Changes a grant and a file."""

    id: str = "grants"
    title: str = "Give the grant back"
    risk: Risk = Risk.CHANGES
    explanation: str = ""
    gated: bool = True
    always: bool = False
    fails: bool = False
    hangs: asyncio.Event | None = None

    async def check(self) -> Check:
        return Check(CheckState.NEEDED, "why")

    async def plan(self) -> Plan:
        return Plan("plan")

    async def apply(self) -> AsyncIterator[Event]:
        yield Changing(Change(self.id, ChangeKind.GRANT, "walls@nyc3", "read", "readwrite", at=NOW))
        yield Changing(Change(self.id, ChangeKind.FILE, "/etc/x"))
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.sleep(60)
        if self.fails:
            raise ProvisionError("giving it back", "the API said 500")

    async def verify(self) -> AsyncIterator[Event]:
        yield Printed("verified")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        return Plan(f"undo {len(changes)}")

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        yield Changing(replace(changes[-1], before="readwrite", after="read"))


def a_run(*steps: GrantStep, **answers: bool) -> tuple[IncidentMemory, Runner]:
    memory = IncidentMemory(SessionIncidents(), HandClock())
    site = a_site(a_profile(), None, no_look, record=MemoryRecord(), temporary=GivenKey())  # type: ignore[arg-type]  # no shell is used
    gate = ScriptedGate()
    gate.answers.update(answers)
    return memory, Runner(site, steps, gate, StepsHeard(memory, steps).before(lambda _: None))


async def test_a_step_that_is_done_and_taken_back_is_remembered_with_its_grant() -> None:
    memory, runner = a_run(GrantStep())
    await runner.check_all()  # as a screen does first
    assert not memory.log.runs
    await runner.run()
    await settled(memory)
    (run,) = memory.log.runs
    assert (run.title, run.result) == ("Give the grant back", RunResult.DONE)
    (change,) = memory.log.changes
    assert (change.kind, change.what, change.before, change.after) == (
        "grant", "walls@nyc3", "read", "readwrite",
    )  # fmt: skip
    assert change.taken_back_at is None
    await runner.check_all()
    await runner.undo()
    assert RunResult.TAKEN_BACK in {run.result for run in memory.log.runs}
    (change,) = memory.log.changes
    assert change.taken_back_at is not None
    await memory.close()


async def test_one_that_fails_is_refused_or_interrupted_says_so() -> None:
    memory, runner = a_run(GrantStep(fails=True))
    with pytest.raises(ProvisionError):
        await runner.run()
    await settled(memory)
    assert [(run.result, run.why) for run in memory.log.runs] == [(RunResult.FAILED, "the API said 500")]
    await memory.close()

    reached = asyncio.Event()
    memory, runner = a_run(GrantStep(hangs=reached))
    running = asyncio.create_task(runner.run())
    await reached.wait()
    await settled(memory)
    assert [run.result for run in memory.log.runs] == [RunResult.BEGUN]  # all that a killed console leaves
    running.cancel()
    await asyncio.wait([running])
    assert [(run.result, run.why) for run in memory.log.runs] == [(RunResult.FAILED, "interrupted")]
    await memory.close()

    memory, runner = a_run(GrantStep(), grants=False)
    with pytest.raises(Exception, match="not agreed"):
        await runner.run()
    assert memory.log.runs == ()  # nothing was begun
    await memory.close()


async def test_what_only_reads_is_no_fix() -> None:
    memory, runner = a_run(GrantStep(risk=Risk.READS))
    await runner.run()
    assert (memory.log.runs, memory.log.changes) == ((), ())


@dataclass
class Ledger:
    """A ledger in memory, which may refuse."""

    names: list[str] = field(default_factory=list)
    fails: bool = False

    def note(self, entry: LedgerEntry) -> None:
        if self.fails:
            raise RegisterError("writing the ledger", "read-only file system")
        self.names.append(entry.name)

    def settle(self, name: str) -> None:
        self.names.remove(name)

    def orphans(self) -> tuple[LedgerEntry, ...]:
        return ()


async def test_a_full_access_key_is_on_the_time_line_and_so_is_its_end() -> None:
    clock, inner = HandClock(), Ledger()
    memory = IncidentMemory(SessionIncidents(), clock)
    ledger = HeardLedger(inner, memory, clock)
    name = temporary_name("shithub", NOW, "0" * 16)
    entry = LedgerEntry(name, "https://api", "shithub", NOW)
    await asyncio.to_thread(ledger.note, entry)
    await asyncio.to_thread(ledger.note, replace(entry, access_key="DO00ABCDEF"))  # once it was made
    await asyncio.to_thread(ledger.note, LedgerEntry(limited_name("shithub", NOW, "0" * 8), "", "", NOW))
    await settled(memory)
    (change,) = memory.log.changes  # the limited one is its step's
    assert (change.kind, change.what, change.at, change.taken_back_at) == ("key", name, NOW, None)
    clock.at += 60
    await asyncio.to_thread(ledger.settle, name)
    await settled(memory)
    (change,) = memory.log.changes
    assert change.taken_back_at == NOW + 60
    assert [event.kind for event in remembered_events(memory.log)] == [EventKind.ACCESS] * 2
    await memory.close()


async def test_a_key_that_may_not_be_asked_for_is_none_and_the_refusal_is_the_ledgers() -> None:
    memory = IncidentMemory(SessionIncidents(), HandClock())
    ledger = HeardLedger(Ledger(fails=True), memory, HandClock())
    with pytest.raises(RegisterError):
        await asyncio.to_thread(ledger.note, LedgerEntry(temporary_name("x", NOW, "0" * 16), "", "x", NOW))
    await settled(memory)
    assert memory.log.changes == ()
    assert ledger.orphans() == ()


def test_a_session_that_is_over_keeps_no_key_from_being_settled() -> None:
    inner, name = Ledger(), temporary_name("x", NOW, "0" * 16)

    async def made() -> HeardLedger:
        return HeardLedger(inner, IncidentMemory(SessionIncidents(), HandClock()), HandClock())

    ledger = asyncio.run(made())
    ledger.note(LedgerEntry(name, "", "x", NOW))
    assert inner.names == [name]
    ledger.settle(name)
    assert inner.names == []
