"""From records to events, in one pass and bounded memory: what each transaction did, told when its end is
read.

Which words pg_waldump has for what is each resource manager's description (src/backend/access/rmgrdesc:
heapdesc.c, xactdesc.c, smgrdesc.c, standbydesc.c, dbasedesc.c, xlogdesc.c), of PostgreSQL 13 to 18.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from walconsole.domain.moments.dump import WalRecord
from walconsole.domain.moments.events import (
    PG_CLASS,
    Folded,
    Kind,
    Moment,
    RelationFile,
    RelationId,
    RowCounts,
)

MOST_OPEN = 50_000
"""Transactions that are collected at a time; of the oldest beyond that no more is known than their end."""
MOST_FILES = 2_000
"""Files, locks and relations of one transaction."""
LONGEST_TEXT = 1_000

_REL = re.compile(rb"blkref #0: rel (\d{1,10})/(\d{1,10})/(\d{1,10}) (?!fork)")
_TUPLES = re.compile(rb"(?:ntuples: )?(\d{1,10})")
_PATH = re.compile(
    rb"(?:(?P<global>global)|base/(?P<database>\d{1,10})|"
    rb"pg_tblspc/(?P<space>\d{1,10})/PG_\d+_\d+/(?P<inspace>\d{1,10}))/(?P<node>\d{1,10})(?![\d_])"
)
_LOCK = re.compile(rb"xid (\d{1,10}) db (\d{1,10}) rel (\d{1,10})")
_TIME = re.compile(rb"(\d{4,6})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? UTC")
_STATS = re.compile(rb"(\d{1,3})/(\d{1,10})/(\d{1,20})")
_RELCACHE = re.compile(rb" relcache (\d{1,10})")
_NEXT = re.compile(rb"RUNNING_XACTS nextXid (\d{1,10})")
_NUMBER = re.compile(rb"\d{1,10}")
_TIMELINES = re.compile(rb"(?:\A|; )tli (\d{1,10}); prev tli (\d{1,10});")
_RELATION_STATS = b"2"
"""PGSTAT_KIND_RELATION (15: pgstat.h; 18: pgstat_kind.h)."""
_DEFAULT_SPACE, _GLOBAL_SPACE = 1663, 1664
_ENDS = {
    b"COMMIT": True,
    b"COMMIT_PREPARED": True,
    b"ABORT": False,
    b"ABORT_PREPARED": False,
}


@dataclass(slots=True)
class Ended:
    """The end of a transaction, or of a subtransaction that was rolled back by itself: where, when, whether
    it was committed, and what it did where that is worth telling.
    """

    lsn: int
    at_us: int | None
    xid: int
    committed: bool
    moment: Moment | None


@dataclass(slots=True)
class Folding:
    """Collects by transaction. `timeline` is the one that is read."""

    timeline: int
    torn: Callable[[int], bool] = lambda lsn: False
    """Whether the description of the record at that position has lines that were not read."""
    records: int = 0
    first: int | None = None
    last: int | None = None
    last_commit_us: int | None = None
    forgotten: int = 0
    undated: int = 0
    _open: dict[int, Folded] = field(default_factory=dict)
    _unfinished: int | None = None
    """`nextXid` of the first RUNNING_XACTS: what has a lower number may have begun before what is read."""

    def begin(self, timeline: int, torn: Callable[[int], bool]) -> None:
        """Go on with another timeline: what was open has no end there."""
        self.timeline, self.torn, self._unfinished = timeline, torn, None
        self._open.clear()

    def take(self, record: WalRecord) -> Iterator[Ended | Moment]:
        """What this record ends or is."""
        self.records += 1
        self.last = record.lsn
        if self.first is None:
            self.first = record.lsn
        handler = _HANDLERS.get(record.manager)
        if record.xid and record.manager != b"Transaction":
            folded = self._of(record.xid, record.lsn)
            folded.wal_bytes += record.total_bytes
            folded.records += 1
            if handler is not None:
                handler(self, folded, record)
        elif record.manager == b"Transaction":
            yield from self._transaction(record)
        elif record.manager == b"XLOG":
            yield from self._of_server(record)
        elif record.manager == b"Standby" and self._unfinished is None:
            self._running(record)

    def _of(self, xid: int, lsn: int) -> Folded:
        folded = self._open.get(xid)
        if folded is None:
            if len(self._open) >= MOST_OPEN:
                self._open.pop(next(iter(self._open)))
                self.forgotten += 1
            folded = self._open[xid] = Folded(lsn)
        return folded

    # -- What a transaction writes on its way.

    def heap(self, folded: Folded, record: WalRecord) -> None:
        """Rows, by their file."""
        operation, _, said = record.description.partition(b" ")
        if operation == b"TRUNCATE":
            _truncate(folded, said)
            return
        operation = operation.removesuffix(b"+INIT")
        if operation not in _ROWS:
            return
        match = _REL.search(said)
        if match is None:
            return
        tuples = _TUPLES.match(said) if operation == b"MULTI_INSERT" else None
        count = 1 if tuples is None else int(tuples[1])
        file = RelationFile(int(match[1]), int(match[2]), int(match[3]))
        if not file.is_users:
            _catalogue(folded, file, operation, count)
            return
        rows = folded.rows.get(file)
        if rows is None:
            if len(folded.rows) >= MOST_FILES:
                folded.cut = True
                return
            rows = folded.rows[file] = RowCounts()
        _count(rows, operation, count)

    def storage(self, folded: Folded, record: WalRecord) -> None:
        """A file that is made; one that is cut to nothing is the same transaction's, or was empty by then."""
        if record.description.startswith(b"CREATE "):
            file = _file(record.description[7:])
            if file is not None and len(folded.made) < MOST_FILES:
                folded.made[file] = None

    def standby(self, folded: Folded, record: WalRecord) -> None:
        """Access exclusive locks, by the relation's OID."""
        if record.description.startswith(b"LOCK "):
            for xid, database, oid in _LOCK.findall(record.description):
                if int(xid) == record.xid and len(folded.locked) < MOST_FILES:
                    folded.locked[RelationId(int(database), int(oid))] = None

    def database(self, folded: Folded, record: WalRecord) -> None:
        """Databases that are made and dropped: the folder is named by their OID."""
        operation, _, said = record.description.partition(b" dir ")
        numbers = _NUMBER.findall(said)
        if numbers and len(folded.databases) < MOST_FILES:
            folded.databases.add(int(numbers[-1]))
            folded.text = f"{'drop' if operation == b'DROP' else 'create'} database"

    # -- How it ends.

    def _transaction(self, record: WalRecord) -> Iterator[Ended]:
        operation, _, said = record.description.partition(b" ")
        if operation == b"PREPARE":
            folded = self._of(record.xid, record.lsn)
            folded.wal_bytes += record.total_bytes
            return
        committed = _ENDS.get(operation)
        if committed is None:
            return
        xid = record.xid
        if operation.endswith(b"_PREPARED"):
            number = _NUMBER.match(said)
            if number is None:
                return
            xid, said = int(number[0]), said[number.end() :].removeprefix(b": ")
        at_us = _microseconds(said)
        self.undated += at_us is None
        folded = self._open.pop(xid) if xid in self._open else Folded(record.lsn)
        for sub in _subtransactions(said):
            below = self._open.pop(sub, None)
            if below is not None and committed:
                folded.merge(below)
        folded.wal_bytes += record.total_bytes
        prepared = operation.endswith(b"_PREPARED")
        moment = self._committed(record, xid, folded, said, at_us, prepared) if committed else None
        if committed and at_us is not None:
            self.last_commit_us = at_us
        yield Ended(record.lsn, at_us, xid, committed, moment)

    def _committed(
        self, record: WalRecord, xid: int, folded: Folded, said: bytes, at_us: int | None, prepared: bool
    ) -> Moment:
        dropped = _files(_part(said, b"rels"))
        gone = tuple(
            RelationId(int(database), int(oid))
            for kind, database, oid in _STATS.findall(_part(said, b"dropped stats"))[:MOST_FILES]
            if kind == _RELATION_STATS
        )
        touched = tuple(dict.fromkeys(int(oid) for oid in _RELCACHE.findall(said)))[:MOST_FILES]
        rows = sorted(folded.rows.items(), key=lambda each: (-each[1].changed, -each[1].inserted, each[0]))
        return Moment(
            _kind(folded, dropped, gone, touched),
            record.lsn,
            self.timeline,
            at_us,
            self.last_commit_us,
            xid=xid,
            first_lsn=folded.first_lsn,
            wal_bytes=folded.wal_bytes,
            records=folded.records,
            rows=tuple(rows),
            files_dropped=dropped,
            files_made=tuple(folded.made),
            locked=tuple(folded.locked),
            gone=gone,
            touched=touched,
            truncated=tuple(folded.truncated),
            databases=tuple(sorted(folded.databases | {each.database for each in (*dropped, *folded.rows)})),
            classes=folded.class_inserts - folded.class_deletes,
            text=folded.text,
            prepared=prepared,
            is_whole=not folded.cut and not self.torn(record.lsn),
            has_beginning=self._began_here(xid),
        )

    def _began_here(self, xid: int) -> bool:
        """By the first list of running transactions: what is numbered after them began after it."""
        return self._unfinished is not None and (xid - self._unfinished) % 2**32 < 2**31

    # -- What the server itself does.

    def _running(self, record: WalRecord) -> None:
        """The first list of running transactions: what is numbered from `nextXid` on began after it."""
        match = _NEXT.match(record.description)
        self._unfinished = int(match[1]) if match is not None else None

    def _of_server(self, record: WalRecord) -> Iterator[Moment]:
        operation, _, said = record.description.partition(b" ")
        kind = _OF_SERVER.get(operation)
        if kind is None:
            return
        text = said.decode("utf-8", "replace").strip()[:LONGEST_TEXT]
        if kind is Kind.RESTORE_POINT:
            text = said.decode("utf-8", "replace")[:LONGEST_TEXT]
        timelines = _TIMELINES.search(said)
        if kind in (Kind.CHECKPOINT, Kind.TIMELINE) and timelines is not None:
            new, old = (int(timeline) for timeline in timelines.groups())
            kind = Kind.TIMELINE if new != old else Kind.CHECKPOINT
            text = f"timeline {old} ended, {new} began" if new != old else operation.decode().lower()
        yield Moment(
            kind,
            record.lsn,
            self.timeline,
            None,
            self.last_commit_us,
            wal_bytes=record.total_bytes,
            text=text,
            is_whole=not self.torn(record.lsn),
        )


