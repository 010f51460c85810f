"""The sandbox as a child process, as `walconsole demo` starts it."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from walconsole.domain.profile import Profile
from walconsole.domain.profile_json import profile_from_json
from walconsole.sandbox.leftovers import processes


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


@dataclass(slots=True)
class Child:
    """A running sandbox."""

    process: asyncio.subprocess.Process
    profile: Profile
    environment: dict[str, str]

    @property
    def root(self) -> Path:
        return Path(self.profile.paths.rclone_config).parents[1]

    @property
    def ports(self) -> list[int]:
        urls = (self.profile.primary.endpoint, self.profile.dr.endpoint, self.profile.api.endpoint)
        assert self.profile.ssh.port is not None
        return [self.profile.ssh.port, *(int(url.rpartition(":")[2]) for url in urls)]

    async def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.process.wait()

    async def is_gone(self) -> None:
        """Wait until nothing of it is left."""
        await until(lambda: not self.root.exists() and not processes(self.root))
        assert not any(listens(port) for port in self.ports)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "walconsole.sandbox", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        limit=1 << 20,
    )


async def message(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, f"it ended with {await process.wait()}"
    answer: dict[str, Any] = json.loads(line)
    return answer


@asynccontextmanager
async def sandbox(*arguments: str) -> AsyncIterator[Child]:
    """A sandbox that is ready."""
    process = await start(*arguments)
    try:
        while "ready" not in (said := await message(process)):
            assert "error" not in said, said
        yield Child(process, profile_from_json(json.dumps(said["ready"])), said["environment"])
    finally:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
        await process.wait()
