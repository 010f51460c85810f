"""What a run of the steps tells while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from walconsole.errors import WalconsoleError
from walconsole.provision.model import Check, Event, Plan


class Stage(StrEnum):
    """Where a step is. The last six are ends, until the step is run again."""

    WAITING = "waiting"
    CHECKING = "checking"
    ASKING = "asking"
    APPLYING = "applying"
    VERIFYING = "verifying"
    DONE = "done already"
    CHANGED = "done"
    REFUSED = "not agreed to"
    BLOCKED = "blocked"
    FAILED = "failed"
    SKIPPED = "not reached"


@dataclass(frozen=True, slots=True)
class Progress:
    """One piece of news of one step; what it is not about is None. `at` is seconds since the epoch."""

    step: str
    stage: Stage
    at: float
    check: Check | None = None
    plan: Plan | None = None
    event: Event | None = None
    error: WalconsoleError | None = None


Tell = Callable[[Progress], None]
"""Called on the event loop; returns at once."""
