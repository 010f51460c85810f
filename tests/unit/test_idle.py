"""What a pilot takes for rest: not that the processor is with others."""

import asyncio
from time import sleep

import pytest
from textual import app, pilot

from tests import idle

STEP_S, STEPS = 0.001, 30


async def test_an_app_that_got_no_processor_time_is_not_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "process_time", lambda: 0.0)
    loop = asyncio.get_running_loop()
    left = STEPS

    def work() -> None:
        nonlocal left
        left -= 1
        sleep(STEP_S)
        if left:
            loop.call_soon(work)

    loop.call_soon(work)
    await idle.wait_for_idle(0)
    assert left == 0


async def test_what_never_rests_is_not_waited_for_without_end() -> None:
    loop = asyncio.get_running_loop()
    ended = False

    def work() -> None:
        if not ended:
            loop.call_soon(work)

    loop.call_soon(work)
    await asyncio.wait_for(idle.wait_for_idle(0, 0.1), 20)
    ended = True


def test_pilots_wait_so() -> None:
    assert app.wait_for_idle is idle.wait_for_idle  # type: ignore[attr-defined]
    assert pilot.wait_for_idle is idle.wait_for_idle  # type: ignore[attr-defined]
