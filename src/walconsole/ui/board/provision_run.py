"""A run of the steps as the screen sees it. It outlives the screen: opened again, that shows where it is."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from walconsole.errors import ProvisionError, WalconsoleError
from walconsole.provision.engine.model import Changing, Doing, Proved, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from walconsole.provision.engine.kept_news import KeptStep
    from walconsole.provision.engine.model import (
        Change,
        Check,
        Event,
        Gate,
        Plan,
        Progress,
        Question,
        Step,
        Tell,
    )

_log = logging.getLogger(__name__)

SUMMARY = "summary"
"""The row below the steps."""
_GOOD = frozenset((Stage.DONE, Stage.CHANGED))
_RUNNING = frozenset((Stage.CHECKING, Stage.ASKING, Stage.APPLYING, Stage.VERIFYING))
EVENTS_KEPT = 5_000
HISTORY_KEPT = 20_000


class StepRunner(Protocol):
    """What the screen needs of provision.runner.Runner."""

    @property
    def steps(self) -> Sequence[Step]: ...

    @property
    def stages(self) -> Mapping[str, Stage]: ...

    @property
    def done(self) -> bool: ...

    async def run(self) -> None: ...

    async def check_all(self) -> None: ...

    async def undo(self) -> None: ...


if TYPE_CHECKING:
    MakeRunner = Callable[[Gate, Tell], Awaitable[StepRunner]]
    ShownStep = Step | KeptStep


@dataclass(slots=True)
class StepNews:
    """The latest of one step. `events` are the last of its latest run, with times; `heard` counts all.

    `applied`: it did what it does in this session, whether it came to its end or not.
    """

    stage: Stage = Stage.WAITING
    check: Check | None = None
    plan: Plan | None = None
    error: WalconsoleError | None = None
    heard: int = 0
    applied: bool = False
    events: deque[tuple[float, Event]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))

    def hear(self, at: float, event: Event) -> None:
        """One more."""
        self.events.append((at, event))
        self.heard += 1

    def forget(self) -> None:
        """It is run anew."""
        self.events.clear()
        self.heard = 0
        self.error = None


class StepsShown:
    """What is known of steps that are gone through, as a screen shows it: every piece of news changes it.

    `current` is the step that it is at, `suggested` the one to look at first, `question` what the gate asks.
    `changes` are what was changed and not taken back, oldest first; of the news the last HISTORY_KEPT are
    kept. `transcript` says where that was written.
    """

    def __init__(self) -> None:
        self.news: dict[str, StepNews] = {}
        self.history: deque[Progress] = deque(maxlen=HISTORY_KEPT)
        self.question: Question | None = None
        self.current = self.suggested = ""
        self.failure: WalconsoleError | None = None
        self.undone = False
        self.changes: list[Change] = []
        self.transcript = ""
        self.undoing = False

    @property
    def steps(self) -> Sequence[ShownStep]:
        """All steps; none before the first look."""
        return ()

    @property
    def busy(self) -> bool:
        """Whether it looks, runs or undoes."""
        return False

    @property
    def done(self) -> bool:
        """Whether every step's aim is reached."""
        return False

    def last_proof(self) -> str:
        """What the last step proved first of its own, empty where nothing was proved."""
        last = self.steps[-1].id if self.steps else ""
        told = (
            [event.text for _, event in self.news[last].events if isinstance(event, Proved)] if last else []
        )
        return next((text for text in told if " archived in " in text), told[-1] if told else "")

    def has_begun(self, doing: Doing) -> None:
        """The steps are gone through from here on."""
        self.undoing = doing is Doing.UNDO
        if doing is not Doing.UNDO:
            self.undone = False
        if doing is Doing.RUN:
            self.suggested = ""

    def hear(self, progress: Progress) -> None:
        """One piece of news."""
        news = self.news.setdefault(progress.step, StepNews())
        if progress.stage is Stage.CHECKING:
            news.forget()
        news.stage = progress.stage
        if progress.stage is Stage.APPLYING:
            news.applied = True
        self.current = progress.step
        if progress.check is not None:
            news.check = progress.check
        if progress.plan is not None:
            news.plan = progress.plan
        if progress.error is not None:
            news.error = progress.error
        if progress.event is not None:
            news.hear(progress.at, progress.event)
        self._keep_changes(progress)
        self.history.append(progress)

    def has_ended(self, doing: Doing, failure: WalconsoleError | None = None) -> None:
        """They are gone through, or that ended by `failure`: what is looked at first now."""
        if failure is not None:
            self.failure = failure
            self.suggested = next((one for one, news in self.news.items() if news.error is not None), "")
        elif doing is Doing.LOOK:
            to_do = (step.id for step in self.steps if self.news[step.id].stage not in _GOOD)
            self.suggested = next(to_do, "")
        elif doing is Doing.UNDO:
            self.undone = True
        else:
            # Where nothing is left that could be undone, what a probe has found is what is looked at.
            self.suggested = SUMMARY if self.changes or not self.steps else self.steps[-1].id
        self.current, self.undoing = "", False

    def _keep_changes(self, progress: Progress) -> None:
        if isinstance(progress.event, Changing) and not self.undoing:
            self.changes.append(progress.event.change)
        elif self.undoing and progress.stage is Stage.UNDONE:
            self.changes = [change for change in self.changes if change.step != progress.step]


