"""The running program's parts: clean-up, the request to end, the log, the droplet's process."""

import asyncio
import json
import logging
import os
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from walconsole.config.choose import choose
from walconsole.config.reader import ConfigFile
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.profile_json import profile_to_json
from walconsole.errors import SandboxError, TemporaryKeyError, UsageError
from walconsole.ports import BucketReader, Screen
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.logs import log_crash, log_file, start_logging
from walconsole.process.stop import Stop
from walconsole.sandbox.__main__ import News
from walconsole.session.demo_process import SandboxProcess
from walconsole.session.droplet_session import PacedObserver
from walconsole.session.wish import DemoWish

# --- clean-up


async def test_clean_ups_run_last_in_first_out_and_one_that_fails_stops_no_other() -> None:
    order = []

    async def note(name: str, error: Exception | None = None) -> None:
        order.append(name)
        if error is not None:
            raise error

    async with Cleanups() as cleanups:
        cleanups.add("first", lambda: note("first"))
        cleanups.add("second", lambda: note("second", OSError("password=hunter2")))
        cleanups.add("third", lambda: note("third"))
    assert order == ["third", "second", "first"]
    assert cleanups.left == ["second failed: password=[redacted]"]


async def test_each_clean_up_has_its_own_time() -> None:
    done = []

    async def finish() -> None:
        done.append(True)

    cleanups = Cleanups()
    cleanups.add("the last", finish)
    cleanups.add("stuck", asyncio.Event().wait, 0.05)
    began = time.monotonic()
    async with cleanups:
        pass
    assert time.monotonic() - began < 2
    assert done == [True]
    assert cleanups.left == ["stuck did not finish within 0.05 s"]


async def test_a_cancellation_does_not_cut_clean_up_short() -> None:
    began, done = asyncio.Event(), []

    async def slow() -> None:
        began.set()
        await asyncio.sleep(0.1)
        done.append(True)

    async def session() -> None:
        async with Cleanups() as cleanups:
            cleanups.add("slow", slow)

    task = asyncio.create_task(session())
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert done == [True]


async def test_clean_ups_run_after_an_error() -> None:
    done = []

    async def finish() -> None:
        done.append(True)

    async def session() -> None:
        async with Cleanups() as cleanups:
            cleanups.add("finish", finish)
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        await session()
    assert done == [True]


async def test_a_task_is_cancelled_at_the_end() -> None:
    async with Cleanups() as cleanups:
        task = asyncio.create_task(_for_ever())
        cleanups.add_task(task)
    assert task.cancelled()


async def test_a_part_ends_by_itself_or_with_the_whole_in_its_turn_and_once() -> None:
    order = []

    async def note(name: str, error: Exception | None = None) -> None:
        order.append(name)
        if error is not None:
            raise error

    async with Cleanups() as cleanups:
        cleanups.add("whole, first", lambda: note("whole, first"))
        early, late = cleanups.part(), cleanups.part()
        early.add("early", lambda: note("early", TemporaryKeyError("deleting the key x", "it is alive")))
        late.add("late, first", lambda: note("late, first"))
        late.add("late, second", lambda: note("late, second"))
        cleanups.add("whole, last", lambda: note("whole, last"))
        await early.run()
        assert order == ["early"]
        assert len(cleanups.left) == 1
    assert order == ["early", "whole, last", "late, second", "late, first", "whole, first"]
    assert cleanups.left == early.left
    assert (cleanups.exit_code, late.exit_code) == (TemporaryKeyError.exit_code, 0)


async def test_parts_beside_each_other_run_at_once_though_their_whole_is_cancelled() -> None:
    met, order = asyncio.Barrier(2), []

    async def meet(name: str) -> None:
        await asyncio.wait_for(met.wait(), 5.0)
        await asyncio.sleep(0.05)
        order.append(name)

    async def end() -> None:
        order.append("end")

    async def session() -> None:
        async with Cleanups() as cleanups:
            cleanups.add("the end", end)
            for name in ("one", "two"):
                cleanups.part().add(name, partial(meet, name))

    task = asyncio.create_task(session())
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    assert (sorted(order[:2]), order[2]) == (["one", "two"], "end")


async def test_whoever_asks_while_clean_ups_run_waits_for_their_end() -> None:
    done = []

    async def slow() -> None:
        await asyncio.sleep(0.05)
        done.append(True)

    cleanups = Cleanups()
    part = cleanups.part()
    part.add("slow", slow)
    first = asyncio.create_task(part.run())
    await asyncio.sleep(0)
    await cleanups.run()
    assert done == [True]
    await first


async def _for_ever() -> None:
    await asyncio.Event().wait()


# --- the request to end


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (*_ENDING, signal.SIGALRM)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have begun them with nohup
    yield Stop()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", _ENDING)
async def test_a_signal_asks_to_end(number: signal.Signals, stop: Stop) -> None:
    stop.install()
    stop.attach(asyncio.get_running_loop(), lambda: None)
    os.kill(os.getpid(), number)
    async with asyncio.timeout(2):
        await stop.requested.wait()
    assert stop.exit_code == 128 + number


