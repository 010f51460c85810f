"""Keeps what a runner of steps tells, for the past: in threads, an end at once, the rest now and then.

What cannot be written changes nothing of the run: the log says so once, and it is tried again with what
comes.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from walconsole.domain.kept.runs import News
from walconsole.errors import RegisterError
from walconsole.ports import Clock
from walconsole.provision.engine.kept_news import (
    Begun,
    Ended,
    Heard,
    Kept,
    failure_of,
    kept,
    kept_steps,
)
from walconsole.provision.engine.model import Doing, Moving, Plan, Printed, Progress, Step, Tell, Waiting

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 2.0
STILL_THERE_S = 20.0
"""So often it is noted that a run is still there, which says nothing."""
_APART_S = 5.0
"""What only takes its time (Waiting, Moving) is kept so rarely."""
_MOST_LINES = 4000
"""Printed by one run's commands."""
_MOST_PENDING = 8000


class RunsKept(Protocol):
    """Where it is kept: the history's file, or what lives as long as the session. Blocks; RegisterError."""

    def keep_run(self, cluster: str, run: str, began: float, until: float, news: Sequence[News]) -> None: ...


class StepsKept:
    """What one runner tells, `what` its steps are for and `by` whom, in words. Called on the event loop."""

    def __init__(
        self, file: RunsKept, cluster: str, clock: Clock, steps: Sequence[Step], what: str, by: str
    ) -> None:
        self._file, self._cluster, self._clock = file, cluster, clock
        self._steps, self._what, self._by = tuple(steps), what, by
        self._run, self._began = secrets.token_hex(8), 0.0
        self._pending: deque[Kept] = deque(maxlen=_MOST_PENDING)
        self._plans: dict[str, Plan] = {}
        self._slow: tuple[str, float] = "", 0.0
        self._lines = 0
        self._failed = False

    def before(self, tell: Tell) -> Tell:
        """What hears it, and tells `tell` then."""

        def heard(news: Progress) -> None:
            self.hear(news)
            tell(news)

        return heard

    def hear(self, news: Progress) -> None:
        """One piece of news."""
        if self._is_left_out(news):
            return
        plan = news.plan if news.plan is not None and self._plans.get(news.step) != news.plan else None
        if plan is not None:
            self._plans[news.step] = plan
        failure = failure_of(news.error)
        self._pending.append(
            Heard(news.at, news.step, news.stage, news.undoing, news.check, plan, news.event, failure)
        )

    @asynccontextmanager
    async def doing(self, doing: Doing) -> AsyncIterator[None]:
        """Around each time that the steps are gone through."""
        now = self._clock.now()
        self._began = self._began or now
        self._pending.append(Begun(now, doing, self._what, self._by, kept_steps(self._steps)))
        over = asyncio.Event()
        writing = asyncio.create_task(self._write_now_and_then(over), name="keeping the steps")
        failure = None
        try:
            yield
        except BaseException as error:
            failure = failure_of(error)
            raise
        finally:
            self._pending.append(Ended(self._clock.now(), failure))
            over.set()
            with suppress(asyncio.CancelledError):  # it is written all the same
                await asyncio.shield(writing)

    def _is_left_out(self, news: Progress) -> bool:
        """What takes its time is told often; a flood of lines is not kept whole."""
        event = news.event
        if isinstance(event, Waiting | Moving):
            told = f"{news.step} {event.what}", news.at
            if told[0] == self._slow[0] and 0 <= news.at - self._slow[1] < _APART_S:
                return True
            self._slow = told
        if isinstance(event, Printed):
            self._lines += 1
            if self._lines == _MOST_LINES:
                event = Printed("what more was printed is not kept here; the transcript has it")
                self._pending.append(Heard(news.at, news.step, news.stage, event=event))
            return self._lines >= _MOST_LINES
        return False

    async def _write_now_and_then(self, over: asyncio.Event) -> None:
        """Until it is over, and then what is left."""
        written = self._clock.monotonic()
        ended = False
        while not ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), WRITE_EVERY_S)
            ended = over.is_set()
            if self._pending or self._clock.monotonic() - written > STILL_THERE_S:
                written = self._clock.monotonic()
                await self._write()

    async def _write(self) -> None:
        """What is pending, and that the run is still there."""
        news = list(self._pending)
        self._pending.clear()
        try:
            await asyncio.to_thread(self._put, news)
        except (RegisterError, ValueError) as error:
            if not self._failed:
                _log.warning("steps of %s are not kept: %s", self._cluster, error)
            self._failed = True
            if isinstance(error, RegisterError):
                self._pending = deque([*news, *self._pending], maxlen=_MOST_PENDING)
        else:
            self._failed = False

    def _put(self, news: Sequence[Kept]) -> None:
        made = [kept(each) for each in news]
        self._file.keep_run(self._cluster, self._run, self._began, self._clock.now(), made)
