"""The observation of one server: the probes under the poller, the log beside them, one screen.

What the probes have found out so far is there for a probe that needs it (`LatestFacts`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from walconsole.domain.facts.evidence import CommandFacts, WatcherFacts
from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.facts.history import History
from walconsole.domain.facts.observed import SettingsFacts
from walconsole.domain.facts.snapshot import AnySlot, Reading, Snapshot, Told
from walconsole.domain.patience import Patience
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.recovery import restoring
from walconsole.domain.standing.unreachable import is_stopping
from walconsole.observe.host.host import HostProbe
from walconsole.observe.logs.stream import LogFollower
from walconsole.observe.poller.poller import Poller, let_go_of_end
from walconsole.observe.poller.probe import Fact, Probe
from walconsole.observe.server.catalogue import CatalogueProbe
from walconsole.observe.server.sql import PostgresProbe
from walconsole.ports import BucketReader, Clock, Database, Screen, Shell

# -- The SSH connection's own facts: one round trip through the open shell.


class LinkProbe:
    """Fills LINK."""

    name = "SSH"
    slots = (Snapshot.link,)
    cadence_s = 5.0
    timeout_s = 15.0

    def __init__(self, shell: Shell, clock: Clock) -> None:
        self._shell, self._clock = shell, clock

    async def take(self) -> Sequence[Fact]:
        """One round trip. Raises errors.SshError, errors.ShellError."""
        facts = await self._shell.link()
        return [Fact(Snapshot.link, facts, self._clock.now(), "SSH round trip")]


# -- The operator's own machine: the watcher of this cluster and what runs retention, if there are any.


class WatcherProbe:
    """Fills WATCHER. `look` blocks; it raises errors.RegisterError."""

    name = "watcher"
    slots = (Snapshot.watcher,)
    cadence_s = 15.0
    timeout_s = 5.0

    def __init__(self, look: Callable[[], WatcherFacts], clock: Clock) -> None:
        self._look, self._clock = look, clock
        self._beat_at, self._since = 0.0, clock.monotonic()

    async def take(self) -> Sequence[Fact]:
        """One look at its file. How long it is silent is counted here: a clock that is set says nothing."""
        facts = await asyncio.to_thread(self._look)
        now = self._clock.monotonic()
        if facts.beat_at != self._beat_at:
            self._beat_at, self._since = facts.beat_at, now
        facts = replace(facts, silent_s=now - self._since)
        return [Fact(Snapshot.watcher, facts, self._clock.now(), "its file on this machine")]


class ExpiryProbe:
    """Fills EXPIRY. `look` blocks; it raises errors.RegisterError."""

    name = "retention's schedule"
    slots = (Snapshot.expiry,)
    cadence_s = 30.0
    timeout_s = 5.0

    def __init__(self, look: Callable[[], ExpirySchedule], clock: Clock) -> None:
        self._look, self._clock = look, clock

    async def take(self) -> Sequence[Fact]:
        """One look at its files."""
        facts = await asyncio.to_thread(self._look)
        return [Fact(Snapshot.expiry, facts, self._clock.now(), "its files on this machine")]


class ServerObserver:
    """ports.Observer for one profile.

    `host` is given apart, for the database adapter needs it too (it locates the cluster); `probes`
    are those beyond SSH and PostgreSQL: the buckets, the configuration files. `readers` read the buckets.
    `patience` is the shell's. `told` is what the profile says of what no probe can find out, `past` what was
    read before this began, `known` what another look read that is still good (`Poller`).
    """

    def __init__(
        self,
        profile_name: str,
        *,
        shell: Shell,
        database: Database,
        clock: Clock,
        host: HostProbe,
        probes: Sequence[Probe] = (),
        log: LogFollower | None = None,
        readers: Mapping[BucketRole, BucketReader] | None = None,
        told: Told | None = None,
        patience: Patience | None = None,
        past: History | None = None,
        known: Sequence[Reading[Any]] = (),
    ) -> None:
        self._readers = readers or {}
        self._shell, self._host, self._log = shell, host, log
        self._screen: Screen | None = None
        self._running_seen: bool | None = None
        self._reached = self._server_seen = False
        self._settings_seen: SettingsFacts | None = None
        self._loaded_seen: tuple[float, float | None] | None = None
        self._clock, self._trouble_seen = clock, False
        self._postgres = PostgresProbe(database)
        catalogue = CatalogueProbe(database)
        every: tuple[Probe, ...] = (host, self._postgres, catalogue, LinkProbe(shell, clock), *probes)
        self._poller = Poller(every, clock, self._publish, profile_name, told, patience, past, known)

    async def run(self, screen: Screen) -> None:
        """See ports.Observer."""
        self._screen = screen
        running: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                choice = self._host.answer_choices(screen, self._poller.refresh)
                running.append(tasks.create_task(choice, name="cluster choice"))
                running.append(tasks.create_task(self._poller.run(), name="poller"))
                if self._log is not None:
                    running.append(tasks.create_task(self._log.run(screen.log), name="log"))
        finally:
            for task in running:
                let_go_of_end(task)

    def let_go(self) -> None:
        """It has ended. What was read goes with the last that holds it, without the collector."""
        self._poller.let_go()
        self._readers = {}

    def refresh(self) -> None:
        """See ports.Observer."""
        self._shell.retry()
        self._poller.refresh()
        if self._log is not None:
            self._log.refresh()

    def pause(self, paused: bool) -> None:
        """See ports.Observer. The log streams on: its pane has a pause of its own."""
        self._poller.pause(paused)

    def pace(self, factor: float) -> None:
        """See ports.Observer."""
        self._poller.pace(factor)

    def bucket(self, role: BucketRole) -> BucketReader | None:
        """See ports.Observer."""
        return self._readers.get(role)

    @property
    def snapshot(self) -> Snapshot:
        """As of now."""
        return self._poller.snapshot

    def wake(self, name: str) -> None:
        """Take the probe of that name now; for a probe that has only done part of its work."""
        self._poller.wake(name)

    def hurry(self, slot: AnySlot) -> None:
        """See ports.Observer."""
        self._poller.hurry(slot)

    def _look_for_causes(self, snapshot: Snapshot) -> None:
        """Let the evidence come at once when trouble begins."""
        trouble = Assessment(snapshot, self._clock.now()).troubled
        if trouble and not self._trouble_seen:
            for slot in (Snapshot.log, Snapshot.command, Snapshot.production):
                self._poller.hurry(slot)
        self._trouble_seen = trouble

    def _look_at_what_was_loaded(self, snapshot: Snapshot) -> None:
        """Read the files anew after a load, which may leave every setting that is followed as it was."""
        settings, server = snapshot.settings.value, snapshot.server.value
        loaded = (server.started_at, server.loaded_at) if server is not None else None
        other_settings = settings != self._settings_seen
        if (self._settings_seen is not None and other_settings) or (
            self._loaded_seen is not None and loaded != self._loaded_seen
        ):
            self._poller.hurry(Snapshot.catalogue)
            self._poller.hurry(Snapshot.files)
        if other_settings:
            self._poller.hurry(Snapshot.command)
        self._settings_seen, self._loaded_seen = settings, loaded

    def _publish(self, snapshot: Snapshot) -> None:
        """Pass it on, and let those hurry whose source is seen to have come back elsewhere."""
        host = snapshot.host.value
        running = host.cluster.running if host is not None and host.cluster is not None else None
        if self._running_seen is not None and running != self._running_seen:
            self._poller.wake(self._postgres.name)
        self._running_seen = running
        server = snapshot.server.value
        if server is not None and not self._server_seen:
            self._server_seen = True  # now the buckets can tell whose archive it is, and its segment size
            self._poller.hurry(Snapshot.primary)
            self._poller.hurry(Snapshot.dr)
        self._look_at_what_was_loaded(snapshot)
        self._look_for_causes(snapshot)
        reached = snapshot.host.problem is None and host is not None
        if reached and not self._reached and self._log is not None:
            self._log.refresh()
        self._reached = reached
        if self._screen is not None:
            self._screen.publish(snapshot)


# -- What other probes have found out, for a probe that needs it: always as of now.


class LatestFacts:
    """Reads the latest snapshot. `follow` says where it comes from, before any probe is taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._snapshot: Callable[[], Snapshot] | None = None

    def follow(self, snapshot: Callable[[], Snapshot]) -> None:
        """From now on, `snapshot()` is what is known."""
        self._snapshot = snapshot

    def let_go(self) -> None:
        """What it reads has ended."""
        self._snapshot = None

    def snapshot(self) -> Snapshot:
        """All of it; that of a console which has just begun before there is any."""
        now = self._clock.now()
        return self._snapshot() if self._snapshot is not None else Snapshot("", began_at=now, taken_at=now)

    def setting(self, name: str) -> str | None:
        """In force, None before it was read."""
        settings = self.snapshot().settings.value
        return settings.value(name) if settings is not None else None

    def archive_command(self) -> str | None:
        """In force, None before it was read; empty where the server stops, and can be asked no more."""
        return "" if is_stopping(self.snapshot()) else self.setting("archive_command")

    def restore_command(self) -> str:
        """What a recovery here would call; empty where that is not known."""
        return restoring(self.snapshot())[0]

    def waiting(self) -> int | None:
        """How many .ready files there are, None where nobody may count them."""
        return ready_count(self.snapshot())

    def last_archived(self) -> str | None:
        """The file that was archived last, None before that was read."""
        archiver = self.snapshot().archiver.value
        return archiver.last_archived_wal if archiver is not None else None

    def system_identifier(self) -> str | None:
        """The cluster's, None before it was read."""
        server = self.snapshot().server.value
        return server.system_identifier if server is not None else None

    def segment_bytes(self) -> int | None:
        """The server's wal_segment_size, by its files before it has answered; None before those were seen."""
        snapshot = self.snapshot()
        server, disk = snapshot.server.value, snapshot.wal_disk.value
        if server is not None:
            return server.segment_bytes
        return disk.segment_bytes if disk is not None else None

    def archiver_pid(self) -> int | None:
        """The archiver's process id, None where that cannot be seen."""
        archiver = self.snapshot().archiver.value
        return archiver.archiver_pid if archiver is not None else None

    def in_trouble(self) -> bool:
        """Whether something waits that should be archived, and is not."""
        return Assessment(self.snapshot(), self._clock.now()).troubled

    def command(self) -> CommandFacts | None:
        """What is known of the archive command."""
        return self.snapshot().command.value
