"""What the connection tests share: a clock, an operator who answers from a script, targets, shells."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.adapters.postgres.database import PostgresDatabase
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import CommandRegister
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.patience import Patience
from walconsole.domain.profile import PostgresTarget, SshTarget


class WallClock:
    """The real time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class ScriptedOperator:
    """Answers every question in the same way and keeps what was asked."""

    trusts: bool = False
    phrase: str | None = None
    questions: list[HostKeyQuestion] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        self.questions.append(question)
        return self.trusts

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        return None

    async def passphrase(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        return self.phrase


class NoLocator:
    """For profiles that name the socket: nobody may look for it."""

    async def locate(self) -> ClusterFacts:
        raise AssertionError("the profile names the socket")


def target(server: SshServer, *, port: int | None = None, user: str | None = None) -> SshTarget:
    """The server with the client's key, known_hosts as it is, nothing from the developer's own ~/.ssh."""
    config = server.folder / "no_config"
    config.touch()
    return SshTarget(
        server.host,
        port or server.port,
        user or server.user,
        identity_files=(str(server.identity_file),),
        known_hosts_file=str(server.known_hosts_file),
        config_file=str(config),
        use_agent=False,
        connect_timeout_s=5.0,
    )


def through(server: SshServer, port: int, folder: Path) -> SshTarget:
    """The server as reached through a proxy on `port`, its key known there."""
    known = folder / f"known_hosts_{port}"
    known.write_text(server.known_hosts_file.read_text().replace(f":{server.port} ", f":{port} "))
    return replace(target(server, port=port), known_hosts_file=str(known))


def make_shell(
    ssh: SshTarget,
    *,
    sudo: bool = False,
    operator: ScriptedOperator | None = None,
    patience: Patience | None = None,
) -> SshShell:
    """An unconnected shell, whose commands are kept as a console's are."""
    operator, register = operator or ScriptedOperator(), CommandRegister()
    return SshShell(
        ssh, sudo=sudo, operator=operator, clock=WallClock(), register=register, patience=patience
    )


@asynccontextmanager
async def open_shell(
    ssh: SshTarget,
    *,
    sudo: bool = False,
    operator: ScriptedOperator | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[SshShell]:
    """A shell that is closed afterwards."""
    shell = make_shell(ssh, sudo=sudo, operator=operator, patience=patience)
    try:
        yield shell
    finally:
        await shell.aclose()
        await children_reaped()


async def children_reaped() -> None:
    """Until asyncio has heard of the end of each process that it started: a ProxyCommand ends last.

    Its watcher waits in a thread for each; what is told after the loop's end nobody hears.
    """
    for thread in threading.enumerate():
        if "waitpid-" in thread.name:
            await asyncio.to_thread(thread.join, 5.0)
    await asyncio.sleep(0)


def postgres_target(server: PostgresServer) -> PostgresTarget:
    """The server's socket, by peer as its owner."""
    return PostgresTarget(socket_dir=str(server.socket_dir), port=server.port, os_user=server.os_user)


@asynccontextmanager
async def open_database(ssh: SshTarget, postgres: PostgresTarget) -> AsyncIterator[PostgresDatabase]:
    """A database connection on a shell of its own, both closed afterwards."""
    async with open_shell(ssh) as shell:
        database = PostgresDatabase(shell, postgres, NoLocator(), clock=WallClock())
        try:
            yield database
        finally:
            await database.aclose()


async def text(shell: SshShell, script: str, *, timeout_s: float = 5.0) -> str:
    """What the script printed, stripped."""
    return (await shell.run(script, timeout_s=timeout_s)).stdout.decode().strip()
