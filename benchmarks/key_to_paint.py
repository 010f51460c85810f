"""From a key press to its effect on the screen, while 10,000 log lines a second stream in."""

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.droplet import command, droplet
from benchmarks.full_picture import COLUMNS, ROWS
from benchmarks.harness import Terminal
from benchmarks.report import Result, percentile

LINES_PER_S = 10_000
BUDGET_MS = 40.0
JUMPS = ((b"1", "▸1 Archiver".encode()), (b"4", "▸4 Bucket".encode()))
"""A key that moves the focus, and what its pane's title then begins with."""

WRITER = """
import sys, time
path, rate = sys.argv[1], int(sys.argv[2])
with open(path, "a", buffering=1 << 20) as log:
    began, written = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC")
        for number in range(written, due):
            log.write(f"{stamp} [7] WARNING:  archiving write-ahead log file {number:024X} is slow\\n")
        log.flush()
        written = due
        time.sleep(0.01)
"""


def measure(presses: int) -> list[Result]:
    """Press a key so often, at random moments, with the stream and without it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walconsole-bench-")))
        profile = stack.enter_context(droplet("healthy"))
        terminal = stack.enter_context(Terminal(command(profile, folder), columns=COLUMNS, rows=ROWS))
        terminal.idle(5.0)
        quiet = _press(terminal, presses)
        stack.enter_context(_written(profile.paths.log))
        terminal.idle(2.0)
        newest, began = _newest(terminal), time.perf_counter()
        busy = _press(terminal, presses)
        elapsed = time.perf_counter() - began
        taken_in = (_newest(terminal) - newest) / elapsed
    return [
        Result("key to paint, quiet, median", 1000 * percentile(quiet, 50), "ms"),
        Result("key to paint, quiet, p99", 1000 * percentile(quiet, 99), "ms"),
        Result("key to paint, streaming, median", 1000 * percentile(busy, 50), "ms"),
        Result("key to paint, streaming, p99", 1000 * percentile(busy, 99), "ms", BUDGET_MS),
        Result("log lines taken in", taken_in, "a second", None, f"{LINES_PER_S} written"),
    ]


@contextmanager
def _written(path: str) -> Iterator[None]:
    """Lines keep being appended to the file."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path, str(LINES_PER_S)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()


def _press(terminal: Terminal, presses: int) -> list[float]:
    chance = random.Random(0)  # noqa: S311  # when to press, not a secret
    took = []
    for number in range(presses):
        keys, marker = JUMPS[number % 2]
        took.append(terminal.key_to_paint(keys, marker))
        terminal.idle(chance.uniform(0.05, 0.15))
    return took


def _newest(terminal: Terminal) -> int:
    """The highest of the written lines' numbers on the screen."""
    found = [re.search(r"log file ([0-9A-F]{24}) is slow", line) for line in terminal.lines()]
    return max((int(match[1], 16) for match in found if match), default=0)
