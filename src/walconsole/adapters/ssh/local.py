"""Processes that connecting takes on this machine: run here, and told to whoever keeps what was run."""

import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

from walconsole.command_register import HERE, CommandKind, CommandRegister

_told: ContextVar[tuple[CommandRegister, Callable[[], float]] | None] = ContextVar("told", default=None)
"""Who is told of what runs in this context, and the clock; asyncio.to_thread takes it along."""


@contextmanager
def telling(register: CommandRegister, now: Callable[[], float]) -> Iterator[None]:
    """Inside, `register` is told of every process."""
    token = _told.set((register, now))
    try:
        yield
    finally:
        _told.reset(token)


def run_here(command: Sequence[str], *, timeout_s: float, output: IO[bytes] | None = None) -> int | None:
    """Its exit status, without input; None where it cannot be started or takes longer. Blocks."""
    told = _told.get()
    if told is None:
        return _run(command, timeout_s, output)
    register, now = told
    with register.telling(CommandKind.LOCAL, HERE, shlex.join(command), now) as running:
        running.status = _run(command, timeout_s, output)
        if running.status is None:
            running.problem = f"it could not be started, or took longer than {timeout_s:g} s"
        return running.status


def _run(command: Sequence[str], timeout_s: float, output: IO[bytes] | None) -> int | None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.returncode
