"""How the program is asked to end: by a signal or because its terminal went away."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_EXIT_S = 40.0
"""However stuck it is, the process is gone this long after it was asked to end."""


class Stop:
    """The first request to end, and whoever is to be told of it.

    The handlers are Python's own, not the loop's: `noted` is then true at once, even while the loop
    is blocked by a terminal that takes no output. They stay until the process ends, since once the
    terminal is restored Ctrl-C is a signal again and would cut clean-up short.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.requested = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_resort: Callable[[], None] = lambda: None

    @property
    def noted(self) -> bool:
        return self.number is not None

    @property
    def exit_code(self) -> int:
        return 128 + (self.number or 0)

    def install(self) -> None:
        """From now on INT, TERM and HUP ask the program to end.

        HUP stays ignored where it is (nohup): what was begun so is to outlive its terminal. A console that
        loses its terminal ends all the same, by what it reads there.
        """
        for number in ENDING_SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, self._give_up)

    def attach(self, loop: asyncio.AbstractEventLoop, last_resort: Callable[[], None]) -> None:
        """Tell `loop`; `last_resort` restores the terminal when nothing else could."""
        self._loop, self._last_resort = loop, last_resort
        if self.noted:
            self._deliver()

    def request(self, number: int) -> None:
        """Ask the program to end as if signal `number` had come. From any thread; the first one counts.

        Takes no lock, since it runs inside signal handlers.
        """
        if self.noted:
            return
        self.number = number
        self.limit_exit()
        self._deliver()

    def limit_exit(self) -> None:
        """From now on the process has LONGEST_EXIT_S left."""
        signal.setitimer(signal.ITIMER_REAL, LONGEST_EXIT_S)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request(number)

    def _deliver(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                self._loop.call_soon_threadsafe(self.requested.set)

    def _give_up(self, _number: int, _frame: FrameType | None) -> None:
        self._last_resort()
        os._exit(self.exit_code if self.noted else 1)