class ProvisionRun(StepsShown):
    """Hears a runner's news and is its gate. `changed` is called whenever something is to be shown.

    `finished` is called when a run that did something has ended. It looks, runs or undoes; one at a time.
    `changes` are those of this session.
    """

    def __init__(self, make: MakeRunner) -> None:
        super().__init__()
        self._make = make
        self.runner: StepRunner | None = None
        self.changed: Callable[[], None] = lambda: None
        self.finished: Callable[[ProvisionRun], None] = lambda _: None
        self._applied = False
        self._answer: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether it looks, runs or undoes."""
        return self._task is not None and not self._task.done()

    @property
    def changing(self) -> bool:
        """Whether a step is being applied just now."""
        return self.busy and any(
            news.stage in (Stage.APPLYING, Stage.VERIFYING) for news in self.news.values()
        )

    @property
    def steps(self) -> Sequence[ShownStep]:
        """All steps; none before the first look."""
        return self.runner.steps if self.runner is not None else ()

    @property
    def done(self) -> bool:
        """Whether every step's aim is reached."""
        return self.runner is not None and self.runner.done

    def look(self) -> None:
        """Check and plan every step; changes nothing."""
        self._begin(Doing.LOOK)

    def start(self) -> None:
        """Run all steps, asking before each."""
        self._begin(Doing.RUN)

    def undo(self) -> None:
        """Take back what was changed, asking before each."""
        self._begin(Doing.UNDO)

    async def end(self) -> None:
        """Cancel what runs, and wait until its own clean-up is through."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    # The gate.

    async def ask(self, question: Question) -> bool:
        """model.Gate: until somebody answers."""
        self.question = question
        self._answer = asyncio.get_running_loop().create_future()
        self.changed()
        try:
            return await self._answer
        finally:
            self.question = self._answer = None
            self.changed()

    def answer(self, agreed: bool) -> None:
        """What the operator says."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(agreed)

    # What runs.

    def _begin(self, doing: Doing) -> None:
        if self.busy:
            return
        self.failure = None
        self._task = asyncio.create_task(self._guarded(doing), name="provisioning")
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw is said like any other failure; its traceback goes to the log."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        _log.error("provisioning ended by %s", type(error).__name__, exc_info=error)
        remedy = "the log has the details; what was changed is in the record, and a run goes on from there"
        self.failure = ProvisionError(
            "setting archiving up", f"internal error: {type(error).__name__}", remedy
        )
        for step_id, news in self.news.items():
            if news.stage in _RUNNING:
                news.stage, news.error, self.suggested = Stage.FAILED, self.failure, step_id
        self.changed()

    async def _guarded(self, doing: Doing) -> None:
        try:
            if self.runner is None:
                self.runner = await self._make(self, self._told)
                self.news = {step.id: StepNews() for step in self.runner.steps}
                self.changed()
            self.has_begun(doing)
            await self._gone_through(self.runner, doing)
            self.has_ended(doing)
        except WalconsoleError as error:
            self.has_ended(doing, error)
        finally:
            self.current, self.undoing = "", False
            if self._applied:
                self._applied = False
                self.finished(self)
            self.changed()

    async def _gone_through(self, runner: StepRunner, doing: Doing) -> None:
        match doing:
            case Doing.LOOK:
                await runner.check_all()
            case Doing.RUN:
                await runner.run()
            case Doing.UNDO:
                await runner.undo()

    def _told(self, progress: Progress) -> None:
        self._applied = self._applied or progress.stage is Stage.APPLYING
        self.hear(progress)
        self.changed()
