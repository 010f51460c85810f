"""What a rule may say, and what the first line of the screen says."""

from enum import IntEnum, StrEnum

from walconsole.domain.facts.snapshot import AnySlot
from walconsole.domain.records import record


class Severity(IntEnum):
    """CRITICAL: data written now would not survive. WARNING: it soon might not. NOTE: worth knowing."""

    CRITICAL = 3
    WARNING = 2
    NOTE = 1


class Certainty(IntEnum):
    """PROVED: the evidence leaves no other cause. LIKELY: it is the usual one. POSSIBLE: one of several."""

    PROVED = 3
    LIKELY = 2
    POSSIBLE = 1


@record
class Proof:
    """Raw evidence: a row, a log line, an answer or a file's line as it is. `at` is when it was so."""

    text: str
    source: str
    at: float | None = None


@record
class Fix:
    """A way to mend it. `commands` are for the operator's own hands, on the droplet as root unless they say.

    `step` is the id of the step that does it behind a gate, empty where no program should; `risk` is what
    can go wrong, empty for nothing to speak of. `subject` is what the step is told: a file, a segment.
    """

    title: str
    commands: tuple[str, ...] = ()
    step: str = ""
    risk: str = ""
    subject: str = ""


@record
class Finding:
    """One thing that is wrong.

    `rule` is the failure mode's id; `evidence` are the facts it follows from, each with its source, in the
    console's words, `proof` the raw ones; `remedy` what to do next, `fixes` the ways to do it. `slot` is the
    pane it belongs to, `setting` the configuration parameter it is about, where there is one. `since` is
    when it began as far as is known, seconds since the epoch. `surer` says what would make it surer where it
    is not proved, and what could not be looked at.
    """

    rule: str
    severity: Severity
    title: str
    evidence: tuple[str, ...]
    remedy: str
    slot: AnySlot
    setting: str | None = None
    since: float | None = None
    proof: tuple[Proof, ...] = ()
    fixes: tuple[Fix, ...] = ()
    certainty: Certainty = Certainty.PROVED
    surer: str = ""


@record
class Story:
    """A cause with what follows from it, in the order in which one leads to the next.

    `at_risk` are lines about what is lost or in danger: the recovery point now, the time until the disk is
    full, the stretch that cannot be recovered.
    """

    root: Finding
    consequences: tuple[Finding, ...] = ()
    at_risk: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst of it."""
        return max(finding.severity for finding in (self.root, *self.consequences))


class Level(StrEnum):
    """The verdict's state; every screen shows it as a word and a sign besides a colour."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@record
class Verdict:
    """One line, in words: does archiving work, and how much would be lost now."""

    level: Level
    text: str


@record
class Diagnosis:
    """The verdict, the findings, worst first, and the same as stories, the worst first."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    stories: tuple[Story, ...] = ()
