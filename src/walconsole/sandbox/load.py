"""The write load: so many segments a minute, evenly, in a table that does not grow."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from walconsole.sandbox.postgres import SEGMENT_MB
from walconsole.sandbox.scenario import PORT

_TICK_S = 0.5
_SEGMENT_BYTES = SEGMENT_MB * 1024 * 1024
_MOST_BYTES = 2 * 1024**3
_LEAST_FREE_BYTES = 512 * 1024**2
_LOOK_EVERY_TICKS = 60


@dataclass(frozen=True, slots=True)
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

    async def is_true(self, sql: str) -> bool:
        """What a query that answers one boolean says."""
        async with self.connection() as connection:
            row = await (await connection.execute(sql.encode())).fetchone()
        return bool(row and row[0])

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
