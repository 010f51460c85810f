"""Deaths at random moments: how many a run tries, when, and what dies."""

import os
import random
import signal
from enum import StrEnum
from pathlib import Path

import pytest

from tests.servers.reaper import descendants


class Dies(StrEnum):
    """What is killed."""

    ALL = "all of it"
    SCRIPT = "the script alone"
    PART = "one of its parts"
    ENDED = "it is asked to end"


def each_death(metafunc: pytest.Metafunc, name: str, few: int, every: int) -> None:
    """Give a test's parameter `name` the numbers of its deaths: `few`, or with --every-death all of them."""
    if name in metafunc.fixturenames:
        number = every if metafunc.config.getoption("every_death") else few
        metafunc.parametrize(name, range(number))


def share_of(death: int) -> float:
    """At which share of what it takes it dies: the same for the same number."""
    return random.Random(death).random()  # noqa: S311  # a moment is no secret


def how_of(death: int) -> Dies:
    """One after the other, so that a few already are of every kind."""
    return list(Dies)[death % len(Dies)]


def die(pid: int, how: Dies, death: int) -> None:
    """End the process group `pid`, or so much of it. What has ended already is left alone."""
    parts = sorted(descendants(pid))
    try:
        if how is Dies.ALL:
            os.killpg(pid, signal.SIGKILL)
        elif how is Dies.SCRIPT:
            os.kill(pid, signal.SIGKILL)
        elif how is Dies.ENDED:
            os.kill(pid, signal.SIGTERM)
        elif parts:
            os.kill(random.Random(death).choice(parts), signal.SIGKILL)  # noqa: S311
    except ProcessLookupError:
        return


def killed(about: str) -> list[int]:
    """SIGKILL to every process of this test's whose command line has that word; which they were."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if about in command and str(os.getpid()) != folder.name:
            os.kill(int(folder.name), signal.SIGKILL)
            found.append(int(folder.name))
    return found
