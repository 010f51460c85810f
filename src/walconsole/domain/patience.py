"""How long the droplet's answers are waited for: by how long it took to answer, within what is allowed.

A droplet that is short of processor or memory answers after many seconds, and is no outage; a script that
waits for a dead file system on a droplet that answers everything else hangs. What tells them apart is how
long a command of nothing takes, which is asked as soon as an answer is overdue.
"""

from collections import deque

from walconsole.domain.facts.strain import processors

OVERDUE, HANGS = "Overdue", "Hangs"
"""Problems' codes: nobody has answered yet, on a droplet that is slow; a script hangs on one that is not."""
LONGEST_S = 120.0
"""The console's own bound: nothing is waited for any longer, however slow the droplet is."""
STRETCH = 4.0
"""Times the slowest of the last answers."""
HANGS_AFTER = 20.0
"""Times what a command of nothing takes: so much longer than that no usual script is."""
SHORT_S = 10.0
"""A script that usually ends within that tells how fast the droplet is."""
_KEPT = 5


def seconds_text(seconds: float) -> str:
    """`12 s`, and below a second `0.3 s`: how long something was waited for."""
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1g} s"


def crowd_of(text: str) -> float:
    """The load on each processor, from /proc/loadavg and a list of those that are on; at least 1."""
    load, _, rest = text.partition(" ")
    count = processors(rest)
    try:
        return max(1.0, float(load) / (count or 1))
    except ValueError:
        return 1.0


class Patience:
    """What was measured of one droplet, and what follows from it. Times are in seconds.

    `allowed_s` is the longest that the operator lets anything take. `at_once`: whoever asks looks once, and
    has that time and no other limit; else it is used up only where the droplet was seen to be slow.
    """

    def __init__(self, allowed_s: float = LONGEST_S, *, at_once: bool = False) -> None:
        self.allowed_s, self.at_once = allowed_s, at_once
        self._measured: deque[float] = deque(maxlen=_KEPT)
        self._waiting_s = 0.0

    @property
    def answer_s(self) -> float:
        """What the slowest of the last answers took, or how long one is waited for by now; 0: not known."""
        return max((*self._measured, self._waiting_s))

    def measured(self, seconds: float) -> None:
        """Something small was answered after `seconds`."""
        self._measured.append(seconds)
        self._waiting_s = 0.0

    def waits(self, seconds: float) -> None:
        """Nothing was answered for `seconds`, on a connection that stands."""
        self._waiting_s = max(self._waiting_s, seconds)

    def lost(self) -> None:
        """The connection is gone: what was waited for says nothing of the next one."""
        self._waiting_s = 0.0

    def limit(self, usual_s: float) -> float:
        """How long something may take that usually ends within `usual_s`, by what was measured."""
        return max(usual_s, min(self.allowed_s, STRETCH * self.answer_s))

    def attempt(self, usual_s: float) -> float:
        """The same of what is made of several answers, and can be waited for without holding others up."""
        return max(usual_s, self.allowed_s) if self.at_once else self.limit(usual_s)

    def most(self, usual_s: float) -> float:
        """More than this nothing may take that usually ends within `usual_s`."""
        return max(usual_s, self.allowed_s)

    def more(self, usual_s: float, ran_s: float, pulse_s: float, crowd: float = 1.0) -> float:
        """How much longer a script may run that ran for `ran_s`, where a command of nothing took `pulse_s`.

        `crowd` is how many processes want each processor (crowd_of). 0: it hangs.
        """
        ends = min(self.most(usual_s), max(usual_s, HANGS_AFTER * pulse_s, usual_s * crowd))
        return max(0.0, ends - ran_s)
