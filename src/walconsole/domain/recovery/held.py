"""The base backups of all copies, each once, and what makes one of no use whatever the WAL."""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.units import bytes_text


class StopKind(StrEnum):
    """What keeps a restore from going on, or from beginning."""

    SEGMENT_MISSING = "segment missing"
    SEGMENT_DAMAGED = "segment damaged"
    HISTORY_MISSING = "history missing"
    HISTORY_UNREAD = "history not read"
    OTHER_BRANCH = "on another branch"
    INCOMPLETE = "backup incomplete"
    NOT_KNOWN = "not known to be complete"
    PARENT_MISSING = "parent missing"
    OTHER_SYSTEM = "another cluster's"
    OTHER_VERSION = "another major version's"
    OTHER_SEGMENT_SIZE = "another segment size"


@record
class Stop:
    """Why, in words that follow the backup's or the segment's name. `first` and `last` are missing names.

    `segments` counts them; `at` is when the last one before them was stored (seconds since the epoch).
    """

    kind: StopKind
    text: str
    first: str = ""
    last: str = ""
    segments: int = 0
    at: float | None = None


@record
class Cluster:
    """What base backups must fit. None: not known, and then not asked for.

    `system_identifier` is without a sign, from 1 to 2**64 - 1. `timeline` is the one that the server writes,
    `lsn` how far it has written.
    """

    segment_bytes: int
    system_identifier: int | None = None
    server_version_num: int | None = None
    timeline: int | None = None
    lsn: int | None = None


@record
class HeldBackup:
    """One backup over all copies: `complete_in` and `listed_in` say in which it is."""

    backup: BaseBackup
    complete_in: tuple[BucketRole, ...]
    listed_in: tuple[BucketRole, ...]


def held_backups(copies: Sequence[ArchiveCopy]) -> tuple[HeldBackup, ...]:
    """Each backup once, by its place and id; of one name with different positions each stands for itself.

    What is in a copy without positions (it was not finished there) is the same backup as in the other. A
    label that one of them left is none of its own.
    """
    starts = {start for copy in copies for each in copy.backups if (start := start_of(each)) is not None}
    by_name: dict[tuple[Writer, str, str], list[tuple[BucketRole, BaseBackup]]] = {}
    for copy in copies:
        for backup in copy.backups:
            if not is_label_of(backup, starts):
                by_name.setdefault(backup.name, []).append((copy.role, backup))
    return tuple(held for name in sorted(by_name) for held in _merged(by_name[name]))


def start_of(backup: BaseBackup) -> tuple[int, int] | None:
    """Timeline and position of its start; None where that is not known, and of a label."""
    if backup.expiring is not None:
        return backup.expiring
    if backup.writer is Writer.LABEL or backup.timeline is None or backup.start_lsn is None:
        return None
    return backup.timeline, backup.start_lsn


def is_label_of(backup: BaseBackup, starts: Collection[tuple[int, int]]) -> bool:
    """Whether it is a label that one of the backups with these `starts` left.

    Of one that was not read its name alone tells the segment, and with it `segment_bytes`.
    """
    start, size = backup.start_lsn, backup.segment_bytes
    if backup.writer is not Writer.LABEL or start is None:
        return False
    if (backup.timeline, start) in starts:
        return True
    return size is not None and any(
        timeline == backup.timeline and lsn // size == start // size for timeline, lsn in starts
    )


def _merged(found: Sequence[tuple[BucketRole, BaseBackup]]) -> Iterable[HeldBackup]:
    by_positions: dict[tuple[int | None, ...], list[tuple[BucketRole, BaseBackup]]] = {}
    for role, backup in found:
        if backup.start_lsn is not None:
            positions = (backup.start_lsn, backup.stop_lsn, backup.timeline, backup.system_identifier)
            by_positions.setdefault(positions, []).append((role, backup))
    without = [each for each in found if each[1].start_lsn is None]
    groups = list(by_positions.values()) or [[]]
    groups[0] += without
    for group in groups:
        complete = [each for each in group if each[1].completeness is Completeness.COMPLETE]
        best = max(complete or group, key=lambda each: (each[1].verified or False, each[1].why == ""))
        yield HeldBackup(
            best[1],
            tuple(role for role, _ in complete),
            tuple(dict.fromkeys(role for role, _ in group)),
        )


class Fitness:
    """Whether backups can be unpacked and started at all, incremental ones with all that they build upon.

    `fit` are those with which nothing is wrong.
    """

    def __init__(self, held: Iterable[HeldBackup], cluster: Cluster) -> None:
        self._cluster = cluster
        every = tuple(held)
        self._complete = {
            each.backup.name: each
            for each in every
            if each.complete_in and _alone(each.backup, cluster) is None
        }
        self.fit = tuple(each for each in every if self.stop(each) is None)

    def stop(self, held: HeldBackup) -> Stop | None:
        """What is wrong with it, None where nothing is."""
        return _alone(held.backup, self._cluster) or self._parents_stop(held)

    def chain(self, held: HeldBackup) -> tuple[HeldBackup, ...]:
        """The full backup, then each incremental one up to it; fewer where one is missing."""
        chain = [held]
        while (parent := self._parent(chain[-1])) is not None and parent not in chain:
            chain.append(parent)
        return tuple(reversed(chain))

    def _parent(self, held: HeldBackup) -> HeldBackup | None:
        backup = held.backup
        return self._complete.get((backup.writer, backup.place, backup.parent)) if backup.parent else None

    def _parents_stop(self, held: HeldBackup) -> Stop | None:
        chain = self.chain(held)
        parent = chain[0].backup.parent
        if parent is None:
            return None
        return Stop(StopKind.PARENT_MISSING, f"it builds upon {parent}, which is missing or of no use")


def _alone(backup: BaseBackup, cluster: Cluster) -> Stop | None:
    if backup.completeness is Completeness.INCOMPLETE:
        return Stop(StopKind.INCOMPLETE, f"it is incomplete: {backup.why}")
    if backup.completeness is Completeness.UNKNOWN:
        return Stop(StopKind.NOT_KNOWN, f"it is not known to be complete: {backup.why}")
    if None in (backup.start_lsn, backup.stop_lsn, backup.timeline):
        return Stop(StopKind.NOT_KNOWN, "which WAL it needs is not known")
    return _foreign(backup, cluster)


def _foreign(backup: BaseBackup, cluster: Cluster) -> Stop | None:
    theirs, ours = backup.system_identifier, cluster.system_identifier
    if None not in (theirs, ours) and theirs != ours:
        return Stop(
            StopKind.OTHER_SYSTEM, f"it is another cluster's: its system identifier is {theirs}, not {ours}"
        )
    made_by, server = backup.server_version_num, cluster.server_version_num
    if made_by is not None and server is not None and _major(made_by) != _major(server):
        return Stop(
            StopKind.OTHER_VERSION,
            f"it is PostgreSQL {_major(made_by)}'s, and the server is {_major(server)}",
        )
    size = backup.segment_bytes
    if size is not None and size != cluster.segment_bytes:
        return Stop(
            StopKind.OTHER_SEGMENT_SIZE,
            f"its WAL has segments of {bytes_text(size)}, the archive's {bytes_text(cluster.segment_bytes)}",
        )
    return None


def _major(version_num: int) -> str:
    """`15`, `9.6`."""
    major = version_num // 10_000
    return str(major) if major >= 10 else f"{major}.{version_num // 100 % 100}"
