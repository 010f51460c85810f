"""An incident as it is remembered across sessions, and what is noted of it.

Times are seconds since the epoch on the console's clock. Texts are remote in part, and pass `redaction.safe`
where they are shown.
"""

from dataclasses import field
from enum import StrEnum

from walconsole.domain.records import record
from walconsole.domain.standing.model import Level

HOLD_S = 300.0
"""So long the verdict must have been OK before an incident is closed: a fault that comes and goes is one."""
BRIEF_S = 30.0
"""A warning that was over sooner is not kept, unless something was run for it."""
MOST_CLOSED, MOST_CAUSES, MOST_RUNS, MOST_CHANGES = 30, 24, 60, 120
LONGEST_TEXT = 400


@record
class Cause:
    """The cause of a story: `key` tells it from others, `rule` is its failure mode. `title` is the newest."""

    key: str
    rule: str
    severity: str
    title: str
    first_at: float
    last_at: float


@record
class Peak:
    """The most that a number was, and when it first was that."""

    value: float
    at: float


@record
class Worst:
    """What was exposed at the worst; None for what was never known.

    `waiting` is in .ready files, `oldest_s` how long the first of them had waited. `lost_segments`,
    `lost_bytes` and `lost_s` (the recovery point's age) are what the loss of the disk would have cost;
    `everything_at` is when nothing at all was known to be in the archive.
    """

    waiting: Peak | None = None
    oldest_s: Peak | None = None
    lost_segments: Peak | None = None
    lost_bytes: Peak | None = None
    lost_s: Peak | None = None
    everything_at: float | None = None


@record
class Incident:
    """From the first WARNING or CRITICAL to an OK that held.

    `level` is the worst that was said, `verdict` the first line at its first look. `bad_at` is the last
    look that found something wrong, `ok_since` the first of the good ones after it (None: it is still
    wrong): it ended between the two. `drained_at` is when nothing waited any more; `clock_back_s` by how
    much the console's clock went back meanwhile.
    """

    opened_at: float
    level: Level
    verdict: str
    bad_at: float
    causes: tuple[Cause, ...] = ()
    worst: Worst = field(default_factory=Worst)
    drained_at: float | None = None
    ok_since: float | None = None
    clock_back_s: float = 0.0


class RunResult(StrEnum):
    """How a step ended. BEGUN: nobody saw its end."""

    BEGUN = "begun"
    DONE = "done"
    TAKEN_BACK = "taken back"
    REFUSED = "not agreed to"
    BLOCKED = "blocked"
    FAILED = "failed"


@record
class Run:
    """One step that the console ran; `why` where it did not come to its end."""

    step: str
    title: str
    began_at: float
    result: RunResult
    ended_at: float | None = None
    why: str = ""


@record
class AccessChange:
    """A key or a grant that the console changed. `kind` is `key` or `grant`, the rest a step's Change has."""

    step: str
    kind: str
    what: str
    before: str
    after: str
    at: float
    taken_back_at: float | None = None


@record
class SetAside:
    """What was remembered before could not be read: `kept` is the file it is in now."""

    at: float
    kept: str
    why: str


@record
class IncidentLog:
    """All that is remembered of one profile. `closed`, `runs` and `changes` are oldest first.

    `open` may be one whose verdict is OK again, and not for long enough. `problem` is why nothing is kept
    past this session, empty where it is; it is itself never kept.
    """

    open: Incident | None = None
    closed: tuple[Incident, ...] = ()
    runs: tuple[Run, ...] = ()
    changes: tuple[AccessChange, ...] = ()
    looked_at: float | None = None
    set_aside: tuple[SetAside, ...] = ()
    problem: str = ""

    @property
    def last(self) -> Incident | None:
        """The one that was closed last."""
        return self.closed[-1] if self.closed else None

    def runs_of(self, incident: Incident) -> tuple[Run, ...]:
        """What was run while it lasted, oldest first."""
        until = incident.ok_since
        return tuple(
            run
            for run in self.runs
            if run.began_at >= incident.opened_at and (until is None or run.began_at <= until)
        )

    def changes_of(self, incident: Incident) -> tuple[AccessChange, ...]:
        """Keys and grants that were changed while it lasted, oldest first."""
        until = incident.ok_since
        return tuple(
            change
            for change in self.changes
            if change.at >= incident.opened_at and (until is None or change.at <= until)
        )


# -- What is noted.


@record
class Seen:
    """A cause as one look has it."""

    key: str
    rule: str
    severity: str
    title: str


@record
class Look:
    """What one look at everything says; numbers as in `Worst`, None where they are not known."""

    at: float
    level: Level
    verdict: str
    causes: tuple[Seen, ...] = ()
    waiting: int | None = None
    oldest_s: float | None = None
    lost_segments: int | None = None
    lost_bytes: int | None = None
    lost_s: float | None = None
    everything: bool = False


@record
class TakenBack:
    """All that a step had changed was taken back."""

    step: str
    at: float


Note = Look | Run | AccessChange | TakenBack
