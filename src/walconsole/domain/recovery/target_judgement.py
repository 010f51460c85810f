"""A target of recovery, judged before anything is restored: the way to it, what refuses it, what it risks.

What a server does, from PostgreSQL's access/transam/xlogrecovery.c and timeline.c, and seen with 15:
- a target before the backup's end is refused ("requested recovery stop point is before consistent recovery
  point") only where a transaction ended between them; where none did, the server opens at a later state;
- a target that no WAL reaches ends the server ("recovery ended before configured recovery target was
  reached"), even where the time lies within the archive and nothing was committed after it;
- without a target a server opens at the first segment that is nowhere, without an error;
- a timeline that does not descend from the backup's is refused ("requested timeline is not a child").
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from walconsole.domain.recovery.held import Stop, StopKind
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget
from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Route, Window
from walconsole.domain.units import bytes_text, duration_text, plural
from walconsole.domain.wal import format_lsn


class Trap(StrEnum):
    """What is in the way: the id of the page that explains it (`walconsole explain ID`)."""

    BEFORE_CONSISTENCY = "target-before-consistency"
    AFTER_ARCHIVE = "target-after-archive"
    AFTER_LAST_COMMIT = "target-after-last-commit"
    NOT_PLACED = "target-not-placed"
    NOT_A_CHILD = "timeline-not-a-child"
    NO_HISTORY = "history-missing"
    SILENT_HOLE = "recovery-opens-at-hole"
    TABLESPACES = "recovery-tablespaces"
    NO_BACKUP = "no-base-backup"
    BACKUP_BROKEN = "backup-broken"
    WAL_GONE = "wal-before-backup-gone"


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that is in the way of a target, or risked by it, with its numbers, and what to do instead."""

    trap: Trap
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TargetKnown:
    """What is known of a target and the cluster besides the archive. None: not known.

    `lsn` is the target's place in the WAL (bytes), which a found moment tells of a transaction or a restore
    point. `last_commit` is when the last transaction that the archive holds was committed (seconds since the
    epoch), where the WAL was read up to its end. `more_wal`: the old server's pg_wal may be had, which goes
    on after the archive's end. `tablespaces` counts the cluster's own.
    """

    lsn: int | None = None
    last_commit: float | None = None
    more_wal: bool = False
    tablespaces: int | None = None


@dataclass(frozen=True, slots=True)
class TargetJudgement:
    """`route` is the way to the target, towards `timeline`; None where there is none.

    `lost_s` and `lost_bytes` are from the target to the end of what is archived on its timeline, None where
    that is not known. With `refusals` it is not to be tried at all.
    """

    target: RecoveryTarget
    timeline: int
    route: Route | None
    refusals: tuple[Objection, ...]
    warnings: tuple[Objection, ...] = ()
    lost_s: float | None = None
    lost_bytes: int | None = None

    @property
    def possible(self) -> bool:
        """Whether it may be tried."""
        return not self.refusals and self.route is not None


def judged_target(
    target: RecoveryTarget, found: Recoverability, known: TargetKnown | None = None
) -> TargetJudgement:
    """What comes of recovering to `target`; one without a timeline is on the server's."""
    known = known or TargetKnown()
    timeline = target.timeline or found.target
    reach = found.reach.get(timeline)
    windows = reach.windows if reach is not None else ()
    if not windows:
        refused = _no_way(found, timeline, reach.reaches if reach is not None else ())
        return TargetJudgement(target, timeline, None, (refused,))
    target = replace(target, timeline=timeline)
    if target.to is RecoverTo.LATEST:
        judged = _to_the_end(target, found, timeline, windows[-1])
    elif target.to is RecoverTo.IMMEDIATE:
        stop = windows[-1].backups[-1].held.backup.stop_lsn or windows[-1].since_lsn
        lost = max(0, windows[-1].until_lsn - stop)
        judged = TargetJudgement(target, timeline, found.route(stop, timeline), (), lost_bytes=lost)
    elif target.to is RecoverTo.TIME:
        judged = _to_a_time(target, found, timeline, windows, known)
    else:
        judged = _to_a_place(target, found, timeline, windows, known)
    return replace(judged, warnings=(*judged.warnings, *_of_cluster(found, timeline, known)))


# -- A place in the WAL.


