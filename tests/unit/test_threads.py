"""Threads of a kind of work: what hangs takes none from another kind, and holds up no end."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from walconsole.process.threads import Threads

WHERE: ContextVar[str] = ContextVar("where", default="nowhere")


async def test_what_hangs_takes_no_thread_from_another_kind_or_from_asyncio() -> None:
    hanging, prompt, go = Threads("hanging", 40), Threads("prompt", 1), threading.Event()
    hung = [asyncio.create_task(hanging.run(go.wait, 20)) for _ in range(40)]
    async with asyncio.timeout(5):
        assert [await prompt.run(lambda n=n: n) for n in range(3)] == [0, 1, 2]  # type: ignore[misc]
        assert await asyncio.to_thread(lambda: "in time") == "in time"
    go.set()
    assert await asyncio.gather(*hung) == [True] * 40


async def test_no_more_at_once_than_there_is_room_for() -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    threads = Threads("few", 2)

    def work() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.02)
        with lock:
            at_once -= 1

    await asyncio.gather(*(threads.run(work) for _ in range(8)))
    assert most == 2


async def test_what_it_raises_and_where_it_runs_are_those_of_who_waits() -> None:
    WHERE.set("here")
    threads = Threads("one", 1)
    assert await threads.run(WHERE.get) == "here"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 1) == 1, "the room is there again"


async def test_who_waits_may_go_and_the_room_is_there_again_when_the_work_ends() -> None:
    threads, go = Threads("one", 1), threading.Event()
    waiting = asyncio.create_task(threads.run(go.wait, 20))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    second = asyncio.create_task(threads.run(lambda: "second"))
    await asyncio.sleep(0.05)
    assert not second.done(), "the first one is under way still"
    assert all(each.daemon for each in threading.enumerate() if each.name == "one")
    go.set()
    async with asyncio.timeout(5):
        assert await second == "second"
