"""Readings and the snapshot: everything that is known at one moment, with its age and its source.

`Snapshot` declares the slots, each once: its name, the type of its facts, what is shown and needed of it.
`fold` is the only way a snapshot changes. What could not be read keeps its last value, marked.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any, Generic, TypeVar, overload

from walconsole.domain.archive.cost import SPACES_PRICE, Price
from walconsole.domain.facts.backlog import is_behind, waiting_of
from walconsole.domain.facts.base_backups import BackupScript, BackupSessions
from walconsole.domain.facts.evidence import (
    CommandFacts,
    ComparedFacts,
    DiscoveryFacts,
    LogFacts,
    PolicyFacts,
    ProductionFacts,
    RetentionFacts,
    WatcherFacts,
)
from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.facts.folders import FolderFacts
from walconsole.domain.facts.history import History
from walconsole.domain.facts.host import HostFacts
from walconsole.domain.facts.observed import (
    ArchiverFacts,
    BucketFacts,
    CatalogueFacts,
    ConfigFiles,
    LinkFacts,
    ServerFacts,
    SettingsFacts,
    WalDiskFacts,
)
from walconsole.domain.facts.own_list import OwnList
from walconsole.domain.facts.spool import SpoolFacts
from walconsole.domain.records import record
from walconsole.domain.recovery.keep import Keep

T = TypeVar("T")


class Freshness(StrEnum):
    """How far a reading can be trusted."""

    UNREAD = "not read yet"
    OK = "ok"
    STALE = "stale"
    FAILED = "failed"


@record
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


@record
class Reading(Generic[T]):
    """A fact with its age and source.

    `read_at` is when `value` was true (None: never read), `source` where it came from in the
    operator's words (`pg_stat_archiver`, `S3 LIST shithub-wal`), `cadence_s` how often it is read.
    `problem` is set while the last attempt failed; `failing_since` is when the first of the attempts that
    failed in a row was begun.
    """

    slot: "Slot[T]"
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


def failed(previous: Reading[T], problem: Problem, began: float, source: str, cadence_s: float) -> Reading[T]:
    """The reading after an attempt that was begun at `began` and failed: the last value stays, as stale."""
    since = previous.failing_since if previous.problem is not None else began
    return Reading(
        previous.slot,
        previous.source if previous.value is not None else source,
        previous.value,
        previous.read_at,
        cadence_s,
        problem,
        since,
    )


class Subject(StrEnum):
    """What a source tells about; the dashboard has a pane of that name for it."""

    DROPLET = "droplet"
    WAL_DISK = "wal_disk"
    ARCHIVER = "archiver"
    CONFIGURATION = "configuration"
    BUCKET = "bucket"


class Need(Enum):
    """How much a verdict rests on a source."""

    VERDICT = "without it nobody can say that archiving works"
    ANSWER = "a look that ends must have had its answer, whatever it is"
    OCCASION = "it is looked at where and when there is something to look at"


class Slot(Generic[T]):
    """A place in the snapshot that a probe fills with facts of type T.

    `Snapshot.host` is the slot, `snapshot.host` its reading. `words` is what is read, for a sentence, and
    `many` whether they are several things there: then they were read, and not was;
    `shown` whether the dashboard shows it (the others are evidence), `through_ssh` whether it takes the SSH
    connection.
    """

    def __init__(
        self,
        words: str,
        about: Subject,
        need: Need,
        *,
        many: bool = False,
        shown: bool = True,
        through_ssh: bool = True,
    ) -> None:
        self.name = ""
        self.words = words
        self.about = about
        self.need = need
        self.many = many
        self.shown = shown
        self.through_ssh = through_ssh

    def __set_name__(self, owner: "type[Snapshot]", name: str) -> None:
        if self.name:  # another class has it as an attribute, and would rename it
            raise TypeError(f"{self!r} is a descriptor of Snapshot: {owner.__name__}.{name} cannot hold it")
        self.name = name

    def __repr__(self) -> str:
        return f"Snapshot.{self.name}"

    @overload
    def __get__(self, snapshot: None, owner: "type[Snapshot]") -> "Slot[T]": ...

    @overload
    def __get__(self, snapshot: "Snapshot", owner: "type[Snapshot]") -> Reading[T]: ...

    @overload
    def __get__(self, snapshot: object, owner: type[Any]) -> "Slot[T]": ...  # of a record that names a slot

    def __get__(self, snapshot: Any, owner: type[Any]) -> "Slot[T] | Reading[T]":
        if snapshot is None:
            return self
        reading: Reading[T] = snapshot.__dict__[self.name]  # as `of`, and no call more: panes ask often
        return reading

    def __set__(self, snapshot: "Snapshot", reading: "Reading[T] | Slot[T]") -> None:
        """Called by the snapshot's own making; a dataclass hands over the slot itself as the default."""
        snapshot.__dict__[self.name] = Reading(self) if reading is self else reading

    def of(self, snapshot: "Snapshot") -> Reading[T]:
        """This slot's reading."""
        reading: Reading[T] = snapshot.__dict__[self.name]
        return reading


