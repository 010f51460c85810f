"""The list of many clusters: processor time and memory while all are looked at, and key presses meanwhile."""

import random
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.droplet import droplet
from benchmarks.harness import Terminal, cpu_seconds, rss_mib
from benchmarks.report import Result, percentile
from walconsole.config.writer import profile_as_toml

COLUMNS, ROWS = 200, 60
CPU_BUDGET_PERCENT, MEMORY_BUDGET_MIB, KEY_BUDGET_MS = 15.0, 160.0, 40.0
FIRST_LOOKS_S = 600.0
_ROUND_S = 70.0
"""All of them were looked at once more."""
_BY_AGE = b"\x1b[D\x1b[D"
"""Two columns to the left of the verdict's, around the end: the oldest is first."""
_JUMPS = ((b"2", "▸2 ".encode()), (b"1", "▸1 Clusters".encode()))


def measure(clusters: int, seconds: float, presses: int) -> list[Result]:
    """`seconds` long, after each of them was looked at wholly, and all once more."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walconsole-bench-")))
        profile = stack.enter_context(droplet("healthy"))
        config = folder / "walconsole.toml"
        names = [f"c{number:04}" for number in range(clusters)]
        config.write_text("".join(profile_as_toml(profile, name) for name in names))
        program: list[str | Path] = [Path(sys.executable).parent / "walconsole", "fleet", "--config", config]
        terminal = stack.enter_context(Terminal(program, columns=COLUMNS, rows=ROWS))
        pid = terminal.process.pid
        first = terminal.until(lambda: _seen(terminal), "every cluster", FIRST_LOOKS_S)
        first_cpu = cpu_seconds(pid)
        terminal.idle(_ROUND_S)
        before = cpu_seconds(pid)
        terminal.idle(seconds)
        used = cpu_seconds(pid) - before
        took = _press(terminal, presses)
        terminal.press(_BY_AGE)
        terminal.idle(3.0)
        memory, oldest = rss_mib(pid), _oldest(terminal)
    return [
        Result("until each was looked at", first, "s", None, f"{clusters} clusters"),
        Result("processor until then", 100 * first_cpu / first, "% of a core"),
        Result("processor", 100 * used / seconds, "% of a core", CPU_BUDGET_PERCENT, f"over {seconds:g} s"),
        Result("memory", memory, "MiB resident", MEMORY_BUDGET_MIB),
        Result("the oldest verdict", oldest, "s", None, "each is glanced at once a minute besides"),
        Result("key to paint, median", 1000 * percentile(took, 50), "ms"),
        Result("key to paint, p99", 1000 * percentile(took, 99), "ms", KEY_BUDGET_MS),
    ]


def _seen(terminal: Terminal) -> bool:
    terminal.idle(1.0)
    line = terminal.lines()[0]
    return re.search(r"\d clusters?: ", line) is not None and "not yet" not in line


def _press(terminal: Terminal, presses: int) -> list[float]:
    chance = random.Random(0)  # noqa: S311  # when to press, not a secret
    took = []
    for number in range(presses):
        keys, marker = _JUMPS[number % 2]
        took.append(terminal.key_to_paint(keys, marker))
        terminal.idle(chance.uniform(0.05, 0.15))
    return took


def _oldest(terminal: Terminal) -> float:
    """The age in the first row, in seconds: what stands there below the end of its title."""
    lines = terminal.lines()
    title = re.search(r"\bage\S?", lines[2])
    rows = [line for line in lines if re.match(r"  c\d{4} ", line)]
    end = title.end() if title is not None else 0
    found = re.search(r"(\d+) (s|min|h)\s*$", rows[0][:end]) if rows else None
    if found is None:
        return 0.0
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]]
