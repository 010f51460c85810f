"""A program in a pseudo-terminal, watched from outside: when it paints, what it shows, what it uses."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    rb"|\x1b[\]P_^X].*?(?:\x07|\x1b\\)"  # OSC, DCS, APC, PM, SOS
    rb"|\x1b[ -/]+[0-~]|\x1b[0-~]",  # two- and three-byte sequences
    re.DOTALL,
)
UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]P_^X][^\x07]*)?$")


OURS = {
    "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(Path.cwd() / "src")]),
    "PYTHONDONTWRITEBYTECODE": "",
}
"""The environment of a program of this checkout. Whatever this process says, bytecode is kept: what pip
installed has it, and a first run, which is not counted, writes it for a checkout."""


class Terminal:
    """One run of a program in a terminal of `columns` x `rows`. Times are seconds since its start."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        columns: int = 120,
        rows: int = 36,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.output = bytearray()
        self._arrivals: list[tuple[float, int]] = []
        self._size = columns, rows
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(env or {})
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, timeout_s: float) -> bool:
        """Take what comes within `timeout_s` into `output`; False when nothing came or the program ended."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, timeout_s))
        if not ready:
            return False
        try:
            chunk = os.read(self._ours, 1 << 18)
        except OSError:  # EIO: the last process with this terminal is gone
            return False
        self.output += chunk
        self._arrivals.append((time.perf_counter() - self.began, len(self.output)))
        return bool(chunk)

    def until(self, holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> float:
        """Read until `holds`; the seconds since the start. Raises TimeoutError with the screen."""
        deadline = time.perf_counter() + timeout_s
        while not holds():
            if time.perf_counter() > deadline or (self.process.poll() is not None and not self.read(0)):
                shown = "\n".join(line.rstrip() for line in self.lines() if line.strip())
                raise TimeoutError(f"{what}: not seen; the screen shows\n{shown}")
            self.read(0.02)
        return time.perf_counter() - self.began

    def first_paint(self, timeout_s: float = 60.0) -> float:
        """Seconds until anything visible was printed: a character that is neither blank nor an escape."""
        return self.until(lambda: bool(plain(bytes(self.output)).strip()), "a first paint", timeout_s)

    def idle(self, seconds: float) -> None:
        """Go on reading for so long, so that the program never waits for us."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.read(left)

    def first_shown(self, patterns: Sequence[re.Pattern[str]]) -> float | None:
        """When every pattern first stood on the screen, each within one row; None when that never was.

        Worked out from what was read, after the fact: emulating a terminal takes longer than drawing on one.
        """
        screen = pyte.Screen(*self._size)
        stream = pyte.ByteStream(screen)
        fed = 0
        for at, end in self._arrivals:
            stream.feed(bytes(self.output[fed:end]))
            fed = end
            if all(any(pattern.search(row) for row in screen.display) for pattern in patterns):
                return at
        return None

    def lines(self) -> list[str]:
        """The screen as it is now, a string a row."""
        self._catch_up()
        return list(self._screen.display)

    def cells(self) -> list[list[pyte.screens.Char]]:
        """The screen as it is now, with its colours."""
        self._catch_up()
        columns, rows = self._size
        return [[self._screen.buffer[row][column] for column in range(columns)] for row in range(rows)]

    def _catch_up(self) -> None:
        self._stream.feed(bytes(self.output[self._fed :]))
        self._fed = len(self.output)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def press(self, keys: bytes) -> float:
        """Type; returns the time of it (time.perf_counter())."""
        now = time.perf_counter()
        os.write(self._ours, keys)
        return now

    def key_to_paint(self, keys: bytes, marker: bytes, timeout_s: float = 5.0) -> float:
        """Seconds from pressing until `marker` is printed. Raises TimeoutError."""
        start = len(self.output)
        pressed = self.press(keys)
        while marker not in plain(bytes(self.output[start:])):
            if time.perf_counter() - pressed > timeout_s:
                raise TimeoutError(f"{marker!r} was not painted within {timeout_s:g} s after {keys!r}")
            self.read(0.05)
        return time.perf_counter() - pressed

    def close(self) -> None:
        """End it with its children: a hang-up as when a terminal is closed, then for certain."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            self._drain_until_ended(8.0)
        self.process.wait()
        os.close(self._ours)

    def _drain_until_ended(self, timeout_s: float) -> None:
        deadline = time.perf_counter() + timeout_s
        while self.process.poll() is None and time.perf_counter() < deadline:
            self.read(0.05)


def plain(output: bytes) -> bytes:
    """What a terminal would show of `output`, in the order of printing: escape sequences are left out."""
    return re.sub(rb"[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f]", b"", ESCAPES.sub(b"", UNFINISHED.sub(b"", output)))


def cpu_seconds(pid: int) -> float:
    """Processor time that the process used by itself until now: user and system (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Resident memory now, in MiB (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
