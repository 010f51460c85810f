"""Listing a large archive: the console's sweep beside rclone, s5cmd, the AWS CLI and boto3's paginator.

All of them list the same server (benchmarks.listing_server), one after another; the console lists
before each of the others, so that a busy moment touches all alike. Times are of the listing alone:
what a program takes for an archive of one page, its start, is taken off. What would take minutes is
measured on fewer keys and scaled, never the console. `python -m benchmarks.listing [--quick]`.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.comparison import Comparison, comparisons
from benchmarks.cost import Cost, typical
from benchmarks.listing_peers import LISTERS, Lister
from benchmarks.listing_server import PAGE_KEYS
from benchmarks.report import Result, middle, table

SIZES = (100_000, 1_000_000)
LATENCIES_MS = (0, 20, 80)
SCALED_FROM = 100_000
QUICK_SCALED_FROM = 20_000
STARTS = 3
"""A program's start is the median of so many."""

SHARE_BUDGET_PERCENT = 4.0
"""A 25th of the time that rclone and s5cmd take for the most keys without latency."""
LATENCY_BUDGET_S = 2.0
"""For the most keys at the longest latency."""
RSS_BUDGET_MIB = 64.0
POLL_BUDGET = 1.0

_Sample = tuple[str, int, int]
"""A program's name, how many keys it listed, and the latency in milliseconds."""


@contextmanager
def served(keys: int, latency_ms: int = 0) -> Iterator[int]:
    """The measuring server in a process of its own; yields its port."""
    options = ["--keys", str(keys), "--latency", str(latency_ms / 1000)]
    command = [sys.executable, "-m", "benchmarks.listing_server", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout is None or server.stdin is None:
            raise AssertionError("pipes were asked for")
        yield int(server.stdout.readline())
        server.stdin.close()


class Race:
    """The measurements. `quick`: each of the others once, on few keys."""

    def __init__(self, runs: int, *, quick: bool = False) -> None:
        self._runs, self._quick = runs, quick
        self.others = [lister for lister in LISTERS if lister.path()]
        self.polls_s: list[float] = []
        self.requests_a_poll = 0.0
        self._ours: defaultdict[tuple[int, int], list[Cost]] = defaultdict(list)
        self._theirs: defaultdict[_Sample, list[Cost]] = defaultdict(list)
        self._starts: dict[str, Cost] = {}

    def run(self) -> None:
        """Everything, a server after another."""
        with served(PAGE_KEYS) as port:
            for lister in self.others:
                self._starts[lister.name] = typical(lister.list(port, PAGE_KEYS) for _ in range(STARTS))
        for latency_ms in LATENCIES_MS:
            for keys in sorted(
                {*SIZES, *(self._sample(o, k, latency_ms) for o in self.others for k in SIZES)}
            ):
                self._at(keys, latency_ms)

    def _sample(self, lister: Lister, keys: int, latency_ms: int) -> int:
        """How many keys `lister` lists to tell what `keys` of them cost."""
        if self._quick:
            return min(keys, QUICK_SCALED_FROM)
        return keys if lister.swift and not latency_ms else min(keys, SCALED_FROM)

    def _at(self, keys: int, latency_ms: int) -> None:
        """All that list so many keys at this latency. Latency itself is steady: once is enough there."""
        with served(keys, latency_ms) as port:
            for turn in range(self._runs):
                self._list(port, keys, latency_ms)
                for lister in self.others:
                    wanted = any(self._sample(lister, size, latency_ms) == keys for size in SIZES)
                    again = lister.swift and not latency_ms and not self._quick
                    if wanted and (again or not turn):
                        self._theirs[lister.name, keys, latency_ms].append(lister.list(port, keys))
                        self._list(port, keys, latency_ms)

    def _list(self, port: int, keys: int, latency_ms: int) -> None:
        """The console's own listing. Raises AssertionError when it is not the whole archive."""
        if keys not in SIZES:
            return
        command = [sys.executable, "-m", "benchmarks.listing_client", str(port)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        told: dict[str, float] = json.loads(done.stdout)
        if (told["segments"], told["gaps"]) != (keys, 0):
            raise AssertionError(f"the console found {told['segments']} segments and {told['gaps']} gaps")
        self._ours[keys, latency_ms].append(Cost(told["seconds"], told["cpu_s"], told["rss_mib"]))
        self.requests_a_poll = max(self.requests_a_poll, told["requests_a_poll"])
        if not latency_ms:
            self.polls_s.append(told["poll_s"])

    def ours(self, keys: int, latency_ms: int) -> Cost:
        """The console's median cost of `keys` keys."""
        return typical(self._ours[keys, latency_ms])

    def peak_mib(self) -> float:
        """The most memory that any of the console's listings held."""
        return max(cost.rss_mib for costs in self._ours.values() for cost in costs)

    def compared(self, lister: Lister, keys: int, latency_ms: int) -> Comparison:
        """The console beside `lister`."""
        listed = self._sample(lister, keys, latency_ms)
        measured = typical(self._theirs[lister.name, listed, latency_ms])
        theirs = measured.scaled(self._starts[lister.name], keys / listed)
        note = "" if listed == keys else f"scaled from {listed:,} keys"
        return Comparison(
            f"{keys:,}", f"{latency_ms} ms", lister.name, self.ours(keys, latency_ms), theirs, note
        )

    def rows(self) -> list[Comparison]:
        """A row a size, a latency and a program."""
        return [
            self.compared(lister, keys, latency_ms)
            for keys in SIZES
            for latency_ms in LATENCIES_MS
            for lister in self.others
        ]

    def programs(self) -> str:
        """What was compared, its versions and starts, and what is not installed."""
        told = [f"{o.release()} ({1000 * self._starts[o.name].seconds:.0f} ms to start)" for o in self.others]
        told += [f"{lister.program} n/a, not installed" for lister in LISTERS if not lister.path()]
        return ", ".join(told)


def measure(runs: int = 3, *, quick: bool = False) -> list[Result]:
    """Prints the programs side by side, and gives what has a budget."""
    race = Race(runs, quick=quick)
    race.run()
    print(comparisons("Listing: the console / the other, and how many times as much", race.rows()))
    print("  Without the programs' start. Where time is scaled, memory is of the fewer keys.")
    print(f"  {race.programs()}\n")
    return _budgets(race)


def _budgets(race: Race) -> list[Result]:
    most, longest = SIZES[-1], LATENCIES_MS[-1]
    at_once, far = race.ours(most, 0), race.ours(most, longest)
    swift = [race.compared(lister, most, 0) for lister in race.others if lister.swift]
    shares = [
        Result(f"our share of {row.against}", 100 / row.times_as_long, "%", SHARE_BUDGET_PERCENT, row.note)
        for row in swift
    ]
    poll_ms = 1000 * middle(race.polls_s)
    return [
        Result(f"{most:,} keys", at_once.seconds, "s", None, f"processor {at_once.cpu_s:.2f} s"),
        *shares,
        Result(f"{most:,} keys at {longest} ms a page", far.seconds, "s", LATENCY_BUDGET_S),
        Result(
            "memory", race.peak_mib(), "MiB", RSS_BUDGET_MIB, "the whole process, the worst of all listings"
        ),
        Result("a poll with nothing new", race.requests_a_poll, "requests", POLL_BUDGET, f"{poll_ms:.1f} ms"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 when a budget does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the others once, on few keys")
    options = parser.parse_args(arguments)
    results = measure(options.runs, quick=options.quick)
    print(table("Listing an archive", results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
