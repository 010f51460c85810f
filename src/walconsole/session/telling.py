"""What a watcher has to tell is kept on the disk, and told by every way of the profile until each has it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from walconsole.domain.notices import outbox
from walconsole.domain.notices.deciding import Notice
from walconsole.domain.notices.outbox import Kept
from walconsole.errors import BusyError, NoticeError, RegisterError
from walconsole.ports import Clock
from walconsole.process.threads import Threads

T = TypeVar("T")

_log = logging.getLogger(__name__)

ENDING_S = 20.0
"""So long a try that is under way may still end, and be noted, when the watcher is asked to end: systemd
waits 90 seconds for that. One whose end is not seen is made again, and may tell twice."""


TELLERS = Threads("telling", 48)
"""Each is held for a minute and a half by a receiver that hangs, which may be that of all profiles."""
KEEPERS = Threads("keeping", 2)
"""What was decided is on the disk in time, whatever hangs elsewhere."""


class Way(Protocol):
    """See adapters.notify.ways."""

    @property
    def name(self) -> str: ...

    def tell(self, notice: Notice, *, repeat: bool) -> None: ...


class Shelf(Protocol):
    """Where it is kept. Both block, and raise RegisterError; `hold` BusyError where another holds it."""

    def hold(self) -> Kept: ...

    def write(self, kept: Kept) -> None: ...


class Telling:
    """One profile's. Everything is called on the event loop; `kept` is what is known now.

    `change` returns once the change is on the disk. Where that cannot be written it is known in memory alone,
    `problem` says why, and it is written with the next change that can be.
    """

    def __init__(self, shelf: Shelf, ways: Sequence[Way], clock: Clock) -> None:
        self._shelf, self._clock = shelf, clock
        self._ways = {way.name: way for way in ways}
        self._writing = asyncio.Lock()
        self._woken = {name: asyncio.Event() for name in self._ways}
        self._failures = dict.fromkeys(self._ways, 0)
        self._held = self._unwritten = False
        self.problem = ""
        self.kept = Kept()

    @property
    def ways(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._ways)

    @property
    def failing(self) -> tuple[str, ...]:
        """The ways that failed when they were tried last."""
        return tuple(name for name, failures in self._failures.items() if failures)

    async def open(self) -> None:
        """Read what was kept. Raises BusyError where another watcher runs."""
        try:
            self.kept = outbox.by_ways(await KEEPERS.run(self._shelf.hold), self.ways)
            self._held = True
        except RegisterError as error:
            self._cannot_write(error)

    async def change(self, change: Callable[[Kept], Kept]) -> None:
        """Change what is kept, and have it on the disk: whoever is cancelled meanwhile is so after that."""
        await _ended(self._change(change), None)

    async def _change(self, change: Callable[[Kept], Kept]) -> None:
        async with self._writing:
            before, self.kept = self.kept, change(self.kept)
            if self.kept == before and not self._unwritten:
                return
            try:
                if not self._held:
                    await self._hold_at_last()
                await KEEPERS.run(self._shelf.write, self.kept)
            except (RegisterError, BusyError) as error:
                self._cannot_write(error)
            else:
                self.problem, self._unwritten = "", False

    async def _hold_at_last(self) -> None:
        """What could not be opened when it began: what an earlier watcher left there is still to be told."""
        before = outbox.by_ways(await KEEPERS.run(self._shelf.hold), self.ways)
        self._held = True
        self.kept = outbox.taken_up(before, self.kept)

    def _cannot_write(self, error: RegisterError | BusyError) -> None:
        if not self.problem:
            _log.error("%s", error.line())
        self.problem, self._unwritten = error.line(), True

    def wake(self) -> None:
        """There is something new to tell."""
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._ways:
                tasks.create_task(self._tell_by(name), name=f"telling by {name}")

    async def _tell_by(self, name: str) -> None:
        while True:
            self._woken[name].clear()
            due = outbox.next_for(self.kept, name)
            if due is None:
                await self._woken[name].wait()
                continue
            failed = await _ended(self._try(name, due), ENDING_S)
            if failed is not None:
                await asyncio.sleep(max(outbox.pause_s(self._failures[name]), failed.retry_after_s or 0.0))

    async def _try(self, name: str, due: outbox.Posted) -> NoticeError | None:
        """One try. What is to be known after a kill is on the disk before it, and after it."""
        notice = due.notice
        await self.change(lambda kept: outbox.begun(kept, notice.id, name))
        try:
            await TELLERS.run(self._ways[name].tell, notice, repeat=name in due.begun)
        except NoticeError as error:
            self._failures[name] += 1
            _log.warning("notice %s: %s", notice.id, error.line())
            if not error.unsure and name not in due.begun:
                await self.change(lambda kept: outbox.not_told(kept, notice.id, name))
            return error
        except Exception as error:  # noqa: BLE001  # a way's bug holds up no other way, and is tried again
            self._failures[name] += 1
            _log.exception("notice %s by %s", notice.id, name)
            return NoticeError(f"telling by {name}", type(error).__name__, unsure=True)
        self._failures[name] = 0
        _log.info("notice %s was told by %s", notice.id, name)
        await self.change(lambda kept: outbox.told(kept, notice.id, name))
        return None


async def _ended(work: Coroutine[Any, Any, T], limit_s: float | None) -> T:
    """What it returns. Who waits may be cancelled: then it has `limit_s` seconds more, None: all."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait([task], timeout=limit_s)
        if not done:
            task.cancel()
        elif not task.cancelled():
            task.exception()  # it is nobody's any more
        raise
