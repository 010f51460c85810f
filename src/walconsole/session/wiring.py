"""From a profile to its observation: the adapters, and the probes that read through them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.key_sources import RcloneConfig
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import telling_of_requests
from walconsole.config.resolve import Resolved
from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import Told
from walconsole.domain.profile import BucketRole, KeySource, Profile
from walconsole.domain.round_trips import Answer
from walconsole.droplet.names import names_of
from walconsole.observe.bucket.lifecycle import PolicyProbe
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.observe.bucket.reader import ProbeReader
from walconsole.observe.command.command import CommandProbe
from walconsole.observe.command.comparing import ComparingProbe
from walconsole.observe.command.own_list import OwnListProbe
from walconsole.observe.command.production import ProductionProbe
from walconsole.observe.command.spool import SpoolProbe
from walconsole.observe.host.folders import FolderProbe
from walconsole.observe.host.host import HostProbe
from walconsole.observe.logs.server_log import ServerLogProbe
from walconsole.observe.logs.stream import LogFollower, log_sources
from walconsole.observe.poller.observer import ExpiryProbe, LatestFacts, ServerObserver, WatcherProbe
from walconsole.observe.poller.probe import Probe
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.observe.server.sql import RetentionProbe
from walconsole.operator_files.expiry_file import schedule_of
from walconsole.operator_files.kept import KeptFiles
from walconsole.operator_files.watch_file import watcher_of
from walconsole.ports import Clock, Database, Observer
from walconsole.process.cleanup import Cleanups
from walconsole.process.garbage import collect_what_is_new
from walconsole.session.carried import Carried
from walconsole.session.finding import FindingObserver, HostFinding
from walconsole.session.stores import Stores

# -- PostgreSQL's adapter, imported while SSH connects: psycopg takes as long as that does.


class ClosableDatabase(Database, Protocol):
    """A database whose connection is closed at the end."""

    async def aclose(self) -> None: ...


class DatabaseLater:
    """ports.Database; `make` imports and makes the real one, in a thread, when it is first asked for."""

    def __init__(self, make: Callable[[], ClosableDatabase]) -> None:
        self._make = make
        self._making: asyncio.Task[ClosableDatabase] | None = None

    async def version_num(self) -> int:
        return await (await self._made()).version_num()

    async def fetch(self, sql: str, *, timeout_s: float = 5.0) -> Answer:
        return await (await self._made()).fetch(sql, timeout_s=timeout_s)

    async def aclose(self) -> None:
        if self._making is not None:
            await (await self._made()).aclose()

    async def _made(self) -> ClosableDatabase:
        """Whoever waits may be cancelled; the import goes on for the next one."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make), name="import of psycopg")
        return await asyncio.shield(self._making)


def finding_of(resolved: Resolved, shell: SshShell, clock: Clock) -> HostFinding:
    """What finds out where the server of `resolved` archives to, through `shell`. Nothing connects yet."""
    return HostFinding(resolved, shell, HostProbe(shell, resolved.profile, clock), clock)


def observation(
    resolved: Resolved | None,
    profile: Profile,
    shell: SshShell,
    clock: Clock,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    keeping: KeptFiles,
    *,
    past: History | None = None,
    follow_log: bool = True,
    completed: Callable[[HostFinding], Profile] = lambda finding: finding.profile,
    status: str = "",
    carried: Carried | None = None,
) -> Observer:
    """The observation of `profile`'s server, of which `resolved` tells what the host itself may complete.

    With `resolved` the host is asked first where it archives to, while `status` is shown; `completed` makes
    of what it says the profile that is observed. The rest as for `observe`.
    """
    begin = partial(observe, past=past, follow_log=follow_log, carried=carried)
    if resolved is None:
        return begin(profile, shell, clock, environment, cleanups, keeping)
    finding = finding_of(resolved, shell, clock)
    if carried is not None:
        carried.finds(finding)

    def found() -> Observer:
        return begin(completed(finding), shell, clock, environment, cleanups, keeping, finding)

    return FindingObserver(finding, found, status)


