"""One look at everything without a screen: the same probes, snapshot and rules as the console's."""

import asyncio
from collections.abc import Mapping, Sequence

from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.observed import ClusterFacts, HostKeyQuestion
from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.profile import Profile
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.unseen import unanswered
from walconsole.operator_files.kept import KeptFiles
from walconsole.ports import Clock
from walconsole.process.cleanup import Cleanups


class NobodyThere:
    """ports.Screen that keeps the newest snapshot. Every question is a no; `refused` has them."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.refused: list[str] = []
        self.changed = asyncio.Event()

    def publish(self, snapshot: Snapshot) -> None:
        """See ports.Screen."""
        self.snapshot = snapshot
        self.changed.set()

    def log(self, lines: Sequence[LogLine]) -> None:
        """Nobody reads it."""

    def status(self, text: str) -> None:
        """Nobody reads it."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """No: connect once with the console, or with ssh, and compare the fingerprint."""
        self.refused.append(f"the host key of {question.host} is not known: {question.fingerprint}")
        return False

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """No: the profile must name it."""
        self.refused.append('there are several clusters: name one in the profile (cluster = "VERSION/NAME")')
        return None

    async def passphrase(self, prompt: str) -> str | None:
        """No: use an agent."""
        self.refused.append(f"{prompt}: nobody is there to type it; use an agent")
        return None


async def look_once(
    profile: Profile, clock: Clock, environment: Mapping[str, str], keeping: KeptFiles, limit_s: float
) -> tuple[Snapshot, tuple[str, ...]]:
    """The snapshot once every source was asked, or after `limit_s`; and the questions nobody could answer."""
    from walconsole.session.wiring import observe, ssh_shell

    screen = NobodyThere()
    async with Cleanups() as cleanups:
        shell = ssh_shell(profile, screen, clock, cleanups)
        observer = observe(profile, shell, clock, environment, cleanups, keeping)
        running = asyncio.create_task(observer.run(screen), name="observation")
        try:
            async with asyncio.timeout(limit_s):
                await _until_whole(screen, clock)
        except TimeoutError:
            pass
        finally:
            running.cancel()
            await asyncio.wait([running])
    now = clock.now()
    return screen.snapshot or Snapshot(profile.name, now, now), tuple(dict.fromkeys(screen.refused))


async def _until_whole(screen: NobodyThere, clock: Clock) -> None:
    while True:
        snapshot = screen.snapshot
        if snapshot is not None and _is_whole(snapshot, clock.now()):
            return
        screen.changed.clear()
        await screen.changed.wait()


def _is_whole(snapshot: Snapshot, now: float) -> bool:
    """Every source was asked, and a bucket that answers was listed to its end.

    What the archiver's side of the store answers is waited for only where something is wrong.
    """
    if not snapshot.whole or any(each.problem is None for each in unanswered(snapshot)):
        return False
    troubled = snapshot.settings.value is not None and Assessment(snapshot, now).troubled
    return not (troubled and _asks(snapshot)) or snapshot.production.freshness is not Freshness.UNREAD


def _asks(snapshot: Snapshot) -> bool:
    """Whether the archiver's side of the store will be asked: where rclone is used."""
    command = snapshot.command.value
    return command is None or "rclone" in f"{command.command} {command.script}"
