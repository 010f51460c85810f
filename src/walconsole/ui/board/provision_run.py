"""A run of the steps as the screen sees it. It outlives the screen: opened again, that shows where it is."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from walconsole.errors import ProvisionError, WalconsoleError
from walconsole.provision.engine.model import Changing, Proved, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

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


class ProvisionRun:
    """Hears a runner's news and is its gate. `changed` is called whenever something is to be shown.

    `finished` is called when a run that did something has ended; `transcript` says where it was written.
    It looks, runs or undoes; one at a time. `question` is what the gate asks just now.
    `changes` are what this session changed and did not take back, oldest first; of the news the last
    HISTORY_KEPT are kept.
    """

    def __init__(self, make: MakeRunner) -> None:
        self._make = make
        self.runner: StepRunner | None = None
        self.news: dict[str, StepNews] = {}
        self.history: deque[Progress] = deque(maxlen=HISTORY_KEPT)
        self.question: Question | None = None
        self.current = self.suggested = ""
        self.failure: WalconsoleError | None = None
        self.undone = False
        self.changes: list[Change] = []
        self._undoing = False
        self.changed: Callable[[], None] = lambda: None
        self.finished: Callable[[ProvisionRun], None] = lambda _: None
        self.transcript = ""
        self._applied = False
        self._answer: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether it looks, runs or undoes."""
        return self._task is not None and not self._task.done()

    @property
    def undoing(self) -> bool:
        """Whether it takes back what was changed."""
        return self._undoing

    @property
    def changing(self) -> bool:
        """Whether a step is being applied just now."""
        return self.busy and any(
            news.stage in (Stage.APPLYING, Stage.VERIFYING) for news in self.news.values()
        )

    @property
    def steps(self) -> Sequence[Step]:
        """All steps; none before the first look."""
        return self.runner.steps if self.runner is not None else ()

    def last_proof(self) -> str:
        """What the last step proved first of its own, empty where nothing was proved."""
        last = self.steps[-1].id if self.steps else ""
        told = (
            [event.text for _, event in self.news[last].events if isinstance(event, Proved)] if last else []
        )
        return next((text for text in told if " archived in " in text), told[-1] if told else "")

    def look(self) -> None:
        """Check and plan every step; changes nothing."""
        self._begin(self._look)

    def start(self) -> None:
        """Run all steps, asking before each."""
        self._begin(self._run)

    def undo(self) -> None:
        """Take back what was changed, asking before each."""
        self._begin(self._undo)

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

    def _begin(self, what: Callable[[], Coroutine[None, None, None]]) -> None:
        if self.busy:
            return
        self.failure = None
        self._task = asyncio.create_task(self._guarded(what), name="provisioning")
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

    async def _guarded(self, what: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            if self.runner is None:
                self.runner = await self._make(self, self._told)
                self.news = {step.id: StepNews() for step in self.runner.steps}
                self.changed()
            await what()
        except WalconsoleError as error:
            self.failure = error
            self.suggested = next((one for one, news in self.news.items() if news.error is not None), "")
        finally:
            self.current, self._undoing = "", False
            if self._applied:
                self._applied = False
                self.finished(self)
            self.changed()

    async def _look(self) -> None:
        if self.runner is not None:
            self.undone = False
            await self.runner.check_all()
            to_do = (step.id for step in self.runner.steps if self.news[step.id].stage not in _GOOD)
            self.suggested = next(to_do, "")

    async def _run(self) -> None:
        if self.runner is not None:
            self.undone, self.suggested = False, ""
            await self.runner.run()
            steps = self.runner.steps
            # Where nothing is left that could be undone, what a probe has found is what is looked at.
            self.suggested = SUMMARY if self.changes or not steps else steps[-1].id

    async def _undo(self) -> None:
        if self.runner is not None:
            self._undoing = True
            await self.runner.undo()
            self.undone = True

    def _told(self, progress: Progress) -> None:
        """One piece of news."""
        news = self.news.setdefault(progress.step, StepNews())
        if progress.stage is Stage.CHECKING:
            news.forget()
        news.stage = progress.stage
        if progress.stage is Stage.APPLYING:
            self._applied = news.applied = True
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
        self.changed()

    def _keep_changes(self, progress: Progress) -> None:
        if isinstance(progress.event, Changing) and not self._undoing:
            self.changes.append(progress.event.change)
        elif self._undoing and progress.stage is Stage.UNDONE:
            self.changes = [change for change in self.changes if change.step != progress.step]
