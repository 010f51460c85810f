"""The session's exit stack: what must be taken away again by any way out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType

from walconsole.domain.redaction import safe
from walconsole.errors import TemporaryKeyError

_log = logging.getLogger(__name__)


class Cleanups:
    """Clean-ups, run last in first out, each shielded and bounded by its own timeout.

    One that fails or takes too long stops no other; `left` then says what may have stayed behind.
    """

    def __init__(self) -> None:
        self.left: list[str] = []
        self.exit_code = 0
        """What a failed clean-up makes of the session's end, 0 where it makes nothing of it."""
        self._stack = AsyncExitStack()

    def add(self, what: str, clean_up: Callable[[], Awaitable[object]], timeout_s: float = 5.0) -> None:
        """Run `clean_up` at the end; `what` completes the sentence `WHAT did not finish within 5 s`."""
        self._stack.push_async_callback(self._bounded, what, clean_up, timeout_s)

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
        await self._stack.aclose()

    async def _bounded(self, what: str, clean_up: Callable[[], Awaitable[object]], timeout_s: float) -> None:
        task = asyncio.ensure_future(clean_up())
        done, _ = await _wait_though_cancelled(task, timeout_s)
        if not done:
            task.cancel()
            self._report(f"{what} did not finish within {timeout_s:g} s")
        elif not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s", what, exc_info=error)
            self._report(f"{what} failed: {error}")
            if isinstance(error, TemporaryKeyError):
                self.exit_code = error.exit_code

    def _report(self, text: str) -> None:
        _log.error("%s", text)
        self.left.append(safe(text))


async def _wait_though_cancelled(
    task: "asyncio.Future[object]", timeout_s: float
) -> tuple[set["asyncio.Future[object]"], set["asyncio.Future[object]"]]:
    """asyncio.wait that a cancellation of the caller does not cut short; the time is kept."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    while True:
        try:
            return await asyncio.wait([task], timeout=max(0.0, until - loop.time()))
        except asyncio.CancelledError:
            _log.info("clean-up goes on though it was cancelled")
