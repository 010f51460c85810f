"""How evenly the workers of a run were busy: when each was done, and the files that took longest."""

import time
from collections.abc import Callable

import pytest

LONG_S = 8.0
"""A file that takes so long is named: `tests/durations.py` has them in this order."""


class Balance:
    """A plugin of the run that gives files to workers. `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()
        self._ends: dict[str, tuple[float, str]] = {}
        self._files: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A worker has told of one phase of a test: it was busy until now."""
        file = report.nodeid.partition("::")[0].removeprefix("tests/")
        self._files[file] = self._files.get(file, 0.0) + report.duration
        node = getattr(report, "node", None)  # xdist's
        if node is not None:
            self._ends[node.gateway.id] = (self._clock() - self._began, file)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was seen, in a section of its own."""
        if self._ends:
            terminalreporter.section("how long")
            for line in self.lines():
                terminalreporter.line(line)

    def lines(self) -> list[str]:
        """A line a worker, the last one last, then one with the long files."""
        ends = sorted((after, worker, file) for worker, (after, file) in self._ends.items())
        told = [f"{worker} was done after {after:.0f} s, with {file}" for after, worker, file in ends]
        long = sorted(((took, file) for file, took in self._files.items() if took >= LONG_S), reverse=True)
        return [*told, *(f"{took:6.1f} s  {file}" for took, file in long)]
