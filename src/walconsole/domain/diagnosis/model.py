"""What a rule may say, and what the first line of the screen says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from walconsole.domain.snapshot import Slot, Snapshot


class Severity(IntEnum):
    """CRITICAL: data written now would not survive. WARNING: it soon might not. NOTE: worth knowing."""

    CRITICAL = 3
    WARNING = 2
    NOTE = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `rule` is the failure mode's id; `evidence` are the facts it follows from, each with its source;
    `remedy` what to do next. `slot` is the pane it belongs to, `setting` the configuration
    parameter it is about, where there is one.
    """

    rule: str
    severity: Severity
    title: str
    evidence: tuple[str, ...]
    remedy: str
    slot: Slot
    setting: str | None = None


class Level(StrEnum):
    """The verdict's state; every screen shows it as a word and a sign besides a colour."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line, in words: does archiving work, and how much would be lost now."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict and the findings, worst first."""

    verdict: Verdict
    findings: tuple[Finding, ...]


Rule = Callable[[Snapshot, float], Iterable[Finding]]
"""A rule looks at a snapshot at a time (seconds since the epoch) and yields what it finds."""
