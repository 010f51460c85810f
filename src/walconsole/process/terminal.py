"""The terminal: whether it can carry a console, and how it is left as it was found.

Textual's Linux driver loses its writer thread when the terminal goes away (an OSError), and its
queue then blocks the event loop for ever; it also dies of input that is not UTF-8. And it takes every
SIGCONT for the end of a suspension of its own: after a SIGSTOP it would save the raw modes as those that it
found. This driver mends all three.
"""

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual import constants
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from walconsole.errors import UsageError
from walconsole.process.stop import Stop

_log = logging.getLogger(__name__)

_LEAVE = (
    "\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2048l\x1b[<u"
    "\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
_AGAIN = "\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[?7l"
_KEYBOARD = (
    linux_driver.KITTY_DISAMBIGUATE_ESCAPE_CODES
    | linux_driver.KITTY_REPORT_ALL_KEYS
    | linux_driver.KITTY_REPORT_ASSOCIATED_TEXT
)
_KEYBOARD_AGAIN = f"\x1b[<u\x1b[>{_KEYBOARD}u"
"""As LinuxDriver.start_application_mode puts them; the keyboard protocol's level is taken off first."""
_STALLED_GRACE_S = 1.0


def require_terminal(environment: Mapping[str, str]) -> None:
    """Raise UsageError unless input, output and errors are one terminal that can place its cursor."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None or stream.closed or not stream.isatty():
            raise UsageError(
                "opening the console",
                f"standard {name} is not a terminal",
                "run it in a terminal, without a pipe or a redirection (messages are in the log file)",
            )
    if environment.get("TERM") == "dumb":
        raise UsageError(
            "opening the console",
            "TERM=dumb says that this terminal cannot place its cursor",
            "use another terminal, or set TERM to what this one is (xterm-256color)",
        )


class TerminalOutput:
    """What the driver writes to: never raises, and never blocks for long once the program shall end.

    It opens the terminal a second time, so that O_NONBLOCK is not the shell's concern.
    """

    def __init__(self, descriptor: int, stop: Stop, modes: "TerminalModes") -> None:
        self._stop, self._modes = stop, modes
        self._gone = False
        self._pending: list[str] = []
        self._stalled_since: float | None = None
        try:
            self._descriptor = os.open(
                os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            self._descriptor = os.dup(descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._pending.append(text)
        return len(text)

    def flush(self) -> None:
        """Send what was written; when the terminal is gone or stays stalled at the end, drop it."""
        rest = memoryview("".join(self._pending).encode("utf-8", "replace"))
        self._pending.clear()
        while rest and not self._gone and not self._given_up():
            try:
                rest = rest[os.write(self._descriptor, rest) :]
                self._stalled_since = None
            except BlockingIOError:
                self._wait_until_writable()
            except OSError as error:
                self._gone = True
                _log.info("the terminal went away: %s", error)
                self._stop.request(signal.SIGHUP)

    def _wait_until_writable(self) -> None:
        if self._stalled_since is None:
            self._stalled_since = time.monotonic()
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        poller.poll(100)

    def _given_up(self) -> bool:
        if not self._stop.noted or self._stalled_since is None:
            return False
        if time.monotonic() - self._stalled_since > _STALLED_GRACE_S:
            self._modes.lost = True
        return self._modes.lost


class TerminalDriver(LinuxDriver):
    """Textual's Linux driver on TerminalOutput. See driver_for."""

    ending: ClassVar[Stop]
    modes: ClassVar["TerminalModes"]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file: Any = TerminalOutput(2, self.ending, self.modes)
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._is_on = self._is_suspended = False

    def start_application_mode(self) -> None:
        """Take the terminal; in the background Textual has the process stopped again instead."""
        before, self._own_loop = self._writer_thread, asyncio.get_running_loop()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual has no annotation there
        self._is_on = self._writer_thread is not before

    def stop_application_mode(self) -> None:
        """Give it back."""
        self._is_on = False
        super().stop_application_mode()

    def _sigtstp_application(self, *_: object) -> None:
        self._soon(self._suspend)

    def _sigcont_application(self, *_: object) -> None:
        self._soon(self._go_on)

    def _soon(self, act: Callable[[], None]) -> None:
        """A signal comes at any moment, also while the writer's lock is held: the loop acts."""
        if self._own_loop is not None:
            with contextlib.suppress(RuntimeError):  # it has been closed: the terminal is left already
                self._own_loop.call_soon_threadsafe(act)

    def _suspend(self) -> None:
        refusal = getattr(self._app, "cannot_suspend", "")
        if refusal and not self.ending.noted:
            told: dict[str, Any] = {"title": "not suspended", "severity": "warning", "markup": False}
            self._app.call_later(self._app.notify, refusal, **told)
            return
        if self._is_on:
            self._is_suspended = self._must_signal_resume = True
            self.suspend_application_mode()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """After a suspension, start again; after a SIGSTOP, which none foresees, say the modes again."""
        if self._is_suspended:
            self.resume_application_mode()
            self._is_suspended = not self._is_on
        elif self._is_on and self.attrs_before is not None:
            self._say_modes_again(self.attrs_before)
        else:
            return
        self._app.call_later(self._app.refresh, layout=True)

    def _say_modes_again(self, found: list[Any]) -> None:
        """The shell has had the terminal meanwhile, or nobody has: both must come out right."""
        raw = [*found[:6], list(found[6])]
        raw[tty.LFLAG] = self._patch_lflag(raw[tty.LFLAG])
        raw[tty.IFLAG] = self._patch_iflag(raw[tty.IFLAG])
        raw[tty.CC][termios.VMIN] = 1
        try:
            if os.tcgetpgrp(self.fileno) != os.getpgrp():
                return  # in the background: reading or writing stops it until it is in front
            termios.tcsetattr(self.fileno, termios.TCSANOW, raw)
        except (termios.error, OSError):
            return
        self.write(_AGAIN)
        if not constants.DISABLE_KITTY_KEY:
            self.write(_KEYBOARD_AGAIN)
        self._enable_mouse_support()

    def _run_input_thread(self) -> None:
        while True:
            try:
                self.run_input_thread()
                return
            except UnicodeDecodeError:  # typed or pasted in another encoding: dropped
                _log.info("input that is not UTF-8 was dropped")
            except OSError as error:
                _log.info("the terminal's input ended: %s", error)
                self.ending.request(signal.SIGHUP)
                return
            except Exception as error:  # noqa: BLE001  # the thread's boundary: the app reports it
                self._app.call_later(self._app._handle_exception, error)
                return


def driver_for(stop: Stop, terminal_modes: "TerminalModes") -> type[LinuxDriver]:
    """A driver class that tells `stop` when the terminal goes away."""

    class Bound(TerminalDriver):
        ending, modes = stop, terminal_modes

    return Bound


def watch_hang_up(loop: asyncio.AbstractEventLoop, stop: Stop) -> Callable[[], None]:
    """Ask `stop` to end when the terminal hangs up, signal or not. Returns what ends the watch.

    Reading a terminal that hung up returns nothing, at once and for ever (tty_io.c: hung_up_tty_read),
    which Textual takes for an idle one.
    """
    if not hasattr(select, "epoll"):
        return lambda: None  # elsewhere SIGHUP alone has to do
    watch = select.epoll()
    watch.register(sys.stdin.fileno(), 0)  # no events asked for: only EPOLLHUP and EPOLLERR come
    loop.add_reader(watch.fileno(), lambda: stop.request(signal.SIGHUP))

    def end() -> None:
        loop.remove_reader(watch.fileno())
        watch.close()

    return end


class TerminalModes:
    """The terminal's modes as they were found, to put back when Textual could not.

    `lost` is set when output was dropped, and with it the sequences that put them back.
    """

    def __init__(self) -> None:
        self.lost = False
        self._attributes: list[Any] | None = None
        with contextlib.suppress(termios.error, OSError):
            self._attributes = termios.tcgetattr(sys.stdin.fileno())

    def restore(self) -> None:
        """Leave the alternate screen, show the cursor, end mouse reports; never raises, never blocks."""
        with contextlib.suppress(termios.error, OSError, ValueError):
            if self._attributes is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._attributes)
            termios.tcflush(2, termios.TCOFLUSH)  # makes room: what a stalled terminal holds is of no use
            descriptor = os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(descriptor, _LEAVE.encode())
            os.close(descriptor)
