"""A program of the operator's that takes a notice on its standard input."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import IO

from walconsole.domain.redaction import safe
from walconsole.errors import NoticeError

_LONGEST_RUN_S = 60.0
_MOST_SAID = 400
_SAID_WITHIN_S = 1.0


def run(tried: str, command: Sequence[str], given: bytes) -> None:
    """Run it here, with `given` on its standard input. Raises NoticeError unless it ends with 0.

    What it leaves running is not waited for, though that may hold its standard error still: a notice that
    was taken would be told again and again. Who does not end is ended with all that it has begun.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoticeError(tried, f"{command[0]}: {why}") from None
    assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018  # both are pipes
    said = _Said(process.stderr)
    Thread(target=_give, args=(process.stdin, given), daemon=True).start()
    try:
        status = process.wait(_LONGEST_RUN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it is not waited for yet: nobody else has its number
        process.wait()
        why = f"{command[0]} did not end within {_LONGEST_RUN_S:g} s"
        raise NoticeError(tried, why, unsure=True) from None
    if status != 0:
        killed = status < 0  # how far it had come nobody knows
        how = f"was ended by signal {-status}" if killed else f"ended with {status}"
        raise NoticeError(tried, f"{command[0]} {how}: {said.last() or 'it said nothing'}", unsure=killed)


def _give(standard_input: IO[bytes], given: bytes) -> None:
    """In a thread: one that reads nothing takes no more than a pipe holds."""
    with suppress(OSError), standard_input:
        standard_input.write(given)


class _Said:
    """The end of what a program says on its standard error."""

    def __init__(self, standard_error: IO[bytes]) -> None:
        self._end = b""
        self._reading = Thread(target=self._read, args=(standard_error,), daemon=True)
        self._reading.start()

    def last(self) -> str:
        """On one line; not longer waited for than a moment."""
        self._reading.join(_SAID_WITHIN_S)
        return safe(self._end.decode("utf-8", "replace")).strip()

    def _read(self, standard_error: IO[bytes]) -> None:
        with suppress(OSError), standard_error:
            while part := os.read(standard_error.fileno(), 4096):
                self._end = (self._end + part)[-_MOST_SAID:]
