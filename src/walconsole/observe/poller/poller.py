"""Takes every probe at its own cadence, folds what comes into one snapshot, and publishes it."""

import asyncio
import logging
import random
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import (
    AnySlot,
    Problem,
    Reading,
    Snapshot,
    Told,
    failed,
    fold,
    succeeded,
)
from walconsole.domain.patience import HANGS, OVERDUE, Patience, seconds_text
from walconsole.errors import WalconsoleError
from walconsole.observe.poller.probe import (
    AUTHENTICATION,
    BUG,
    HOST_KEY,
    SSH_LOST,
    Fact,
    Probe,
    Refreshable,
    problem_of,
)
from walconsole.ports import Clock

# -- When a probe is due: a steady cadence, and a growing pause while it fails. No clock of its own.

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
JITTER = 0.2
"""A pause is up to this part longer or shorter, so that a fleet of consoles does not knock at once."""

_LONGEST = {OVERDUE: 2.0, HANGS: 2.0}
"""An attempt that was overdue has waited already."""
_SHORTEST = {AUTHENTICATION: LONGEST_PAUSE_S}
"""Refused keys: fail2ban counts attempts; a host that is only booting (pam_nologin) still heals."""
_PARKED = frozenset({HOST_KEY})
"""Only the operator can decide; another attempt would ask the same question again."""


@dataclass(slots=True)
class Schedule:
    """Times are seconds of one monotonic clock. `due` is None while only a wake-up helps.

    Due times stay on the grid that the first one began: a late attempt shifts nothing, and however
    long the machine slept there is one attempt, not one for each that was missed.
    """

    cadence_s: float
    due: float | None
    pace: float = 1.0
    failures: int = 0

    @property
    def period_s(self) -> float:
        """The cadence as the operator paced it."""
        return self.cadence_s * self.pace

    def wait_s(self, now: float) -> float | None:
        """Seconds until it is due, 0 when it is; None: until woken."""
        return None if self.due is None else max(0.0, self.due - now)

    def succeeded(self, now: float) -> None:
        """An attempt ended well."""
        self.failures = 0
        base = now if self.due is None or self.due > now else self.due
        self.due = base + self.period_s * (floor((now - base) / self.period_s) + 1)

    def failed(self, now: float, code: str, jitter: float) -> None:
        """An attempt failed with `code`; `jitter` is a random number from -1 to 1."""
        if code in _PARKED:
            self.due = None
            return
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self.failures, 10))
        pause = max(min(pause, _LONGEST.get(code, pause)), _SHORTEST.get(code, 0.0))
        self.failures += 1
        self.due = now + pause * (1 + JITTER * jitter)

    def wake(self, now: float) -> None:
        """Due at once; what failed before counts no more."""
        self.failures = 0
        self.due = now

    def set_pace(self, factor: float, now: float) -> None:
        """Another factor. A pause after a failure is left as it is."""
        if self.due is not None and not self.failures:
            elapsed = self.period_s - (self.due - now)
            self.due = max(now, now - elapsed + self.cadence_s * factor)
        self.pace = factor


_log = logging.getLogger(__name__)

SLOWEST_PACE = 16.0
FASTEST_PACE = 0.25
_CONNECTION_CODES = frozenset({SSH_LOST, HOST_KEY, AUTHENTICATION, OVERDUE, HANGS})


