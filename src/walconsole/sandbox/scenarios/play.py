"""Playing a scenario: its acts before the droplet is ready, its chores from then on."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

import psycopg

from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox.host.others import run_pgbackrest
from walconsole.sandbox.host.postgres import SEGMENT_MB
from walconsole.sandbox.host.process import Account, run
from walconsole.sandbox.host.programs import Tools
from walconsole.sandbox.keys_api.keys import Key, KeyStore
from walconsole.sandbox.profile import archive_command, backup_command, drill_command, timer, verifier
from walconsole.sandbox.scenarios.scenario import (
    ASSETS_GRANT,
    BUCKET,
    DR_BUCKET,
    DR_REGION,
    NAME,
    PORT,
    REGION,
    Act,
    AgeBackup,
    BaseBackup,
    BreakEndpoint,
    DamageBackup,
    Drill,
    LabelledBackup,
    LoseOfBackup,
    LoseSegments,
    LoseWalOfBackup,
    Mode,
    PgBackRest,
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
from walconsole.sandbox.workspace import Workspace, write

# -- The write load: so many segments a minute, evenly, in a table that does not grow.

_TICK_S = 0.5
_ASKS_EVERY_S = 0.02
_SEGMENT_BYTES = SEGMENT_MB * 1024 * 1024
_MOST_BYTES = 2 * 1024**3
_LEAST_FREE_BYTES = 512 * 1024**2
_LOOK_EVERY_TICKS = 60
_NAMED_BACKUP_SINCE = 150000


@record
class Load:
    """Writes through the sandbox's socket."""

    root: Path
    socket_dir: Path

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection as postgres. Raises psycopg.Error."""
        connecting = psycopg.AsyncConnection.connect(
            host=str(self.socket_dir), port=PORT, user="postgres", dbname="postgres",
            autocommit=True, application_name="demo-app", connect_timeout=5,
        )  # fmt: skip
        async with await connecting as connection:
            yield connection

    async def prepare(self) -> None:
        """The table that transactions update."""
        async with self.connection() as connection:
            await connection.execute(
                "create table visit (page int primary key, count bigint not null default 0)"
            )
            await connection.execute("insert into visit select generate_series(1, 100)")

    async def write_segments(self, count: int) -> None:
        """Complete that many segments now, with little in each."""
        async with self.connection() as connection:
            for _ in range(count):
                await connection.execute("update visit set count = count + 1 where page = 1")
                await connection.execute("select pg_switch_wal()")

    async def execute(self, *statements: str) -> None:
        """Run statements, each by itself."""
        async with self.connection() as connection:
            for statement in statements:
                await connection.execute(statement.encode())

    async def back_up(self) -> None:
        """A base backup, but for the copying of the files: begun and ended."""
        async with self.connection() as connection:
            newer = connection.info.server_version >= _NAMED_BACKUP_SINCE
            began = "pg_backup_start('nightly', true)" if newer else "pg_start_backup('nightly', true, false)"
            await connection.execute(f"select {began}".encode())
            await connection.execute(b"select pg_backup_stop()" if newer else b"select pg_stop_backup(false)")

    async def until_true(self, sql: str, within_s: float) -> bool:
        """Whether a query that answers one boolean says yes then. One connection asks: each is a process."""
        deadline = time.monotonic() + within_s
        async with self.connection() as connection:
            while True:
                row = await (await connection.execute(sql.encode())).fetchone()
                if row and row[0]:
                    return True
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(_ASKS_EVERY_S)

    async def run(self, segments_per_min: float) -> None:
        """Write until cancelled, through restarts of the server; pauses where the disk gets scarce."""
        payload = max(0, int(segments_per_min * _SEGMENT_BYTES * _TICK_S / 60) - 512)
        while True:
            with contextlib.suppress(psycopg.Error):
                async with self.connection() as connection:
                    await self._write_on(connection, payload)
            await asyncio.sleep(1.0)

    async def _write_on(self, connection: psycopg.AsyncConnection, payload: int) -> None:
        tick = 0
        while True:
            if tick % _LOOK_EVERY_TICKS == 0 and await asyncio.to_thread(self._is_disk_scarce):
                await asyncio.sleep(_TICK_S * _LOOK_EVERY_TICKS)
                continue
            tick += 1
            # The message is padding: WAL of a chosen size that leaves nothing in any table.
            await connection.execute(
                "with touched as (update visit set count = count + 1 where page = 1 + %s returning 1)"
                " select pg_logical_emit_message(true, 'demo', repeat('x', %s)) from touched",
                (tick % 100, payload),
            )
            await asyncio.sleep(_TICK_S)

    def _is_disk_scarce(self) -> bool:
        used = 0
        for file in self.root.rglob("*"):
            with contextlib.suppress(OSError):
                used += file.lstat().st_size
        return used > _MOST_BYTES or shutil.disk_usage(self.root).free < _LEAST_FREE_BYTES


_ID, _TIME = "%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Copy(Enum):
    """Both copies, by the remote of the droplet's rclone configuration, region and bucket."""

    PRIMARY = "spaces-prod", REGION, BUCKET
    DR = "spaces-dr", DR_REGION, DR_BUCKET

    def __init__(self, remote: str, region: str, bucket: str) -> None:
        self.remote, self.region, self.bucket = remote, region, bucket


