"""Running steps: each is checked, planned, asked about, applied and verified, its changes recorded.

A step whose check holds is left alone. The first that is blocked, refused or fails ends the run; steps that
take away what was temporary are run all the same, though the run was cancelled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace

from walconsole.domain.redaction import safe
from walconsole.domain.units import duration_text
from walconsole.errors import (
    AuthenticationError,
    BlockedError,
    HostKeyError,
    RefusedError,
    ShellError,
    SshError,
    WalconsoleError,
)
from walconsole.provision.droplet.claim import Claimed
from walconsole.provision.engine.model import (
    FOLLOWS,
    Change,
    Changing,
    Check,
    CheckState,
    Event,
    Gate,
    Moving,
    Plan,
    Printed,
    Progress,
    Proved,
    Question,
    Risk,
    Stage,
    Step,
    Tell,
    Waiting,
)
from walconsole.provision.engine.site import Site

LONGEST_ASKING_S = 600.0
"""For so long a temporary key lives while nobody answers a gate."""
ENDED = frozenset(
    (
        Stage.DONE,
        Stage.CHANGED,
        Stage.REFUSED,
        Stage.BLOCKED,
        Stage.FAILED,
        Stage.SKIPPED,
        Stage.UNDONE,
        Stage.KEPT,
    )
)
GOOD = frozenset((Stage.DONE, Stage.CHANGED))
LONGEST_CLEANING_S = 30.0
"""For each step that is always run, when the run itself was cancelled."""


MOST_TIMES = 4
"""How often a step is begun, where the connection is lost in the middle of it."""
LONGEST_RECONNECTING_S = 180.0
_RECONNECTING_EVERY_S = 1.0


class Runner:
    """Runs `steps` on `site`, asks `gate`, and tells every piece of news. One run at a time.

    `stages` has where each step is; it outlives a run, so that a screen that is opened again can show it.
    `independent`: no step needs another, and one that fails or is refused does not end the run.
    """

    def __init__(
        self, site: Site, steps: Sequence[Step], gate: Gate, tell: Tell, *, independent: bool = False
    ) -> None:
        self._independent = independent
        self.steps = tuple(steps)
        self.stages = {step.id: Stage.WAITING for step in self.steps}
        self._site, self._gate, self._tell_others = site, gate, tell
        self._claim = Claimed(site.claim)
        self._undoing = self._reached = False
        self._agreed_to: dict[str, Plan] = {}

    @property
    def done(self) -> bool:
        """Whether every step's aim is reached."""
        return all(stage in GOOD for stage in self.stages.values())

    async def run(self) -> None:
        """All steps in order. Raises WalconsoleError: the one that ended the run.

        What of a step that is always run fails then is told, and raised where nothing else was.
        """
        self.stages.update({step.id: Stage.WAITING for step in self.steps})
        async with self._claim:
            await self._run()

    async def _run(self) -> None:
        ended: BaseException | None = None
        for step in self.steps:
            if ended is not None and not step.always and not self._goes_on(ended):
                self._tell(step, Stage.SKIPPED)
                continue
            try:
                if ended is None or self._goes_on(ended):
                    await self._one(step)
                else:
                    await _though_cancelled(self._one(step))
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # raised when all is taken away
                ended = ended or error
        if ended is not None:
            raise ended

    def _goes_on(self, ended: BaseException) -> bool:
        return self._independent and isinstance(ended, WalconsoleError)

    async def run_one(self, step_id: str) -> None:
        """One step alone. Raises WalconsoleError, and KeyError where there is no such step."""
        async with self._claim:
            await self._one(self._step(step_id))

    async def check_all(self) -> None:
        """Check and plan every step; nothing is changed, nobody asked. What a step cannot tell is told.

        Raises nothing of WalconsoleError: each stands in the step's progress.
        """
        for step in self.steps:
            try:
                await self._looked_at(step)
            except WalconsoleError as error:
                self._cleanse(error)
                self._tell(step, Stage.BLOCKED, error=error)

    async def _looked_at(self, step: Step) -> None:
        """Again where the connection is lost meanwhile, and can be made again at once."""
        for left in reversed(range(MOST_TIMES)):
            try:
                check = await self._checked(step, looking=True)
                if check.state is CheckState.NEEDED:
                    self._tell(step, Stage.WAITING, plan=await step.plan())
            except SshError as error:
                if not left or isinstance(error, HostKeyError | AuthenticationError):
                    raise
                await self._site.shell.link()
            else:
                return

    def _is_before_its_time(self, step: Step) -> bool:
        """Whether it has nothing to do only because what it follows is not done yet."""
        before = FOLLOWS.get(step.id, "")
        return before in self.stages and self.stages[before] not in GOOD

    async def undo_plans(self) -> tuple[tuple[Step, tuple[Change, ...], Plan | None], ...]:
        """Each step that changed something, the last one first, its changes, and how they would be undone."""
        recorded = await asyncio.to_thread(self._site.record.changes)
        found = []
        for step in reversed(self.steps):
            changes = tuple(reversed([change for change in recorded if change.step == step.id]))
            if changes:
                found.append((step, changes, await step.undo_plan(changes)))
        return tuple(found)

    async def undo(self) -> None:
        """Take back what was changed, the last first, each asked about. Raises WalconsoleError."""
        self._undoing = self._reached = True
        try:
            async with self._claim:
                await self._undo()
        finally:
            self._undoing = False

    async def _undo(self) -> None:
        for step, changes, plan in await self.undo_plans():
            if plan is None:
                self._tell(step, Stage.KEPT, check=Check(CheckState.DONE, "nothing of it is undone"))
                continue
            await self._claim.take()
            self._tell(step, Stage.ASKING, plan=plan)
            if not await self._gate.ask(Question(step.id, step.title, step.risk, plan, undoing=True)):
                self._tell(step, Stage.REFUSED)
                raise RefusedError(f"undoing {step.title}", "it was not agreed to", "nothing more was undone")
            await self._undone(step, changes)
            for change in changes:
                await asyncio.to_thread(self._site.record.undone, change)
            self._tell(step, Stage.UNDONE)

    async def _undone(self, step: Step, changes: tuple[Change, ...]) -> None:
        try:
            await self._though_lost(step, lambda: self._guarded(step, Stage.APPLYING, step.undo(changes)))
        except WalconsoleError as error:
            self._cleanse(error)
            self._tell(step, Stage.FAILED, error=error)
            raise

    def _step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.id == step_id)

    async def _one(self, step: Step) -> None:
        self._agreed_to.pop(step.id, None)
        try:
            await self._though_lost(step, lambda: self._through(step))
        except RefusedError:
            raise
        except WalconsoleError as error:
            self._cleanse(error)
            blocked = isinstance(error, BlockedError)
            self._tell(step, Stage.BLOCKED if blocked else Stage.FAILED, error=error)
            raise
        except asyncio.CancelledError:
            if self.stages[step.id] not in ENDED:
                self._tell(step, Stage.FAILED, event=Printed("interrupted"))
            raise

    async def _though_lost(self, step: Step, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; where the connection is lost meanwhile it is made again, and the work begun again.

        Each step finds out what is done of it already. A droplet that was never reached is not waited for.
        """
        for left in reversed(range(MOST_TIMES)):
            try:
                await work()
            except SshError as error:
                if not left or not self._reached or isinstance(error, HostKeyError | AuthenticationError):
                    raise
                await self._connected_again(step)
            else:
                self._reached = True
                return

    async def _connected_again(self, step: Step) -> None:
        """Raises SshError where it cannot be made again in time."""
        clock, stage = self._site.clock, self.stages[step.id]
        began = clock.monotonic()
        while True:
            waited_s = clock.monotonic() - began
            waiting = Waiting("the connection was lost, and is made again", waited_s, LONGEST_RECONNECTING_S)
            self._tell(step, stage, event=waiting)
            await self._site.sleep(_RECONNECTING_EVERY_S)
            try:
                await self._site.shell.link()
            except (HostKeyError, AuthenticationError):
                raise
            except (SshError, ShellError) as error:
                if clock.monotonic() - began > LONGEST_RECONNECTING_S:
                    why = f"the connection was lost, and not made again for {LONGEST_RECONNECTING_S:.0f} s"
                    raise SshError(error.tried, f"{why}: {error.why}", "run this again then") from error
            else:
                return

    async def _through(self, step: Step) -> None:
        check = await self._checked(step)
        if check.state is not CheckState.NEEDED:
            self._unneeded(step, check)
            return
        if step.risk is not Risk.READS and await self._claim.take():
            check = await self._checked(step)  # another console may have been at it until now
            if check.state is not CheckState.NEEDED:
                self._unneeded(step, check)
                return
        plan = await step.plan()
        self._reached = True
        agreed = self._agreed_to.get(step.id) == plan  # before the connection was lost
        if step.gated and not agreed and not await self._agreed(step, plan):
            self._tell(step, Stage.REFUSED)
            raise RefusedError(step.title, "it was not agreed to", "nothing was changed by it or after it")
        self._agreed_to[step.id] = plan
        self._tell(step, Stage.APPLYING, plan=plan)
        await self._guarded(step, Stage.APPLYING, step.apply())
        self._tell(step, Stage.VERIFYING)
        await self._guarded(step, Stage.VERIFYING, step.verify())
        self._tell(step, Stage.CHANGED)

    def _unneeded(self, step: Step, check: Check) -> None:
        """Raises BlockedError where it is not done, and cannot be, or not yet."""
        if check.state is not CheckState.DONE:
            raise BlockedError(step.title, check.summary, check.remedy)

    async def _checked(self, step: Step, *, looking: bool = False) -> Check:
        """`looking`: nothing is run, so that what it follows may be open still."""
        self._tell(step, Stage.CHECKING)
        check = await step.check()
        stage = {
            CheckState.DONE: Stage.DONE,
            CheckState.NEEDED: Stage.WAITING,
            CheckState.BLOCKED: Stage.BLOCKED,
            CheckState.LATER: Stage.LATER,
        }[check.state]
        if looking and stage is Stage.DONE and self._is_before_its_time(step):
            stage = Stage.LATER
        self._tell(step, stage, check=check)
        return check

    async def _agreed(self, step: Step, plan: Plan) -> bool:
        """Whether the operator does. Raises RefusedError where a temporary key would wait for it too long."""
        self._tell(step, Stage.ASKING, plan=plan)
        since, within_s = self._site.temporary.since, LONGEST_ASKING_S
        if since is None:
            return await self._gate.ask(Question(step.id, step.title, step.risk, plan))
        by = self._site.clock.monotonic() + within_s
        question = Question(step.id, step.title, step.risk, plan, key_since=since, answer_by=by)
        try:
            async with asyncio.timeout(within_s):
                return await self._gate.ask(question)
        except TimeoutError:
            await self._site.temporary.dispose()
            why = f"nobody answered for {duration_text(within_s)}: the temporary key is deleted"
            error = RefusedError(step.title, why, "run the steps again: a new one is made then")
            self._tell(step, Stage.REFUSED, error=error)
            raise error from None

    async def _guarded(self, step: Step, stage: Stage, events: AsyncIterator[Event]) -> None:
        """Tell the events; a change is on the record's disk before the step goes on to make it."""
        async for event in events:
            if isinstance(event, Changing):
                await asyncio.to_thread(self._site.record.add, event.change)
            self._tell(step, stage, event=self._safe(event))

    def _safe(self, event: Event) -> Event:
        """The event with nothing in it that must not be shown."""
        secrets = self._site.secrets()
        match event:
            case Printed(text) | Proved(text):
                return replace(event, text=safe(text, secrets))
            case Waiting(what=what) | Moving(what=what):
                return replace(event, what=safe(what, secrets))
            case _:
                return event

    def _cleanse(self, error: WalconsoleError) -> None:
        """Take out of its texts, also those that are raised on, what must not be shown."""
        secrets = self._site.secrets()
        error.tried, error.why = safe(error.tried, secrets), safe(error.why, secrets)
        error.remedy = safe(error.remedy, secrets)
        error.args = (error.line(),)

    def _tell(
        self,
        step: Step,
        stage: Stage,
        *,
        check: Check | None = None,
        plan: Plan | None = None,
        event: Event | None = None,
        error: WalconsoleError | None = None,
    ) -> None:
        self.stages[step.id] = stage
        now = self._site.clock.now()
        news = Progress(step.id, stage, now, check=check, plan=plan, event=event, error=error)
        self._tell_others(replace(news, undoing=self._undoing))


async def _though_cancelled(running: Coroutine[None, None, None]) -> None:
    """Await it, at most LONGEST_CLEANING_S, whatever happens to this task meanwhile.

    Raises what it raises; asyncio.CancelledError where it took too long.
    """
    task = asyncio.ensure_future(running)
    loop = asyncio.get_running_loop()
    until = loop.time() + LONGEST_CLEANING_S
    while not task.done() and loop.time() < until:
        with contextlib.suppress(asyncio.CancelledError):  # it was cancelled already: that is why this runs
            await asyncio.wait([task], timeout=until - loop.time())
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    task.result()
