"""A watcher whose verdicts are scripted and which is killed between any two steps, forked again and again.

argv: the folder of its state, the receiver's URL. For every step there is: a run that is killed (SIGKILL) at
it, and then one that is not. With a third, so many runs are killed at moments of no meaning instead, once or
a few times each. What each told is below /NUMBER/ at the receiver. Prints the number of runs.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from walconsole.adapters.notify.ways import ways_of
from walconsole.domain.notices import outbox
from walconsole.domain.notices.deciding import Notice, Rules, Seen, Standing, decide
from walconsole.domain.notices.outbox import Kept
from walconsole.domain.profile import NotifySettings
from walconsole.domain.standing.model import Level
from walconsole.operator_files.watch_file import WatchFile
from walconsole.process.clock import SystemClock
from walconsole.session.telling import Telling

LOOKS = ("ok", "critical", "critical", "critical", "ok", "ok", "ok")
RULES = Rules(worse_after_s=15, blind_after_s=15, well_after_s=15)
AT = 1_790_000_000.0


class Steps:
    """Kills the process at the one that was chosen."""

    def __init__(self, kill_at: int) -> None:
        self.left = kill_at

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class KilledFile(WatchFile):
    """Before and after each write is a step."""

    def __init__(self, environment: dict[str, str], steps: Steps) -> None:
        super().__init__("db", environment)
        self._steps = steps

    def write(self, kept: Kept) -> None:
        self._steps.step()
        super().write(kept)
        self._steps.step()


class KilledWay:
    """Before and after each try is a step."""

    def __init__(self, settings: NotifySettings, environment: dict[str, str], steps: Steps) -> None:
        (self._way,) = ways_of(settings, environment)
        self.name, self._steps = self._way.name, steps

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        self._steps.step()
        self._way.tell(notice, repeat=repeat)
        self._steps.step()


def _after(standing: Standing, notice: Notice | None, at: float, ways: Sequence[str], kept: Kept) -> Kept:
    kept = replace(kept, standing=standing, began_at=AT, looked_at=at)
    return kept if notice is None else outbox.posted(kept, notice, ways)


async def _until_told(telling: Telling) -> None:
    while telling.kept.outbox:  # noqa: ASYNC110  # nothing tells that it is empty
        await asyncio.sleep(0.002)


async def _watch(environment: dict[str, str], steps: Steps) -> None:
    """The looks that are left, then until all is told. Where a look was kept, it is not made again."""
    settings = NotifySettings(webhook_env="HOOK")
    telling = Telling(
        KilledFile(environment, steps), [KilledWay(settings, environment, steps)], SystemClock()
    )
    await telling.open()
    running = asyncio.create_task(telling.run())
    made = round((telling.kept.looked_at - AT) / 10) if telling.kept.looked_at else 0
    for number, level in enumerate(LOOKS[made:], start=made + 1):
        seen = Seen(AT + number * 10, 10, Level(level), f"it is {level}")
        standing, notice = decide(telling.kept.standing, seen, RULES, "db")
        await telling.change(partial(_after, standing, notice, seen.at, telling.ways))
        telling.wake()
        await _until_told(telling)
    await _until_told(telling)  # a run that was killed after the last look has left it to this one
    running.cancel()
    await asyncio.wait([running])


def _fork(environment: dict[str, str], kill_at: int) -> int:
    """How a child ended that watched: 0, or less than that by a signal."""
    child = os.fork()
    if child == 0:
        steps = Steps(kill_at)
        asyncio.run(_watch(environment, steps))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _fork_for(environment: dict[str, str], seconds: float) -> int:
    """The same of one that is killed after so long, unless it has ended by then."""
    child = os.fork()
    if child == 0:
        asyncio.run(_watch(environment, Steps(0)))
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # it is not waited for yet: nobody else has its number
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _at_random(folder: Path, url: str, runs: int) -> None:
    """As long as a run takes is measured first; kills are anywhere in that time."""
    chance = random.Random()  # noqa: S311  # when to kill, not a secret
    whole_s = 0.0
    for number in range(1, runs + 1):
        state = folder / str(number)
        state.mkdir()
        environment = {"XDG_STATE_HOME": str(state), "HOME": str(state), "HOOK": f"{url}/{number}/"}
        for _ in range(chance.choice((1, 1, 2, 3)) if whole_s else 0):
            _fork_for(environment, chance.uniform(0, whole_s))
        began = time.monotonic()
        if _fork(environment, 0) != 0:
            sys.exit(f"run {number} did not end well")
        whole_s = max(whole_s, time.monotonic() - began)


def main() -> None:
    """Every step, one after another, until a run has no such step any more."""
    folder, url = Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        _at_random(folder, url, int(sys.argv[3]))
        sys.stdout.write(f"{sys.argv[3]}\n")
        return
    number = 0
    killed = True
    while killed:
        number += 1
        state = folder / str(number)
        state.mkdir()
        environment = {"XDG_STATE_HOME": str(state), "HOME": str(state), "HOOK": f"{url}/{number}/"}
        killed = _fork(environment, number) == -signal.SIGKILL
        if _fork(environment, 0) != 0:
            sys.exit(f"run {number} did not end well")
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main()
