"""What a restore drill takes from the service beside which it runs, and how long it takes, in paired rounds.

Each round has a base backup of its own, then three stretches of pgbench: alone, beside a drill as nice as on
a droplet, and alone again. What it loses is against the mean of the two around it, so that what drifts (the
heap grows, the machine has other work) touches all alike; how far those two lie apart says how much a figure
is worth.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.recovery import between_regions, fill, ran, transactions
from benchmarks.report import Result, middle
from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import Drills
from tests.servers.postgres import PostgresServer
from walconsole.droplet.choices import DrillChoices, DropletChoices

QUIET_S = 15.0
_PHASES = {"fetch": "brought", "verify": "compared", "replay": "replayed", "check": "read"}
MOST_LOST = 10.0
"""Of pgbench's throughput while a drill runs, in percent."""


@dataclass(frozen=True, slots=True)
class Round:
    """Transactions a second before, beside and after a drill, what the drill told, and the load by then."""

    before: float
    beside: float
    after: float
    told: dict[str, Any]
    load: float

    @property
    def lost(self) -> float:
        """In percent of what it had alone; below 0 it had more."""
        return 100 * (1 - self.beside / ((self.before + self.after) / 2))

    @property
    def apart(self) -> float:
        """How far the two stretches alone lie apart, in percent: where it is much, `lost` is worth little."""
        return 100 * abs(self.before - self.after) / max(self.before, self.after)


def measure(gib: float, rounds: int) -> list[Result]:
    """Rows: what pgbench loses beside a drill, and what the drill takes."""
    with _stage(gib) as (server, backups, drills):
        made = [_round(server, backups, drills) for _ in range(rounds)]
    return list(_rows(made))


def _round(server: PostgresServer, backups: Backups, drills: Drills) -> Round:
    backups.taken()
    before = transactions(server, lambda: time.sleep(QUIET_S))
    beside = transactions(server, lambda: ran(server, [str(drills.script)]))
    after = transactions(server, lambda: time.sleep(QUIET_S))
    return Round(before, beside, after, drills.result, os.getloadavg()[0])


def _rows(made: list[Round]) -> Iterator[Result]:
    lost = [each.lost for each in made]
    note = f"rounds: {', '.join(f'{each:.1f}' for each in lost)}; load {max(each.load for each in made):.1f}"
    yield Result("pgbench loses beside a drill", middle(lost), "%", MOST_LOST, note)
    alone = middle([(each.before + each.after) / 2 for each in made])
    apart, rate = middle([each.apart for each in made]), f"{alone:,.0f} transactions/s alone"
    yield Result("  two stretches without one lie apart", apart, "%", None, rate)
    for phase, what in _PHASES.items():
        took = middle([each.told[f"{phase}_ms"] / 1000 for each in made])
        yield Result(f"  the drill: {what}", took, "s")
    segments = middle([float(each.told["segments_replayed"]) for each in made])
    restored = [sum(each.told[f"{phase}_ms"] for phase in list(_PHASES)[:-1]) / 1000 for each in made]
    yield Result(
        "  until the target is reached (RTO)", middle(restored), "s", None, f"{segments:.0f} segments"
    )


@contextmanager
def _stage(gib: float) -> Iterator[tuple[PostgresServer, Backups, Drills]]:
    """A server that archives to two regions on the same machine, with `gib` in it."""
    with ExitStack() as stack:
        server, gateways = between_regions(stack)
        backups = Backups(server, region(gateways[0]), region(gateways[1]))
        server.start()
        fill(server, gib)
        backups.archive()
        server.sql("CHECKPOINT")
        patient = DropletChoices().idle_timeout_s  # a droplet's; tests have one of their own
        backups.at.choices = replace(backups.at.choices, idle_timeout_s=patient)
        yield server, backups, Drills(backups, DrillChoices(poll_s=1, patience_s=900))
