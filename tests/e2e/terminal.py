"""A program in a real pseudo-terminal: what it shows, which modes it leaves behind, how it ends."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

_MODES = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_KITTY = re.compile(rb"\x1b\[(?:>[0-9]*|<)u")
_REPORTED_MODES = frozenset({1000, 1002, 1003, 1004, 1006, 1015, 1016, 1049, 2004, 2048})
"""Alternate screen, mouse and focus reports, bracketed paste, in-band resize: off when a shell runs."""


class Terminal:
    """One program on a pseudo-terminal of its own, as its session's leader; read all the time by a thread."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        columns: int = 100,
        rows: int = 30,
        cwd: Path | None = None,
        ignore_hang_up: bool = False,
    ) -> None:
        self.output = bytearray()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._drawn = 0
        self._text, self._text_of = "", -1
        self._lock = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._master, self._slave = os.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={"TERM": "xterm-256color", "PATH": os.environ["PATH"], **environment},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: _take_terminal(ignore_hang_up),
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()
        os.close(self._slave)

    @property
    def text(self) -> str:
        """What the screen shows; put together once for all who ask before more is written."""
        with self._lock:
            self._draw()
            if self._text_of != len(self.output):
                self._text = "\n".join(line.rstrip() for line in self._screen.display)
                self._text_of = len(self.output)
            return self._text

    def look_of(self, text: str) -> set[tuple[str, str, bool]]:
        """How the first place that shows `text` is drawn: ink, ground, whether they are swapped."""
        with self._lock:
            self._draw()
            rows = [self._screen.buffer[y] for y in range(self._screen.lines)]
            lines = self._screen.display
        y = next(at for at, line in enumerate(lines) if text in line)
        x = lines[y].index(text)
        return {(rows[y][at].fg, rows[y][at].bg, rows[y][at].reverse) for at in range(x, x + len(text))}

    def wait_for(self, text: str, timeout: float = 20.0) -> None:
        """Wait until the screen shows `text`."""
        self.wait_until(lambda: text in self.text, text, timeout)

    def wait_until(self, holds: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
        """Wait until `holds`, looked at whenever something was written."""
        deadline = time.monotonic() + timeout
        while not holds():
            left = deadline - time.monotonic()
            if self.process.poll() is not None:  # it will write no more
                self._drain()
                left = 1.0 if holds() else 0.0
            assert left > 0, f"{what!r} did not come; the screen shows:\n{self.text}"
            with self._lock:
                self._lock.wait(min(left, 0.05))

    def type(self, keys: str | bytes) -> None:
        """Press keys."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as a dragged window's."""
        with self._lock:
            self._draw()
            self._screen.resize(rows, columns)
            self._text_of = -1
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.signal(signal.SIGWINCH)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stall(self) -> None:
        """Read nothing any more: what the program writes fills the terminal's buffer."""
        self._reading.clear()

    def resume(self) -> None:
        """Read again, to the end of what was written."""
        self._reading.set()
        self._drain()

    def hang_up(self) -> None:
        """Close the terminal, as a closed window or a lost SSH connection does."""
        if self._master >= 0:
            master, self._master = self._master, -1
            self._reading.set()
            self._thread.join()  # a read that is under way would keep the terminal open
            os.close(master)

    def wait(self, timeout: float = 30.0) -> int:
        """The exit status, as a shell would give it (128 + n for a signal that killed it)."""
        status = self.process.wait(timeout)
        if self._master >= 0 and self._reading.is_set():
            self._drain()
        return status if status >= 0 else 128 - status

    def left_behind(self) -> list[str]:
        """What a shell would find changed: modes still set, the cursor hidden, echo off."""
        modes: dict[int, bool] = {}
        for match in _MODES.finditer(self.output):
            modes |= {int(mode): match[2] == b"h" for mode in match[1].split(b";")}
        left = [f"mode {mode} is on" for mode in sorted(_REPORTED_MODES) if modes.get(mode)]
        if not modes.get(25, True):
            left.append("the cursor is hidden")
        if not modes.get(7, True):
            left.append("lines do not wrap")
        levels = 0  # what is pushed has to be popped; popping nothing does nothing
        for match in _KITTY.finditer(self.output):
            levels = max(0, levels + (-1 if match[0] == b"\x1b[<u" else 1))
        if levels:
            left.append("the keyboard protocol is on")
        if termios.tcgetattr(self._slave) != self._before:
            left.append("the terminal's attributes differ")
        return left

    def after_console(self) -> str:
        """What was written after the alternate screen was left: all that the user finds below the prompt."""
        tail = bytes(self.output).rpartition(b"\x1b[?1049l")[2]
        return re.sub(r"\x1b\[[0-9;?<>]*[A-Za-z]", "", tail.decode("utf-8", "replace")).replace("\r", "")

    def _drain(self) -> None:
        """Wait until all that the program wrote has been read."""
        seen = -1
        while seen != len(self.output):
            seen = len(self.output)
            time.sleep(0.05)

    def _draw(self) -> None:
        """Let the screen show all that was read: when it is looked at, for most of the time nobody looks.

        That takes more than a second of the processor for each megabyte, under the lock.
        """
        self._stream.feed(bytes(self.output[self._drawn :]))
        self._drawn = len(self.output)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while (master := self._master) >= 0:
                self._reading.wait()
                if not select.select([master], [], [], 0.05)[0]:
                    continue
                chunk = os.read(master, 65536)
                with self._lock:
                    self.output += chunk
                    self._lock.notify_all()


def _take_terminal(ignore_hang_up: bool) -> None:
    """In the child: the terminal on standard input is this session's own."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Under nohup the tests themselves would hand down an ignored hang-up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hang_up else signal.SIG_DFL)
