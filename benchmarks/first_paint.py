"""From the start of the program to the first thing to see, beside a bare Textual app and other consoles."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness import OURS, Terminal
from benchmarks.peers import PEERS, NotInstalled, program
from benchmarks.report import Result, middle

BUDGET = 1.1
"""walconsole's first paint as a ratio to the bare app's."""

NAMES = ("bare Textual app", "walconsole")

NOWHERE = "nobody@127.0.0.1:1"
"""A host that refuses: the first paint must not wait for the connection."""


def commands(dsn: str, with_peers: bool) -> dict[str, list[str | Path]]:
    """What is compared: a name and its command line."""
    found: dict[str, list[str | Path]] = {
        NAMES[0]: [sys.executable, "-m", "benchmarks.bare_app"],
        NAMES[1]: [Path(sys.executable).parent / "walconsole", NOWHERE],
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
    """Medians over `runs` of the ratio to the bare app in the same turn, so that a busy moment touches
    all alike; and of processor time, which a busy machine lengthens less.
    """
    chosen = commands(dsn, with_peers)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory(prefix="walconsole-bench-") as home:
        for run in range(runs + 1):
            for name, argv in list(chosen.items()):
                took = _one(argv, {"HOME": home} | (OURS if name in NAMES else {}))
                if took is None:
                    print(f"{name} ended, or painted nothing within 60 s: it is left out")
                    del chosen[name]
                elif run:  # the first run of each fills the file cache
                    seconds[name].append(took)
        processor = _processor_seconds(home, runs)
    bare = seconds[NAMES[0]]
    painted = [_result(f"first paint, {name}", seconds[name], bare, _budget(name)) for name in chosen]
    return [*painted, _result("its processor time, walconsole", *processor, BUDGET)]


def _processor_seconds(home: str, runs: int) -> tuple[list[float], list[float]]:
    """Of the console and of the bare app, in turn, until each wrote its first frame."""
    taken: dict[str, list[float]] = {"console": [], "bare": []}
    file = Path(home) / "first-write"
    program: list[str | Path] = [sys.executable, "-m", "benchmarks.first_write", file]
    for run in range(runs + 1):
        for name, seconds in taken.items():
            file.unlink(missing_ok=True)
            with Terminal([*program, name, NOWHERE], env={"HOME": home, **OURS}) as terminal:
                terminal.first_paint()
            if run:
                seconds.append(float(file.read_text("utf-8")))
    return taken["console"], taken["bare"]


def _one(argv: list[str | Path], env: Mapping[str, str]) -> float | None:
    """Seconds, or None when nothing was painted, or only the message of a program that ended."""
    with Terminal(argv, env=env) as terminal:
        try:
            took = terminal.first_paint()
        except TimeoutError:
            return None
        terminal.idle(0.2)
        return took if terminal.running else None


def _budget(name: str) -> float | None:
    return BUDGET if name == NAMES[1] else None


def _result(what: str, took: list[float], bare: list[float], budget: float | None) -> Result:
    ratio = middle([one / other for one, other in zip(took, bare, strict=True)])
    return Result(what, ratio, "x bare", budget, f"{middle(took) * 1000:.0f} ms")
