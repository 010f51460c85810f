"""What forbids retention in one copy: anything about it that is not certain."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.recoverability import BackupReach, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import Segment

_STAMP = re.compile(r"(\d{8})[T-](\d{6})", re.ASCII)
CLOCKS_APART_S = 300.0
"""Clocks that are further apart than this are wrong: a store refuses requests at fifteen minutes."""
BEHIND_SEGMENTS = 16
"""So far behind what the server archived last a copy may be and still reach now: DR is copied later."""


@record
class Lock:
    """Somebody reads or writes backups: `owner` says who, until `until` (seconds since the epoch) at most."""

    owner: str
    until: float


@record
class Now:
    """The moment of a plan: `at` by the console's clock (seconds since the epoch), the `locks` that lie in
    any copy, and the segment that the server `archived` last, None where it was not asked.
    """

    at: float
    locks: tuple[Lock, ...] = ()
    archived: Segment | None = None


def doubts(copy: ArchiveCopy, cluster: Cluster, now: Now) -> tuple[str, ...]:
    """Why nothing may go in this copy; empty where nothing forbids it."""
    return tuple(
        [*_locked(now), *_unlisted(copy), *_clock(copy, now), *_foreign(copy, cluster), *_unread(copy)]
        or _unreached(copy, cluster, now)
    )


def made_at(id: str) -> float | None:
    """When a backup was begun, by its id; None for an id without a time.

    Ours are in UTC, Barman's and pgBackRest's in the time of the host that made them, taken for UTC.
    """
    stamps = _STAMP.findall(id)
    try:
        return datetime.strptime("".join(stamps[-1]), "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except (IndexError, ValueError):
        return None


def expired_before(copy: ArchiveCopy, label: BaseBackup, moment: float) -> bool:
    """Whether the backup of this label was made before that moment, as far as its WAL's age tells."""
    if label.stopped is not None:
        return label.stopped < moment
    if label.timeline is None or label.start_lsn is None or not label.segment_bytes:
        return False
    stored_at = copy.times.about(label.timeline, label.start_lsn // label.segment_bytes)
    return stored_at is not None and stored_at < moment


def _locked(now: Now) -> Iterator[str]:
    for lock in now.locks:
        if lock.until > now.at:
            yield f"a lock lies there: {lock.owner}"


def _unlisted(copy: ArchiveCopy) -> Iterator[str]:
    if not copy.listed:
        yield "its listing is not complete, or in doubt"


def _clock(copy: ArchiveCopy, now: Now) -> Iterator[str]:
    offset = copy.clock_offset_s
    if offset is None:
        yield "the store's clock is not known"
    elif abs(offset) > CLOCKS_APART_S:
        yield "the store's clock and this machine's are more than five minutes apart"
    ahead = now.at + CLOCKS_APART_S
    if any(each.stopped is not None and each.stopped > ahead for each in copy.backups):
        yield "a base backup was made in the future: a clock is wrong"


def _foreign(copy: ArchiveCopy, cluster: Cluster) -> Iterator[str]:
    ours, theirs = cluster.system_identifier, copy.system_identifier
    if ours is None or theirs is None:
        yield "whose WAL it holds is not known"
    elif ours != theirs:
        yield f"its WAL is another cluster's: its system identifier is {theirs}, not {ours}"
    if copy.stored_as:
        yield f"its WAL lies as another tool stores it ({copy.stored_as}), which expires it itself"
    if any(each.system_identifier not in (None, ours) for each in copy.backups):
        yield "a base backup of another cluster's lies in it"


def _unread(copy: ArchiveCopy) -> Iterator[str]:
    mine = [backup.id for backup in copy.backups if backup.writer is Writer.OURS]
    if len(set(mine)) < len(mine):
        yield "two base backups in it have one id"
    for each in copy.unreadable[:1]:
        yield f"{each.key} cannot be read: {each.why}"
    for backup in copy.backups:
        if backup.writer is Writer.OURS and backup.completeness is Completeness.UNKNOWN:
            yield f"{backup.id} is not known to be complete: {backup.why}"
            return
    known = {*copy.histories}
    unread = sorted(timeline for timeline in copy.known_histories if timeline not in known)
    lacking = sorted(
        timeline
        for timeline, runs in copy.timelines.items()
        if runs.count and timeline > 1 and timeline not in known
    )
    for timeline in (unread or lacking)[:1]:
        yield f"the descent of timeline {timeline} is not known: its .history is not read"


def _unreached(copy: ArchiveCopy, cluster: Cluster, now: Now) -> list[str]:
    """Whether the newest complete backup is one from which replay comes to now, in this copy alone."""
    alone = recoverability([replace(copy, read_by_restore=True)], cluster)
    complete = [
        reach
        for reach in alone.reach[alone.target].reaches
        if reach.held.backup.writer is Writer.OURS and reach.held.backup.completeness is Completeness.COMPLETE
    ]
    if not complete:
        return ["no complete base backup of ours is in it"]
    return list(_behind(complete[-1], now, copy.role))


def _behind(newest: BackupReach, now: Now, role: BucketRole) -> Iterator[str]:
    id = newest.held.backup.id
    if newest.held.backup.verified is not True:
        yield f"its newest base backup {id} was not verified"
    if newest.last is None or newest.stop is not None:
        why = newest.stop.text if newest.stop is not None else "its WAL is missing"
        yield f"its newest base backup {id} does not reach now: {why}"
    elif now.archived is None:
        yield "what the server archived last is not known"
    elif newest.last + BEHIND_SEGMENTS < now.archived.number:
        behind = now.archived.number - newest.last
        yield f"its newest base backup {id} does not reach now: the {role} copy is {behind} segments behind"
