"""Threads of a kind of work, so that what hangs takes none from what must be on time.

asyncio's own are few (six, on two processors), and all share them: names are looked up there, too. These
hold up no end of the program.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """`most` at once of each event loop; what is more waits for its turn."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """As asyncio.to_thread: who waits may be cancelled, and the work goes on."""
        loop = asyncio.get_running_loop()
        room = self._rooms.setdefault(loop, asyncio.Semaphore(self._most))
        done: asyncio.Future[T] = loop.create_future()
        call = partial(copy_context().run, work, *arguments, **named)

        def end(result: T | None, error: BaseException | None) -> None:
            room.release()
            if done.done():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]  # what the call returned
            else:
                done.set_exception(error)

        def in_thread() -> None:
            result, failed = None, None
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  # it is for who waits
                failed = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(end, result, failed)

        await room.acquire()
        try:
            Thread(target=in_thread, name=self._name, daemon=True).start()
        except BaseException:
            room.release()
            raise
        return await done
