"""Running steps: which are run, what is asked, recorded and told, and what is run whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.data.provisioning import GivenKey, MemoryRecord, ScriptedGate, a_profile, a_site
from walconsole.domain.store.access_keys import KeyPair
from walconsole.errors import (
    AuthenticationError,
    BlockedError,
    ProvisionError,
    RefusedError,
    ShellError,
    SshError,
    WalconsoleError,
)
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
    Progress,
    Risk,
    Stage,
    Waiting,
)
from walconsole.provision.engine.printing import PlainLines
from walconsole.provision.engine.runner import MOST_TIMES, Runner
from walconsole.provision.engine.site import Site


async def no_look(_: Site) -> Survey:
    raise AssertionError("nothing is looked at")


@dataclass
class Step:
    """A step that makes one change, unless it is made to do otherwise."""

    id: str
    log: list[str]
    state: CheckState = CheckState.NEEDED
    gated: bool = True
    always: bool = False
    fails: bool = False
    hangs: asyncio.Event | None = None
    undo_fails: bool = False
    undo_loses: int = 0
    says: str = "done"
    loses: int = 0
    look_loses: int = 0
    title: str = "a step"
    risk: Risk = Risk.ADDS
    explanation: str = ""
    recorded_before: list[bool] = field(default_factory=list)
    record: MemoryRecord | None = None

    async def check(self) -> Check:
        if self.look_loses:
            self.look_loses -= 1
            raise SshError("ssh droplet", "the connection was lost", "it is made again")
        return Check(self.state, "why", remedy="what to do")

    async def plan(self) -> Plan:
        return Plan(f"plan of {self.id}")

    async def apply(self) -> AsyncIterator[Event]:
        change = Change(self.id, ChangeKind.FILE, f"/{self.id}")
        yield Changing(change)
        if self.record is not None:
            self.recorded_before.append(change in self.record.made)
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.sleep(60)
        if self.loses:
            self.loses -= 1
            raise SshError("ssh droplet", "the connection was lost", "it is made again")
        if self.fails:
            raise ProvisionError("applying", f"it failed, {self.says}", self.says)
        self.log.append(f"apply {self.id}")
        yield Printed(self.says)

    async def verify(self) -> AsyncIterator[Event]:
        self.log.append(f"verify {self.id}")
        yield Printed("verified")

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        return Plan(f"undo {[change.what for change in changes]}")

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        if self.undo_loses:
            self.undo_loses -= 1
            raise SshError("ssh droplet", "the connection was lost", "it is made again")
        if self.undo_fails:
            raise ProvisionError("undoing", "it failed")
        self.log.append(f"undo {self.id}")
        yield Printed("undone")


async def no_sleep(_: float) -> None:
    return None


@dataclass
class Relinked:
    """A shell whose connection can be made again after so many attempts."""

    refused: int = 0
    error: WalconsoleError = field(default_factory=lambda: SshError("ssh droplet", "no answer within 10 s"))

    async def link(self) -> None:
        if self.refused:
            self.refused -= 1
            raise self.error


@dataclass
class Run:
    """A runner with what it told."""

    steps: list[Step]
    gate: ScriptedGate = field(default_factory=ScriptedGate)
    record: MemoryRecord = field(default_factory=MemoryRecord)
    temporary: GivenKey = field(default_factory=GivenKey)
    told: list[Progress] = field(default_factory=list)

    shell: "Relinked | None" = None

    def runner(self) -> Runner:
        site = a_site(a_profile(), self.shell, no_look, record=self.record, temporary=self.temporary)  # type: ignore[arg-type]  # of a shell no more than its link is asked
        site.sleep = no_sleep
        return Runner(site, self.steps, self.gate, self.told.append)


async def test_each_step_is_checked_asked_applied_verified_and_recorded_before_it_changes() -> None:
    log: list[str] = []
    run = Run([Step("a", log), Step("b", log, CheckState.DONE), Step("c", log, gated=False)])
    for step in run.steps:
        step.record = run.record
    runner = run.runner()
    await runner.run()
    assert log == ["apply a", "verify a", "apply c", "verify c"]
    assert [question.step for question in run.gate.asked] == ["a"]
    assert [change.step for change in run.record.made] == ["a", "c"]
    assert run.steps[0].recorded_before == [True]
    assert runner.stages == {"a": Stage.CHANGED, "b": Stage.DONE, "c": Stage.CHANGED}
    assert runner.done


@pytest.mark.parametrize(
    ("ending", "raised", "stage"),
    [("refused", RefusedError, Stage.REFUSED), ("blocked", BlockedError, Stage.BLOCKED),
     ("failed", ProvisionError, Stage.FAILED)],
)  # fmt: skip
async def test_what_takes_away_its_own_runs_after_any_end(
    ending: str, raised: type[Exception], stage: Stage
) -> None:
    log: list[str] = []
    first = Step("a", log, CheckState.BLOCKED if ending == "blocked" else CheckState.NEEDED)
    first.fails = ending == "failed"
    run = Run([first, Step("b", log), Step("c", log, gated=False, always=True)])
    run.gate.answers["a"] = ending != "refused"
    runner = run.runner()
    with pytest.raises(raised):
        await runner.run()
    assert runner.stages == {"a": stage, "b": Stage.SKIPPED, "c": Stage.CHANGED}
    assert log == ["apply c", "verify c"]


async def test_a_cancelled_run_still_takes_away_its_own() -> None:
    log: list[str] = []
    reached = asyncio.Event()
    run = Run([Step("a", log, hangs=reached), Step("c", log, gated=False, always=True)])
    running = asyncio.create_task(run.runner().run())
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert log == ["apply c", "verify c"]


async def test_a_step_that_is_run_again_is_asked_about_again() -> None:
    log: list[str] = []
    run = Run([Step("a", log)])
    runner = run.runner()
    await runner.run_one("a")
    await runner.run_one("a")
    assert len(run.gate.asked) == 2


async def test_what_is_told_holds_no_secret() -> None:
    log: list[str] = []
    secret = "x" * 43
    run = Run([Step("a", log, says=f"it is {secret}")])
    run.temporary.pair = KeyPair("DO00", secret)
    await run.runner().run()
    assert [news.event.text for news in run.told if isinstance(news.event, Printed)] == [
        "it is [redacted]",
        "verified",
    ]


async def test_an_error_is_told_and_raised_without_the_secret() -> None:
    secret = "of no shape"  # known by its value alone
    run = Run([Step("a", [], fails=True, says=secret)])
    run.temporary.pair = KeyPair("DO00", secret)
    with pytest.raises(ProvisionError) as raised:
        await run.runner().run()
    assert raised.value.line() == "applying: it failed, [redacted]; [redacted]"
    assert secret not in str(raised.value) + repr(raised.value)
    assert run.told[-1].error is raised.value


async def test_plans_of_all_steps_change_nothing_and_ask_nobody() -> None:
    log: list[str] = []
    run = Run([Step("a", log), Step("b", log, CheckState.DONE), Step("c", log, CheckState.BLOCKED)])
    await run.runner().check_all()
    assert (log, run.gate.asked, run.record.made) == ([], [], [])
    assert [news.plan.summary for news in run.told if news.plan is not None] == ["plan of a"]


async def test_what_a_step_asks_may_be_brought_about_by_one_before_it() -> None:
    """A look says so, and is no refusal; a run that comes there all the same does not leave it out."""
    log: list[str] = []
    run = Run([Step("a", log), Step("b", log, CheckState.LATER)])
    runner = run.runner()
    await runner.check_all()
    assert runner.stages == {"a": Stage.WAITING, "b": Stage.LATER}
    assert [news.plan.summary for news in run.told if news.plan is not None] == ["plan of a"]
    with pytest.raises(BlockedError):
        await runner.run()
    assert log == ["apply a", "verify a"]


async def test_a_step_whose_time_has_not_come_is_not_called_done() -> None:
    """The temporary key is deleted two steps after it was made: before, there is none to delete."""
    log: list[str] = []
    made, gone = Step("temporary-key", log), Step("delete-temporary-key", log, CheckState.DONE)
    run = Run([made, gone])
    runner = run.runner()
    await runner.check_all()
    assert runner.stages["delete-temporary-key"] is Stage.LATER
    assert not runner.done
    await runner.run()
    assert runner.stages == {"temporary-key": Stage.CHANGED, "delete-temporary-key": Stage.DONE}
    made.state = CheckState.DONE
    await runner.check_all()
    assert set(runner.stages.values()) == {Stage.DONE}


async def test_what_was_undone_is_not_called_done() -> None:
    log: list[str] = []

    class Kept(Step):
        async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
            return None

    run = Run([Step("a", log), Kept("b", log)])
    runner = run.runner()
    await runner.run()
    await runner.undo()
    assert runner.stages == {"a": Stage.UNDONE, "b": Stage.KEPT}
    assert not runner.done


async def test_undo_goes_backwards_asks_and_forgets() -> None:
    log: list[str] = []
    run = Run([Step("a", log), Step("b", log)])
    runner = run.runner()
    await runner.run()
    run.gate.answers["a"] = False
    with pytest.raises(RefusedError):
        await runner.undo()
    assert log[-1] == "undo b"
    assert [question.undoing for question in run.gate.asked] == [False, False, True, True]
    assert [change.step for change in run.record.made] == ["a"]


async def test_what_could_not_be_undone_is_told_and_stays_in_the_record() -> None:
    log: list[str] = []
    run = Run([Step("a", log), Step("b", log, undo_fails=True)])
    runner = run.runner()
    await runner.run()
    with pytest.raises(ProvisionError):
        await runner.undo()
    assert (run.told[-1].step, run.told[-1].stage) == ("b", Stage.FAILED)
    assert run.told[-1].error is not None
    assert [change.step for change in run.record.made] == ["a", "b"]


async def test_what_nobody_foresaw_still_takes_away_its_own() -> None:
    log: list[str] = []

    class Broken(Step):
        async def check(self) -> Check:
            raise ZeroDivisionError

    run = Run([Broken("a", log), Step("c", log, gated=False, always=True)])
    with pytest.raises(ZeroDivisionError):
        await run.runner().run()
    assert log == ["apply c", "verify c"]


@pytest.mark.parametrize(
    ("stages", "undoing", "said"),
    [
        ([Stage.DONE, Stage.CHANGED, Stage.WAITING], False, "2 of 3 steps done"),
        ([Stage.UNDONE] * 6 + [Stage.WAITING] * 14, True, "6 steps taken back"),
        ([Stage.UNDONE, Stage.KEPT, Stage.WAITING], True, "1 step taken back, 1 step stays"),
        ([Stage.UNDONE, Stage.FAILED, Stage.WAITING], True, "1 step taken back, 1 failed"),
        ([Stage.REFUSED, Stage.WAITING], True, "0 steps taken back, 1 not agreed to"),
    ],
)
def test_what_is_said_at_the_end_of_a_run_and_of_an_undo(
    stages: list[Stage], undoing: bool, said: str
) -> None:
    lines: list[str] = []
    printer = PlainLines(lines.append, undoing=undoing)
    printer.end({str(number): stage for number, stage in enumerate(stages)})
    assert lines == [said]


def test_plans_to_undo_end_with_how_many_there_are() -> None:
    lines: list[str] = []
    printer = PlainLines(lines.append, undoing=True)
    printer.end({"a": Stage.WAITING})
    assert lines == ["0 steps to take back"]


async def test_where_the_connection_is_lost_it_is_made_again_and_the_step_goes_on() -> None:
    """Agreed to once: what is planned anew is the same. Each step after it runs as ever."""
    log: list[str] = []
    shell = Relinked(3, ShellError("shell on droplet", "it is slow", code="Overdue"))
    run = Run([Step("a", log, loses=2), Step("b", log, loses=1)], shell=shell)
    runner = run.runner()
    await runner.run()
    assert log == ["apply a", "verify a", "apply b", "verify b"]
    assert [question.step for question in run.gate.asked] == ["a", "b"]
    assert runner.done
    waited = [news.event for news in run.told if isinstance(news.event, Waiting)]
    assert len(waited) == 3 + 3
    assert waited[0].what == "the connection was lost, and is made again"


async def test_what_is_looked_at_while_the_connection_is_lost_is_looked_at_again() -> None:
    runner = Run([Step("a", [], look_loses=1), Step("b", [])], shell=Relinked()).runner()
    await runner.check_all()
    assert runner.stages == {"a": Stage.WAITING, "b": Stage.WAITING}
    away = Run([Step("a", [], look_loses=1), Step("b", [])], shell=Relinked(1)).runner()
    await away.check_all()
    assert away.stages == {"a": Stage.BLOCKED, "b": Stage.WAITING}, "nobody waits for a look"


async def test_a_connection_that_is_lost_again_and_again_ends_the_run() -> None:
    run = Run([Step("a", [], loses=MOST_TIMES)], shell=Relinked())
    with pytest.raises(SshError, match="the connection was lost"):
        await run.runner().run()


async def test_a_key_that_is_refused_then_is_told_at_once() -> None:
    refused = AuthenticationError("ssh droplet", "the key is refused")
    run = Run([Step("a", [], loses=1)], shell=Relinked(1, refused))
    with pytest.raises(AuthenticationError):
        await run.runner().run()


async def test_a_droplet_that_was_never_reached_is_not_waited_for() -> None:
    class Unreached(Step):
        async def check(self) -> Check:
            raise SshError("ssh droplet", "no answer within 10 s")

    run = Run([Unreached("a", [])])
    with pytest.raises(SshError):
        await run.runner().run()
    assert not any(isinstance(news.event, Waiting) for news in run.told)


async def test_what_is_taken_back_goes_on_too() -> None:
    log: list[str] = []
    step = Step("a", log)
    run = Run([step], shell=Relinked())
    runner = run.runner()
    await runner.run()
    step.undo_loses = 1
    await runner.undo()
    assert log[-1] == "undo a"
    assert runner.stages == {"a": Stage.UNDONE}
