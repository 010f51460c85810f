"""Which cluster of many is looked at next: a decision, without a clock.

A whole look reads everything, as `check` does. A glance is one script over a connection that is kept: whether
the host is there, what waits in pg_wal, how much room is left. All times are seconds of one monotonic clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

GLANCE_EVERY_S = 60.0
"""Each cluster is looked at so often, at least by a glance."""
WHOLE_EVERY_S = 45.0
"""And wholly so often where there is time for it, so that what breaks is told within a minute: a look takes
fifteen seconds at most;"""
TROUBLE_EVERY_S = 20.0
"""where it is in trouble."""
UNREACHABLE_EVERY_S = 600.0
"""And so rarely while its host cannot be reached, at which glances look."""
WHOLE_APART_S = 1.0
"""So far apart whole looks begin at the beginning; then as their cost allows (`Pace`),"""
FIRST_APART_S = 0.25
"""and no farther than this while there are some that were never looked at."""
BEGINNING_S = 2.0
"""So long a look counts as one that begins: a dead host keeps no other from its turn."""
MOST_WHOLE, MOST_GLANCES = 4, 8
"""Looks that begin at the same time."""
MOST_WORKING = 8
"""Whole looks under way at hosts that answer: where the processor is busy, no more are heaped up."""
MOST_UNDER_WAY = 64
"""Looks under way, those at hosts that do not answer too."""


SHARE = 0.12
"""So much of a processor's time all of it may take, glances and drawing too: of 15 % that are the budget."""
SOONEST_APART_S, LATEST_APART_S = 0.25, 4.0
PACED_EVERY_S = 10.0
FEW = 60
"""Of so many clusters each has its whole look every WHOLE_EVERY_S, whatever that costs on a busy machine."""
_MOST_CHANGE = 1.5


@dataclass(slots=True)
class Pace:
    """How far apart whole looks begin: by what they cost on this machine, which nobody knows beforehand.

    `apart_s` are seconds, `at` when it was set last, `used_s` the processor time of the process by then.
    """

    apart_s: float = WHOLE_APART_S
    at: float | None = None
    used_s: float = 0.0

    def follow(self, now: float, used_s: float) -> None:
        """The process had used `used_s` seconds of processor time at `now`."""
        if self.at is not None and now - self.at < PACED_EVERY_S:
            return
        if self.at is not None:
            wanted = (used_s - self.used_s) / (now - self.at) / SHARE
            change = min(_MOST_CHANGE, max(1 / _MOST_CHANGE, wanted))
            self.apart_s = min(LATEST_APART_S, max(SOONEST_APART_S, self.apart_s * change))
        self.at, self.used_s = now, used_s

    def apart_of(self, clusters: int) -> float:
        """The same for so many clusters: of a few the last that is due is looked at within a minute."""
        if clusters > FEW:
            return self.apart_s
        return min(self.apart_s, (GLANCE_EVERY_S - WHOLE_EVERY_S) / clusters)


class Kind(Enum):
    """How thoroughly a cluster is looked at."""

    GLANCE = "glance"
    WHOLE = "whole"


@dataclass(slots=True)
class Turn:
    """One cluster's place in the round.

    `whole_at` and `glance_at` are when the last look of each kind ended, None for never. `looking` is what is
    under way since `begun_at`, `reached` whether its host answers. `in_trouble`: it is looked at more often.
    `unreachable`: glances try until it is there again, whole looks hardly ever. `changed`: a glance saw what
    asks for a whole look. `wanted`: the operator asked. `held`: its console is open, and observes by itself.
    `can_glance`: there was a whole look.
    """

    name: str
    whole_at: float | None = None
    glance_at: float | None = None
    looking: Kind | None = None
    begun_at: float = 0.0
    reached: bool = False
    in_trouble: bool = False
    unreachable: bool = False
    changed: bool = False
    wanted: bool = False
    held: bool = False
    can_glance: bool = False

    def begin(self, kind: Kind, now: float) -> None:
        """A look is under way."""
        self.looking, self.begun_at = kind, now
        if kind is Kind.WHOLE:
            self.changed = self.wanted = False

    def end(self, now: float) -> None:
        """It has ended, however."""
        if self.looking is Kind.WHOLE:
            self.whole_at = now
        self.glance_at, self.looking = now, None

    def overdue(self, now: float) -> float:
        """How many times its time has passed since the last whole look; infinite before the first."""
        if self.whole_at is None:
            return float("inf")
        if self.wanted:
            return 1e9
        if self.unreachable and not self.changed:
            return (now - self.whole_at) / UNREACHABLE_EVERY_S
        return (now - self.whole_at) / (TROUBLE_EVERY_S if self.in_trouble or self.changed else WHOLE_EVERY_S)

    def unseen_s(self, now: float) -> float:
        """Since the last look of any kind."""
        whole_at, glance_at = self.whole_at, self.glance_at
        if glance_at is None or (whole_at is not None and whole_at > glance_at):
            glance_at = whole_at
        return float("inf") if glance_at is None else now - glance_at


class Next(NamedTuple):
    """What to begin now (None: nothing), and after how many seconds to ask again."""

    turn: Turn | None
    kind: Kind
    wait_s: float


@dataclass(slots=True)
class _Room:
    """What is under way at one moment."""

    beginning_whole: int = 0
    beginning_glances: int = 0
    working: int = 0
    under_way: int = 0

    def count(self, turn: Turn, now: float) -> None:
        """One more look that has not ended."""
        begins = now - turn.begun_at < BEGINNING_S
        self.under_way += 1
        if turn.looking is Kind.WHOLE:
            self.beginning_whole += begins
            self.working += begins or turn.reached
        else:
            self.beginning_glances += begins

    @property
    def for_whole(self) -> bool:
        return self.beginning_whole < MOST_WHOLE and self.working < MOST_WORKING


def next_look(
    turns: Iterable[Turn], now: float, last_whole_at: float | None, apart_s: float = WHOLE_APART_S
) -> Next:
    """The most overdue look that there is room for; `last_whole_at` is when a whole one was begun last, from
    which the next one is `apart_s` away.
    """
    room, apart = _Room(), apart_s
    whole: tuple[float, Turn] | None = None
    glance: tuple[float, Turn] | None = None
    for turn in turns:
        if turn.looking is not None:
            room.count(turn, now)
            continue
        if turn.held:
            continue
        apart = min(apart, FIRST_APART_S) if turn.whole_at is None else apart
        overdue = turn.overdue(now)
        if overdue >= 1 and (whole is None or overdue > whole[0]):
            whole = overdue, turn
        unseen = turn.unseen_s(now) if turn.can_glance else 0.0
        if unseen >= GLANCE_EVERY_S and (glance is None or unseen > glance[0]):
            glance = unseen, turn
    if room.under_way >= MOST_UNDER_WAY:
        return Next(None, Kind.WHOLE, 0.5)
    rests_s = 0.0 if last_whole_at is None else max(0.0, last_whole_at + apart - now)
    if whole is not None and not rests_s and room.for_whole:
        return Next(whole[1], Kind.WHOLE, 0.0)
    if glance is not None and room.beginning_glances < MOST_GLANCES:
        return Next(glance[1], Kind.GLANCE, 0.0)
    return Next(None, Kind.WHOLE, max(0.02, rests_s) if whole is not None and rests_s else 0.5)
