"""A region of Spaces: `rclone serve s3` over a folder, on a Unix socket, with the gate before it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, end, start
from walconsole.sandbox.keys_api.keys import KeyStore
from walconsole.sandbox.spaces.gate import SpacesGate

_PATIENCE_S = 15.0


@asynccontextmanager
async def spaces_region(
    region: str, root: Path, rclone: Path, account: Account, keys: KeyStore
) -> AsyncIterator[SpacesGate]:
    """Run a region; its buckets are folders in `root`/spaces/REGION, its socket lies in `root`/run."""
    folder, socket, log = (
        root / "spaces" / region,
        root / "run" / f"{region}.s3",
        root / f"var/log/{region}.log",
    )
    argv: list[str | Path] = [
        rclone,
        "--config",
        "/dev/null",
        "--log-file",
        log,
        "serve",
        "s3",
        "--no-cleanup",
    ]
    argv += ["--addr", f"unix://{socket}", folder]
    process = await start(argv, root, account)
    try:
        await _wait_for(socket, process, log)
        async with SpacesGate(region, folder, socket, keys) as gate:
            yield gate
    finally:
        await end(process)


async def _wait_for(socket: Path, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not _is_there(socket):
        if process.returncode is not None:
            raise SandboxError(
                "start rclone serve s3", f"exit status {process.returncode}: {_last_line(log)}"
            )
        if time.monotonic() > deadline:
            raise SandboxError(
                "start rclone serve s3", f"no socket after {_PATIENCE_S:.0f} s: {_last_line(log)}"
            )
        await asyncio.sleep(0.01)


def _is_there(socket: Path) -> bool:
    return socket.is_socket()


def _last_line(log: Path) -> str:
    try:
        return log.read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return "it said nothing"