async def test_what_was_begun_with_nohup_outlives_its_terminal(stop: Stop) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop.install()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.noted
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.exit_code == 143


async def test_the_first_signal_counts(stop: Stop) -> None:
    stop.install()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.noted
    assert stop.exit_code == 143


async def test_a_signal_before_the_loop_is_told_to_it(stop: Stop) -> None:
    stop.request(signal.SIGHUP)
    stop.attach(asyncio.get_running_loop(), lambda: None)
    async with asyncio.timeout(2):
        await stop.requested.wait()


async def test_another_thread_may_ask(stop: Stop) -> None:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    thread = threading.Thread(target=stop.request, args=(signal.SIGHUP,))
    thread.start()
    async with asyncio.timeout(2):
        await stop.requested.wait()
    thread.join()


def test_a_request_after_the_loop_is_no_error(stop: Stop) -> None:
    loop = asyncio.new_event_loop()
    stop.attach(loop, lambda: None)
    loop.close()
    stop.request(signal.SIGTERM)
    assert stop.noted


# --- the loop's end


def test_what_is_left_on_the_loop_is_ended() -> None:
    ended, tasks = [], []

    async def straggle() -> None:
        try:
            await _for_ever()
        finally:
            ended.append(True)

    async def main() -> int:
        tasks.append(asyncio.create_task(straggle()))
        await asyncio.sleep(0)
        return 3

    assert event_loop.run(main) == 3
    assert ended == [True]


def test_an_error_leaves_no_loop_behind() -> None:
    async def main() -> int:
        raise UsageError("tried", "why")

    with pytest.raises(UsageError):
        event_loop.run(main)


# --- the log


@pytest.fixture
def root_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("walconsole")
    before = (list(root.handlers), root.level, ours.level, threading.excepthook, sys.unraisablehook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logging.captureWarnings(False)  # another test's session may have left it on: then it is not done again
    yield
    logging.captureWarnings(False)
    for handler in set(root.handlers) - set(before[0]):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])
    ours.setLevel(before[2])
    threading.excepthook, sys.unraisablehook = before[3], before[4]