def _to_a_place(
    target: RecoveryTarget,
    found: Recoverability,
    timeline: int,
    windows: Sequence[Window],
    known: TargetKnown,
) -> TargetJudgement:
    newest = windows[-1]
    lsn = target.lsn if target.to is RecoverTo.LSN else known.lsn
    if lsn is None:
        what = "transaction" if target.to is RecoverTo.XID else "restore point"
        risk = Objection(
            Trap.NOT_PLACED,
            f"where the {what} {target.value} stands in the WAL is not known: it must come after "
            f"{format_lsn(newest.since_lsn)}, where the base backup stopped, and before "
            f"{format_lsn(newest.until_lsn)}, where the archive ends",
            "find the moment, which says its place",
        )
        return TargetJudgement(target, timeline, found.route(newest.until_lsn, timeline), (), (risk,))
    lost = max(0, newest.until_lsn - lsn)
    route = found.route(lsn, timeline)
    if route is not None:
        return TargetJudgement(target, timeline, route, (), lost_bytes=lost)
    spans = tuple(_Span(each.since_lsn, each.until_lsn, each.stop) for each in windows)
    refused = _outside(spans, lsn, lambda at: format_lsn(int(at)), bytes_text)
    if refused.trap is Trap.AFTER_ARCHIVE and known.more_wal:
        return _from_pg_wal(target, found, newest, refused)
    return TargetJudgement(target, timeline, None, (refused,), lost_bytes=lost)


def _from_pg_wal(
    target: RecoveryTarget, found: Recoverability, newest: Window, refused: Objection
) -> TargetJudgement:
    """All that is archived, and what the old server kept: whether that holds the target nobody knows yet."""
    risk = Objection(refused.trap, f"{refused.text}, unless the old server's pg_wal has it", refused.remedy)
    route = found.route(newest.until_lsn, newest.timeline)
    return TargetJudgement(target, newest.timeline, route, (), (risk,), 0.0, 0)


# -- A time.


def _to_a_time(
    target: RecoveryTarget,
    found: Recoverability,
    timeline: int,
    windows: Sequence[Window],
    known: TargetKnown,
) -> TargetJudgement:
    moment = target.at or 0.0
    spans = tuple(
        _Span(each.since, each.until, each.stop)
        for each in windows
        if each.since is not None and each.until is not None
    )
    if not spans:
        why = "when the archive's segments were stored is not known: no time can be placed in it"
        return TargetJudgement(target, timeline, None, (Objection(Trap.NOT_PLACED, why, "give an LSN"),))
    lost_s = max(0.0, spans[-1].until - moment)
    route = found.route_at(moment, timeline)
    if route is None:
        refused = _outside(spans, moment, _clock, duration_text)
        if refused.trap is Trap.AFTER_ARCHIVE and known.more_wal:
            return _from_pg_wal(target, found, windows[-1], refused)
        return TargetJudgement(target, timeline, None, (refused,), lost_s=lost_s)
    idle = _after_last_commit(moment, known.last_commit)
    is_sure = known.last_commit is not None and not known.more_wal
    refusals, warnings = (idle, ()) if is_sure else ((), idle)
    return TargetJudgement(target, timeline, route, refusals, warnings, lost_s)


def _after_last_commit(moment: float, last: float | None) -> tuple[Objection, ...]:
    if last is not None and moment < last:
        return ()
    told = (
        f"whether anything was committed after {_clock(moment)} is not known: where nothing was, the server "
        "ends with FATAL instead of stopping there"
        if last is None
        else f"{_clock(moment)} is {duration_text(moment - last)} after the last commit in the archive, "
        f"{_clock(last)}: the server would end with FATAL instead of stopping there"
    )
    remedy = "recover to the archive's end: nothing was committed in between, the data are the same"
    return (Objection(Trap.AFTER_LAST_COMMIT, told, remedy),)


# -- The archive's end.


def _to_the_end(
    target: RecoveryTarget, found: Recoverability, timeline: int, window: Window
) -> TargetJudgement:
    route, stop = found.route(window.until_lsn, timeline), window.stop
    if stop is None:
        return TargetJudgement(target, timeline, route, (), lost_s=0.0, lost_bytes=0)
    end = format_lsn(window.until_lsn)
    text = f"a server without a target opens at {end} without an error: {stop.text}"
    if stop.kind is StopKind.SEGMENT_MISSING and _ASTRAY in stop.text:
        refused = Objection(Trap.SILENT_HOLE, text, f"recover to LSN {end}, exclusive, and no further")
        return TargetJudgement(target, timeline, None, (refused,))
    remedy = "fill the hole first where any copy has the segments; else this is as far as a restore goes"
    return TargetJudgement(target, timeline, route, (), (Objection(Trap.SILENT_HOLE, text, remedy),))


