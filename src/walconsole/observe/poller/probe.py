"""What a probe is, what it returns, and how its errors become problems that a pane can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from walconsole.domain.facts.snapshot import AnySlot, Problem, Slot
from walconsole.domain.redaction import safe
from walconsole.errors import (
    AuthenticationError,
    ClusterChoiceError,
    DatabaseError,
    HostKeyError,
    KeyServiceError,
    ObjectStoreError,
    ShellError,
    SshError,
    WalconsoleError,
)

SSH_LOST = "SshLost"
HOST_KEY = "HostKey"
AUTHENTICATION = "Authentication"
SUDO = "Sudo"
NO_CLUSTER = "NoCluster"
SHELL = "Shell"
DATABASE = "Database"
KEY_SERVICE = "KeyService"
BUG = "Bug"


T = TypeVar("T")


@dataclass(frozen=True, slots=True, init=False)
class Fact:
    """One slot's value, or why there is none.

    `read_at` is when it was true, seconds since the epoch on the console's clock; `source` where it
    came from in the operator's words. `cadence_s` is set where this slot is read less often than
    its probe.
    """

    slot: AnySlot
    value: object
    read_at: float
    source: str
    cadence_s: float | None

    def __init__(
        self,
        slot: Slot[T],
        value: T | Problem,
        read_at: float,
        source: str,
        cadence_s: float | None = None,
    ) -> None:
        # Written out for its types: a slot takes facts of its own kind alone, wherever the fact is made.
        for name, given in (
            ("slot", slot),
            ("value", value),
            ("read_at", read_at),
            ("source", source),
            ("cadence_s", cadence_s),
        ):
            object.__setattr__(self, name, given)


class Probe(Protocol):
    """One source of facts. The poller calls `take` again and again, never twice at a time."""

    @property
    def name(self) -> str:
        """The source in the operator's words; shown where nothing could be read yet."""
        ...

    @property
    def slots(self) -> tuple[AnySlot, ...]:
        """What it fills: all of them fail when `take` raises."""
        ...

    @property
    def cadence_s(self) -> float: ...

    @property
    def timeout_s(self) -> float:
        """After this long without an answer the attempt is cancelled and has failed."""
        ...

    async def take(self) -> Sequence[Fact]:
        """Look once. A slot that is left out keeps its reading. Raises errors.WalconsoleError."""
        ...


@runtime_checkable
class Refreshable(Protocol):
    """A probe that remembers something between its looks, and forgets it when the operator refreshes."""

    def refresh(self) -> None:
        """Look at everything anew, and ask again what was declined, at the next `take`."""
        ...


def problem_of(error: WalconsoleError) -> Problem:
    """What a pane shows of a failed attempt."""
    why = safe(f"{error.tried}: {error.why}")
    return Problem(why, safe(error.remedy), code_of(error), brief=safe(error.why))


_CODES: tuple[tuple[type[WalconsoleError], str], ...] = (
    (HostKeyError, HOST_KEY),
    (AuthenticationError, AUTHENTICATION),
    (SshError, SSH_LOST),
    (ClusterChoiceError, NO_CLUSTER),
    (KeyServiceError, KEY_SERVICE),
)


def code_of(error: WalconsoleError) -> str:
    """The stable word for an error: S3's own code, a SQLSTATE, or one of ours."""
    if isinstance(error, ObjectStoreError | ShellError):
        return error.code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if isinstance(error, DatabaseError):
        return error.sqlstate or DATABASE
    return type(error).__name__
