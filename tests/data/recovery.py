"""Archives with base backups as plain sets, for the tests of what can be restored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.wal_supply import ArchiveCopy

MIB = 1024 * 1024
SIZE = 16 * MIB
SYSTEM = 7713494323926734301
NOW = 1_795_937_850.0
"""2026-11-29 07:37:30Z."""
DAY_S = 86_400.0
CLUSTER = Cluster(SIZE, SYSTEM, 150018, 1)
Numbers = Iterable[int]


def runs_of(numbers: Numbers) -> Runs:
    """Those numbers as runs."""
    runs = Runs()
    for number in numbers:
        runs.add(number, number)
    return runs


def backup_id(day: float) -> str:
    """An id of ours, `day` days before NOW."""
    return datetime.fromtimestamp(NOW - day * DAY_S, UTC).strftime("%Y%m%dT%H%M%SZ")


def base(
    first: int,
    last: int | None = None,
    *,
    id: str = "",
    timeline: int = 1,
    stop_timeline: int | None = None,
    day: float = 1.0,
    parent: str | None = None,
    size: int = SIZE,
    **more: object,
) -> BaseBackup:
    """A verified backup of ours from within segment `first` to within `last`, made `day` days before NOW."""
    named = id or backup_id(day)
    last = first if last is None else last
    made = BaseBackup(
        Writer.OURS,
        named,
        "base/",
        timeline=timeline,
        start_lsn=first * size + 40,
        stop_lsn=last * size + 312,
        stop_timeline=timeline if stop_timeline is None else stop_timeline,
        system_identifier=SYSTEM,
        server_version_num=150018,
        segment_bytes=size,
        started=NOW - day * DAY_S,
        stopped=NOW - day * DAY_S + 60.0,
        stored_bytes=1000,
        parent=parent,
        completeness=Completeness.COMPLETE,
        verified=True,
        keys=tuple(f"base/{named}/{name}" for name in ("backup.json", "backup_manifest", "base.tar.zst")),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def label(first: int, timeline: int = 1, **more: object) -> BaseBackup:
    """The `.backup` label of a base backup that began there, whose content was read."""
    made = BaseBackup(
        Writer.LABEL,
        f"label-{timeline}-{first}",
        timeline=timeline,
        start_lsn=first * SIZE + 40,
        stop_lsn=first * SIZE + 312,
        why="a .backup label says that it was made, not where it is",
        keys=(f"label-{timeline}-{first}",),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def history(timeline: int, *switches: tuple[int, int]) -> TimelineHistory:
    """Each ancestor was left at that LSN."""
    return TimelineHistory(timeline, tuple(Switch(parent, lsn) for parent, lsn in switches))


def copy_of(
    stored: Mapping[int, Numbers],
    *backups: BaseBackup,
    role: BucketRole = BucketRole.PRIMARY,
    histories: Iterable[TimelineHistory] = (),
    known: Iterable[int] = (),
    damaged: Mapping[int, Numbers] | None = None,
    times: Mapping[int, float] | None = None,
    **more: object,
) -> ArchiveCopy:
    """A copy with those segments (numbers by timeline); `times` by number, on timeline 1."""
    stored_times = StoredTimes()
    for number, at in (times or {}).items():
        stored_times.note(1, number, at)
    read = {each.timeline: each for each in histories}
    made = ArchiveCopy(
        role,
        {timeline: runs_of(numbers) for timeline, numbers in stored.items()},
        backups,
        read,
        {*known, *read},
        stored_times,
        {timeline: runs_of(numbers) for timeline, numbers in (damaged or {}).items()},
        system_identifier=SYSTEM,
        clock_offset_s=0.0,
    )
    return replace(made, **more)  # type: ignore[arg-type]


# -- The model: a server that is restored, segment by segment, over plain sets.


@dataclass
class PlainCopy:
    """What one bucket holds, as the model sees it."""

    segments: set[tuple[int, int]] = field(default_factory=set)
    histories: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    backups: dict[str, BaseBackup] = field(default_factory=dict)

    @classmethod
    def of(cls, copy: ArchiveCopy) -> "PlainCopy":
        """The same as an ArchiveCopy, damaged segments left out."""
        segments = {
            (timeline, number)
            for timeline, runs in copy.timelines.items()
            for first, last in runs
            for number in range(first, last + 1)
            if number not in copy.damaged.get(timeline, ())
        }
        histories = {
            timeline: [(switch.parent, switch.lsn) for switch in read.switches]
            for timeline, read in copy.histories.items()
        }
        backups = {
            each.id: each
            for each in copy.backups
            if each.completeness is Completeness.COMPLETE and each.writer is Writer.OURS
        }
        return cls(segments, histories, backups)


def replayed(
    copies: Iterable[PlainCopy], id: str, target: int, cluster: Cluster = CLUSTER
) -> tuple[int, int] | None:
    """The first and the last position to which a server restored from that backup can go; None: to none."""
    copies = list(copies)
    made = next((copy.backups[id] for copy in copies if id in copy.backups), None)
    if made is None or not _startable(copies, made, cluster, set()):
        return None
    switches = next((copy.histories[target] for copy in copies if target in copy.histories), None)
    if switches is None:
        if not made.timeline == made.stop_timeline == target:
            return None
        switches = []
    ends = [*switches, (target, 2**70)]
    begun = [0, *(lsn for _, lsn in switches)]
    for position, timeline in (
        (made.start_lsn, made.timeline),
        ((made.stop_lsn or 0) - 1, made.stop_timeline),
    ):
        if next(owner for owner, end in ends if (position or 0) < end) != timeline:
            return None
    number = (made.start_lsn or 0) // cluster.segment_bytes
    while True:
        wanted = [
            owner
            for (owner, _), begin in zip(ends, begun, strict=True)
            if begin // cluster.segment_bytes <= number
        ][-1]
        if not any((wanted, number) in copy.segments for copy in copies):
            break
        number += 1
    reached = number * cluster.segment_bytes
    return ((made.stop_lsn or 0), reached) if (made.stop_lsn or 0) <= reached else None


def _startable(copies: list[PlainCopy], made: BaseBackup, cluster: Cluster, seen: set[str]) -> bool:
    if made.system_identifier != cluster.system_identifier or made.segment_bytes != cluster.segment_bytes:
        return False
    if made.parent is None:
        return True
    parent = next((copy.backups[made.parent] for copy in copies if made.parent in copy.backups), None)
    if parent is None or made.id in seen:
        return False
    return _startable(copies, parent, cluster, {*seen, made.id})
