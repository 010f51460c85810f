"""PostgreSQL's adapter, imported while SSH connects: psycopg takes as long as that does."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from walconsole.ports import Answer, Database


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