AnySlot = Slot[Any]


@record
class Told:
    """What the profile says that no probe can find out.

    `expect_base_backups`: they are taken here, and that there is none is a fault. `archive_program` is the
    path of the archive command that provisioning installs on the droplet, empty where that is not known.
    `keep` is what retention keeps, None: nothing is deleted. `price` is what storing costs. `restore_program`
    is the restore command's path, as `archive_program`. `drill_every_s` is after which time without a good
    restore drill that is worth a warning, None: none is expected. `second_copy`: there is one, or should be.
    `spare` is the host on which drills and recoveries are made, empty: the droplet. `identity` is the file
    there of the secret keys by which encrypted base backups are restored, empty: none is named.
    `archivers_key`: the primary copy is read by the key that the server's own tool has.
    """

    expect_base_backups: bool = True
    archive_program: str = ""
    keep: Keep | None = None
    price: Price = SPACES_PRICE
    restore_program: str = ""
    drill_every_s: float | None = None
    second_copy: bool = True
    spare: str = ""
    identity: str = ""
    archivers_key: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known. `began_at` is when the console began, `taken_at` the last fold."""

    profile_name: str
    began_at: float
    taken_at: float
    link: Slot[LinkFacts] = Slot("the connection", Subject.DROPLET, Need.OCCASION, through_ssh=False)
    host: Slot[HostFacts] = Slot("the host", Subject.DROPLET, Need.VERDICT)
    wal_disk: Slot[WalDiskFacts] = Slot("pg_wal and its disk", Subject.WAL_DISK, Need.VERDICT, many=True)
    files: Slot[ConfigFiles] = Slot("the configuration files", Subject.CONFIGURATION, Need.VERDICT, many=True)
    server: Slot[ServerFacts] = Slot("the server", Subject.DROPLET, Need.VERDICT)
    archiver: Slot[ArchiverFacts] = Slot("pg_stat_archiver", Subject.ARCHIVER, Need.VERDICT)
    settings: Slot[SettingsFacts] = Slot("the settings", Subject.CONFIGURATION, Need.VERDICT, many=True)
    catalogue: Slot[CatalogueFacts] = Slot("all of pg_settings", Subject.CONFIGURATION, Need.ANSWER)
    primary: Slot[BucketFacts] = Slot("the primary bucket", Subject.BUCKET, Need.VERDICT, through_ssh=False)
    dr: Slot[BucketFacts] = Slot("the DR bucket", Subject.BUCKET, Need.VERDICT, through_ssh=False)
    log: Slot[LogFacts] = Slot("the server's log", Subject.ARCHIVER, Need.ANSWER, shown=False)
    command: Slot[CommandFacts] = Slot(
        "the archive command's files", Subject.CONFIGURATION, Need.ANSWER, many=True, shown=False
    )
    discovery: Slot[DiscoveryFacts] = Slot(
        "where the server archives to", Subject.CONFIGURATION, Need.OCCASION, shown=False
    )
    retention: Slot[RetentionFacts] = Slot(
        "the replication slots", Subject.WAL_DISK, Need.ANSWER, many=True, shown=False
    )
    production: Slot[ProductionFacts] = Slot(
        "the store as the archiver reaches it", Subject.BUCKET, Need.OCCASION, shown=False
    )
    policy: Slot[PolicyFacts] = Slot("the bucket's lifecycle", Subject.BUCKET, Need.ANSWER, shown=False)
    dr_policy: Slot[PolicyFacts] = Slot(
        "the DR bucket's lifecycle", Subject.BUCKET, Need.ANSWER, shown=False, through_ssh=False
    )
    compared: Slot[ComparedFacts] = Slot(
        "the segment beside its object", Subject.BUCKET, Need.OCCASION, shown=False
    )
    backup_sessions: Slot[BackupSessions] = Slot(
        "the base backups that the server knows of", Subject.BUCKET, Need.ANSWER, many=True, shown=False
    )
    backup_script: Slot[BackupScript] = Slot(
        "what the base backup's script tells of itself", Subject.BUCKET, Need.ANSWER, shown=False
    )
    folders: Slot[FolderFacts] = Slot("the archive's folder", Subject.BUCKET, Need.OCCASION, shown=False)
    spool: Slot[SpoolFacts] = Slot("the archiver's spool", Subject.ARCHIVER, Need.OCCASION, shown=False)
    own_list: Slot[OwnList] = Slot(
        "the archiver's own list of base backups", Subject.BUCKET, Need.OCCASION, shown=False
    )
    watcher: Slot[WatcherFacts] = Slot(
        "the watcher on this machine", Subject.DROPLET, Need.OCCASION, shown=False, through_ssh=False
    )
    expiry: Slot[ExpirySchedule] = Slot(
        "retention's schedule on this machine", Subject.BUCKET, Need.OCCASION, shown=False, through_ssh=False
    )
    history: History = field(default_factory=History)
    told: Told = field(default_factory=Told)

    @property
    def slots(self) -> tuple[AnySlot, ...]:
        """The sources that there are: where no second copy is wanted, none of that one's."""
        return SLOTS if self.told.second_copy else _OF_ONE_COPY

    @property
    def copies(self) -> tuple[Reading[BucketFacts], ...]:
        """The readings of the buckets that there are, or should be: the primary's first."""
        return (self.primary, self.dr) if self.told.second_copy else (self.primary,)

    @property
    def whole(self) -> bool:
        """Every source that the dashboard shows was asked at least once, whatever it answered."""
        return all(slot.of(self).freshness is not Freshness.UNREAD for slot in self.slots if slot.shown)


