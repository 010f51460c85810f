"""No notice is lost and none told twice: a real receiver counts, whatever happens to the watcher."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers.receiver import Receiver, Request, receiver
from tests.unit.test_notices import numbered
from tests.unit.test_watch_file import no_file_larger_than
from walconsole.adapters.notify.ways import ways_of
from walconsole.domain.notices import outbox
from walconsole.domain.profile import NotifySettings
from walconsole.operator_files.watch_file import WatchFile
from walconsole.process.clock import SystemClock
from walconsole.session import telling as session_telling
from walconsole.session.telling import Telling

CHILD = Path(__file__).with_name("watch_child.py")


def told(requests: list[Request]) -> list[tuple[str, str, bool]]:
    documents = [json.loads(one.body) for one in requests]
    return [(each["id"], each["kind"], each["repeat"]) for each in documents]


def watched_and_killed(folder: Path, url: str, *arguments: str) -> int:
    """How many runs there were, each of which was killed and then ended by itself."""
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), url, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=400,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


def doubled_in(taking: Receiver, run: int) -> int:
    """How often one was told again, of a run that told both, and of each the first time as the first."""
    came = told(taking.taken(f"/{run}/"))
    first = [(name, kind) for name, kind, repeat in came if not repeat]
    kinds = dict.fromkeys((name, kind) for name, kind, _ in came)
    assert [kind for _, kind in kinds] == ["worse", "well"]
    assert len(set(first)) == len(first), "whatever comes a second time says so"
    assert len({name for name, _, _ in came}) == 2, "by its id the receiver knows it"
    keys = [one.headers["Idempotency-Key"] for one in taking.taken(f"/{run}/")]
    assert keys == [name for name, _, _ in came]
    return len(came) - 2


def test_killed_at_any_step_it_tells_each_once_or_says_that_it_repeats(tmp_path: Path) -> None:
    with receiver() as taking:
        runs = watched_and_killed(tmp_path, taking.url)
        assert runs > 20, "a write and a telling have each a step before and after"
        doubled = sum(doubled_in(taking, run) for run in range(1, runs + 1))
        assert doubled == 4, "killed between the answer and the end of its note: two steps of each notice"


@pytest.mark.long
@pytest.mark.timeout(420)
def test_killed_at_any_moment_it_tells_each_once_or_says_that_it_repeats(tmp_path: Path) -> None:
    with receiver() as taking:
        for run in range(1, watched_and_killed(tmp_path, taking.url, "50") + 1):
            assert doubled_in(taking, run) <= 6, "once for each of three kills and each notice"


SETTINGS = NotifySettings(webhook_env="HOOK")


@asynccontextmanager
async def telling(environment: dict[str, str], settings: NotifySettings = SETTINGS) -> AsyncIterator[Telling]:
    """One that tells until the end."""
    file = WatchFile("db", environment)
    made = Telling(file, ways_of(settings, environment), SystemClock())
    await made.open()
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        file.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other quickly."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE_S", 0.05)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}


async def post(made: Telling, number: int) -> None:
    await made.change(lambda kept: outbox.posted(kept, numbered(number), made.ways))
    made.wake()


async def until_told(made: Telling) -> None:
    await until(lambda: not made.kept.outbox)


async def test_a_network_that_goes_and_comes_loses_and_doubles_nothing(environment: dict[str, str]) -> None:
    with receiver() as taking:
        port = taking.port
        environment["HOOK"] = taking.url
        async with telling(environment) as made:
            await post(made, 1)
            await until_told(made)
    first = told(taking.requests)
    async with telling(environment) as made:  # nobody listens there now
        await post(made, 2)
        await post(made, 3)
        await until(lambda: made.failing == ("webhook",))
        assert "cannot be reached" not in made.problem, "that nobody takes it is no fault of the disk"
        with receiver(port) as taking:
            await until_told(made)
        assert made.failing == ()
    assert [*first, *told(taking.requests)] == [(f"n{number}", "worse", False) for number in (1, 2, 3)]


async def test_what_is_refused_is_no_telling_and_what_was_not_answered_is_a_repeat(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with receiver() as taking:
        environment["HOOK"] = f"{taking.url}/services/T0SECRET/B0SECRET"
        taking.status = 503
        async with telling(environment) as made:
            await post(made, 1)
            await until(lambda: len(taking.requests) >= 2)
            taking.status = 0
            hung_up = len(taking.requests)
            await until(lambda: len(taking.requests) >= hung_up + 2)
            taking.status = 200
            await until_told(made)
    assert [repeat for *_, repeat in told(taking.taken())] == [True]
    refused = [one for one in taking.requests if one.answered == 503]
    assert [repeat for *_, repeat in told(refused)] == [False] * len(refused)
    assert "SECRET" not in caplog.text
    assert "it answered with status 503" in caplog.text


async def test_what_is_under_way_when_the_watcher_ends_is_noted(environment: dict[str, str]) -> None:
    """It is asked to end between the request and its answer, and between that and the note of it."""
    with receiver() as taking:
        environment["HOOK"] = taking.url
        for number, takes_s in enumerate((0.4, 0.0, 0.0, 0.0), start=1):
            taking.takes_s = takes_s
            async with telling(environment) as made:
                await post(made, number)
                await until(lambda number=number: len(taking.requests) >= number)  # type: ignore[misc]
        async with telling(environment) as made:
            assert made.kept.outbox == ()
    assert told(taking.requests) == [(f"n{number}", "worse", False) for number in (1, 2, 3, 4)]


async def test_a_receiver_that_never_answers_holds_the_end_up_for_a_while_only(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_telling, "ENDING_S", 0.1)
    with receiver() as taking:
        environment["HOOK"], taking.takes_s = taking.url, 1.0
        began = asyncio.get_running_loop().time()
        async with telling(environment) as made:
            await post(made, 1)
            await until(lambda: bool(taking.requests))
        assert asyncio.get_running_loop().time() - began < 0.9
        taking.takes_s = 0.0
        async with telling(environment) as made:
            await until_told(made)
        assert [repeat for *_, repeat in told(taking.requests)] == [False, True]


async def test_a_way_that_hangs_holds_up_no_other(environment: dict[str, str], tmp_path: Path) -> None:
    marker = tmp_path / "told.json"
    program = tmp_path / "tell"
    program.write_text(f'#!/bin/sh\ncat >> "{marker}"\n')
    program.chmod(0o700)
    with receiver() as taking:
        environment["HOOK"], taking.status = taking.url, 503
        settings = NotifySettings(command=(str(program),), webhook_env="HOOK")
        async with telling(environment, settings) as made:
            await post(made, 1)
            await post(made, 2)
            await until(lambda: [one.ways for one in made.kept.outbox] == [("webhook",)] * 2)
    came = [json.loads(line) for line in marker.read_text().splitlines()]
    assert [each["id"] for each in came] == ["n1", "n2"]


async def test_with_a_disk_that_is_full_from_the_beginning_it_tells_all_the_same(
    environment: dict[str, str],
) -> None:
    """Nothing can be kept then, and that is said; what is told meanwhile is told once."""
    with receiver() as taking:
        environment["HOOK"] = taking.url
        with no_file_larger_than(1024):
            async with telling(environment) as made:
                assert "File too large" in made.problem
                await post(made, 1)
                await until_told(made)
                taking.status = 503
                await post(made, 2)
                assert "File too large" in made.problem
                with no_file_larger_than(10_000_000):
                    await post(made, 3)
                    assert made.problem == ""
        taking.status = 200
        async with telling(environment) as made:
            await until_told(made)
    assert [(name, repeat) for name, _, repeat in told(taking.taken())] == [
        ("n1", False),
        ("n2", made_repeat(taking.requests, "n2")),
        ("n3", False),
    ]


def made_repeat(requests: list[Request], name: str) -> bool:
    """Whether the end of the last try before was perhaps not seen: the watcher was ended meanwhile."""
    return next(repeat for each, _, repeat in reversed(told(requests)) if each == name)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
