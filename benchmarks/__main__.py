"""`python -m benchmarks`: measure, print tables, and end with status 1 when a budget does not hold."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import (
    archive,
    archiving,
    checking,
    drilling,
    first_paint,
    fleet,
    full_picture,
    key_to_paint,
    listing,
    past,
    recovery,
    rto,
    steady,
)
from benchmarks.report import Result, table
from tests.servers.postgres import PostgresServer, system_bin_dir, wheel_bin_dir
from tests.servers.programs import ServerMissing
from tests.servers.workspace import Workspace

ABOUT = "Measure the console beside what a user would run instead; compare ratios, not seconds."


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=ABOUT)
    names = sorted(MEASUREMENTS)
    parser.add_argument("--only", action="append", choices=names, help="only this one (repeatable)")
    parser.add_argument("--runs", type=int, default=9, help="runs of each program (default 9)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to watch at 1 Hz (default 20)")
    parser.add_argument("--presses", type=int, default=200, help="key presses (default 200)")
    parser.add_argument("--clusters", type=int, default=500, help="in the list of many (default 500)")
    parser.add_argument("--gib", type=float, default=2.0, help="the database that is backed up (default 2)")
    parser.add_argument("--quick", action="store_true", help="let the others list few keys, once")
    parser.add_argument("--no-peers", action="store_true", help="do not install or start other consoles")
    return parser.parse_args(arguments)


def _first_paint(options: argparse.Namespace) -> list[Result]:
    """pg_activity needs a server to connect to: one from the wheel, or the system's."""
    if options.no_peers:
        return first_paint.measure("", options.runs, with_peers=False)
    with ExitStack() as stack:
        space = Workspace()
        stack.callback(space.close)
        try:
            bin_dir = wheel_bin_dir(space)
        except ServerMissing:
            bin_dir = system_bin_dir()
        server = PostgresServer.make(space, bin_dir)
        server.start()
        stack.callback(server.stop, "immediate")
        dsn = f"host={server.host} port={server.port} user={server.user} password={server.password}"
        return first_paint.measure(dsn, options.runs)


def _listing(options: argparse.Namespace) -> list[Result]:
    return listing.measure(max(1, options.runs // 3), quick=options.quick)


MEASUREMENTS: dict[str, tuple[str, Callable[[argparse.Namespace], list[Result]]]] = {
    "first-paint": ("First paint", _first_paint),
    "full-picture": ("First full picture", lambda options: full_picture.measure(max(3, options.runs // 3))),
    "steady": ("While it watches", lambda options: steady.measure(options.seconds)),
    "listing": ("Listing an archive", _listing),
    "archiving": ("Archiving a segment", lambda options: archiving.measure(max(1, options.runs // 3))),
    "archive": ("A million segments", lambda options: archive.measure(max(1, options.runs // 3))),
    "recovery": (
        "A base backup, and its restore",
        lambda options: recovery.measure(options.gib, max(1, options.runs // 3)),
    ),
    "rto": (
        "A restore, until writes are taken",
        lambda options: rto.measure(options.gib, max(1, options.runs // 3)),
    ),
    "drill": ("A restore drill", lambda options: drilling.measure(options.gib, max(3, options.runs // 3))),
    "check": ("A check without a screen", lambda options: checking.measure(max(3, options.runs))),
    "history": ("The past", lambda options: past.measure(max(3, options.runs))),
    "keys": ("A key press", lambda options: key_to_paint.measure(options.presses)),
    "fleet": (
        "Many clusters",
        lambda options: fleet.measure(options.clusters, options.seconds, options.presses),
    ),
}
ONLY_WHEN_ASKED = {"fleet"}
"""It takes minutes and a thousand processes."""


def main() -> int:
    """Every measurement that was asked for; 0 when all budgets hold."""
    options = parse(sys.argv[1:])
    began = time.monotonic()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="walconsole-bench-home-") as home:
        os.environ.update({"XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "XDG_DATA_HOME": home})
        for name in options.only or [name for name in MEASUREMENTS if name not in ONLY_WHEN_ASKED]:
            title, measure = MEASUREMENTS[name]
            measured = measure(options)
            results += measured
            print(table(title, measured), flush=True)
    print(f"measured for {time.monotonic() - began:.0f} s")
    over = [result.name for result in results if not result.holds]
    print(f"over budget: {', '.join(over)}" if over else "every budget holds")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