SLOTS: tuple[AnySlot, ...] = tuple(slot for slot in vars(Snapshot).values() if isinstance(slot, Slot))
"""All of them, in the order in which they are declared."""

_OF_ONE_COPY = tuple(slot for slot in SLOTS if slot not in (Snapshot.dr, Snapshot.dr_policy))


def fold(snapshot: Snapshot, reading: Reading[T], now: float) -> Snapshot:
    """The next snapshot: `reading` in its slot, and what it adds to the history."""
    before = history = snapshot.history
    if reading.problem is None and reading.read_at is not None:
        if isinstance(reading.value, ArchiverFacts):
            segment_bytes = snapshot.server.value.segment_bytes if snapshot.server.value else None
            history = history.with_archiver(reading.value, reading.read_at, segment_bytes)
        elif isinstance(reading.value, WalDiskFacts):
            limit = snapshot.retention.value.wal_limit if snapshot.retention.value else None
            history = history.with_disk(reading.value, reading.read_at, limit)
        elif isinstance(reading.value, BackupSessions):
            history = history.with_backups(reading.value, reading.read_at)
    changes: dict[str, Any] = {reading.slot.name: reading}
    snapshot = replace(snapshot, taken_at=now, history=history, **changes)
    if history is before or Freshness.UNREAD in (snapshot.archiver.freshness, snapshot.wal_disk.freshness):
        return snapshot
    waiting = waiting_of(snapshot, now)
    behind = waiting is not None and is_behind(waiting, before=history.behind)
    return (
        snapshot if behind == history.behind else replace(snapshot, history=replace(history, behind=behind))
    )
