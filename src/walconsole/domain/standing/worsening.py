"""When the verdict got worse, so that who looks elsewhere is told: once for each time, never at first."""

from dataclasses import replace

from walconsole.domain.facts.snapshot import Freshness, Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.model import Level, Verdict
from walconsole.domain.standing.unseen import NEEDED

RANK = {Level.OK: 0, Level.UNKNOWN: 1, Level.WARNING: 2, Level.CRITICAL: 3}
"""From well to worst. Nobody can tell: that is worse than well, and better than what is known to be wrong."""

BLIND_S = 30.0
"""A connection that is made again at once is no news: so long nothing can have been seen."""
WELL_AGAIN_S = 60.0
"""What was better for less than this and is worse again is the same time."""


def is_begun(snapshot: Snapshot) -> bool:
    """Whether all that a verdict rests on was asked once, whatever it answered."""
    asked = (slot.of(snapshot) for slot in NEEDED if slot in snapshot.slots)
    return all(reading.freshness is not Freshness.UNREAD for reading in asked)


@record
class Watched:
    """`worst` is what was told last, or what it got better to since; None before anything was known.

    `blind_since` is since when nobody can tell, `better_since` since when it is better than `worst`.
    """

    worst: Level | None = None
    blind_since: float | None = None
    better_since: float | None = None


def watch(before: Watched, said: Verdict, now: float, *, begun: bool) -> tuple[Watched, bool]:
    """What is known next, and whether it is to be told now (seconds since the epoch).

    What comes before it has `begun` (`is_begun`) is the beginning, and no news.
    """
    if before.worst is None:
        return (Watched(said.level) if begun else before), False
    blind = said.level is Level.UNKNOWN
    since = (now if before.blind_since is None else before.blind_since) if blind else None
    after = replace(before, blind_since=since)
    if RANK[said.level] > RANK[before.worst]:
        after = replace(after, better_since=None)
        if since is not None and now - since < BLIND_S:
            return after, False
        return replace(after, worst=said.level), True
    if RANK[said.level] == RANK[before.worst]:
        return replace(after, better_since=None), False
    better = now if before.better_since is None else before.better_since
    if now - better < WELL_AGAIN_S:
        return replace(after, better_since=better), False
    return replace(after, worst=said.level, better_since=None), False
