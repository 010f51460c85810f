"""Which base backups and which WAL retention may take, each copy judged apart, and why it may not.

The rules are unions: what any of them keeps stays. Only backups of our own script go, and leftovers of it:
other tools expire their own. Nothing is planned for a copy about which anything is in doubt, nothing for DR
where nothing is for the primary, and DR keeps at least what the primary keeps. WAL goes below the lowest
segment that any backup that stays in either copy begins in, on every timeline: a replay never reads below its
start. No .history and no .partial ever goes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.doubts import Lock, Now, doubts, expired_before, made_at
from walconsole.domain.recovery.held import (
    Cluster,
    Fitness,
    HeldBackup,
    held_backups,
    is_label_of,
    start_of,
)
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.ours import FOLDER, MARKER, expiring_from
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.units import plural
from walconsole.domain.wal import Segment

__all__ = [
    "BackupDeletion",
    "CopyExpiry",
    "ExpiryPlan",
    "Keep",
    "Lock",
    "Now",
    "WalDeletion",
    "after_expiry",
    "expiry_plan",
    "newest_complete",
]

DAY_S = 86_400.0
LEFTOVER_S = 2 * DAY_S
"""A backup that was not finished by then is running no more."""
LABEL_DAYS = 30.0
"""So long a .backup label of a backup that lies elsewhere holds WAL back, where no days are asked for."""


@record
class BackupDeletion:
    """One backup's keys, relative to the profile's prefix, in the order in which they are deleted.

    The marker goes first: from then on nobody takes it for a backup. `why` says which rule let it go.
    `begun` is the timeline and the position at which its replay began, None where that is not known.
    """

    id: str
    keys: tuple[str, ...]
    stored_bytes: int | None
    why: str
    begun: tuple[int, int] | None = None


@record
class WalDeletion:
    """Stored segments from `first` to `last` (names of one timeline), all of them there."""

    first: str
    last: str
    segments: int


@record
class CopyExpiry:
    """One copy's part: backups, then WAL, then the `.backup` labels (keys) of those backups.

    WAL goes below the segment of number `below`. `begun` are timeline and position of the starts of all
    backups that go, in this copy or the other. With `refused` nothing goes, and that is why. `kept` says of
    each backup that stays by which rule.
    """

    role: BucketRole
    refused: tuple[str, ...] = ()
    backups: tuple[BackupDeletion, ...] = ()
    wal: tuple[WalDeletion, ...] = ()
    labels: tuple[str, ...] = ()
    below: int = 0
    begun: frozenset[tuple[int, int]] = frozenset()
    kept: Mapping[str, str] | None = None

    @property
    def segments(self) -> int:
        """How many segments go."""
        return sum(each.segments for each in self.wal)


@dataclass(frozen=True)
class ExpiryPlan:
    """What goes, copy after copy in this order, and what can be restored before and after."""

    copies: tuple[CopyExpiry, ...]
    before: Recoverability
    after: Recoverability

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return not any(each.backups or each.wal or each.labels for each in self.copies)


def expiry_plan(
    copies: Sequence[ArchiveCopy],
    cluster: Cluster,
    keep: Keep,
    now: Now,
    drilled: Collection[str] = (),
) -> ExpiryPlan:
    """The plan for these copies, the primary first. `drilled` are ids of backups that passed a drill.

    Raises ValueError without any copy.
    """
    ordered = sorted(copies, key=lambda copy: copy.role is BucketRole.DR)
    before = recoverability(ordered, cluster)
    rules = {copy.role: _Rules(copy, cluster, keep, now, drilled) for copy in ordered}
    kept = {role: each.kept() for role, each in rules.items()}
    if BucketRole.PRIMARY in kept and BucketRole.DR in kept:
        kept[BucketRole.DR] = {**kept[BucketRole.PRIMARY], **kept[BucketRole.DR]}
    going = {copy.role: _going(copy, kept[copy.role], rules[copy.role].fit, now) for copy in ordered}
    refused = {
        copy.role: doubts(copy, cluster, now) or _too_much(copy, going[copy.role], keep) for copy in ordered
    }
    if refused.get(BucketRole.PRIMARY) and refused.get(BucketRole.DR) == ():
        refused[BucketRole.DR] = ("nothing goes in the primary, and DR keeps at least as much",)
    going = {role: {} if refused[role] else names for role, names in going.items()}
    _spare_parents(ordered, cluster, going, kept)
    floor = _floor(ordered, going, keep, now)
    begun = _begun(ordered, going)
    parts = tuple(
        _part(copy, refused[copy.role], going[copy.role], begun, floor, kept[copy.role], cluster)
        for copy in ordered
    )
    after = [after_expiry(copy, part, cluster) for copy, part in zip(ordered, parts, strict=True)]
    return ExpiryPlan(parts, before, recoverability(after, cluster, before.target))


def after_expiry(copy: ArchiveCopy, part: CopyExpiry, cluster: Cluster) -> ArchiveCopy:
    """The copy as it is when its part of a plan was carried out."""
    gone = {each.id for each in part.backups}
    timelines = {timeline: runs.copy() for timeline, runs in copy.timelines.items()}
    for each in part.wal:
        first, last = (Segment.parse(name, cluster.segment_bytes) for name in (each.first, each.last))
        taken = Runs()
        taken.add(first.number, last.number)
        timelines[first.timeline] = timelines[first.timeline].minus(taken)
    labels = set(part.labels)
    backups = tuple(
        each
        for each in copy.backups
        if not (each.writer is Writer.OURS and each.id in gone) and not labels.issuperset(each.keys or ("",))
    )
    return replace(copy, timelines=timelines, backups=backups)


def newest_complete(copy: ArchiveCopy) -> BaseBackup | None:
    """The newest of ours that is complete in this copy; None where there is none."""
    complete = _complete(copy)
    return complete[-1] if complete else None


def _too_much(copy: ArchiveCopy, going: Mapping[str, str], keep: Keep) -> tuple[str, ...]:
    """Why it is asked about, where more of the copy's backups would go than may at once."""
    complete = _complete(copy)
    share = sum(each.id in going for each in complete) / len(complete) if complete else 0.0
    if share <= keep.most_share:
        return ()
    return (
        f"{share:.0%} of its complete backups would go at once, and at most {keep.most_share:.0%} may: "
        "look at the plan, and raise the share for once if it is meant",
    )


