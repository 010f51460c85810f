"""What must be taken away again by any way out: of the program, of a droplet's session, of a run of steps."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TypeVar

from walconsole.domain.redaction import safe
from walconsole.errors import TemporaryKeyError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Cleanups:
    """Clean-ups, run last in first out, each shielded and bounded by its own timeout.

    One that fails or takes too long stops no other; `left` then says what may have stayed behind.
    """

    def __init__(self, whole: "Cleanups | None" = None) -> None:
        self.left: list[str] = []
        self.exit_code = 0
        """What a failed clean-up makes of the session's end, 0 where it makes nothing of it."""
        self._whole = whole
        self._entries: list[Callable[[], Awaitable[None]] | Cleanups] = []
        self._running = asyncio.Lock()

    def part(self) -> "Cleanups":
        """Clean-ups of their own, to be run at the end of something smaller, at the latest with these.

        Parts that were begun one after another are run at once: none waits for another's dead host. What they
        leave behind is told here.
        """
        part = Cleanups(self)
        self._entries.append(part)
        return part

    async def run(self) -> None:
        """Run them all, once; whoever asks while they run waits for their end."""
        async with self._running:
            while self._entries:
                last = self._entries.pop()
                if isinstance(last, Cleanups):
                    parts = [last, *self._pop_parts()]
                    await _wait_though_cancelled([asyncio.ensure_future(part.run()) for part in parts])
                else:
                    await last()
        if self._whole is not None and self in self._whole._entries:
            self._whole._entries.remove(self)

    def _pop_parts(self) -> "Iterator[Cleanups]":
        while self._entries and isinstance(part := self._entries[-1], Cleanups):
            self._entries.pop()
            yield part

    def add(self, what: str, clean_up: Callable[[], Awaitable[object]], timeout_s: float = 5.0) -> None:
        """Run `clean_up` at the end; `what` completes the sentence `WHAT did not finish within 5 s`."""
        self._entries.append(partial(self._bounded, what, clean_up, timeout_s))

    def add_task(self, task: "asyncio.Task[None]") -> None:
        """Cancel `task` at the end."""

        async def cancel() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.add(task.get_name(), cancel, 1.0)

    async def __aenter__(self) -> "Cleanups":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.run()

    async def _bounded(self, what: str, clean_up: Callable[[], Awaitable[object]], timeout_s: float) -> None:
        task = asyncio.ensure_future(clean_up())
        done, _ = await _wait_though_cancelled([task], timeout_s)
        if not done:
            task.cancel()
            self._report(f"{what} did not finish within {timeout_s:g} s")
        elif not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s", what, exc_info=error)
            self._report(f"{what} failed: {error}")
            if isinstance(error, TemporaryKeyError):
                self._end_with(error.exit_code)

    def _end_with(self, exit_code: int) -> None:
        self.exit_code = exit_code
        if self._whole is not None:
            self._whole._end_with(exit_code)

    def _report(self, text: str) -> None:
        _log.error("%s", text)
        self._leave(safe(text))

    def _leave(self, text: str) -> None:
        self.left.append(text)
        if self._whole is not None:
            self._whole._leave(text)


async def _wait_though_cancelled(
    tasks: "Sequence[asyncio.Future[T]]", timeout_s: float | None = None
) -> tuple[set["asyncio.Future[T]"], set["asyncio.Future[T]"]]:
    """asyncio.wait that a cancellation of the caller does not cut short; the time is kept."""
    loop = asyncio.get_running_loop()
    until = None if timeout_s is None else loop.time() + timeout_s
    while True:
        left_s = None if until is None else max(0.0, until - loop.time())
        try:
            return await asyncio.wait(tasks, timeout=left_s)
        except asyncio.CancelledError:
            _log.info("clean-up goes on though it was cancelled")
