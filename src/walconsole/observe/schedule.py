"""When a probe is due: a steady cadence, and a growing pause while it fails. No clock of its own."""

from dataclasses import dataclass
from math import floor

from walconsole.observe.probe import AUTHENTICATION, HOST_KEY, TIMEOUT

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
JITTER = 0.2
"""A pause is up to this part longer or shorter, so that a fleet of consoles does not knock at once."""

_LONGEST = {TIMEOUT: 2.0}
"""An attempt that timed out has waited already."""
_SHORTEST = {AUTHENTICATION: LONGEST_PAUSE_S}
"""Refused keys: fail2ban counts attempts; a host that is only booting (pam_nologin) still heals."""
_PARKED = frozenset({HOST_KEY})
"""Only the operator can decide; another attempt would ask the same question again."""


@dataclass(slots=True)
class Schedule:
    """Times are seconds of one monotonic clock. `due` is None while only a wake-up helps.

    Due times stay on the grid that the first one began: a late attempt shifts nothing, and however
    long the machine slept there is one attempt, not one for each that was missed.
    """

    cadence_s: float
    due: float | None
    pace: float = 1.0
    failures: int = 0

    @property
    def period_s(self) -> float:
        """The cadence as the operator paced it."""
        return self.cadence_s * self.pace

    def wait_s(self, now: float) -> float | None:
        """Seconds until it is due, 0 when it is; None: until woken."""
        return None if self.due is None else max(0.0, self.due - now)

    def succeeded(self, now: float) -> None:
        """An attempt ended well."""
        self.failures = 0
        base = now if self.due is None or self.due > now else self.due
        self.due = base + self.period_s * (floor((now - base) / self.period_s) + 1)

    def failed(self, now: float, code: str, jitter: float) -> None:
        """An attempt failed with `code`; `jitter` is a random number from -1 to 1."""
        if code in _PARKED:
            self.due = None
            return
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self.failures, 10))
        pause = max(min(pause, _LONGEST.get(code, pause)), _SHORTEST.get(code, 0.0))
        self.failures += 1
        self.due = now + pause * (1 + JITTER * jitter)

    def wake(self, now: float) -> None:
        """Due at once; what failed before counts no more."""
        self.failures = 0
        self.due = now

    def set_pace(self, factor: float, now: float) -> None:
        """Another factor. A pause after a failure is left as it is."""
        if self.due is not None and not self.failures:
            elapsed = self.period_s - (self.due - now)
            self.due = max(now, now - elapsed + self.cadence_s * factor)
        self.pace = factor