_VERIFY_EVERY_S = 30.0
_PATIENCE_S = 60.0
_BEHIND_ALL_ELSE_S = 600.0
"""For what gives way to all that runs on the machine beside it: a backup, a drill."""
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
        await self._in_turn(self.scenario.acts, status)

    async def _in_turn(self, acts: Iterable[Act], status: Callable[[str], None]) -> None:
        for act in acts:
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
            case BaseBackup(meanwhile):
                await asyncio.gather(self._back_up(status), self._in_turn(meanwhile, status))
            case AgeBackup() | LoseOfBackup() | LoseWalOfBackup() | DamageBackup():
                await self._spoil(act)
            case LoseSegments(primary, dr):
                await self._lose(Copy.PRIMARY, primary)
                await self._lose(Copy.DR, dr)
            case PgBackRest(words):
                status(f"running pgbackrest {words[-1]}")
                await run_pgbackrest(self.workspace, self.account, *words)
            case _:
                await self._by_hand(act)

    async def _by_hand(self, act: Act) -> None:
        """What somebody does on the droplet, most often to its harm."""
        match act:
            case SetInFile(settings):
                await self._set_in_file(settings)
            case Sql(statements):
                await self.load.execute(*statements)
            case Mode(target, bits):
                await asyncio.to_thread(self._file(target).chmod, bits)
            case BreakEndpoint():
                await asyncio.to_thread(self.tools.break_endpoint)
            case LabelledBackup():
                await self.load.back_up()
            case Drill():
                await self._drill()

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

    async def _back_up(self, status: Callable[[str], None]) -> None:
        """By the installed script, into both regions. Where it cannot be (no zstd here) there is none."""
        status("taking a base backup")
        script = backup_command(self.workspace, self.account)
        try:
            await run([script, "--fast"], self.workspace.root, self.account, timeout_s=_BEHIND_ALL_ELSE_S)
        except SandboxError as error:
            status(f"no base backup was taken: {error.why}")

    async def _drill(self) -> None:
        """By the installed script, which tells what it found in the copies; its exit status is its alarm."""
        with contextlib.suppress(SandboxError):
            script = drill_command(self.workspace, self.account)
            await run([script], self.workspace.root, self.account, timeout_s=_BEHIND_ALL_ELSE_S)

    async def _spoil(self, act: AgeBackup | LoseOfBackup | LoseWalOfBackup | DamageBackup) -> None:
        """The newest base backup, through S3. There is none where the script could not take one."""
        for copy in Copy:
            backups = sorted((self._folder(copy) / "base").glob("*/backup.json"))
            if not backups:
                continue
            id, told = backups[-1].parent.name, backups[-1].read_text("utf-8")
            match act:
                case AgeBackup(days):
                    await self._age(copy, id, told, timedelta(days=days))
                case LoseOfBackup(name):
                    await self._delete(copy, f"/base/{id}/{name}")
                case DamageBackup(name):
                    await asyncio.to_thread(_change_a_byte, backups[-1].with_name(name))
                case LoseWalOfBackup():
                    stop = json.loads(told)["stop_wal"]
                    needed = [name for name in self._segments(copy) if name[:24] <= stop]
                    await self._delete(copy, *(f"/{name}" for name in needed))

    async def _age(self, copy: "Copy", id: str, told: str, by: timedelta) -> None:
        """Under another name, and with other times in its description."""
        older = f"{datetime.strptime(id, _ID) - by:{_ID}}"  # noqa: DTZ007  # both are UTC
        times = {text: f"{datetime.fromisoformat(text) - by:{_TIME}}" for text in _TIMES.findall(told)}
        for text, earlier in {id: older, **times}.items():
            told = told.replace(text, earlier)
        where = self.workspace.root / "var/tmp/backup.json"
        write(where, told, self.account)
        remote = f"{copy.remote}:{copy.bucket}/base"
        await self._rclone("move", f"{remote}/{id}", f"{remote}/{older}")
        await self._rclone("moveto", str(where), f"{remote}/{older}/backup.json")

    async def _lose(self, copy: "Copy", positions: Collection[int]) -> None:
        """Delete archived segments, as whoever deletes the wrong ones does."""
        segments = self._segments(copy)
        await self._delete(copy, *(f"/{segments[position]}" for position in positions))

    def _folder(self, copy: "Copy") -> Path:
        return self.workspace.spaces(copy.region) / copy.bucket

    def _segments(self, copy: "Copy") -> list[str]:
        return sorted(path.name for path in self._folder(copy).iterdir() if _SEGMENT.fullmatch(path.name))

    async def _delete(self, copy: "Copy", *which: str) -> None:
        await self._rclone("delete", f"{copy.remote}:{copy.bucket}", *(f"--include={each}" for each in which))

    async def _rclone(self, *arguments: str) -> None:
        config = self.workspace.etc / f"rclone-{NAME}.conf"
        await run(["rclone", *arguments, f"--config={config}"], self.workspace.root, self.account)

    async def _wait(self, what: str, sql: str) -> None:
        if not await self.load.until_true(sql, _PATIENCE_S):
            last = self.workspace.postgres_log.read_text(errors="replace").splitlines()[-3:]
            raise SandboxError(f"wait until {what}", f"not after {_PATIENCE_S:.0f} s: {' / '.join(last)}")

    def chores(self, segments_per_min: float | None) -> list[Coroutine[None, None, None]]:
        """What runs for as long as the droplet does: the write load and the verifier's schedule."""
        rate = self.scenario.segments_per_min if segments_per_min is None else segments_per_min
        chores = [self.load.run(rate)] if rate > 0 else []
        return chores if self.scenario.archiver.into_folder else [*chores, self._verify_on_schedule()]

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


def _change_a_byte(path: Path) -> None:
    """In the middle of the file, whose size and time stay."""
    kept = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