@pytest.mark.usefixtures("root_logger")
def test_the_log_is_private_and_safe(tmp_path: Path) -> None:
    path = tmp_path / "state" / "walconsole.log"
    assert start_logging(path, chosen=False) is None
    assert log_file() == path
    logging.getLogger("walconsole.any").info("token=%s \x1b[2J%s", "dop_v1_" + "0" * 64, "AKIA\n--forged")
    try:
        raise ValueError("secret_key=hunter2")
    except ValueError as error:
        log_crash(error)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("in the log", ResourceWarning, stacklevel=1)
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "token=[redacted] AKIA\n    --forged" in text
    assert "Traceback" in text
    assert "in the log" in text
    for hidden in ("hunter2", "dop_v1", "\x1b"):
        assert hidden not in text


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize("path", ["log", "file/log"])
def test_no_library_prints_on_the_terminal(
    tmp_path: Path, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    start_logging(tmp_path / path, chosen=False)
    names = ("asyncssh", "psycopg", "psycopg.pool", "asyncio", "botocore", "urllib3", "textual")
    for name in names:
        logging.getLogger(name).warning("the connection broke: %s", name)
        logging.getLogger(name).info("password for %s", name)
    assert capfd.readouterr() == ("", "")
    if log_file() is not None:
        text = (tmp_path / path).read_text()
        assert all(f"the connection broke: {name}" in text for name in names)
        assert "password for" not in text


@pytest.mark.usefixtures("root_logger")
def test_threads_and_finalizers_fail_into_the_log(tmp_path: Path) -> None:
    start_logging(tmp_path / "log", chosen=False)
    thread = threading.Thread(target=lambda: 1 // 0, name="failing")
    thread.start()
    thread.join()
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("root_logger")
def test_a_log_that_cannot_be_written_is_told_or_refused() -> None:
    path = Path("/proc/nowhere/walconsole.log")
    warning = start_logging(path, chosen=False)
    assert warning is not None
    assert warning.startswith(f"the log {path} cannot be written: ")
    with pytest.raises(UsageError, match="--log-file"):
        start_logging(path, chosen=True)


@pytest.mark.usefixtures("root_logger")
def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    assert start_logging(tmp_path / "log", chosen=False) is not None
    assert not (tmp_path / "victim").exists()


# --- the pace


class _Observer:
    """Notes the factors that it is told."""

    def __init__(self) -> None:
        self.factors: list[float] = []
        self.told: list[object] = []

    async def run(self, screen: Screen) -> None:
        self.told.append(screen)

    def refresh(self) -> None:
        self.told.append("refresh")

    def hurry(self, slot: AnySlot) -> None:
        self.told.append(slot)

    def bucket(self, role: BucketRole) -> BucketReader:
        raise KeyError(role)

    def pause(self, paused: bool) -> None:
        self.told.append(paused)

    def pace(self, factor: float) -> None:
        self.factors.append(factor)


def test_the_interval_multiplies_the_pace() -> None:
    observer = _Observer()
    paced = PacedObserver(observer, 0.5)
    paced.pace(4)
    paced.pause(True)
    paced.refresh()
    paced.hurry(Snapshot.files)
    assert observer.factors == [0.5, 2.0]
    assert observer.told == [True, "refresh", Snapshot.files]
    with pytest.raises(KeyError):
        paced.bucket(BucketRole.DR)


# --- the embedded droplet's process, played by a script

_PROFILE = choose(None, ConfigFile(Path("none")), {"DEPLOY_HOST": "shithub.sh", "HOME": "/"}).profile
_READY = f'{{"ready": {profile_to_json(_PROFILE)}, "environment": {{"A_TOKEN": "t"}}}}'


def _script(monkeypatch: pytest.MonkeyPatch, script: str) -> tuple[SandboxProcess, list[str]]:
    said: list[str] = []
    process = SandboxProcess(DemoWish("incident"), said.append)
    monkeypatch.setattr(process, "_command", ["/bin/sh", "-c", script])
    return process, said


async def test_the_droplets_news_lead_to_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"echo '{{\"status\": \"one\\u001b[2J\"}}'; echo '{_READY}'; cat >/dev/null"
    process, said = _script(monkeypatch, script)
    assert await process.start() == _PROFILE
    assert said == ["one"]
    assert process.environment == {"A_TOKEN": "t"}
    await process.stop()
    assert await process.ended() is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "its process ended with status 3"),
        ("kill -9 $$", "its process ended with signal SIGKILL"),
        ("echo nonsense", "its process said what cannot be read"),
        ("echo '[]'", "its process said what cannot be read"),
        ("echo '{}'", "its process said what cannot be read"),
        ('echo \'{"ready": {"name": 1}}\'', "its process said what cannot be read"),
        ("head -c 2000000 /dev/zero", "its process printed a line without end"),
        (
            "echo '"
            + json.dumps({"error": {"tried": "start it", "why": "no room", "remedy": "make some"}})
            + "'",
            "start it: no room; make some",
        ),
    ],
)
async def test_a_droplet_that_does_not_start(script: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process, _ = _script(monkeypatch, script)
    with pytest.raises(SandboxError) as caught:
        await process.start()
    assert why in str(caught.value)
    await process.stop()


async def test_a_droplet_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walconsole.session.demo_process._LONGEST_SILENCE_S", 0.1)
    process, _ = _script(monkeypatch, "exec sleep 600 <&-")
    with pytest.raises(SandboxError, match=r"no news from its process for 0\.1 s"):
        await process.start()
    monkeypatch.setattr("walconsole.session.demo_process._GRACE_S", 0.1)
    await process.stop()


async def test_a_droplet_that_does_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GRACE_S", "_TERM_GRACE_S"):
        monkeypatch.setattr(f"walconsole.session.demo_process.{name}", 0.2)
    process, _ = _script(monkeypatch, f"trap '' TERM HUP; echo '{_READY}'; while :; do sleep 0.05; done")
    await process.start()
    async with asyncio.timeout(5):
        await process.stop()
    assert process._process is not None
    assert process._process.returncode == -signal.SIGKILL


async def test_a_droplet_that_ends_by_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    process, _ = _script(monkeypatch, f"echo '{_READY}'; echo more; exit 9")
    await process.start()
    assert await process.ended() == "status 9"
    await process.stop()


async def test_a_droplet_that_never_started_is_stopped_at_once() -> None:
    await SandboxProcess(DemoWish("incident"), lambda _: None).stop()


_BEFORE = {number: signal.getsignal(number) for number in _ENDING}


def test_a_program_that_was_run_in_this_process_noted_what_would_end_it() -> None:
    Stop().install()
    assert {signal.getsignal(number) for number in _ENDING}.isdisjoint(_BEFORE.values())


def test_and_a_run_of_tests_is_still_ended_by_it() -> None:
    assert {number: signal.getsignal(number) for number in _ENDING} == _BEFORE


async def test_a_droplet_that_says_where_it_is_again_and_again_is_shown_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("walconsole.session.demo_process._LONGEST_SILENCE_S", 5.0)
    said = '{"status": "making the cluster"}'
    process, shown = _script(monkeypatch, f"echo '{said}'; echo '{said}'; echo '{{}}'")
    with pytest.raises(SandboxError):
        await process.start()
    assert shown == ["making the cluster"]
    await process.stop()


async def test_the_droplets_process_repeats_what_it_does_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("walconsole.sandbox.__main__._REPEATED_EVERY_S", 0.01)
    monkeypatch.setattr("walconsole.sandbox.__main__._MOST_REPEATED", 3)
    news = News()
    lives = asyncio.create_task(news.live())
    await asyncio.sleep(0.05)
    news.tell("making the cluster")
    await asyncio.sleep(0.3)
    lives.cancel()
    assert capsys.readouterr().out == '{"status": "making the cluster"}\n' * 4
