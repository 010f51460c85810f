"""From the start of the program until every pane shows what it read: on loopback, and from far away."""

import math
import re
import tempfile
from pathlib import Path

from benchmarks.droplet import command, distant, droplet
from benchmarks.harness import OURS, Terminal
from benchmarks.report import Result, middle
from walconsole.domain.profile import Profile

LOOPBACK_BUDGET_S = 1.0
ROUND_TRIP_S = 0.1
ROUND_TRIPS_BUDGET = 12.0
COLUMNS, ROWS = 160, 50
PATIENCE_S = 60.0
"""The droplet's first base backup takes a while on a busy machine."""

PICTURE = tuple(
    re.compile(pattern)
    for pattern in (
        r"restorable to any moment",  # the verdict
        r"last archived +[0-9A-F]{8}[0-9A-F…]+",  # Archiver: its middle gives way to its age
        r"pg_wal +[\d.]+ [KMG]iB",  # WAL on disk
        r"archive_mode +on",  # Configuration
        r"\bagrees\b",  # Bucket, of the primary
        r"lacks nothing",  # Bucket, of the other region
        r"PostgreSQL +\d+\.\d",  # Droplet
        r"SSH round trip +[\d.]+ ms",
        r"the profile and the host name",  # Findings: the proxies' ports are not those on the droplet
    )
)
"""What the healthy droplet's screen shows when nothing is missing from it any more."""


def measure(runs: int) -> list[Result]:
    """Medians of `runs`, near and far in turn."""
    near: list[float] = []
    far: list[float] = []
    with tempfile.TemporaryDirectory(prefix="walconsole-bench-") as temporary, droplet("healthy") as profile:
        folder = Path(temporary)
        with distant(profile, folder) as (moved, distance):
            for run in range(runs + 1):
                distance.delay(0.0)
                seconds = _picture(moved, folder, 5.0)
                distance.delay(ROUND_TRIP_S)
                if run:  # the first has no index of an earlier session, and its bytecode is being written
                    near.append(seconds)
                    far.append(_picture(moved, folder, 10.0))
    round_trips = (middle(far) - middle(near)) / ROUND_TRIP_S
    return [
        Result("first full picture, loopback", middle(near), "s", LOOPBACK_BUDGET_S),
        Result("first full picture, 100 ms round trip", middle(far), "s"),
        Result("round trips until then", round_trips, "one after another", ROUND_TRIPS_BUDGET),
    ]


def _picture(profile: Profile, folder: Path, watch_s: float) -> float:
    """Raises TimeoutError with the screen when the picture is not full after PATIENCE_S.

    Every `watch_s` what came is looked at: the less often, the less of the processor is taken for that.
    """
    with Terminal(command(profile, folder), columns=COLUMNS, rows=ROWS, env=OURS) as terminal:
        for _ in range(math.ceil(PATIENCE_S / watch_s)):
            terminal.idle(watch_s)
            took = terminal.first_shown(PICTURE)
            if took is not None:
                return took
        shown = "\n".join(line.rstrip() for line in terminal.lines())
        raise TimeoutError(f"no full picture within {PATIENCE_S:g} s; the screen shows\n{shown}")