_ROWS = frozenset((b"INSERT", b"MULTI_INSERT", b"UPDATE", b"HOT_UPDATE", b"DELETE"))
_OF_SERVER = {
    b"RESTORE_POINT": Kind.RESTORE_POINT,
    b"PARAMETER_CHANGE": Kind.PARAMETERS,
    b"CHECKPOINT_SHUTDOWN": Kind.CHECKPOINT,
    b"CHECKPOINT_ONLINE": Kind.CHECKPOINT,
    b"END_OF_RECOVERY": Kind.TIMELINE,
}
_HANDLERS: dict[bytes, Callable[[Folding, Folded, WalRecord], None]] = {
    b"Heap": Folding.heap,
    b"Heap2": Folding.heap,
    b"Storage": Folding.storage,
    b"Standby": Folding.standby,
    b"Database": Folding.database,
}


def _kind(
    folded: Folded, dropped: tuple[RelationFile, ...], gone: tuple[RelationId, ...], touched: tuple[int, ...]
) -> Kind:
    """What it did, the worst first.

    A rewrite (VACUUM FULL, ALTER TABLE … TYPE) makes new files, and drops the old ones and the rows of
    pg_class that it made for them: pg_class has as many rows as before. A drop leaves fewer of them. TRUNCATE
    and REINDEX make new files and touch no row of pg_class but by updating it; REINDEX writes the new ones.
    """
    if folded.text == "drop database":
        return Kind.DATABASE_DROPPED
    made = {file.node for file in folded.made}
    lost = folded.class_deletes - folded.class_inserts
    old_files = [file for file in dropped if file not in folded.made]
    locked = {each.oid for each in folded.locked} - made
    survivors = locked - {each.oid for each in gone}
    if lost > 0 and (old_files or gone):
        return Kind.DROPPED
    if gone and folded.class_deletes and not survivors and {each.oid for each in gone} - made:
        return Kind.DROPPED
    if folded.truncated and {each.oid for each in folded.truncated} - made:
        return Kind.TRUNCATED
    if old_files and folded.made:
        written = folded.class_inserts or folded.class_deletes
        return Kind.REWRITTEN if written else Kind.TRUNCATED
    total = RowCounts()
    for rows in folded.rows.values():
        total.add(rows)
    if total.deleted and total.deleted >= total.updated:
        return Kind.DELETED
    if total.changed:
        return Kind.UPDATED
    if folded.catalogue_changes or touched or folded.made:
        return Kind.DDL if touched or folded.made or folded.text else Kind.OTHER
    return Kind.INSERTED if total.inserted else Kind.OTHER


