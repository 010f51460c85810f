"""Run the bare app or the console, and note the processor time that it took until it first wrote its text.

From outside it can only be read when the program has gone on already. `python -m benchmarks.first_write
FILE bare|console [ARGUMENT...]`; the seconds are written into FILE.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from textual.drivers.linux_driver import LinuxDriver

MARKS = ("ready", "connecting")
"""A word of the first frame: the bare app's, the console's."""


def note_first_write(file: Path) -> None:
    """Watch what Textual writes to the terminal, until the first frame."""
    plain: Callable[[LinuxDriver, str], None] = LinuxDriver.write

    def write(driver: LinuxDriver, data: str) -> None:
        if any(mark in data for mark in MARKS):
            LinuxDriver.write = plain  # type: ignore[method-assign, assignment]  # as it was
            file.write_text(repr(time.process_time()), "utf-8")
        plain(driver, data)

    LinuxDriver.write = write  # type: ignore[method-assign, assignment]  # there is no other place to stand


def main() -> int:
    """The program's own exit code."""
    file, program, *arguments = sys.argv[1:]
    note_first_write(Path(file))
    if program == "bare":
        from benchmarks.bare_app import BareApp

        BareApp().run()
        return 0
    from walconsole.cli import main as console

    return console(arguments)


if __name__ == "__main__":
    sys.exit(main())
