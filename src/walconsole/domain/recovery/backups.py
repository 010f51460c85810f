"""A base backup as its writer describes it, whoever that is."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from math import floor

from walconsole.domain.records import record
from walconsole.domain.wal import Segment


class Writer(StrEnum):
    """What made it. A LABEL is PostgreSQL's own `.backup` file, which says that one was made, not where."""

    OURS = "walconsole"
    PGBACKREST = "pgBackRest"
    BARMAN = "Barman"
    WAL_G = "WAL-G"
    PGHOARD = "pghoard"
    LABEL = ".backup label"


class Completeness(StrEnum):
    """Whether all of it is there. UNKNOWN promises nothing."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "not known"


@record
class BackupObject:
    """An object that a backup consists of: its name below the backup's folder, and its size."""

    name: str
    stored_bytes: int


@record
class BaseBackup:
    """One base backup in one copy. None stands for what its writer does not say.

    `place` is the folder of the writer's backups, relative to the profile's prefix; with `writer` and `id`
    it names the backup. Replay begins at `start_lsn` on `timeline` and may end at `stop_lsn` (on
    `stop_timeline`) at the earliest. Times are seconds since the epoch by the writer's clock. `parent` is
    the id of the backup that an incremental one builds upon. `why` says what `completeness` follows from,
    where it is not COMPLETE. `verified`: what was stored was read back and found right. `objects` are those
    that must be there, as far as the writer names them, `keys` what lies in its folder, relative to the
    profile's prefix. `server_version_num` may be of the major version alone (150000). `encryption` is empty
    where there is none. `expiring`: retention has begun to take it away, and this is the timeline and the
    position at which its replay began.
    """

    writer: Writer
    id: str
    place: str = ""
    timeline: int | None = None
    start_lsn: int | None = None
    stop_lsn: int | None = None
    stop_timeline: int | None = None
    system_identifier: int | None = None
    server_version_num: int | None = None
    segment_bytes: int | None = None
    checkpoint_lsn: int | None = None
    started: float | None = None
    stopped: float | None = None
    stored_bytes: int | None = None
    unpacked_bytes: int | None = None
    parent: str | None = None
    from_standby: bool | None = None
    label: str = ""
    completeness: Completeness = Completeness.UNKNOWN
    why: str = ""
    verified: bool | None = None
    encryption: str = ""
    objects: tuple[BackupObject, ...] = ()
    keys: tuple[str, ...] = ()
    expiring: tuple[int, int] | None = None

    @property
    def name(self) -> tuple[Writer, str, str]:
        """What names it, in every copy."""
        return self.writer, self.place, self.id

    @property
    def is_incremental(self) -> bool:
        """Whether it needs another backup."""
        return self.parent is not None

    @property
    def surely_stopped(self) -> float | None:
        """By when it had stopped for sure: writers cut the second in which it did."""
        whole = self.stopped is not None and self.stopped == floor(self.stopped)
        return self.stopped + 1.0 if self.stopped is not None and whole else self.stopped

    def first_segment(self, segment_bytes: int) -> Segment | None:
        """Where replay begins; None where the writer does not say."""
        if self.start_lsn is None or self.timeline is None:
            return None
        return Segment.at(self.timeline, self.start_lsn, segment_bytes)

    def last_segment(self, segment_bytes: int) -> Segment | None:
        """The last segment without which the backup is not consistent; None where that is not known."""
        timeline = self.stop_timeline if self.stop_timeline is not None else self.timeline
        if self.stop_lsn is None or timeline is None:
            return None
        return Segment.ending_at(timeline, self.stop_lsn, segment_bytes)


@record
class Unreadable:
    """A backup's description that says nothing: `key` is where it lies, `why` what is wrong with it.

    `sealed`: nothing is, its writer encrypts it, and these are the names of the backups that lie beside it.
    """

    key: str
    why: str
    sealed: tuple[str, ...] | None = None


def against_listing(backup: BaseBackup, sizes: Mapping[str, int]) -> BaseBackup:
    """The backup as far as its objects are there: `sizes` in bytes by their names below its folder.

    One that its writer calls complete is not, where an object is missing or has another size.
    """
    if backup.completeness is not Completeness.COMPLETE:
        return backup
    for needed in backup.objects:
        size = sizes.get(needed.name)
        if size is None:
            return _incomplete(backup, f"{needed.name} is missing")
        if size != needed.stored_bytes:
            return _incomplete(
                backup, f"{needed.name} has {size:,} bytes, and {needed.stored_bytes:,} were stored"
            )
    return backup


def _incomplete(backup: BaseBackup, why: str) -> BaseBackup:
    return replace(backup, completeness=Completeness.INCOMPLETE, why=why, verified=False)