def _count(rows: RowCounts, operation: bytes, count: int) -> None:
    if operation == b"DELETE":
        rows.deleted += count
    elif operation in (b"UPDATE", b"HOT_UPDATE"):
        rows.updated += count
    else:
        rows.inserted += count


def _catalogue(folded: Folded, file: RelationFile, operation: bytes, count: int) -> None:
    """A row of a catalogue; those of pg_class are counted."""
    folded.catalogue_changes += 1
    if file.database:
        folded.databases.add(file.database)
    if file.node == PG_CLASS:
        folded.class_inserts += count if operation in (b"INSERT", b"MULTI_INSERT") else 0
        folded.class_deletes += operation == b"DELETE"


def _truncate(folded: Folded, said: bytes) -> None:
    """`nrelids 1 relids 16386`; from release 16 on `flags: [], nrelids: 1, relids: [16386]`. No database is
    said.
    """
    *_, numbers = said.rpartition(b" relids")
    database = next((each.database for each in folded.locked), 0)
    for oid in _NUMBER.findall(numbers)[:MOST_FILES]:
        folded.truncated[RelationId(database, int(oid))] = None


def _part(said: bytes, name: bytes) -> bytes:
    """What a commit record lists under `name`; nothing of it is text that anybody chose."""
    _, found, rest = said.partition(b"; " + name + b": ")
    return rest.partition(b";")[0] if found else b""


