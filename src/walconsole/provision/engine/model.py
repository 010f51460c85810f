"""What a step of provisioning is: data and a protocol.

Texts in here may hold what a remote program said; what shows them passes them through `redaction.safe`.
None holds a secret: where a command needs one, its text says where that comes from.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from difflib import unified_diff
from enum import StrEnum
from typing import Protocol

from walconsole.domain.records import record
from walconsole.errors import WalconsoleError


class Risk(StrEnum):
    """What a step may do to the deployment."""

    READS = "reads only"
    ADDS = "adds something new"
    CHANGES = "changes what is in use"
    INTERRUPTS = "interrupts the database"


class Where(StrEnum):
    """Where a command runs."""

    DROPLET = "droplet"
    HERE = "here"


@record
class Command:
    """One command as an operator could type it, to do by hand what the step does.

    `user` is whose shell it is for, on the droplet. `text` may have several lines.
    """

    text: str
    where: Where = Where.DROPLET
    user: str = "root"


@record
class FileChange:
    """A file on the droplet. `before` None: there is none yet; `after` None: it is taken away.

    `secret`: the texts are left out (None both), for the file holds keys. `user` is who writes it there:
    where somebody else than root may write to its folder, that user, whose the file is then.
    """

    path: str
    before: str | None
    after: str | None
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    user: str = "root"

    def diff(self) -> tuple[str, ...]:
        """The change as `diff -u` shows it, a line each; empty where nothing changes."""
        before, after = (self.before or "").splitlines(), (self.after or "").splitlines()
        old = self.path if self.before is not None else "/dev/null"
        new = self.path if self.after is not None else "/dev/null"
        return tuple(unified_diff(before, after, old, new, lineterm=""))


@record
class Plan:
    """What a step would do, complete before anybody is asked.

    `confirm` is what must be typed where a plain yes is not enough: the name of what cannot be undone.
    """

    summary: str
    commands: tuple[Command, ...] = ()
    files: tuple[FileChange, ...] = ()
    notes: tuple[str, ...] = ()
    cost: str = ""
    downtime: str = ""
    undo: str = ""
    confirm: str = ""


class FactState(StrEnum):
    """What a fact means for what is to be done."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    STOP = "stop"
    UNKNOWN = "unknown"


@record
class Fact:
    """One thing that was looked at: `label` in a word or two, `value` as it is, `remedy` if one is needed."""

    label: str
    value: str
    state: FactState = FactState.OK
    remedy: str = ""


class CheckState(StrEnum):
    """Whether a step's aim is reached already. LATER: what it asks is brought about by a step before it."""

    DONE = "done"
    NEEDED = "needed"
    BLOCKED = "blocked"
    LATER = "later"


@record
class Check:
    """What a step found. `summary` is one line; BLOCKED has why in it, and what to do in `remedy`."""

    state: CheckState
    summary: str
    facts: tuple[Fact, ...] = ()
    remedy: str = ""


@record
class Ran:
    """This command starts now."""

    command: Command


@record
class Printed:
    """A line that a command printed, or that tells what happens."""

    text: str


@record
class Waiting:
    """Something takes its time: for how long already, and for how long it is waited for, in seconds."""

    what: str
    waited_s: float
    limit_s: float


@record
class Moving:
    """Something goes on for `for_s` by now; `done` of `total` bytes of it, `rate` a second, `left_s` to go.

    None stands for what is not known.
    """

    what: str
    for_s: float
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    left_s: float | None = None

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1; None where that is not known."""
        if self.done is None or not self.total:
            return None
        return min(1.0, self.done / self.total)


@record
class Proved:
    """Something was looked at, and is as it shall be."""

    text: str


class ChangeKind(StrEnum):
    """What can be taken back, and how."""

    FILE = "file"
    GRANT = "grant"
    KEY = "key"
    BUCKET = "bucket"
    SCHEDULE = "schedule"
    SETTING = "setting"
    RESTART = "restart"
    DATA = "data"
    """A table, a cluster's files: nothing takes that back but an operator."""