_ASTRAY = "onto another branch"


# -- What no window holds.


@dataclass(frozen=True, slots=True)
class _Span:
    """A window in one measure, time or place, and what ends it."""

    since: float
    until: float
    stop: Stop | None


def _outside(
    spans: Sequence[_Span], at: float, named: Callable[[float], str], far: Callable[[float], str]
) -> Objection:
    """Why nothing leads there: how far it is from what can be reached."""
    first, last = spans[0], spans[-1]
    before = next((each for each in reversed(spans) if each.until < at), None)
    after = next((each for each in spans if at < each.since), None)
    if before is None and after is not None:
        return Objection(
            Trap.BEFORE_CONSISTENCY,
            f"{named(at)} is {far(first.since - at)} before {named(first.since)}, where the oldest base "
            "backup that can be replayed had stopped; a server does not always refuse it, and would open at "
            "a later state than was asked for",
            f"the earliest that can be reached is {named(first.since)}",
        )
    if before is None:
        return Objection(
            Trap.NOT_PLACED,
            f"when the base backup stopped from which {named(at)} would be reached is not known",
            "give an LSN",
        )
    if before.stop is None and after is None:
        return Objection(
            Trap.AFTER_ARCHIVE,
            f"{named(at)} is {far(at - last.until)} after {named(last.until)}, where the archive ends: the "
            "server would replay all of it and end with FATAL",
            "recover to the archive's end, or push the old server's last WAL first",
        )
    hole = before.stop.text if before.stop is not None else "no base backup lies between"
    later = (
        ""
        if after is None
        else f", the next that can be reached {far(after.since - at)} after it, {named(after.since)}"
    )
    return Objection(
        Trap.SILENT_HOLE,
        f"{named(at)} lies behind a hole: {hole}; replay ends {far(at - before.until)} before it, at "
        f"{named(before.until)}{later}",
        f"recover to {named(before.until)}, or fill the hole first where any copy has the segments",
    )


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


# -- Timelines, and the cluster.


_PAGES = {
    StopKind.OTHER_BRANCH: Trap.NOT_A_CHILD,
    StopKind.HISTORY_MISSING: Trap.NO_HISTORY,
    StopKind.HISTORY_UNREAD: Trap.NO_HISTORY,
    StopKind.SEGMENT_MISSING: Trap.WAL_GONE,
    StopKind.SEGMENT_DAMAGED: Trap.WAL_GONE,
}


def _no_way(found: Recoverability, timeline: int, reaches: Sequence[BackupReach]) -> Objection:
    """Why no base backup leads to that timeline at all: what stops the newest."""
    judged = ", ".join(str(each) for each in sorted(found.reach))
    if timeline not in found.reach:
        text = f"no copy holds anything of timeline {timeline}: there are {judged}"
        return Objection(Trap.NO_HISTORY, text, "name one of these")
    stopped = [(each.held.backup.id, each.stop) for each in reaches if each.stop is not None]
    if not stopped:
        text = f"there is no base backup that leads to timeline {timeline}"
        return Objection(Trap.NO_BACKUP, text, "nothing can be restored without one")
    id, stop = stopped[-1]
    trap = _PAGES.get(stop.kind, Trap.BACKUP_BROKEN)
    others = [str(each) for each, reach in sorted(found.reach.items()) if reach.windows]
    remedy = f"timeline {' or '.join(others)} can be reached" if others else "see the recovery screen"
    return Objection(trap, f"the base backup {id} does not lead there: {stop.text}", remedy)


def _of_cluster(found: Recoverability, timeline: int, known: TargetKnown) -> Iterator[Objection]:
    """What is risked whatever the target is."""
    if found.latest > timeline:
        yield Objection(
            Trap.NOT_A_CHILD,
            f"the archive holds timeline {found.latest} beside {timeline}, on which 'latest' would end: what "
            "another server wrote, or an earlier recovery",
            f"name timeline {timeline}, never 'latest'",
        )
    if known.tablespaces:
        yield Objection(
            Trap.TABLESPACES,
            f"the cluster has {plural(known.tablespaces, 'tablespace')} of its own: each goes to its old "
            "path, over the old cluster's files, unless it is mapped",
            "map each to an empty folder of its own",
        )
