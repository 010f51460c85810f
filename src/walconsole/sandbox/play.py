"""Playing a scenario: its acts before the droplet is ready, its chores from then on."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from walconsole.errors import SandboxError
from walconsole.sandbox.account import Account
from walconsole.sandbox.installed import archive_command, timer, verifier
from walconsole.sandbox.keys import Key, KeyStore
from walconsole.sandbox.load import Load
from walconsole.sandbox.process import run
from walconsole.sandbox.scenario import (
    ASSETS_GRANT,
    BUCKET,
    DR_BUCKET,
    DR_REGION,
    NAME,
    REGION,
    Act,
    BaseBackup,
    BreakEndpoint,
    LoseSegments,
    Mode,
    RevokeGrants,
    Scenario,
    SetInFile,
    Sql,
    Target,
    Throttle,
    Verify,
    WaitUntil,
    WriteSegments,
)
from walconsole.sandbox.tools import Tools
from walconsole.sandbox.workspace import Workspace, write

_VERIFY_EVERY_S = 30.0
_PATIENCE_S = 60.0
_SEGMENT = re.compile(r"[0-9A-F]{24}(\.zst|\.gz)?")


@dataclass(slots=True)
class Player:
    """Plays `scenario` on a droplet whose servers run."""

    scenario: Scenario
    workspace: Workspace
    account: Account
    tools: Tools
    keys: KeyStore
    app_key: Key
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        self.load = Load(self.workspace.root, self.workspace.socket_dir)

    async def play(self, status: Callable[[str], None]) -> None:
        """Do the acts in order. Raises SandboxError."""
        await self.load.prepare()
        for act in self.scenario.acts:
            await self._do(act, status)

    async def _do(self, act: Act, status: Callable[[str], None]) -> None:
        match act:
            case WriteSegments(count):
                await self.load.write_segments(count)
            case WaitUntil(what, sql):
                status(f"waiting until {what}")
                await self._wait(what, sql)
            case RevokeGrants():
                self.keys.replace(self.app_key, self.app_key.name, (ASSETS_GRANT,))
            case Throttle(delay_s):
                self.tools.throttle(delay_s)
            case Verify():
                await self._verify()
            case BaseBackup():
                status("taking a base backup")
                await self._back_up()
            case LoseSegments(primary, dr):
                await self._lose("spaces-prod", REGION, BUCKET, primary)
                await self._lose("spaces-dr", DR_REGION, DR_BUCKET, dr)
            case SetInFile() | Sql() | Mode() | BreakEndpoint():
                await self._break(act)

    async def _break(self, act: SetInFile | Sql | Mode | BreakEndpoint) -> None:
        """Bring a failure mode about."""
        match act:
            case SetInFile(settings):
                await self._set_in_file(settings)
            case Sql(statements):
                await self.load.execute(*statements)
            case Mode(target, bits):
                await asyncio.to_thread(self._file(target).chmod, bits)
            case BreakEndpoint():
                await asyncio.to_thread(self.tools.break_endpoint)

    async def _set_in_file(self, settings: Collection[tuple[str, str]]) -> None:
        """In conf.d, after the drop-in."""
        path = self.workspace.config_dir / "conf.d" / "zz_practice.conf"
        lines = (f"{name} = '{value}'\n" for name, value in settings)
        await asyncio.to_thread(write, path, "".join(lines), self.account)
        await self.load.execute("select pg_reload_conf()")

    def _file(self, target: Target) -> Path:
        if target is Target.RCLONE:
            return self.workspace.etc / f"rclone-{NAME}.conf"
        return Path(archive_command(self.workspace, self.account))

    async def _back_up(self) -> None:
        """Into the droplet's home, with what replays it left to the archive."""
        where = self.workspace.home / "base-backup"
        program = self.workspace.bin / "pg_basebackup"
        await run(
            [program, "-D", where, "-X", "none", "--checkpoint=fast", "--no-sync"],
            self.workspace.root,
            self.account,
        )

    async def _lose(self, remote: str, region: str, bucket: str, positions: Collection[int]) -> None:
        """Delete archived segments through S3, as whoever deletes the wrong ones does."""
        folder = self.workspace.spaces(region) / bucket
        segments = sorted(path.name for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))
        which = [f"--include=/{segments[position]}" for position in positions]
        config = self.workspace.etc / f"rclone-{NAME}.conf"
        command = ["rclone", "delete", f"{remote}:{bucket}", f"--config={config}", *which]
        await run(command, self.workspace.root, self.account)

    async def _wait(self, what: str, sql: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not await self.load.is_true(sql):
            if time.monotonic() > deadline:
                last = self.workspace.postgres_log.read_text(errors="replace").splitlines()[-3:]
                raise SandboxError(f"wait until {what}", f"not after {_PATIENCE_S:.0f} s: {' / '.join(last)}")
            await asyncio.sleep(0.02)

    def chores(self, segments_per_min: float | None) -> list[Coroutine[None, None, None]]:
        """What runs for as long as the droplet does: the write load and the verifier's schedule."""
        rate = self.scenario.segments_per_min if segments_per_min is None else segments_per_min
        chores = [self.load.run(rate)] if rate > 0 else []
        return [*chores, self._verify_on_schedule()]

    async def _verify_on_schedule(self) -> None:
        """As the timer does while it is switched on, but oftener."""
        active = self.workspace.timers_active / timer(self.workspace, self.account)
        while True:
            await asyncio.sleep(_VERIFY_EVERY_S)
            if active.exists():  # a moment's look at a local folder
                await self._verify()

    async def _verify(self) -> None:
        script = verifier(self.workspace, self.account)
        with contextlib.suppress(SandboxError):  # an alarm is its exit status, and stands in its log
            await run([script], self.workspace.root, self.account)
