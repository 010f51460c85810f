"""When an app in this process has nothing to do: what a pilot waits for after each key."""

import asyncio
from time import monotonic, process_time

from textual import _wait, app, pilot

LOOK_S = 1 / 200
COMPUTES_S = LOOK_S / 20
TURNS = 3


async def wait_for_idle(min_sleep: float = LOOK_S, max_sleep: float = 1) -> None:
    """Return once the app rests, after at least `min_sleep` and at most `max_sleep` seconds.

    Textual takes a process that hardly computes for one that rests. On a busy machine it may just not have
    got the processor: the next key is then pressed while the last one still opens a screen, goes to the wrong
    one, and what it should bring about is waited for in vain. So the event loop is asked, too: nothing may be
    ready to run in it.
    """
    loop = asyncio.get_running_loop()
    began = monotonic()
    while True:
        spent = process_time()
        await asyncio.sleep(LOOK_S)
        rests = process_time() - spent < COMPUTES_S
        for _ in range(TURNS):  # a turn brings what arrived, and what was due, among what is ready
            rests = rests and not loop._ready  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        took = monotonic() - began
        if took >= max_sleep or (rests and took > min_sleep):
            return


def wait_so() -> None:
    """Let Textual's pilots wait in this way."""
    for module in (_wait, app, pilot):
        module.wait_for_idle = wait_for_idle  # type: ignore[attr-defined]
