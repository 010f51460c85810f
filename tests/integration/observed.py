"""What the tests of observation share: a profile of real servers, and the adapters that reach them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.adapters.postgres.database import PostgresDatabase
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import CommandRegister
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.facts.snapshot import SLOTS, Snapshot
from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.observe.host.host import HostProbe
from walconsole.process.clock import SystemClock


@dataclass
class RecordingScreen:
    """Keeps what observation tells the screen. `choice` answers the question which cluster."""

    choice: Callable[[Sequence[ClusterFacts]], ClusterFacts | None] = lambda _: None
    snapshots: list[Snapshot] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    questions: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self.changed.set()

    def log(self, lines: Sequence[LogLine]) -> None:
        self.lines.extend(lines)
        self.changed.set()

    def status(self, text: str) -> None:
        raise AssertionError(text)

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        raise AssertionError(question)

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        self.questions += 1
        return self.choice(clusters)

    async def passphrase(self, prompt: str) -> str | None:
        raise AssertionError(prompt)

    async def until(self, holds: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
        """Wait until `holds()` after something was published or logged."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            problems = [f"{slot}: {slot.of(self.last).problem}" for slot in SLOTS] if self.snapshots else []
            raise AssertionError(f"{what} did not come about within {timeout_s} s; {problems}") from None

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]


def profile_of(sshd: SshServer, server: PostgresServer | None = None, *, port: int | None = None) -> Profile:
    """A profile of these servers; `port` is a proxy's in front of sshd."""
    postgres = PostgresTarget()
    if server is not None:
        postgres = PostgresTarget(os_user=server.os_user, socket_dir=str(server.socket_dir), port=server.port)
    folder = sshd.folder
    config = folder / "ssh_config"
    config.touch()
    known_hosts = folder / f"known_hosts_{port or sshd.port}"
    known_hosts.write_text(
        sshd.known_hosts_file.read_text().replace(f":{sshd.port} ", f":{port or sshd.port} ")
    )
    paths = replace(
        default_paths("observed"),
        heartbeat=str(folder / "heartbeat"),
        log=str(folder / "archive.log"),
        journal_tag="walconsole-test-tag",
    )
    return Profile(
        name="observed",
        ssh=SshTarget(
            host=sshd.host,
            port=port or sshd.port,
            user=sshd.user,
            identity_files=(str(sshd.identity_file),),
            known_hosts_file=str(known_hosts),
            config_file=str(config),
            use_agent=False,
        ),
        sudo=False,
        postgres=postgres,
        primary=default_bucket(BucketRole.PRIMARY, "observed", "nyc3"),
        dr=default_bucket(BucketRole.DR, "observed", "sfo3"),
        paths=paths,
        api=ApiTarget(),
    )


@dataclass(frozen=True)
class Connected:
    shell: SshShell
    host: HostProbe
    database: PostgresDatabase
    clock: SystemClock
    profile: Profile


@asynccontextmanager
async def connected(profile: Profile) -> AsyncIterator[Connected]:
    """The real adapters for `profile`, whose commands are kept, closed at the end."""
    clock, register = SystemClock(), CommandRegister()
    shell = SshShell(
        profile.ssh, sudo=profile.sudo, operator=RecordingScreen(), clock=clock, register=register
    )
    host = HostProbe(shell, profile, clock)
    database = PostgresDatabase(shell, profile.postgres, host, clock=clock)
    try:
        yield Connected(shell, host, database, clock, profile)
    finally:
        await database.aclose()
        await shell.aclose()
