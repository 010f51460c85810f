"""What a program costs: its time, its processor time and the most memory it held."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.report import middle

LAUNCHER = Path(__file__).with_name("launch.py")
_SAID = 400


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the wall, seconds of processor (user and system), and peak resident MiB."""

    seconds: float
    cpu_s: float
    rss_mib: float

    def scaled(self, start: Self, factor: float) -> "Cost":
        """Without the cost of `start`, and `factor` times as much work. Memory stays: it may not grow."""
        seconds = max(0.0, self.seconds - start.seconds) * factor
        return Cost(seconds, max(0.0, self.cpu_s - start.cpu_s) * factor, self.rss_mib)


def typical(costs: Iterable[Cost]) -> Cost:
    """The median of each column."""
    found = list(costs)
    columns = ([c.seconds for c in found], [c.cpu_s for c in found], [c.rss_mib for c in found])
    return Cost(*map(middle, columns))


def run(command: Sequence[str], environment: Mapping[str, str], lines: int) -> Cost:
    """What it cost `command` to print `lines` lines.

    Raises AssertionError when it failed, or printed another number of lines: then it was not measured.
    """
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), *command]
    done = subprocess.run(
        launcher, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{command[0]} did not start: {done.stderr[-_SAID:]}")
    told: dict[str, float] = json.loads(done.stdout)
    if told["exit_code"] or told["lines"] != lines:
        said = f"exit code {told['exit_code']}, {told['lines']} lines, not {lines}"
        raise AssertionError(f"{command[0]}: {said}: {done.stderr[-_SAID:]}")
    return Cost(told["seconds"], told["cpu_s"], told["rss_mib"])