class Poller:
    """Runs the probes until it is cancelled.

    Each probe is a task of its own: a slow one delays no other and never overlaps itself. Readings
    that finish in the same turn of the event loop reach `publish` as one snapshot. `past` is what was read
    before this began, `known` are readings of another look that are still good: a probe whose slots all are
    among them is taken only when it is woken, or when their `cadence_s` has passed since they were true.
    """

    def __init__(
        self,
        probes: Iterable[Probe],
        clock: Clock,
        publish: Callable[[Snapshot], None],
        profile_name: str,
        told: Told | None = None,
        patience: Patience | None = None,
        past: History | None = None,
        known: Sequence[Reading[Any]] = (),
    ) -> None:
        self._clock = clock
        self._publish = publish
        self._publishing = False
        now = clock.now()
        self.snapshot = Snapshot(
            profile_name, began_at=now, taken_at=now, told=told or Told(), history=past or History()
        )
        for each in known:
            self.snapshot = fold(self.snapshot, each, now)
        patience = patience if patience is not None else Patience()
        self._rounds = [_Rounds(probe, clock, patience, self._attempted, self._late) for probe in probes]
        for rounds in self._rounds:
            rounds.rest([each for each in known if each.slot in rounds.probe.slots], now)

    async def run(self) -> None:
        """Poll until cancelled. A probe's failure, whatever it is, ends nothing."""
        async with asyncio.TaskGroup() as tasks:
            for rounds in self._rounds:
                tasks.create_task(rounds.run(), name=f"probe: {rounds.probe.name}")

    def let_go(self) -> None:
        """It has ended, and takes no probe any more: they, and what they look through, know of each other."""
        self._rounds.clear()
        self._publish = _to_nobody

    def refresh(self) -> None:
        """Take every probe now, a paused one once; what failed or was refused is tried again."""
        for rounds in self._rounds:
            if isinstance(rounds.probe, Refreshable):
                rounds.probe.refresh()
            rounds.wake(even_paused=True)

    def wake(self, name: str) -> None:
        """Take the probe of that name now, for its source is thought to have changed."""
        for rounds in self._rounds:
            if rounds.probe.name == name:
                rounds.wake()

    def hurry(self, slot: AnySlot) -> None:
        """Take the probe that fills `slot` now."""
        for rounds in self._rounds:
            if slot in rounds.probe.slots:
                rounds.wake()

    def pause(self, paused: bool) -> None:
        """Stop or resume. An attempt that is under way ends by itself."""
        for rounds in self._rounds:
            rounds.pause(paused)

    def pace(self, factor: float) -> None:
        """Multiply every cadence by `factor`, at least FASTEST_PACE and at most SLOWEST_PACE."""
        for rounds in self._rounds:
            rounds.pace(min(SLOWEST_PACE, max(FASTEST_PACE, factor)))

    def _attempted(
        self, rounds: "_Rounds", outcome: Sequence[Fact] | Problem, before: Problem | None
    ) -> None:
        """Fold what an attempt brought; where the connection is back, let the others use it at once."""
        self._fold(rounds, outcome)
        if not isinstance(outcome, Problem) and before is not None and before.code in _CONNECTION_CODES:
            for other in self._rounds:
                if other.problem is not None and other.problem.code in _CONNECTION_CODES:
                    other.wake()

    def _late(self, rounds: "_Rounds", problem: Problem) -> None:
        """An attempt takes longer than usual, and goes on: that is told beside what was known before."""
        self._fold(rounds, problem)

    def _fold(self, rounds: "_Rounds", outcome: Sequence[Fact] | Problem) -> None:
        for reading in _readings(self.snapshot, rounds, outcome, self._clock.now()):
            self.snapshot = fold(self.snapshot, reading, self._clock.now())
        if not self._publishing:
            self._publishing = True
            asyncio.get_running_loop().call_soon(self._publish_once)

    def _publish_once(self) -> None:
        self._publishing = False
        self._publish(self.snapshot)


def _to_nobody(_snapshot: Snapshot) -> None:
    pass


def _readings(
    snapshot: Snapshot, rounds: "_Rounds", outcome: Sequence[Fact] | Problem, now: float
) -> list[Reading[Any]]:
    """An attempt's outcome as readings that follow those in `snapshot`."""
    probe = rounds.probe
    if isinstance(outcome, Problem):
        facts = [Fact(slot, outcome, now, probe.name) for slot in probe.slots]
    else:
        facts = list(outcome)
    readings: list[Reading[Any]] = []
    for fact in facts:
        previous = fact.slot.of(snapshot)
        cadence_s = (fact.cadence_s or probe.cadence_s) * rounds.schedule.pace
        if isinstance(fact.value, Problem):
            began = min(fact.read_at, rounds.began)  # what gives up after 10 s has been silent for 10 s
            reading = failed(previous, fact.value, began, fact.source, cadence_s)
        else:
            reading = succeeded(previous, fact.value, fact.read_at, fact.source, cadence_s)
        readings.append(reading)
    return readings