@record
class Change:
    """One thing on the outside that a step is about to change, told *before* it does.

    `what` names it (a path, `BUCKET@ENDPOINT`, a key's id), `before` and `after` are words or a permission,
    `kept` is where on the droplet a file's earlier content lies; empty where there was none.
    """

    step: str
    kind: ChangeKind
    what: str
    before: str = ""
    after: str = ""
    kept: str = ""
    at: float = 0.0


@record
class Changing:
    """A change is about to be made; whoever runs the step records it before the step goes on."""

    change: Change


Event = Ran | Printed | Waiting | Moving | Proved | Changing


class Step(Protocol):
    """One step. Every method may be called again at any time, after any failure, by another process too.

    `check` and `plan` change nothing. `apply` does what `plan` said, `verify` proves that it holds; both
    yield events and raise errors.ProvisionError (or what the ports raise) where it does not. A cancelled
    step leaves nothing half-written. `changes` are of the record, newest first, this step's alone.
    """

    id: str
    title: str
    risk: Risk
    explanation: str
    """For `?`: what it is for, what it does, what can go wrong."""
    gated: bool
    """False: nothing that anybody must be asked about (it only reads, or takes away its own)."""
    always: bool
    """True: it is run even though a step before it failed or was refused."""

    async def check(self) -> Check: ...

    async def plan(self) -> Plan: ...

    def apply(self) -> AsyncIterator[Event]: ...

    def verify(self) -> AsyncIterator[Event]: ...

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """How its recorded changes would be undone; None where nothing can or need be."""
        ...

    def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]: ...


class Record(Protocol):
    """The changes that were made to one deployment, kept past the end of the console.

    Blocks for a moment: use a thread. Raises errors.RegisterError.
    """

    def add(self, change: Change) -> None:
        """Write it, and return when it is on the disk."""
        ...

    def changes(self) -> tuple[Change, ...]:
        """Oldest first."""
        ...

    def undone(self, change: Change) -> None:
        """It was taken back: forget it."""
        ...

    def on(self, host: str) -> "Record":
        """The same deployment's, of what was changed on another host."""
        ...

    def elsewhere(self) -> Mapping[str, int]:
        """How many changes were made on hosts that are not this record's, by host."""
        ...


@record
class Question:
    """What a gate asks: shall `step` do what `plan` says? `undoing` asks about taking it back.

    `key_since`: a temporary key is alive since then, and without an answer it is deleted at `answer_by`; both
    by the monotonic clock.
    """

    step: str
    title: str
    risk: Risk
    plan: Plan
    undoing: bool = False
    key_since: float | None = None
    answer_by: float = 0.0


class Gate(Protocol):
    """Asks the operator. Anything but a clear yes is a no; being cancelled is a no."""

    async def ask(self, question: Question) -> bool: ...


# -- What a run of the steps tells while it goes on.


class Doing(StrEnum):
    """What the steps are gone through for."""

    LOOK = "looked at"
    RUN = "run"
    UNDO = "taken back"


class Stage(StrEnum):
    """Where a step is. The last nine are ends, until the step is run again.

    LATER: a look found nothing to do, or nothing to ask, for what it follows is not done yet (`FOLLOWS`,
    CheckState.LATER). UNDONE, KEPT: what it had changed was taken back, or is of a kind that stays.
    """

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
    LATER = "not yet"
    UNDONE = "taken back"
    KEPT = "stays"


FOLLOWS: Mapping[str, str] = {
    "delete-temporary-key": "temporary-key",
    "limited-key": "grants",
    "kill-hung-command": "drop-in",
}
"""Steps that have nothing to do until another one was done: by that one's id, where both are run."""


@record
class Progress:
    """One piece of news of one step; what it is not about is None. `at` is seconds since the epoch.

    `undoing`: the step is being taken back.
    """

    step: str
    stage: Stage
    at: float
    check: Check | None = None
    plan: Plan | None = None
    event: Event | None = None
    error: WalconsoleError | None = None
    undoing: bool = False


Tell = Callable[[Progress], None]
"""Called on the event loop; returns at once."""