def _subtransactions(said: bytes) -> Iterator[int]:
    for number in _NUMBER.findall(_part(said, b"subxacts")):
        yield int(number)


def _files(said: bytes) -> tuple[RelationFile, ...]:
    found = (_file(path) for path in said.split())
    return tuple(file for file in found if file is not None)[:MOST_FILES]


def _file(path: bytes) -> RelationFile | None:
    """`base/5/16384`, `global/1262`, `pg_tblspc/16390/PG_15_202209061/5/16384` (relpath.c); None for other
    forks and for temporary relations.
    """
    match = _PATH.match(path)
    if match is None:
        return None
    if match["global"]:
        return RelationFile(_GLOBAL_SPACE, 0, int(match["node"]))
    if match["space"]:
        return RelationFile(int(match["space"]), int(match["inspace"]), int(match["node"]))
    return RelationFile(_DEFAULT_SPACE, int(match["database"]), int(match["node"]))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(said: bytes) -> int | None:
    """The time that stands first, in microseconds since the epoch; None where it is not UTC or none."""
    match = _TIME.match(said)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        whole = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    since = whole - _EPOCH
    leap = second - min(second, 59)
    fraction = int((match[7] or b"0").ljust(6, b"0"))
    return (since.days * 86_400 + since.seconds + leap) * 1_000_000 + fraction