def _complete(copy: ArchiveCopy) -> list[BaseBackup]:
    """Ours, complete in this copy, by their ends."""
    complete = (
        each
        for each in copy.backups
        if each.writer is Writer.OURS and each.completeness is Completeness.COMPLETE
    )
    return sorted(complete, key=lambda each: (each.stop_lsn or 0, each.id))


class _Rules:
    """Which of one copy's backups stay, and by which rule."""

    def __init__(
        self, copy: ArchiveCopy, cluster: Cluster, keep: Keep, now: Now, drilled: Collection[str]
    ) -> None:
        self._keep, self._now, self._drilled = keep, now, drilled
        fitness = Fitness(held_backups([copy]), cluster)
        fit = {each.backup.id for each in fitness.fit if each.backup.writer is Writer.OURS}
        self._ours = [each for each in copy.backups if each.writer is Writer.OURS]
        self._fit = [each for each in _complete(copy) if each.id in fit]
        self.fit = frozenset(each.id for each in self._fit)

    def kept(self) -> dict[str, str]:
        """The rule by the id of each that stays. Either rule keeps the newest of all."""
        return {
            **self._newest_full(),
            **self._recent(),
            **self._pinned(),
            **self._last([each for each in self._fit if each.id in self._drilled], "the newest drilled"),
        }

    def _pinned(self) -> dict[str, str]:
        """Also where this copy alone cannot restore it: what it builds upon may be in the other."""
        return {each.id: "pinned" for each in self._ours if each.id in self._keep.pins}

    @staticmethod
    def _last(backups: Sequence[BaseBackup], rule: str) -> dict[str, str]:
        return {backups[-1].id: rule} if backups else {}

    def _newest_full(self) -> dict[str, str]:
        """The newest full ones, and what came after the oldest of them."""
        count = self._keep.full
        full = [each for each in self._fit if not each.is_incremental]
        if count is None or not full:
            return {}
        oldest = full[-count:][0]
        since = self._fit.index(oldest)
        return {each.id: f"of the newest {plural(count, 'full backup')}" for each in self._fit[since:]}

    def _recent(self) -> dict[str, str]:
        """Those of the last days, and the newest before: without it the first of these days is lost."""
        if self._keep.days is None:
            return {}
        since = self._now.at - self._keep.days * DAY_S
        older = [each for each in self._fit if each.stopped is not None and each.stopped < since]
        days = f"{self._keep.days:g} d"
        recent = {each.id: f"of the last {days}" for each in self._fit if each not in older}
        return {**self._last(older, f"the newest before the last {days}"), **recent}


def _going(copy: ArchiveCopy, kept: Mapping[str, str], fit: Collection[str], now: Now) -> dict[str, str]:
    """Ids of our own backups that no rule keeps, and why they go; `fit` are those that could be restored."""
    oldest_kept = min(
        (each.started for each in copy.backups if each.id in kept and each.started is not None),
        default=None,
    )
    going: dict[str, str] = {}
    for each in copy.backups:
        if each.writer is not Writer.OURS or each.id in kept or each.place != FOLDER:
            continue
        if each.id in fit:
            going[each.id] = "no rule keeps it"
        elif each.completeness is not Completeness.UNKNOWN and _is_leftover(each, oldest_kept, now):
            going[each.id] = f"a leftover: {each.why or 'it cannot be restored'}"
    return going


def _is_leftover(backup: BaseBackup, oldest_kept: float | None, now: Now) -> bool:
    """Without a marker it was never finished. Of one that has it, a hand may make something.

    What retention itself left goes at once.
    """
    if backup.expiring is not None:
        return True
    begun = made_at(backup.id)
    if begun is None or begun > now.at - LEFTOVER_S:
        return False
    marked = any(key.endswith(f"/{MARKER}") for key in backup.keys) or backup.start_lsn is not None
    return not marked or (oldest_kept is not None and begun < oldest_kept)