def observe(
    profile: Profile,
    shell: SshShell,
    clock: Clock,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    keeping: KeptFiles,
    finding: HostFinding | None = None,
    *,
    past: History | None = None,
    follow_log: bool = True,
    rclone: RcloneConfig | None = None,
    carried: Carried | None = None,
) -> Observer:
    """The observation of `profile`'s server through `shell`; `cleanups` close its other connections.

    Nothing connects yet. `follow_log`: somebody reads the log line by line.

    `environment` is where keys and tokens are looked for, `keeping` what outlives the session, `past` what
    was read before it began. `finding` is what the host itself says of where it archives to, None where it
    is not asked. `rclone` is where the droplet's keys are read, None: on that host. `carried` is what the
    look before this one hands on, and what the next one gets.
    """

    async def let_go() -> None:
        known.let_go()
        observer.let_go()

    cleanups.add("letting go of what was observed", let_go)  # the last of these: they need what it lets go
    carried = carried if carried is not None else Carried()
    host = finding.host if finding is not None else HostProbe(shell, profile, clock)
    database = DatabaseLater(lambda: _postgres(shell, profile, host, clock, environment))
    cleanups.add("closing the connection to PostgreSQL", database.aclose)
    known = LatestFacts(clock)
    telling = telling_of_requests(shell.register, clock.now)
    stores = Stores(
        profile, shell, environment, cleanups, finding, known.segment_bytes, telling, rclone,
        lambda: host.observed.pid if host.observed is not None else None,
    )  # fmt: skip
    pictures = carried.pictures
    buckets = _buckets(profile, stores, clock, known, keeping, pictures, lambda name: observer.wake(name))
    carried.follow(buckets)
    for probe in buckets:
        cleanups.add(f"saving the index of {probe.target.bucket}", probe.save)
    readers = {probe.target.role: ProbeReader(probe) for probe in buckets}
    observer = ServerObserver(
        profile.name,
        shell=shell,
        database=database,
        clock=clock,
        host=host,
        probes=[
            *buckets,
            ConfigurationProbe(shell, host),
            SpoolProbe(shell, clock, profile.postgres.os_user, known.snapshot),
            OwnListProbe(shell, clock, profile.postgres.os_user, known.snapshot),
            FolderProbe(stores.beside, host, clock, profile, known.snapshot),
            *([finding.probe()] if finding is not None else []),
            WatcherProbe(partial(watcher_of, profile.kept_under, environment), clock),
            ExpiryProbe(partial(schedule_of, profile.kept_under, environment), clock),
            *_evidence(profile, shell, host, database, clock, known, stores, readers[BucketRole.PRIMARY]),
        ],
        readers=readers,
        log=LogFollower(shell, clock, log_sources(profile.paths, host)) if follow_log else None,
        told=_told(profile),
        patience=shell.patience,
        past=past,
        known=carried.known(clock.now()),
    )
    known.follow(lambda: observer.snapshot)
    return observer


def _buckets(
    profile: Profile,
    stores: Stores,
    clock: Clock,
    known: LatestFacts,
    keeping: KeptFiles,
    pictures: Mapping[BucketRole, BucketPicture],
    wake: Callable[[str], None],
) -> list[BucketProbe]:
    """What looks at each copy."""
    return [
        BucketProbe(
            target,
            stores.of(target),
            clock,
            segment_bytes=known.segment_bytes,
            wake=wake,
            plain=PLAIN,
            shelf=keeping.shelf(target),
            register=keeping.register,
            last_archived=known.last_archived,
            system_identifier=known.system_identifier,
            picture=pictures.get(target.role),
        )
        for target in profile.buckets
    ]


def _told(profile: Profile) -> Told:
    every_days = profile.drills.every_days
    told = Told(
        profile.expect_base_backups,
        keep=profile.keep,
        price=profile.price,
        drill_every_s=None if every_days is None else every_days * 86_400,
        second_copy=profile.second_copy,
        spare=str(profile.spare) if profile.spare is not None else "",
        identity=profile.drills.identity,
        archivers_key=profile.primary.keys.source is KeySource.DROPLET,
    )
    try:
        names = names_of(profile)
    except ValueError:  # a name that provisioning would refuse
        return told
    return replace(told, archive_program=names.archive, restore_program=names.restore)


def _evidence(
    profile: Profile,
    shell: SshShell,
    host: HostProbe,
    database: Database,
    clock: Clock,
    known: LatestFacts,
    stores: Stores,
    reader: ProbeReader,
) -> tuple[Probe, ...]:
    """What is looked at to find the cause of what goes wrong."""
    return (
        ServerLogProbe(shell, host, clock, known.setting, profile.paths.root, known.archiver_pid),
        CommandProbe(
            shell,
            host,
            clock,
            profile.postgres.os_user,
            known.archive_command,
            known.waiting,
            known.restore_command,
        ),
        RetentionProbe(database),
        ProductionProbe(shell, clock, profile, known.in_trouble, known.command, known.last_archived),
        ComparingProbe(shell, host, clock, stores.of(profile.primary), reader, PLAIN, known.snapshot),
        *(PolicyProbe(target, stores.of(target), clock) for target in profile.buckets),
    )


def _postgres(
    shell: SshShell, profile: Profile, host: HostProbe, clock: Clock, environment: Mapping[str, str]
) -> ClosableDatabase:
    from walconsole.adapters.postgres.database import PostgresDatabase

    collect_what_is_new()  # nothing large is imported after it
    return PostgresDatabase(shell, profile.postgres, host, clock=clock, environ=environment)
