"""One look at everything without a screen: the same probes, snapshot and rules as the console's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.patience import Patience
from walconsole.domain.profile import Profile
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import is_in_folders
from walconsole.domain.standing.newest import to_compare
from walconsole.domain.standing.remedies import has_own_list, has_spool
from walconsole.domain.standing.retention import is_judgeable
from walconsole.domain.standing.unreachable import is_stopping
from walconsole.domain.standing.unseen import unanswered
from walconsole.domain.store.answers import FOLDER_CODES
from walconsole.operator_files.kept import KeptFiles, for_this_session
from walconsole.ports import Clock, Observer
from walconsole.process.cleanup import Cleanups

if TYPE_CHECKING:
    from walconsole.adapters.s3.key_sources import RcloneConfig
    from walconsole.adapters.ssh.shell import SshShell
    from walconsole.config.resolve import Resolved
    from walconsole.session.carried import Carried
    from walconsole.session.finding import HostFinding

LONGEST_LOOK_S = 600.0
"""A million segments take two seconds to list, or a minute and a half where the store is far and slow."""


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
        self._refuse(f"the host key of {question.host} is not known: {question.fingerprint}")
        return False

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """No: the command line, or the profile, must name it."""
        why = "there are several clusters: name one (--cluster VERSION/NAME, or cluster in the profile)"
        self._refuse(why)
        return None

    async def passphrase(self, prompt: str) -> str | None:
        """No: use an agent."""
        self._refuse(f"{prompt}: nobody is there to type it; use an agent")
        return None

    def _refuse(self, why: str) -> None:
        """Each is told once, however often it is asked."""
        if why not in self.refused:
            self.refused.append(why)


async def look_once(
    profile: Profile,
    clock: Clock,
    environment: Mapping[str, str],
    keeping: KeptFiles,
    limit_s: float,
    resolved: "Resolved | None" = None,
    through: "SshShell | None" = None,
    carried: "Carried | None" = None,
) -> tuple[Snapshot, tuple[str, ...]]:
    """The snapshot once every source was asked, or after `limit_s`; and the questions nobody could answer.

    With `resolved`, which `profile` came of, the host is asked first where it archives to. `through` has a
    connection that is used, and left open. `carried` is what the look before this one hands on.
    """
    from walconsole.session.dialling import ssh_shell

    screen = NobodyThere()
    async with Cleanups() as cleanups:
        register, lent = (None, None) if through is None else (through.register, through.connection)
        patience = Patience(limit_s, at_once=True)
        shell = ssh_shell(profile, screen, clock, cleanups, register, patience=patience, lent=lent)
        shell.connection.dial()
        await asyncio.to_thread(import_module, "walconsole.session.wiring")
        from walconsole.session.wiring import observation

        observer = observation(
            resolved,
            profile,
            shell,
            clock,
            environment,
            cleanups,
            keeping,
            follow_log=False,
            carried=carried,
        )
        asked = resolved is not None
        await _watch(observer, screen, lambda snapshot: _is_whole(snapshot, clock.now(), asked), limit_s)
    now = clock.now()
    return screen.snapshot or Snapshot(profile.name, now, now), tuple(screen.refused)


async def look_anew(
    profile: Profile,
    shell: "SshShell",
    clock: Clock,
    environment: Mapping[str, str],
    finding: "HostFinding | None" = None,
    *,
    whole: bool = False,
    rclone: "RcloneConfig | None" = None,
) -> Snapshot:
    """Through a shell that is there, the buckets listed to their ends, for whoever is about to delete.

    `finding` is what the host said of itself, through that shell. `whole`: every source, for a verdict.
    `rclone` is where the droplet's keys are read, None: on that host. After LONGEST_LOOK_S what was read by
    then.
    """
    from walconsole.session.wiring import observe

    screen = NobodyThere()
    async with Cleanups() as cleanups:
        observer = observe(
            profile, shell, clock, environment, cleanups, for_this_session(), finding, rclone=rclone
        )
        enough = (lambda snapshot: _is_whole(snapshot, clock.now())) if whole else is_judgeable
        await _watch(observer, screen, enough, LONGEST_LOOK_S)
    now = clock.now()
    return screen.snapshot or Snapshot(profile.name, now, now)


async def _watch(
    observer: Observer, screen: NobodyThere, is_enough: Callable[[Snapshot], bool], limit_s: float
) -> None:
    from walconsole.observe.poller.poller import let_go_of_end

    running = asyncio.create_task(observer.run(screen), name="observation")
    try:
        async with asyncio.timeout(limit_s):
            await _until(screen, is_enough)
    except TimeoutError:
        pass
    finally:
        running.cancel()
        await asyncio.wait([running])
        let_go_of_end(running)


async def _until(screen: NobodyThere, is_enough: Callable[[Snapshot], bool]) -> None:
    while True:
        if screen.snapshot is not None and is_enough(screen.snapshot):
            return
        screen.changed.clear()
        await screen.changed.wait()


def _is_whole(snapshot: Snapshot, now: float, asked: bool = False) -> bool:
    """Every source was asked, and a bucket that answers was listed to its end.

    `asked`: the host is asked where it archives to, too.

    What the archiver's side of the store answers is waited for only where something is wrong.
    """
    if not snapshot.whole or any(each.problem is None for each in unanswered(snapshot)):
        return False
    if is_stopping(snapshot) and snapshot.command.freshness is Freshness.UNREAD:
        return False  # what it waits for
    if is_in_folders(snapshot) and snapshot.folders.freshness is Freshness.UNREAD:
        return False
    if asked and snapshot.discovery.freshness is Freshness.UNREAD:
        return False
    if has_spool(snapshot) and snapshot.spool.freshness is Freshness.UNREAD:
        return False
    if _waits_for_list(snapshot) or _waits_for_objects(snapshot) or _waits_for_folders(snapshot):
        return False
    troubled = snapshot.settings.value is not None and Assessment(snapshot, now).troubled
    return not (troubled and _asks(snapshot)) or snapshot.production.freshness is not Freshness.UNREAD


def _waits_for_folders(snapshot: Snapshot) -> bool:
    """Where a copy that is a folder cannot be read, its file system tells why."""
    refused = any(each.problem is not None and each.problem.code in FOLDER_CODES for each in snapshot.copies)
    return refused and snapshot.folders.freshness is Freshness.UNREAD


def _waits_for_list(snapshot: Snapshot) -> bool:
    """Whether the archiver's own list is to come; a store that refuses would keep the tool for long."""
    refused = snapshot.primary.problem is not None
    return not refused and has_own_list(snapshot) and snapshot.own_list.freshness is Freshness.UNREAD


def _waits_for_objects(snapshot: Snapshot) -> bool:
    """Whether what a few objects say is to come: whose they are, and whether the newest is pg_wal's."""
    for reading in snapshot.copies:
        bucket = reading.value
        if bucket is None or bucket.holding is None or reading.problem is not None:
            continue
        if bucket.checked_at is None:
            return True
    there, compared = to_compare(snapshot), snapshot.compared
    if not there or compared.problem is not None:
        return False
    return compared.value is None or compared.value.object_sha256 not in {each.begins for each in there}


def _asks(snapshot: Snapshot) -> bool:
    """Whether the archiver's side of the store will be asked: where rclone is used."""
    command = snapshot.command.value
    return command is None or "rclone" in f"{command.command} {command.script}"