def _spare_parents(
    copies: Sequence[ArchiveCopy],
    cluster: Cluster,
    going: Mapping[BucketRole, dict[str, str]],
    kept: Mapping[BucketRole, dict[str, str]],
) -> None:
    """What a backup that stays in either copy builds upon stays in both."""
    held = held_backups(copies)
    fitness = Fitness(held, cluster)
    for each in held:
        if each.backup.writer is Writer.OURS and _stays(each, going):
            for parent in fitness.chain(each)[:-1]:
                for role in parent.listed_in:
                    if going[role].pop(parent.backup.id, None):
                        kept[role].setdefault(parent.backup.id, f"{each.backup.id} builds upon it")


def _stays(held: HeldBackup, going: Mapping[BucketRole, Mapping[str, str]]) -> bool:
    return any(held.backup.id not in going[role] for role in held.complete_in)


def _floor(
    copies: Sequence[ArchiveCopy], going: Mapping[BucketRole, Mapping[str, str]], keep: Keep, now: Now
) -> int | None:
    """The lowest position at which anything that stays begins; None: something's start is not known."""
    starts: list[int] = []
    labels: list[tuple[ArchiveCopy, BaseBackup]] = []
    known = {begun for copy in copies for each in copy.backups if (begun := start_of(each)) is not None}
    for copy in copies:
        for each in copy.backups:
            if each.writer is Writer.LABEL:
                labels.append((copy, each))
                continue
            if (each.writer is Writer.OURS and each.id in going[copy.role]) or _needs_no_wal(each):
                continue
            if each.start_lsn is None:
                return None
            starts.append(each.start_lsn)
    young = now.at - (keep.days or LABEL_DAYS) * DAY_S
    for copy, each in labels:
        start = each.start_lsn
        if start is None:
            return None
        if not is_label_of(each, known) and not expired_before(copy, each, young):
            starts.append(start)
    return min(starts, default=None)


def _needs_no_wal(backup: BaseBackup) -> bool:
    return backup.completeness is Completeness.INCOMPLETE


def _part(
    copy: ArchiveCopy,
    refused: tuple[str, ...],
    going: Mapping[str, str],
    begun: Collection[tuple[int, int]],
    floor: int | None,
    kept: Mapping[str, str],
    cluster: Cluster,
) -> CopyExpiry:
    if refused:
        return CopyExpiry(copy.role, refused, kept=kept)
    gone = sorted(
        (each for each in copy.backups if each.writer is Writer.OURS and each.id in going),
        key=lambda each: (each.start_lsn or 0, each.id),
        reverse=True,
    )
    below = 0 if floor is None else floor // cluster.segment_bytes
    return CopyExpiry(
        copy.role,
        backups=tuple(_deletion(each, going[each.id]) for each in gone),
        wal=tuple(_wal_below(copy.timelines, below, cluster.segment_bytes)),
        labels=tuple(_labels_of(copy, begun, below, cluster.segment_bytes)),
        below=below,
        begun=frozenset(begun),
        kept=kept,
    )


def _deletion(backup: BaseBackup, why: str) -> BackupDeletion:
    """What says that it is being taken away goes last: see `ours.expiring_name`."""

    def turn(key: str) -> tuple[bool, bool, str]:
        name = key.rpartition("/")[2]
        return name != MARKER, expiring_from(name) is not None, key

    keys = tuple(sorted(backup.keys, key=turn))
    return BackupDeletion(backup.id, keys, backup.stored_bytes, why, begun=start_of(backup))


def _wal_below(timelines: Mapping[int, Runs], below: int, segment_bytes: int) -> Iterable[WalDeletion]:
    for timeline, runs in sorted(timelines.items()):
        for first, last in runs:
            if first >= below:
                break
            last = min(last, below - 1)
            lowest, highest = Segment(timeline, first), Segment(timeline, last)
            yield WalDeletion(lowest.name(segment_bytes), highest.name(segment_bytes), last - first + 1)


def _begun(
    copies: Iterable[ArchiveCopy], going: Mapping[BucketRole, Mapping[str, str]]
) -> frozenset[tuple[int, int]]:
    """Where those began that go in any copy: their labels go in all, for one copy may have lost a backup."""
    starts = (
        start_of(each)
        for copy in copies
        for each in copy.backups
        if each.writer is Writer.OURS and each.id in going[copy.role]
    )
    return frozenset(start for start in starts if start is not None)


def _labels_of(
    copy: ArchiveCopy, begun: Collection[tuple[int, int]], below: int, segment_bytes: int
) -> Iterable[str]:
    """The labels of the backups that go, where their WAL goes too."""
    segments = {(timeline, lsn // segment_bytes) for timeline, lsn in begun}
    for each in copy.backups:
        if each.writer is not Writer.LABEL or each.start_lsn is None:
            continue
        number = each.start_lsn // segment_bytes
        if number < below and (each.timeline, number) in segments:
            yield from each.keys
