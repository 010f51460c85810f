"""What happened at one place in the WAL, as far as the WAL itself tells."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from walconsole.domain.records import record

FIRST_NORMAL = 16384
"""FirstNormalObjectId (access/transam.h): the objects of initdb have lower numbers."""
PG_CLASS = 1259
"""pg_class, and its file unless somebody rewrote it."""


class RelationFile(NamedTuple):
    """A relation's file: tablespace, database (0: shared), relfilenode. Not the relation's OID."""

    tablespace: int
    database: int
    node: int

    @property
    def is_users(self) -> bool:
        """Not a catalogue that initdb made."""
        return self.node >= FIRST_NORMAL


class RelationId(NamedTuple):
    """A relation as catalogues number it: database (0: shared) and OID."""

    database: int
    oid: int


class Kind(StrEnum):
    """What an event is, the worst first. A transaction is the first of these that fits."""

    DATABASE_DROPPED = "database dropped"
    DROPPED = "dropped"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    DELETED = "rows deleted"
    UPDATED = "rows updated"
    DDL = "DDL"
    INSERTED = "rows inserted"
    OTHER = "other"
    RESTORE_POINT = "restore point"
    TIMELINE = "timeline"
    PARAMETERS = "parameters"
    CHECKPOINT = "checkpoint"


@dataclass(slots=True)
class RowCounts:
    """Rows of one file, by records: what was rolled back to a savepoint is not in it."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def add(self, other: "RowCounts") -> None:
        """Count those as well."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.deleted += other.deleted

    @property
    def changed(self) -> int:
        """Rows that were there and are not, or are not what they were."""
        return self.updated + self.deleted


@record
class Moment:
    """One event. `lsn` is where the record begins that makes it final; `at_us` its time in microseconds since
    the epoch, None where the WAL says none: then `after_us` is the time of the last commit before it.

    A transaction has its `xid`, where its first record begins that was read, and its `wal_bytes`. `rows` are
    of files, the most changed first; `files_dropped`, `files_made` as the WAL names them; `locked` relations
    were locked as a whole, of `gone` the catalogue rows were deleted (by the commit record's list of dropped
    statistics, which PostgreSQL 15 and newer write), `touched` are those whose definition changed. `classes`
    is how many rows pg_class won (negative: lost). `truncated` are relations by a TRUNCATE record (wal_level
    = logical). `text` is what there is besides: a restore point's name, settings. `is_whole` False: its text
    had line breaks in it, and ends at the first, or it was too long.
    """

    kind: Kind
    lsn: int
    timeline: int
    at_us: int | None
    after_us: int | None = None
    xid: int | None = None
    first_lsn: int | None = None
    wal_bytes: int = 0
    records: int = 0
    rows: tuple[tuple[RelationFile, RowCounts], ...] = ()
    files_dropped: tuple[RelationFile, ...] = ()
    files_made: tuple[RelationFile, ...] = ()
    locked: tuple[RelationId, ...] = ()
    gone: tuple[RelationId, ...] = ()
    touched: tuple[int, ...] = ()
    truncated: tuple[RelationId, ...] = ()
    databases: tuple[int, ...] = ()
    classes: int = 0
    text: str = ""
    prepared: bool = False
    is_whole: bool = True
    has_beginning: bool = True
    """False: it began before what was read, so that counts are of a part of it."""

    @property
    def is_transaction(self) -> bool:
        """It has an xid to stop at."""
        return self.xid is not None

    @property
    def minimal(self) -> bool:
        """From there on the server, which writes such a record at a start, had `wal_level = minimal`."""
        return self.kind is Kind.PARAMETERS and "wal_level=minimal" in self.text.split()

    @property
    def time_us(self) -> int | None:
        """Its time, else that of the last commit before it."""
        return self.at_us if self.at_us is not None else self.after_us

    def total(self) -> RowCounts:
        """Of all users' files together: TOAST's among them."""
        total = RowCounts()
        for _, rows in self.rows:
            total.add(rows)
        return total


@dataclass(slots=True)
class Folded:
    """What is collected of one transaction (or subtransaction) until its end is read."""

    first_lsn: int
    wal_bytes: int = 0
    records: int = 0
    rows: dict[RelationFile, RowCounts] = field(default_factory=dict)
    made: dict[RelationFile, None] = field(default_factory=dict)
    locked: dict[RelationId, None] = field(default_factory=dict)
    truncated: dict[RelationId, None] = field(default_factory=dict)
    databases: set[int] = field(default_factory=set)
    class_inserts: int = 0
    class_deletes: int = 0
    catalogue_changes: int = 0
    text: str = ""
    cut: bool = False

    def merge(self, other: "Folded") -> None:
        """Add a subtransaction that was committed with it."""
        self.first_lsn = min(self.first_lsn, other.first_lsn)
        self.wal_bytes += other.wal_bytes
        self.records += other.records
        for file, rows in other.rows.items():
            self.rows.setdefault(file, RowCounts()).add(rows)
        self.made |= other.made
        self.locked |= other.locked
        self.truncated |= other.truncated
        self.databases |= other.databases
        self.class_inserts += other.class_inserts
        self.class_deletes += other.class_deletes
        self.catalogue_changes += other.catalogue_changes
        self.text = self.text or other.text
        self.cut = self.cut or other.cut
