"""The event loop's life, with an end that nothing can hold up.

asyncio.run waits without limit for threads at its end (a boto3 call in a frozen network takes
minutes); here everything that is left gets a moment, and then the process ends all the same.
"""

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)

_TASKS_GRACE_S = 2.0


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """What `main` returns, run on a loop of its own."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_log_loop_error)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main())
    finally:
        with contextlib.suppress(TimeoutError):
            loop.run_until_complete(_end_what_is_left())
        asyncio.set_event_loop(None)
        loop.close()


async def _end_what_is_left() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        _, pending = await asyncio.wait(others, timeout=_TASKS_GRACE_S)
        for task in pending:
            _log.warning("left behind at the end: %s", task.get_name())
    async with asyncio.timeout(_TASKS_GRACE_S):
        await asyncio.get_running_loop().shutdown_asyncgens()


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    _log.error("%s", context.get("message", "error in the event loop"), exc_info=error)


def leave(status: int) -> int:
    """`status`, or the end of the process here and now when a thread would hold it up.

    The interpreter's own end would wait for such a thread, and turns a terminal that went away into
    status 120.
    """
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if _flushed() and all(thread.daemon for thread in others):
        return status
    logging.shutdown()
    os._exit(status)


def _flushed() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        return False
    return True
