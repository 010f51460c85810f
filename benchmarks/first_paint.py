"""From the start of the program to the first thing to see, beside a bare Textual app and other consoles."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness import Terminal
from benchmarks.peers import PEERS, NotInstalled, program
from benchmarks.report import Result, middle

BUDGET = 1.1
"""walconsole's first paint as a ratio to the bare app's."""

NOWHERE = "nobody@127.0.0.1:1"
"""A host that refuses: the first paint must not wait for the connection."""


def commands(dsn: str, with_peers: bool) -> dict[str, list[str | Path]]:
    """What is compared: a name and its command line."""
    found: dict[str, list[str | Path]] = {
        "bare Textual app": [sys.executable, "-m", "benchmarks.bare_app"],
        "walconsole": [Path(sys.executable).parent / "walconsole", NOWHERE],
    }
    for peer in PEERS if with_peers else ():
        try:
            installed = program(peer)
        except NotInstalled as reason:
            print(f"{peer.package} is left out: {reason}")
            continue
        found[peer.package] = [installed, *(dsn if word == "DSN" else word for word in peer.command[1:])]
    return found


def measure(dsn: str, runs: int, *, with_peers: bool = True) -> list[Result]:
    """Medians of `runs`, one of each in turn, so that a busy moment touches all alike."""
    chosen = commands(dsn, with_peers)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory(prefix="walconsole-bench-") as home:
        for run in range(runs + 1):
            for name, argv in list(chosen.items()):
                took = _one(argv, {"HOME": home, "PYTHONPATH": str(Path.cwd()) if "bare" in name else ""})
                if took is None:
                    print(f"{name} ended, or painted nothing within 60 s: it is left out")
                    del chosen[name]
                elif run:  # the first run of each fills the file cache
                    seconds[name].append(took)
    bare = middle(seconds["bare Textual app"])
    return [_result(name, middle(seconds[name]), bare) for name in chosen]


def _one(argv: list[str | Path], env: Mapping[str, str]) -> float | None:
    """Seconds, or None when nothing was painted, or only the message of a program that ended."""
    with Terminal(argv, env=env) as terminal:
        try:
            took = terminal.first_paint()
        except TimeoutError:
            return None
        terminal.idle(0.2)
        return took if terminal.running else None


def _result(name: str, took: float, bare: float) -> Result:
    budget = BUDGET if name == "walconsole" else None
    return Result(f"first paint, {name}", took / bare, "x bare", budget, f"{took * 1000:.0f} ms")
