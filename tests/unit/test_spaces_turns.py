"""Many tasks with work to do leave the event loop to others in between."""

import asyncio
import time

from walconsole.adapters.s3.throttle import TURN_S, Turns

WORK_S = 0.001
TASKS = 64


async def test_the_loop_looks_at_everything_else_between_turns() -> None:
    turns, rounds, worked = Turns(), [0.0], 0

    async def work() -> None:
        nonlocal worked
        await turns.mine()
        until = time.thread_time() + WORK_S
        while time.thread_time() < until:
            pass
        worked += 1
        rounds[-1] += WORK_S

    async def watch() -> None:
        while worked < TASKS:
            rounds.append(0.0)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        for _ in range(TASKS):
            tasks.create_task(work())
    assert sum(rounds) > TASKS * WORK_S * 0.99
    assert max(rounds) < TURN_S + 2 * WORK_S
