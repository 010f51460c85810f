"""What a session remembers of incidents: every look and every step's end, noted in threads, now and then.

A look a second is not a write a second: looks are gathered, and written at once where what they say has
changed. What cannot be written is kept in the session, and tried again.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.follow import follow, look_of, shortened
from walconsole.domain.incidents.model import (
    AccessChange,
    IncidentLog,
    Look,
    Note,
    Run,
    RunResult,
    TakenBack,
)
from walconsole.domain.standing.model import Diagnosis
from walconsole.domain.standing.unseen import was_asked
from walconsole.errors import RegisterError
from walconsole.ports import Clock, IncidentShelf
from walconsole.provision.engine.model import ChangeKind, Changing, Printed, Progress, Risk, Stage, Step, Tell

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 15.0
"""While an incident is open, and to see what other consoles noted; a killed console loses so much."""
AGAIN_AFTER_S = 60.0
"""After a failure to write."""
_MOST_LOOKS = 64
"""Kept apart until the next write; beyond that the oldest are taken together."""
_ACCESS = {ChangeKind.KEY: "key", ChangeKind.GRANT: "grant"}
_RESULTS = {
    Stage.CHANGED: RunResult.DONE,
    Stage.UNDONE: RunResult.TAKEN_BACK,
    Stage.KEPT: RunResult.DONE,
    Stage.REFUSED: RunResult.REFUSED,
    Stage.BLOCKED: RunResult.BLOCKED,
    Stage.FAILED: RunResult.FAILED,
}


class IncidentMemory:
    """One profile's, for as long as a session lives. Everything but close() is called on the event loop."""

    def __init__(self, shelf: IncidentShelf, clock: Clock) -> None:
        self._shelf, self._clock = shelf, clock
        self._kept, self._answered = IncidentLog(), False
        self._looks: list[Look] = []
        self._notes: list[Note] = []
        self._told: tuple[object, ...] = ()
        self._due = -float("inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def log(self) -> IncidentLog:
        """All that is remembered, what is not written yet included; nothing before the first answer."""
        if not self._answered:
            return IncidentLog()
        return follow(self._kept, self._pending())

    def look(self, snapshot: Snapshot, diagnosis: Diagnosis, now: float) -> IncidentLog:
        """What is remembered after this look. A picture that is not whole says nothing yet."""
        if was_asked(snapshot):
            look = look_of(snapshot, diagnosis, now)
            self._looks = shortened([*self._looks, look], _MOST_LOOKS)
            told = look.level, tuple(cause.key for cause in look.causes), bool(look.waiting)
            if told != self._told:
                self._told, self._due = told, min(self._due, self._clock.monotonic())
        self._write_when_due()
        return self.log

    def note(self, note: Note) -> None:
        """A step that was run, a key that was changed: written at once."""
        self._notes.append(note)
        self._due = min(self._due, self._clock.monotonic())
        self._write_when_due()

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._pending():
            await self._write()

    def _pending(self) -> tuple[Note, ...]:
        return (*self._looks, *self._notes)

    def _write_when_due(self) -> None:
        if self._clock.monotonic() < self._due or (self._task is not None and not self._task.done()):
            return
        self._due = self._clock.monotonic() + WRITE_EVERY_S
        self._task = asyncio.create_task(self._write(), name="remembering the incident")

    async def _write(self) -> None:
        looks, notes = tuple(self._looks), tuple(self._notes)
        try:
            kept = await asyncio.to_thread(self._shelf.note, (*looks, *notes), self._clock.now())
        except RegisterError as error:
            if not self._kept.problem:
                _log.warning("%s", error.line())
            self._kept, self._answered = replace(self._kept, problem=error.line()), True
            self._due = self._clock.monotonic() + AGAIN_AFTER_S
            return
        self._kept, self._answered = kept, True
        self._looks = [look for look in self._looks if look not in looks]
        self._notes = [note for note in self._notes if note not in notes]


class StepsHeard:
    """Follows a runner's news, and notes in `memory` what it runs and which keys and grants it changes.

    Steps that only read are no fixes.
    """

    def __init__(self, memory: IncidentMemory, steps: Sequence[Step]) -> None:
        self._memory = memory
        self._titles = {step.id: step.title for step in steps if step.risk is not Risk.READS}
        self._running: dict[str, Run] = {}

    def before(self, tell: Tell) -> Tell:
        """What hears it, and tells `tell` then."""

        def heard(news: Progress) -> None:
            self.hear(news)
            tell(news)

        return heard

    def hear(self, news: Progress) -> None:
        """One piece of news."""
        step = news.step
        if step not in self._titles:
            return
        if news.stage is Stage.APPLYING and step not in self._running:
            self._running[step] = Run(step, self._titles[step], news.at, RunResult.BEGUN)
            self._memory.note(self._running[step])
        if isinstance(news.event, Changing) and not news.undoing:
            self._changing(news.event)
        if news.stage in _RESULTS and step in self._running:
            self._ended(self._running.pop(step), news)

    def _changing(self, event: Changing) -> None:
        change = event.change
        kind = _ACCESS.get(change.kind)
        if kind is not None:
            self._memory.note(
                AccessChange(change.step, kind, change.what, change.before, change.after, change.at)
            )

    def _ended(self, run: Run, news: Progress) -> None:
        result = _RESULTS[news.stage]
        if result is RunResult.TAKEN_BACK:
            self._memory.note(TakenBack(run.step, news.at))
        why = news.error.why if news.error is not None else ""
        if isinstance(news.event, Printed):
            why = news.event.text
        self._memory.note(replace(run, result=result, ended_at=news.at, why=why))
