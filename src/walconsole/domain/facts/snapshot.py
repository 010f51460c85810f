"""Readings and the snapshot: everything that is known at one moment, with its age and its source.

`fold` is the only way a snapshot changes. What could not be read keeps its last value, marked.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from walconsole.domain.facts.evidence import (
    CommandFacts,
    ComparedFacts,
    LogFacts,
    PolicyFacts,
    ProductionFacts,
    RetentionFacts,
)
from walconsole.domain.facts.history import History
from walconsole.domain.facts.observed import (
    ArchiverFacts,
    BucketFacts,
    CatalogueFacts,
    ConfigFiles,
    HostFacts,
    LinkFacts,
    ServerFacts,
    SettingsFacts,
    WalDiskFacts,
)

T = TypeVar("T")


class Slot(StrEnum):
    """The snapshot's fields that a probe fills."""

    LINK = "link"
    HOST = "host"
    WAL_DISK = "wal_disk"
    FILES = "files"
    SERVER = "server"
    ARCHIVER = "archiver"
    SETTINGS = "settings"
    CATALOGUE = "catalogue"
    PRIMARY = "primary"
    DR = "dr"
    LOG = "log"
    COMMAND = "command"
    RETENTION = "retention"
    PRODUCTION = "production"
    POLICY = "policy"
    COMPARED = "compared"


PICTURE = (
    Slot.LINK,
    Slot.HOST,
    Slot.WAL_DISK,
    Slot.FILES,
    Slot.SERVER,
    Slot.ARCHIVER,
    Slot.SETTINGS,
    Slot.CATALOGUE,
    Slot.PRIMARY,
    Slot.DR,
)
"""What the dashboard shows; the other slots are evidence, looked at where something is wrong."""


class Freshness(StrEnum):
    """How far a reading can be trusted."""

    UNREAD = "not read yet"
    OK = "ok"
    STALE = "stale"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the last attempt failed: `why` on one line, `remedy` what to do, `code` for rules.

    `brief` is `why` without what was tried, for where that is known.
    `code` is an S3 code, a SQLSTATE, or one of ours; it is never shown alone.
    """

    why: str
    remedy: str = ""
    code: str = ""
    brief: str = ""

    @property
    def reason(self) -> str:
        """As briefly as it can be said."""
        return self.brief or self.why


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A fact with its age and source.

    `read_at` is when `value` was true (None: never read), `source` where it came from in the
    operator's words (`pg_stat_archiver`, `S3 LIST shithub-wal`), `cadence_s` how often it is read.
    `problem` is set while the last attempt failed; `failing_since` is when the first of the
    failures in a row was.
    """

    slot: Slot
    source: str = ""
    value: T | None = None
    read_at: float | None = None
    cadence_s: float = 1.0
    problem: Problem | None = None
    failing_since: float | None = None

    @property
    def freshness(self) -> Freshness:
        """UNREAD, OK, STALE (an old value is kept) or FAILED (there is none)."""
        if self.problem is not None:
            return Freshness.STALE if self.value is not None else Freshness.FAILED
        return Freshness.OK if self.value is not None else Freshness.UNREAD

    def age_s(self, now: float) -> float | None:
        """Seconds since the value was true."""
        return None if self.read_at is None else max(0.0, now - self.read_at)


def succeeded(previous: Reading[T], value: T, at: float, source: str, cadence_s: float) -> Reading[T]:
    """The reading after a successful attempt at `at`."""
    return Reading(previous.slot, source, value, at, cadence_s)


def failed(previous: Reading[T], problem: Problem, at: float, source: str, cadence_s: float) -> Reading[T]:
    """The reading after a failed attempt at `at`: the last value stays, marked as stale."""
    since = previous.failing_since if previous.problem is not None else at
    return Reading(
        previous.slot,
        previous.source if previous.value is not None else source,
        previous.value,
        previous.read_at,
        cadence_s,
        problem,
        since,
    )


def _unread(slot: Slot) -> "Reading[T]":
    return Reading(slot)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is known. `began_at` is when the console began, `taken_at` the last fold."""

    profile_name: str
    began_at: float
    taken_at: float
    link: Reading[LinkFacts] = field(default_factory=lambda: _unread(Slot.LINK))
    host: Reading[HostFacts] = field(default_factory=lambda: _unread(Slot.HOST))
    wal_disk: Reading[WalDiskFacts] = field(default_factory=lambda: _unread(Slot.WAL_DISK))
    files: Reading[ConfigFiles] = field(default_factory=lambda: _unread(Slot.FILES))
    server: Reading[ServerFacts] = field(default_factory=lambda: _unread(Slot.SERVER))
    archiver: Reading[ArchiverFacts] = field(default_factory=lambda: _unread(Slot.ARCHIVER))
    settings: Reading[SettingsFacts] = field(default_factory=lambda: _unread(Slot.SETTINGS))
    catalogue: Reading[CatalogueFacts] = field(default_factory=lambda: _unread(Slot.CATALOGUE))
    primary: Reading[BucketFacts] = field(default_factory=lambda: _unread(Slot.PRIMARY))
    dr: Reading[BucketFacts] = field(default_factory=lambda: _unread(Slot.DR))
    log: Reading[LogFacts] = field(default_factory=lambda: _unread(Slot.LOG))
    command: Reading[CommandFacts] = field(default_factory=lambda: _unread(Slot.COMMAND))
    retention: Reading[RetentionFacts] = field(default_factory=lambda: _unread(Slot.RETENTION))
    production: Reading[ProductionFacts] = field(default_factory=lambda: _unread(Slot.PRODUCTION))
    policy: Reading[PolicyFacts] = field(default_factory=lambda: _unread(Slot.POLICY))
    compared: Reading[ComparedFacts] = field(default_factory=lambda: _unread(Slot.COMPARED))
    history: History = field(default_factory=History)

    @property
    def whole(self) -> bool:
        """Every source that the dashboard shows was asked at least once, whatever it answered."""
        return all(getattr(self, slot.value).freshness is not Freshness.UNREAD for slot in PICTURE)


AnyReading = (
    Reading[LinkFacts]
    | Reading[HostFacts]
    | Reading[WalDiskFacts]
    | Reading[ConfigFiles]
    | Reading[ServerFacts]
    | Reading[ArchiverFacts]
    | Reading[SettingsFacts]
    | Reading[CatalogueFacts]
    | Reading[BucketFacts]
    | Reading[LogFacts]
    | Reading[CommandFacts]
    | Reading[RetentionFacts]
    | Reading[ProductionFacts]
    | Reading[PolicyFacts]
    | Reading[ComparedFacts]
)


def fold(snapshot: Snapshot, reading: AnyReading, now: float) -> Snapshot:
    """The next snapshot: `reading` in its slot, and what it adds to the history."""
    history = snapshot.history
    if reading.problem is None and reading.read_at is not None:
        if isinstance(reading.value, ArchiverFacts):
            segment_bytes = snapshot.server.value.segment_bytes if snapshot.server.value else None
            history = history.with_archiver(reading.value, reading.read_at, segment_bytes)
        elif isinstance(reading.value, WalDiskFacts):
            limit = snapshot.retention.value.wal_limit if snapshot.retention.value else None
            history = history.with_disk(reading.value, reading.read_at, limit)
    changes: dict[str, AnyReading] = {reading.slot.value: reading}
    return replace(snapshot, taken_at=now, history=history, **changes)  # type: ignore[arg-type]