class _Rounds:
    """One probe's attempts, one after another. `problem` is why the last failed, `began` its beginning."""

    def __init__(
        self,
        probe: Probe,
        clock: Clock,
        patience: Patience,
        attempted: Callable[["_Rounds", Sequence[Fact] | Problem, Problem | None], None],
        late: Callable[["_Rounds", Problem], None],
    ) -> None:
        self.probe = probe
        self._patience, self._late = patience, late
        self.problem: Problem | None = None
        self.schedule = Schedule(probe.cadence_s, due=clock.monotonic())
        self._clock, self.began = clock, clock.now()
        self._attempted = attempted
        self._paused = False
        self._once_though_paused = False
        self._changed = asyncio.Event()
        self._woken = False

    def rest(self, known: Sequence[Reading[Any]], now: float) -> None:
        """Wait until the oldest of these, which are all that it fills, is as old as its cadence."""
        if len(known) == len(self.probe.slots):
            left_s = min(each.cadence_s - (each.age_s(now) or 0.0) for each in known)
            self.schedule.due = self._clock.monotonic() + max(0.0, left_s)

    async def run(self) -> None:
        """Attempt whenever it is due, until cancelled."""
        while True:
            await self._until_due()
            self._woken, self.began = False, self._clock.now()
            outcome = await self._attempt()
            before, self.problem = self.problem, _problem_in(outcome)
            self._plan()
            self._attempted(self, outcome, before)

    def wake(self, *, even_paused: bool = False) -> None:
        """Attempt at once, or once more after the attempt that is under way."""
        self._woken = True
        self._once_though_paused = even_paused and self._paused
        self.schedule.wake(self._clock.monotonic())
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Stop after the attempt that is under way, or resume."""
        self._paused = paused
        self._changed.set()

    def pace(self, factor: float) -> None:
        """Another factor for the cadence."""
        self.schedule.set_pace(factor, self._clock.monotonic())
        self._changed.set()

    def _plan(self) -> None:
        """When the next attempt is due, unless this one was asked for again while it ran."""
        now = self._clock.monotonic()
        if self._woken:
            self.schedule.wake(now)
        elif self.problem is not None:
            self.schedule.failed(now, self.problem.code, random.uniform(-1, 1))  # noqa: S311  # no secret
        else:
            self.schedule.succeeded(now)

    async def _until_due(self) -> None:
        while True:
            self._changed.clear()
            wait_s = self.schedule.wait_s(self._clock.monotonic())
            if self._paused and not self._once_though_paused:
                wait_s = None
            elif wait_s == 0:
                self._once_though_paused = False
                return
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _attempt(self) -> Sequence[Fact] | Problem:
        """What the probe found, or why not: this is the boundary where any failure becomes a reading."""
        probe = self.probe
        try:
            return await self._taken()
        except _OverdueError as overdue:
            return overdue.problem
        except WalconsoleError as error:
            return problem_of(error)
        except asyncio.CancelledError:
            if _is_ended():
                raise
            return Problem(f"{probe.name}: the attempt was broken off", "it is tried again", SSH_LOST)
        except Exception as error:  # noqa: BLE001  # a probe's bug dims its pane and no more
            _log.exception("probe %s", probe.name)
            why = f"{probe.name}: {type(error).__name__} inside walconsole"
            return Problem(why, "this is a bug: the log file has the details", BUG)

    async def _taken(self) -> Sequence[Fact]:
        """What the probe found. Where the droplet is slow it has longer, and that is told meanwhile.

        Raises _OverdueError.
        """
        loop, usual_s, patience = asyncio.get_running_loop(), self.probe.timeout_s, self._patience
        began, told = loop.time(), patience.at_once
        # A task of its own: up to Python 3.12 a TaskGroup whose child fails at its end leaves its task a
        # cancellation too many, and 3.11.2's asyncio.timeout() then ends that task, with no TimeoutError.
        taking = asyncio.ensure_future(self.probe.take())
        try:
            while True:
                until_s = patience.attempt(usual_s) if told else usual_s
                await asyncio.wait([taking], timeout=max(0.0, began + until_s - loop.time()))
                if taking.done():
                    return taking.result()
                lasted_s = loop.time() - began
                if lasted_s >= patience.attempt(usual_s):
                    raise _OverdueError(self._overdue(lasted_s, goes_on=False))
                if not told:
                    told = True
                    self._late(self, self._overdue(lasted_s, goes_on=True))
        finally:
            if not taking.done():
                taking.cancel()
                await asyncio.wait([taking])
            if not taking.cancelled():
                taking.exception()  # a look that ends meanwhile: nobody else asks, and asyncio would log that
            del taking  # what it raised keeps this frame, and it keeps what it raised

    def _overdue(self, lasted_s: float, *, goes_on: bool) -> Problem:
        why = f"no answer within {seconds_text(lasted_s)}"
        tried = "it is waited for on: the droplet is slow" if goes_on else "it is tried again and again"
        return Problem(f"{self.probe.name}: {why}", tried, OVERDUE, brief=why)


def _is_ended() -> bool:
    """Whether somebody cancels the task that runs. In a frame of its own: see `let_go_of_end`."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def let_go_of_end(task: "asyncio.Task[Any]") -> None:
    """Have a task that was cancelled forget how it ended.

    It keeps that error, the error its frames, and those what they worked on, and often the task itself or the
    error (TaskGroup.__aexit__ does both): a cycle that holds all of an observation until it is found. Asking
    for it gives it away (`_cancelled_exc` of asyncio's futures).
    """
    if not task.cancelled():
        return
    try:
        task.exception()
    except asyncio.CancelledError as error:
        traceback.clear_frames(error.__traceback__)


class _OverdueError(Exception):
    """A probe has not answered in its time."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.why)


def _problem_in(outcome: Sequence[Fact] | Problem) -> Problem | None:
    """Why an attempt counts as failed: it raised, or none of its facts could be read."""
    if isinstance(outcome, Problem):
        return outcome
    problems = [fact.value for fact in outcome if isinstance(fact.value, Problem)]
    return problems[0] if problems and len(problems) == len(outcome) else None
