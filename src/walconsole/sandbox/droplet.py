"""Putting the droplet together: what can start side by side does, then the scenario is played."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from walconsole.domain.profile import Profile, default_app_key_name
from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox import leftovers
from walconsole.sandbox.host.others import archive_settings, pgbackrest
from walconsole.sandbox.host.postgres import Postgres
from walconsole.sandbox.host.process import Account, choose_account
from walconsole.sandbox.host.programs import (
    PostgresPrograms,
    Tools,
    find_postgres,
    find_rclone,
    systems_servers,
)
from walconsole.sandbox.keys_api.api import ALL_SCOPES, KeysApi
from walconsole.sandbox.keys_api.keys import Key, KeyStore
from walconsole.sandbox.profile import TOKEN_ENV, folder_profile, sandbox_profile
from walconsole.sandbox.scenarios.scenario import (
    ASSETS_GRANT,
    BUCKET,
    DR_BUCKET,
    DR_REGION,
    NAME,
    PORT,
    REGION,
    WAL_GRANTS,
    Archiver,
    Scenario,
)
from walconsole.sandbox.spaces.gate import SpacesGate
from walconsole.sandbox.spaces.region import spaces_region
from walconsole.sandbox.workspace import Workspace, make_folder, new_workspace

if TYPE_CHECKING:
    from walconsole.sandbox.scenarios.play import Player


@record
class Options:
    """What may be chosen. None: the scenario's own load; the newest server that is found."""

    scenario: Scenario
    segments_per_min: float | None = None
    postgres_bin: Path | None = None
    activation_s: float = 0.0


@record
class Ready:
    """The droplet's profile, and what its console needs in its environment (a token of this sandbox)."""

    profile: Profile
    environment: dict[str, str] = field(repr=False)


Status = Callable[[str], None]


@asynccontextmanager
async def droplet(options: Options, status: Status) -> AsyncIterator[Ready]:
    """Run the embedded droplet. Everything is gone when the context ends. Raises SandboxError."""
    account = choose_account()
    status("making room for the embedded droplet")
    await asyncio.to_thread(leftovers.sweep)
    with new_workspace(account) as root, _taken_away(root):
        async with AsyncExitStack() as stack:
            parts = _Parts(root, account, options, status, stack)
            ready, player = await parts.start()
            async with asyncio.TaskGroup() as chores:
                running = [chores.create_task(chore) for chore in player.chores(options.segments_per_min)]
                try:
                    yield ready
                finally:
                    for chore in running:
                        chore.cancel()


@contextmanager
def _taken_away(root: Path) -> Iterator[None]:
    """Remove everything at the end; a watchdog does so where this process is killed before."""
    argv = [sys.executable, "-m", "walconsole.sandbox.watchdog", str(root)]
    watchdog = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watchdog.stdin is not None  # noqa: S101  # for the type checker: it was started with a pipe
    try:
        yield
    finally:
        leftovers.take_away(root)
        try:
            watchdog.communicate(b"\n", timeout=5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            watchdog.kill()
            watchdog.wait()


@dataclass(slots=True)
class _Parts:
    """The droplet's parts while they start; `stack` stops what runs in this process."""

    root: Path
    account: Account
    options: Options
    status: Status
    stack: AsyncExitStack
    keys: KeyStore = field(default_factory=KeyStore)

    async def start(self) -> tuple[Ready, "Player"]:
        self.status("starting PostgreSQL, SSH and two regions of Spaces")
        token = f"dop_v1_{secrets.token_hex(32)}"
        (postgres, programs), (rclone, gates), ssh_port, api, _ = await _together(
            self._make_cluster(),
            self._start_spaces(),
            self._start_ssh(),
            self._start_keys_api(token),
            _imported("scenarios.play"),
        )
        endpoints = {gate.region: gate.url for gate in gates}
        app_key, dr_key = self._make_keys()
        tools = Tools(postgres.workspace, self.account, programs, rclone)
        await asyncio.to_thread(tools.install)
        if self.options.scenario.archiving:
            await asyncio.to_thread(tools.install_archiving)
        tools.configure_rclone(app_key, dr_key, endpoints)
        self.status(f"starting PostgreSQL {programs.version}")
        await postgres.start()
        player_class: type[Player] = (await _imported("scenarios.play")).Player
        player = player_class(
            self.options.scenario, postgres.workspace, self.account, tools, self.keys, app_key
        )
        await player.play(self.status)
        self.keys.activation_s = self.options.activation_s
        profile = sandbox_profile(postgres.workspace, self.account, ssh_port, endpoints, api.url)
        if self.options.scenario.archiver.into_folder:
            profile = folder_profile(profile, postgres.workspace)
        return Ready(profile, {TOKEN_ENV: token}), player

    async def _make_cluster(self) -> tuple[Postgres, PostgresPrograms]:
        wanted = self.options.postgres_bin
        if self.options.scenario.archiver is Archiver.PGBACKREST:
            pgbackrest()
            wanted = wanted or next(iter(systems_servers()), None)  # a distribution's knows that one's server
        programs = await find_postgres(self.root, self.account, wanted)
        postgres = Postgres(programs, Workspace(self.root, programs.major), self.account)
        await postgres.create()
        archiver, others = self.options.scenario.archiver, ""
        if archiver.into_folder:
            others = archive_settings(archiver, postgres.workspace, self.account, PORT)
        postgres.configure(archiving=self.options.scenario.archiving, others=others)
        return postgres, programs

    async def _start_spaces(self) -> tuple[Path, list[SpacesGate]]:
        rclone = await find_rclone(self.root, self.account)
        buckets = {REGION: [f"{NAME}-assets"], DR_REGION: []}
        if self.options.scenario.archiving:
            buckets[REGION].append(BUCKET)
            buckets[DR_REGION].append(DR_BUCKET)
        starting = [self._start_region(region, names, rclone) for region, names in buckets.items()]
        return rclone, await _together(*starting)

    async def _start_region(self, region: str, buckets: list[str], rclone: Path) -> SpacesGate:
        space = Workspace(self.root)
        for bucket in buckets:
            make_folder(space.spaces(region) / bucket, self.account)
        make_folder(space.spaces(region), self.account)
        return await self.stack.enter_async_context(
            spaces_region(region, self.root, rclone, self.account, self.keys)
        )

    async def _start_ssh(self) -> int:
        ssh_server = (await _imported("host.ssh_server")).ssh_server
        port: int = await self.stack.enter_async_context(ssh_server(Workspace(self.root), self.account))
        return port

    async def _start_keys_api(self, token: str) -> KeysApi:
        return await self.stack.enter_async_context(KeysApi(self.keys, {token: ALL_SCOPES}))

    def _make_keys(self) -> tuple[Key, Key]:
        """The application's limited key, and the DR copy's own."""
        grants = WAL_GRANTS if self.options.scenario.archiving else ()
        app = self.keys.create(default_app_key_name(NAME), (ASSETS_GRANT, *grants[:1]))
        return app, self.keys.create(f"{NAME}-prod-dr-rw", grants[1:])


async def _imported(name: str) -> ModuleType:
    """A module of this package, imported beside initdb: asyncssh and psycopg take their time."""
    return await asyncio.to_thread(import_module, f"walconsole.sandbox.{name}")


async def _together(*starting: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run all; the first SandboxError ends the others and is raised by itself."""
    failure: SandboxError | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in starting]
    except* SandboxError as errors:
        failure = _first(errors)
    if failure is not None:
        raise failure  # not inside except*: Python 3.11.2 would make a group of it
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[SandboxError]) -> SandboxError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SandboxError)  # noqa: S101  # except* let nothing else through
    return error
