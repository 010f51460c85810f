"""Whether the droplet is slow to answer: that is no outage, and what was read of it before still counts."""

from walconsole.domain.facts.snapshot import AnySlot, Problem, Snapshot
from walconsole.domain.patience import OVERDUE
from walconsole.domain.records import record
from walconsole.domain.standing.unreachable import link_problem

SLOW_S = 5.0
"""A look at the host takes a few tenths of a second."""
VERY_SLOW_S = 10.0
_OF_THE_DROPLET = (
    Snapshot.host,
    Snapshot.link,
    Snapshot.archiver,
    Snapshot.settings,
    Snapshot.wal_disk,
    Snapshot.files,
    Snapshot.command,
    Snapshot.log,
)


@record
class Slowness:
    """`answer_s`: what the slower of the last looks took; `overdue`: what is not answered yet, at `slot`."""

    answer_s: float
    overdue: Problem | None
    slot: AnySlot

    @property
    def is_severe(self) -> bool:
        """Whether sources are missed by it, or will be soon."""
        return self.overdue is not None or self.answer_s >= VERY_SLOW_S


def slowness(snapshot: Snapshot) -> Slowness | None:
    """None where it answers in time, and where it cannot be reached at all."""
    if link_problem(snapshot) is not None:
        return None
    host, link = snapshot.host.value, snapshot.link.value
    looks = (host.round_trip_s if host is not None else 0.0, link.round_trip_s if link is not None else 0.0)
    for slot in _OF_THE_DROPLET:
        problem = slot.of(snapshot).problem
        if problem is not None and problem.code == OVERDUE:
            return Slowness(max(looks), problem, slot)
    return Slowness(max(looks), None, Snapshot.host) if max(looks) >= SLOW_S else None
