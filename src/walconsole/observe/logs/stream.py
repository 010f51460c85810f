"""Streams the logs of a host to the screen, in batches, through every interruption."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import cast

from walconsole.domain.facts.log_line import LogLine
from walconsole.errors import WalconsoleError
from walconsole.observe.logs.lines import LogStream
from walconsole.observe.logs.sources import LogSource
from walconsole.ports import Clock, Shell

_log = logging.getLogger(__name__)

BATCH_EVERY_S = 0.02
BATCH_LINES = 400
"""With BATCH_EVERY_S, at most 20,000 lines a second from each source; older ones are dropped.

Reading a line takes 5 to 10 µs: a batch must not keep a key press waiting.
"""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

Show = Callable[[Sequence[LogLine]], None]


class LogFollower:
    """Follows every source until cancelled; a source that fails or ends is opened again."""

    def __init__(self, shell: Shell, clock: Clock, sources: Sequence[LogSource]) -> None:
        self._shell, self._clock = shell, clock
        self._streams = [(source, LogStream(source.origin, always=source.always)) for source in sources]
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._notes: list[LogLine] = []
        self._problems: dict[str, str] = {}

    async def run(self, show: Show) -> None:
        """Stream until cancelled; `show` gets batches, at most fifty a second."""
        async with asyncio.TaskGroup() as tasks:
            for source, stream in self._streams:
                tasks.create_task(self._follow(source, stream), name=f"log: {source.origin}")
            await self._deliver(show)

    def refresh(self) -> None:
        """Open what is closed now, instead of at the end of its pause."""
        self._hurry.set()
        self._hurry.clear()

    async def _follow(self, source: LogSource, stream: LogStream) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            problem = await self._follow_once(source, stream)
            if self._clock.monotonic() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
                self._problems.pop(source.origin, None)
            if problem:
                self._note(source, stream, problem)
            await self._rest(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _note(self, source: LogSource, stream: LogStream, problem: str) -> None:
        """Say what is wrong once: not again at each attempt, nor for each source that it keeps closed."""
        known = problem in self._problems.values()
        self._problems[source.origin] = problem
        if not known:
            self._notes.append(stream.note(problem))
            self._arrived.set()

    async def _follow_once(self, source: LogSource, stream: LogStream) -> str:
        """Stream until it ends; returns why it did, empty where it just ended."""
        try:
            command = await source.command()
            stream.opened()
            chunks = cast("AsyncGenerator[bytes, None]", self._shell.stream(command))
            async with aclosing(chunks):
                async for chunk in chunks:
                    stream.feed(chunk, self._clock.monotonic())
                    self._arrived.set()
        except WalconsoleError as error:
            return error.line()
        except Exception as error:  # noqa: BLE001  # a stream's bug ends no other, and is told
            _log.exception("log %s", source.origin)
            return f"{type(error).__name__} inside walconsole; the log file has the details"
        return ""

    async def _rest(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _deliver(self, show: Show) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            now = self._clock.monotonic()
            batch, self._notes = self._notes, []
            for _, stream in self._streams:
                batch += stream.read(BATCH_LINES, now)
                if stream.settling:
                    self._arrived.set()
            if batch:
                show(batch)
            await asyncio.sleep(BATCH_EVERY_S)
