"""An SSH connection that is lost in the midst of a step: its processes at the droplet are killed."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.provision_stage import Stage
from tests.servers.reaper import descendants
from walconsole.provision.engine.model import Progress, Ran, Step
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site


class Line:
    """The way to a stage's droplet."""

    def __init__(self, stage: Stage) -> None:
        self._sshd = stage.sshd

    def cut(self) -> int:
        """SIGKILL to the processes of its connections, not to what runs in them; how many they were."""
        if not self._sshd.running:
            return 0
        connections = [pid for pid in descendants(self._sshd.pid) if _is_sshd(pid)]
        for pid in connections:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(connections)

    def go(self) -> None:
        """The same, and no other is made."""
        self.cut()
        if self._sshd.running:
            self._sshd.stop(sessions=False)

    def come_back(self) -> None:
        """Connections are made again."""
        if not self._sshd.running:
            self._sshd.start()


def _is_sshd(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().startswith("sshd")
    except OSError:
        return False


@dataclass
class Cutting:
    """Does something after each command that a step runs, once each, a random while after it began.

    `most_s`: seconds that this takes at most. `only`: the steps in which it does, all where none is named.
    """

    does: Callable[[], object]
    moments: random.Random
    most_s: float = 0.8
    only: frozenset[str] = frozenset()
    done: list[tuple[str, str]] = field(default_factory=list)

    def heard(self, progress: Progress) -> None:
        """What the runner tells."""
        if not isinstance(progress.event, Ran) or (self.only and progress.step not in self.only):
            return
        command = progress.step, progress.event.command.text
        if command not in self.done:
            self.done.append(command)
            asyncio.get_running_loop().call_later(self.moments.random() * self.most_s, self.does)


async def walked(
    site: Site, steps: Sequence[Step], stage: Stage, *heard: Callable[[Progress], None]
) -> dict[str, At]:
    """The steps, run as a console runs them; where each is at the end. Raises what ended the run."""

    def told(progress: Progress) -> None:
        stage.told.append(progress)
        for each in heard:
            each(progress)

    stage.told.clear()
    runner = Runner(site, steps, stage.gate, told)
    await runner.run()
    return runner.stages
