"""To which moments a restore can go: base backups, and the WAL of all copies that the restore command reads.

What a server does, from PostgreSQL's access/transam/xlogrecovery.c and timeline.c: replay begins in the
segment of the backup's start, takes each segment from the newest timeline of the target's ancestry that had
begun in it or before, is consistent at the backup's stop at the earliest, and ends at the first segment that
is nowhere. What an ancestor wrote after it was left is another branch. Where the child's segment is missing
in which its parent was left, a server goes on in the parent's, if that was archived, and onto that branch
(seen with PostgreSQL 15): nothing is promised there.

Times are bounds. A window begins when its first backup had stopped, by the writer's clock. It ends when its
last segment was stored, by the store's: what was committed after that is in a later segment, and what was
committed just before may be, too, where the archiver was behind; a restore to that moment may then end a
little earlier, at the last commit that was archived. Between samples times are interpolated (StoredTimes).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter

from walconsole.domain.archive.timelines import TimelineHistory, latest_timeline
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.held import Cluster, Fitness, HeldBackup, Stop, StopKind, held_backups
from walconsole.domain.recovery.wal_supply import ArchiveCopy, RestorePath, SegmentSources, WalSupply
from walconsole.domain.units import plural

TIMELINES_JUDGED = 64
"""The newest: each is a path of its own through the archive."""


@record
class BackupReach:
    """How far one backup can be replayed towards one timeline.

    Replay reads the segments (numbers) `first` to `last` and may end in `consistent` at the earliest; None:
    not that far, or `first` is not known. `stop` says what ends or prevents it, None: nothing does but the
    archive's own end.
    """

    held: HeldBackup
    first: int | None
    consistent: int | None
    last: int | None
    stop: Stop | None

    @property
    def usable(self) -> bool:
        """Whether a server restored from it can be opened at all."""
        return self.last is not None


@record
class Window:
    """A restore can go to any position from `since_lsn` to `until_lsn` (bytes of WAL), towards `timeline`.

    `since` and `until` are those in time, seconds since the epoch, None where nothing tells. `backups` are
    those that it can begin from, in the order of their stops: every moment needs the last that had stopped
    by then. `stop` is what ends it, None where it goes to the archive's end.
    """

    timeline: int
    since_lsn: int
    until_lsn: int
    since: float | None
    until: float | None
    backups: tuple[BackupReach, ...]
    stop: Stop | None


@record
class Route:
    """How one position is reached: the backups to unpack, the segments to replay, and whence they come."""

    timeline: int
    chain: tuple[HeldBackup, ...]
    first: str
    last: str
    sources: SegmentSources
    replay_bytes: int


@record
class TimelineReach:
    """Everything about restores towards one timeline: windows and backups oldest first.

    `newest` is the highest segment (number) on its path that any copy can give.
    """

    timeline: int
    windows: tuple[Window, ...]
    reaches: tuple[BackupReach, ...]
    newest: int | None


@record
class Lost:
    """What would be lost with the server now: bytes of WAL, and seconds, None where that is not known."""

    wal_bytes: int | None
    seconds: float | None


@dataclass(frozen=True)
class Recoverability:
    """What can be restored, from all copies together or from those that were given.

    `target` is the timeline that the server writes, else the latest; `latest` is the one on which
    recovery_target_timeline = 'latest' ends. `reach` has every timeline that was judged. `backups` are all,
    usable or not; `unreadable` descriptions may be of further ones. `listed`: nothing is still to be listed.
    """

    cluster: Cluster
    target: int
    latest: int
    reach: Mapping[int, TimelineReach]
    backups: tuple[HeldBackup, ...]
    unreadable: tuple[Unreadable, ...]
    listed: bool
    read: tuple[BucketRole, ...]
    _paths: Mapping[int, RestorePath] = field(repr=False, compare=False, default_factory=dict)
    _fitness: Fitness | None = field(repr=False, compare=False, default=None)

    @property
    def windows(self) -> tuple[Window, ...]:
        """Those of the target, oldest first."""
        return self.reach[self.target].windows

    @property
    def window(self) -> Window | None:
        """The newest of them."""
        return self.windows[-1] if self.windows else None

    @cached_property
    def newest_usable(self) -> BackupReach | None:
        """The newest backup from which the target can be reached, by its stop."""
        return self.window.backups[-1] if self.window is not None else None

    @property
    def reaches_newest(self) -> bool:
        """Whether a restore comes to the newest segment that is stored."""
        return self.window is not None and self.window.stop is None

    def lost(self, now: float, clock_offset_s: float = 0.0) -> Lost:
        """What would be lost now: from the window's end to what the server has written.

        `now` is the console's clock, `clock_offset_s` how far the store's is ahead of it.
        """
        window = self.window
        if window is None:
            return Lost(self.cluster.lsn, None)
        until = window.until
        behind = None if until is None else max(0.0, now + clock_offset_s - until)
        written = self.cluster.lsn
        return Lost(None if written is None else max(0, written - window.until_lsn), behind)

    def path(self, timeline: int | None = None) -> RestorePath | None:
        """What a restore towards `timeline` (None: the target) reads; None where that was not judged."""
        return self._paths.get(self.target if timeline is None else timeline)

    def route(self, lsn: int, timeline: int | None = None, backup: str = "") -> Route | None:
        """The way to that position towards `timeline` (None: the target); None where there is none.

        From the newest backup that had stopped before it, or from the one of the id `backup` alone.
        """
        timeline = self.target if timeline is None else timeline
        judged = self.reach.get(timeline)
        for window in judged.windows if judged is not None else ():
            if window.since_lsn <= lsn <= window.until_lsn:
                usable = [each for each in _named(window, backup) if (each.held.backup.stop_lsn or 0) <= lsn]
                return self._routed(timeline, usable[-1], lsn) if usable else None
        return None

    def route_at(self, moment: float, timeline: int | None = None, backup: str = "") -> Route | None:
        """The way to that moment (seconds since the epoch), from the newest backup that had stopped before,
        or from the one of the id `backup` alone.

        It reads all of that window's WAL at most: in which segment the moment lies is known after replay.
        None where no window is known to hold it.
        """
        timeline = self.target if timeline is None else timeline
        judged = self.reach.get(timeline)
        for window in reversed(judged.windows if judged is not None else ()):
            since, until = window.since, window.until
            if since is None or until is None or not since <= moment <= until:
                continue
            stopped = [each for each in _named(window, backup) if _stopped_by(each, moment)]
            if stopped:
                return self._routed(timeline, stopped[-1], window.until_lsn)
        return None

    def route_from(self, begun: BackupReach) -> Route | None:
        """All that this backup, one of the target's, can be replayed with; None where it is of no use."""
        if begun.last is None:
            return None
        return self._routed(self.target, begun, (begun.last + 1) * self.cluster.segment_bytes)

    def _routed(self, timeline: int, begun: BackupReach, lsn: int) -> Route:
        path, size = self._paths[timeline], self.cluster.segment_bytes
        first, consistent = begun.first or 0, begun.consistent or 0
        last = max(consistent, (lsn - 1) // size)
        chain = self._fitness.chain(begun.held) if self._fitness is not None else (begun.held,)
        return Route(
            timeline,
            chain,
            path.segment(first).name(size),
            path.segment(last).name(size),
            path.sources(first, last),
            max(0, lsn - (begun.held.backup.start_lsn or 0)),
        )


def _named(window: Window, backup: str) -> tuple[BackupReach, ...]:
    """Its backups; the one of that id, where one is named."""
    return tuple(each for each in window.backups if not backup or each.held.backup.id == backup)


def _stopped_by(reach: BackupReach, moment: float) -> bool:
    stopped = reach.held.backup.surely_stopped
    return stopped is not None and stopped <= moment


def recoverability(
    copies: Sequence[ArchiveCopy], cluster: Cluster, timeline: int | None = None
) -> Recoverability:
    """What these copies are worth to a restore towards `timeline`, else the server's, else the latest.

    With one copy alone it is what that one is worth without the other. Raises ValueError without any copy.
    """
    if not copies:
        raise ValueError("what can be restored is asked of at least one copy")
    held = held_backups(copies)
    histories, existing = _histories(copies)
    supply = WalSupply(copies)
    latest = latest_timeline(_oldest_timeline(held, supply), existing)
    target = timeline or cluster.timeline or latest
    fitness = Fitness(held, cluster)
    stops = {id(each): fitness.stop(each) for each in held}
    paths: dict[int, RestorePath] = {}
    reach: dict[int, TimelineReach] = {}
    for each in _judged_timelines(target, latest, held, supply, existing):
        paths[each] = RestorePath(each, histories.get(each), cluster.segment_bytes, supply)
        judge = _Judge(paths[each], supply, cluster, each in existing)
        reach[each] = judge.reach(held, stops)
    return Recoverability(
        cluster,
        target,
        latest,
        reach,
        held,
        tuple(unreadable for copy in copies for unreadable in copy.unreadable),
        all(copy.listed for copy in copies),
        tuple(copy.role for copy in copies if copy.read_by_restore),
        paths,
        fitness,
    )


def _histories(copies: Iterable[ArchiveCopy]) -> tuple[dict[int, TimelineHistory], set[int]]:
    """What a restore can read of them, and which exist; of two copies' contents the first counts."""
    histories: dict[int, TimelineHistory] = {}
    existing: set[int] = set()
    for copy in copies:
        if copy.read_by_restore:
            existing.update(copy.known_histories, copy.histories)
            histories = {**copy.histories, **histories}
    return histories, existing


def _oldest_timeline(held: Iterable[HeldBackup], supply: WalSupply) -> int:
    begun = [each.backup.timeline for each in held if each.complete_in and each.backup.timeline is not None]
    return min(begun or supply.timelines(), default=1)


def _judged_timelines(
    target: int, latest: int, held: Iterable[HeldBackup], supply: WalSupply, existing: Iterable[int]
) -> list[int]:
    begun = (each.backup.timeline for each in held if each.backup.timeline is not None)
    every = sorted({*begun, *supply.timelines(), *existing})
    return sorted({target, latest, *every[-TIMELINES_JUDGED:]})


class _Judge:
    """One timeline: what each backup reaches, and the windows that follow."""

    def __init__(self, path: RestorePath, supply: WalSupply, cluster: Cluster, known: bool) -> None:
        self._path, self._supply, self._size, self._known = path, supply, cluster.segment_bytes, known

    def reach(self, held: Iterable[HeldBackup], stops: Mapping[int, Stop | None]) -> TimelineReach:
        """From the highest start down, as the path wants to be asked."""
        downwards = sorted(held, key=lambda each: each.backup.start_lsn or 0, reverse=True)
        reaches = [self._backup_reach(each, stops[id(each)]) for each in downwards]
        reaches.sort(key=lambda each: (each.held.backup.stop_lsn or 0, each.held.backup.start_lsn or 0))
        return TimelineReach(self._path.target, self._windows(reaches), tuple(reaches), self._path.newest)

    def _backup_reach(self, held: HeldBackup, unfit: Stop | None) -> BackupReach:
        backup = held.backup
        start, stop, timeline = backup.start_lsn, backup.stop_lsn, backup.timeline
        first = None if start is None else start // self._size
        if unfit is not None or start is None or stop is None or timeline is None:
            return BackupReach(held, first, None, None, unfit)
        first, consistent = start // self._size, max(start, stop - 1) // self._size
        strayed = self._strayed(start, stop, timeline, backup.stop_timeline or timeline)
        if strayed is not None:
            return BackupReach(held, first, consistent, None, strayed)
        last = self._path.reach(first)
        hole = self._hole(first if last is None else last + 1)
        if last is None or last < consistent:
            return BackupReach(held, first, consistent, None, hole or self._not_archived(first, last))
        return BackupReach(held, first, consistent, last, hole)

    def _strayed(self, start: int, stop: int, timeline: int, stop_timeline: int) -> Stop | None:
        """Why this timeline does not descend from the backup, None where it does.

        A server that stays on the backup's own timeline asks for no history.
        """
        target = self._path.target
        if self._path.history is None and (timeline, stop_timeline) != (target, target):
            return self._without_history(timeline)
        begun, ended = self._path.timeline_at(start), self._path.timeline_at(max(start, stop - 1))
        if (begun, ended) == (timeline, stop_timeline):
            return None
        return Stop(
            StopKind.OTHER_BRANCH, f"timeline {target} does not descend from it, which is on {timeline}"
        )

    def _without_history(self, timeline: int) -> Stop:
        target = self._path.target
        name = f"{target:08X}.history"
        if target < timeline:
            return Stop(StopKind.OTHER_BRANCH, f"it is on timeline {timeline}, which is newer than {target}")
        if self._known:
            return Stop(StopKind.HISTORY_UNREAD, f"{name} was not read", first=name)
        return Stop(
            StopKind.HISTORY_MISSING,
            f"{name} is missing, without which timeline {timeline} does not lead to {target}",
            first=name,
        )

    def _hole(self, number: int) -> Stop | None:
        missing = self._path.hole_at(number)
        return None if missing is None else self._missing(*missing)

    def _not_archived(self, first: int, last: int | None) -> Stop:
        """Nothing comes after, and the backup needs more."""
        number = first if last is None else last + 1
        return self._missing(number, number)

    def _missing(self, first: int, last: int) -> Stop:
        segment = self._path.segment(first)
        name = segment.name(self._size)
        damaged = self._supply.damaged_in(segment)
        before = self._supply.stored_at(self._path.segment(first - 1)) if first > 1 else None
        if damaged:
            kind, text = StopKind.SEGMENT_DAMAGED, f"{name} is damaged in {_roles(damaged)}"
        else:
            kind, text = StopKind.SEGMENT_MISSING, f"{name} is missing{self._where()}"
        if last > first:
            text += f", with {plural(last - first, 'segment')} after it"
        astray = self._path.astray_at(first)
        if astray is not None:
            text += f"; a server would go on in {astray.name(self._size)}, and onto another branch"
        elsewhere = self._supply.unread_in(segment)
        if elsewhere:
            text += f"; {_roles(elsewhere)} has it, which the restore command does not read"
        last_name = self._path.segment(last).name(self._size)
        return Stop(kind, text, name, last_name, last - first + 1, before)

    def _where(self) -> str:
        read = [copy.role for copy in self._supply.copies if copy.read_by_restore]
        return " in both copies" if len(read) > 1 else f" in {_roles(read)}"

    def _windows(self, reaches: Iterable[BackupReach]) -> tuple[Window, ...]:
        """One for each unbroken run with a backup in it: all that begin in a run reach its end."""
        by_end: dict[int, list[BackupReach]] = {}
        for reach in reaches:
            if reach.last is not None:
                by_end.setdefault(reach.last, []).append(reach)
        return tuple(self._window(last, by_end[last]) for last in sorted(by_end))

    def _window(self, last: int, backups: list[BackupReach]) -> Window:
        first = backups[0]
        since = first.held.backup.stopped
        if since is None and first.consistent is not None:
            since = self._supply.stored_at(self._path.segment(first.consistent))
        return Window(
            self._path.target,
            first.held.backup.stop_lsn or 0,
            (last + 1) * self._size,
            since,
            self._supply.stored_at(self._path.segment(last)),
            tuple(backups),
            first.stop,
        )


def _roles(roles: Iterable[BucketRole]) -> str:
    return " and ".join(map(_role, sorted(roles, key=attrgetter("value"), reverse=True))) or "no copy"


def _role(role: BucketRole) -> str:
    return "DR" if role is BucketRole.DR else "the primary"
