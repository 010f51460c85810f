"""The embedded droplet's process: started, followed, and ended with the console.

The child prints JSON lines: {"status": ...}, then {"ready": PROFILE} or {"error": {...}}. It takes
everything away by itself when its standard input ends, so that even a `kill -9` of the console
leaves nothing behind.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from walconsole.domain.profile import Profile
from walconsole.domain.profile_json import profile_from_json
from walconsole.domain.redaction import safe
from walconsole.errors import SandboxError
from walconsole.process.logs import log_file
from walconsole.session.wish import DemoWish

_log = logging.getLogger(__name__)

_TRIED = "starting the embedded droplet"
_LONGEST_SILENCE_S = 60.0
_LONGEST_LINE_BYTES = 1 << 20
_GRACE_S = 10.0
_TERM_GRACE_S = 3.0
LONGEST_STOP_S = _GRACE_S + _TERM_GRACE_S + 2.0


class SandboxProcess:
    """One `python -m walconsole.sandbox`, in a session of its own.

    `environment` is what its console needs besides the profile: the token of its keys API.
    """

    def __init__(self, wish: DemoWish, on_status: Callable[[str], None]) -> None:
        load = [] if wish.load is None else ["--load", f"{wish.load:g}"]
        self._command = [sys.executable, "-P", "-m", "walconsole.sandbox", "--scenario", wish.scenario, *load]
        self._on_status = on_status
        self._process: asyncio.subprocess.Process | None = None
        self._stopping, self._status = False, ""
        self.environment: dict[str, str] = {}

    async def start(self) -> Profile:
        """The droplet's profile, once it is ready. Raises SandboxError."""
        with _errors_to(log_file()) as errors:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                    limit=_LONGEST_LINE_BYTES,
                )
            except OSError as error:
                raise SandboxError(_TRIED, f"{sys.executable}: {error.strerror}") from None
        try:
            while (profile := await self._next_news()) is None:
                pass
        except TimeoutError:
            why = f"no news from its process for {_LONGEST_SILENCE_S:g} s"
            raise SandboxError(_TRIED, why, _see_log()) from None
        return profile

    async def _next_news(self) -> Profile | None:
        """The profile when the next line says ready, else None. Raises SandboxError, TimeoutError."""
        async with asyncio.timeout(_LONGEST_SILENCE_S):
            line = await self._line()
            if not line:
                raise SandboxError(_TRIED, f"its process ended with {await self._ending()}", _see_log())
        try:
            news = json.loads(line)
            if "ready" in news:
                self.environment = {
                    str(name): str(text) for name, text in news.get("environment", {}).items()
                }
                return profile_from_json(json.dumps(news["ready"]))
            if "error" in news:
                raise _reported(news["error"])
            status = safe(str(news["status"]))
            if status != self._status:  # it repeats itself while it lives
                self._status = status
                self._on_status(status)
        except (ValueError, TypeError, KeyError) as error:
            raise SandboxError(_TRIED, f"its process said what cannot be read: {error}", _see_log()) from None
        return None

    async def _line(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            return b""
        try:
            return await self._process.stdout.readline()
        except ValueError:
            raise SandboxError(_TRIED, "its process printed a line without end", _see_log()) from None

    async def ended(self) -> str | None:
        """Wait until the process has ended; how, in words, or None when that was asked for."""
        while await self._line():
            pass
        ending = await self._ending()
        return None if self._stopping else ending

    async def _ending(self) -> str:
        if self._process is None:
            return "no process"
        status = await self._process.wait()
        if status >= 0:
            return f"status {status}"
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-status).name}"
        return f"signal {-status}"

    async def stop(self) -> None:
        """Ask it to end by closing its input, wait, and after 10 s make it."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if await _gone_within(process, _GRACE_S):
            return
        _log.warning("the embedded droplet did not end by itself within %g s", _GRACE_S)
        self._signal_group(signal.SIGTERM)
        if not await _gone_within(process, _TERM_GRACE_S):
            self._signal_group(signal.SIGKILL)
            await process.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


async def _gone_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        return False
    return True


@contextlib.contextmanager
def _errors_to(log: Path | None) -> Iterator[BinaryIO]:
    with (log or Path(os.devnull)).open("ab") as errors:
        yield errors


def _reported(error: dict[str, object]) -> SandboxError:
    return SandboxError(
        safe(str(error["tried"])), safe(str(error["why"])), safe(str(error.get("remedy", "")))
    )


def _see_log() -> str:
    log = log_file()
    return f"its messages are in {log}" if log else ""
