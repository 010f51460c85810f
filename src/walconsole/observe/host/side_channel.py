"""A command on the droplet that may take its time: in a channel beside the shell of the quick looks."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from walconsole.errors import ShellError
from walconsole.ports import Clock, Shell

LONGEST_OUTPUT = 64 << 10


@dataclass(frozen=True, slots=True)
class Ended:
    """Its exit status, the end of what it printed (LONGEST_OUTPUT bytes at most), how long it took."""

    status: int
    output: bytes
    seconds: float


async def run_apart(shell: Shell, clock: Clock, script: str, *, timeout_s: float, tried: str) -> Ended:
    """Run `script` (POSIX sh, in a subshell), standard error joined to standard output.

    Raises errors.ShellError where it does not end in time, and what the connection raises.
    """
    mark = f"walconsole-{secrets.token_hex(8)}".encode()
    began = clock.monotonic()
    stream = shell.stream(f"({script}\n) 2>&1\nprintf '\\n%s %s\\n' {mark.decode()} \"$?\"")
    output = b""
    try:
        async with (
            asyncio.timeout(timeout_s),
            aclosing(cast("AsyncGenerator[bytes, None]", stream)) as chunks,
        ):
            async for chunk in chunks:
                output = (output + chunk)[-LONGEST_OUTPUT:]
    except TimeoutError:
        raise ShellError(
            tried, f"it did not end within {timeout_s:g} s", "is the droplet very busy?"
        ) from None
    said, found, status = output.rpartition(b"\n" + mark + b" ")
    if not found or not status.strip().isdigit():
        raise ShellError(tried, "it was cut short", "it is tried again")
    return Ended(int(status), said, clock.monotonic() - began)
