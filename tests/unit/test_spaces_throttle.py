"""How many requests are under way: never more than allowed, fewer after a refusal, and all again later."""

import asyncio
import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.s3 import throttle as spaces_throttle
from walconsole.adapters.s3.throttle import Throttle


class Work:
    """Requests through a throttle, and how many of them were under way at once."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.now = self.most = self.done = 0

    async def one(self, rounds: int = 1) -> None:
        async with self.throttle:
            self.now += 1
            self.most = max(self.most, self.now)
            assert self.now <= self.throttle.allowed
            for _ in range(rounds):
                await asyncio.sleep(0)
            self.now -= 1
            self.done += 1

    async def many(self, count: int) -> None:
        await asyncio.gather(*(self.one(1 + number % 3) for number in range(count)))


@pytest.mark.parametrize("limit", [1, 4, 48])
async def test_as_many_as_allowed_and_no_more(limit: int) -> None:
    work = Work(Throttle(limit))
    await work.many(200)
    assert (work.most, work.done, work.now) == (limit, 200, 0)


async def test_a_refusal_halves_and_lets_everybody_wait() -> None:
    throttle = Throttle(48)
    throttle.slow_down(0.05)
    throttle.slow_down(0.05)  # the same refusal, as another request met it
    assert throttle.allowed == 24
    work, began = Work(throttle), time.monotonic()
    await work.many(100)
    assert time.monotonic() - began >= 0.05
    assert work.most == 24
    for allowed in (12, 6, 3, 1, 1):
        throttle.slow_down(0.001)
        assert throttle.allowed == allowed
        await asyncio.sleep(0.002)
    await work.many(10)
    assert work.done == 110


async def test_no_pause_is_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces_throttle, "LONGEST_PAUSE_S", 0.02)
    throttle = Throttle(4)
    throttle.slow_down(86_400)
    async with asyncio.timeout(5):
        await Work(throttle).one()


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    throttle, began = Throttle(4), time.monotonic()
    throttle.slow_down(0.05)
    throttle.slow_down(0.001)
    await Work(throttle).one()
    assert time.monotonic() - began >= 0.05


async def test_answers_give_back_one_place_at_a_time() -> None:
    throttle = Throttle(48)
    throttle.slow_down(0)
    steps = [throttle.allowed]
    for _ in range(2000):
        throttle.answered()
        steps.append(throttle.allowed)
    assert all(0 <= after - before <= 1 for before, after in pairwise(steps))
    assert steps.index(25) in (24, 25)
    assert steps[-1] == 48


async def test_room_that_is_given_back_wakes_who_waits() -> None:
    throttle = Throttle(4)
    for _ in range(3):
        throttle.slow_down(0)
        await asyncio.sleep(0.001)
    assert throttle.allowed == 1
    work, leave = Work(throttle), asyncio.Event()

    async def first() -> None:
        async with throttle:
            await leave.wait()

    task = asyncio.create_task(first())
    waiting = asyncio.create_task(work.one())
    await asyncio.sleep(0.005)
    assert work.done == 0
    throttle.answered()
    await waiting
    leave.set()
    await task


async def test_whoever_is_cancelled_in_a_pause_passes_the_turn_on() -> None:
    throttle = Throttle(1)
    work, leave = Work(throttle), asyncio.Event()

    async def first() -> None:
        async with throttle:
            await leave.wait()
        throttle.slow_down(0.05)

    holder = asyncio.create_task(first())
    await asyncio.sleep(0)
    second, third = (asyncio.create_task(work.one()) for _ in range(2))
    await asyncio.sleep(0)
    leave.set()
    await holder
    await asyncio.sleep(0.01)  # now the second has its turn, and sits the pause out
    second.cancel()
    async with asyncio.timeout(5):
        await third
    assert work.done == 1


@given(st.integers(1, 8), st.integers(0, 2**32), st.integers(1, 40))
def test_whoever_is_cancelled_leaves_no_place_taken(limit: int, seed: int, count: int) -> None:
    async def play() -> None:
        chance, work = random.Random(seed), Work(Throttle(limit))  # noqa: S311
        tasks = [asyncio.create_task(work.throttle.__aenter__()) for _ in range(count)]
        inside = 0
        for task in chance.sample(tasks, count):
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                work.throttle.slow_down(0)
            if not task.done():
                task.cancel()
            elif not task.cancelled():
                inside += 1
                await work.throttle.__aexit__(None, None, None)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert result is work.throttle or isinstance(result, asyncio.CancelledError)
        for _ in range(sum(not task.cancelled() for task in tasks) - inside):
            await work.throttle.__aexit__(None, None, None)
        async with asyncio.timeout(5):
            await work.many(20)
        assert work.most <= limit

    asyncio.run(play())
