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
from dataclasses import replace
from enum import StrEnum

from walconsole.domain.records import record
from walconsole.domain.recovery.epochs import meant_by, told_as
from walconsole.domain.recovery.held import StopKind
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryTarget, on_timeline, time_text
from walconsole.domain.recovery.recoverability import Recoverability, Route, Window
from walconsole.domain.recovery.without_one import of_what_comes, where_it_stops
from walconsole.domain.units import bytes_text, duration_text
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


@record
class Concern:
    """What refuses a recovery, or is risked by it: `text` with its numbers, and what to do about it.

    `trap` is the page that explains it, None where none does.
    """

    text: str
    remedy: str = ""
    trap: Trap | None = None


@record
class PlannedLoss:
    """What the archive holds after the target: seconds and bytes of WAL, None where that is not known.

    How many transactions only the WAL itself says (`walconsole moment`).
    """

    seconds: float | None = None
    wal_bytes: int | None = None

    def __str__(self) -> str:
        """`12 min 05 s, 48.0 MiB of WAL`; `n/a` where nothing is known."""
        told = []
        if self.seconds is not None:
            told.append(duration_text(self.seconds))
        if self.wal_bytes is not None:
            told.append(f"{bytes_text(self.wal_bytes)} of WAL")
        return ", ".join(told) or "n/a"


NOT_KNOWN = PlannedLoss()
_SEE_ITS_NUMBER = "see its number: walconsole moment; or recover to the archive's end: --to-latest"
_OF_SEVERAL = "; of several that are called so the first after the base backup is meant"
_CLOCKS_APART_S = 60.0
"""So much a host's clock may differ from this one's."""


@record
class TargetKnown:
    """What is known of a target and the cluster besides the archive. None: not known.

    `lsn` is the target's place in the WAL (bytes), which a found moment tells of a transaction or a restore
    point. `last_commit` is when the last transaction that the archive holds was committed (seconds since the
    epoch), where the WAL was read up to its end. `more_wal`: the old server's pg_wal may be had, which goes
    on after the archive's end, up to `now` at most (seconds since the epoch), and where that server runs
    little further than `written` (bytes), its write position. Of its transactions none from `next_xid` on has
    ended (64 bits). `ahead_s` is how far its host's clock, by which commits have their times, is ahead of the
    stores'. `profile` is how commands name the cluster.
    """

    lsn: int | None = None
    last_commit: float | None = None
    more_wal: bool = False
    now: float | None = None
    written: int | None = None
    next_xid: int | None = None
    ahead_s: float = 0.0
    profile: str = "PROFILE"


@record
class TargetJudgement:
    """`target` has its timeline. `route` is the way to it; None where there is none: `refusals` say why.

    `loss` is from the target to the end of what is archived on its timeline. With `refusals` it is not to be
    tried at all.
    """

    target: RecoveryTarget
    route: Route | None
    refusals: tuple[Concern, ...] = ()
    warnings: tuple[Concern, ...] = ()
    loss: PlannedLoss = NOT_KNOWN

    @property
    def possible(self) -> bool:
        """Whether it may be tried."""
        return not self.refusals and self.route is not None


def judged_target(
    target: RecoveryTarget, found: Recoverability, known: TargetKnown | None = None, *, backup: str = ""
) -> TargetJudgement:
    """What comes of recovering to `target`; one without a timeline is on the server's.

    `backup` is the id of the base backup to begin with; empty: the newest that had stopped before the target.
    """
    named = target.timeline is not None
    target = on_timeline(target, found.target)
    timeline = target.timeline or found.target
    reach = found.reach.get(timeline)
    windows = reach.windows if reach is not None else ()
    if backup:
        windows = tuple(_begun_with(backup, windows))
    known = known or TargetKnown()
    if windows:
        judged = _Judging(target, found, windows, known, backup, named).judged()
    else:
        judged = TargetJudgement(target, None, (_no_way(found, timeline, backup, known.profile),))
    return replace(judged, warnings=(*judged.warnings, *_of_timelines(found, timeline)))


def _begun_with(backup: str, windows: Sequence[Window]) -> Iterator[Window]:
    """Those that this base backup begins, from where it had stopped on."""
    for window in windows:
        begun = tuple(each for each in window.backups if each.held.backup.id == backup)
        if begun:
            is_ = begun[0].held.backup
            yield replace(window, backups=begun, since=is_.stopped, since_lsn=is_.stop_lsn or 0)


@record
class _Judging:
    """A target against the windows that can be begun, oldest first; there is one.

    `named`: its timeline was asked for, and is not merely the server's.
    """

    target: RecoveryTarget
    found: Recoverability
    windows: Sequence[Window]
    known: TargetKnown
    backup: str
    named: bool

    def judged(self) -> TargetJudgement:
        """By what names the target."""
        if self.target.to is RecoverTo.LATEST:
            return self._to_the_end()
        if self.target.to is RecoverTo.IMMEDIATE:
            newest = self.windows[-1]
            stop = newest.backups[-1].held.backup.stop_lsn or newest.since_lsn
            return self._of(self._route(stop), loss=self._behind(stop))
        if self.target.to is not RecoverTo.TIME:
            return self._to_a_place()
        timed = self._to_a_time()
        return replace(timed, warnings=(*timed.warnings, *_by_another_clock(self.known.ahead_s)))

    def _of(
        self,
        route: Route | None,
        *,
        refused: tuple[Concern, ...] = (),
        risked: tuple[Concern, ...] = (),
        loss: PlannedLoss = PlannedLoss(),  # noqa: B008  # frozen
    ) -> TargetJudgement:
        return TargetJudgement(self.target, route, refused, risked, loss)

    def _route(self, lsn: int) -> Route | None:
        return self.found.route(lsn, self.target.timeline, self.backup)

    def _behind(self, lsn: int) -> PlannedLoss:
        return PlannedLoss(wal_bytes=max(0, self.windows[-1].until_lsn - lsn))

    # A place in the WAL.

    def _to_a_place(self) -> TargetJudgement:
        newest = self.windows[-1]
        lsn = self.target.lsn if self.target.to is RecoverTo.LSN else self.known.lsn
        xid, next_xid = self.target.xid, self.known.next_xid
        if xid is not None and next_xid is not None and meant_by(xid, next_xid) >= next_xid:
            ended = told_as(next_xid - 1, xid)
            why = f"the transaction {xid} has not ended: the newest that did on the server is {ended}"
            return self._of(None, refused=(Concern(why, _SEE_ITS_NUMBER, Trap.AFTER_ARCHIVE),))
        if lsn is None:
            what = "transaction" if self.target.to is RecoverTo.XID else "restore point"
            risk = Concern(
                f"where the {what} {self.target.value} stands in the WAL is not known: it must come after "
                f"{format_lsn(newest.since_lsn)}, where the base backup stopped, and before "
                f"{format_lsn(newest.until_lsn)}, where the archive ends; else the replay ends without it, "
                f"and says so{'' if xid is not None else _OF_SEVERAL}",
                "find the moment, which says its place; or begin with an older base backup: --backup ID",
                Trap.NOT_PLACED,
            )
            return self._of(self._route(newest.until_lsn), risked=(risk, *self._before_its_timeline(newest)))
        route = self._route(lsn)
        if route is not None:
            return self._of(route, loss=self._behind(lsn))
        spans = tuple(_Span(each.since_lsn, each.until_lsn, each) for each in self.windows)
        written = self.known.written
        if written is not None and lsn > written + self.found.cluster.segment_bytes:
            why = f"{format_lsn(lsn)} is {bytes_text(lsn - written)} ahead of where the server writes"
            nothing = Concern(why, "recover to the archive's end: --to-latest", Trap.AFTER_ARCHIVE)
            return self._of(None, refused=(nothing,))
        refused = _outside(spans, lsn, lambda at: format_lsn(int(at)), bytes_text)
        if refused.trap is Trap.AFTER_ARCHIVE and self.known.more_wal:
            return self._from_pg_wal(refused)
        return self._of(None, refused=(refused,), loss=self._behind(lsn))

    def _from_pg_wal(self, refused: Concern) -> TargetJudgement:
        """All that is archived, and what the old server kept: whether it has the target nobody knows."""
        text = (
            f"{refused.text}, unless it comes from the old server's last WAL, which is archived or kept first"
        )
        risk = replace(refused, text=text)
        return self._of(self._route(self.windows[-1].until_lsn), risked=(risk,), loss=PlannedLoss(0.0, 0))

    # A time.

    def _to_a_time(self) -> TargetJudgement:
        moment, timeline = self.target.at or 0.0, self.target.timeline
        spans = tuple(
            _Span(each.backups[0].held.backup.surely_stopped or each.since, each.until, each)
            for each in self.windows
            if each.since is not None and each.until is not None
        )
        if not spans:
            why = "when the archive's segments were stored is not known: no time can be placed in it"
            return self._of(None, refused=(Concern(why, "give an LSN", Trap.NOT_PLACED),))
        loss = PlannedLoss(max(0.0, spans[-1].until - moment))
        route = self.found.route_at(moment, timeline, self.backup)
        if route is None:
            refused = _outside(spans, moment, time_text, duration_text)
            ahead = 0.0 if self.known.now is None else moment - self.known.now - max(0.0, self.known.ahead_s)
            if ahead > _CLOCKS_APART_S:
                why = f"{time_text(moment)} is {duration_text(ahead)} ahead: no server has written it yet"
                nothing = Concern(why, "recover to the archive's end: --to-latest", Trap.AFTER_ARCHIVE)
                return self._of(None, refused=(nothing,), loss=loss)
            if refused.trap is Trap.AFTER_ARCHIVE and self.known.more_wal:
                return self._from_pg_wal(refused)
            return self._of(None, refused=(refused,), loss=loss)
        idle = _after_last_commit(moment, self.known.last_commit)
        if self.known.last_commit is not None and not self.known.more_wal:
            return self._of(route, refused=idle, loss=loss)
        return self._of(route, risked=idle, loss=loss)

    # The archive's end.

    def _to_the_end(self) -> TargetJudgement:
        """Refused where a hole ends it: what comes after it must not be lost without a word."""
        window = self.windows[-1]
        if window.stop is None:
            short = tuple(self._before_its_timeline(window))
            whence = self._route(window.until_lsn)
            if self.named and not self._server_has_more():
                return self._of(None if short else whence, refused=short, loss=PlannedLoss(0.0, 0))
            return self._of(whence, risked=short, loss=PlannedLoss(0.0, 0))
        end = format_lsn(window.until_lsn)
        text = f"a server without a target opens at {end} without an error: {window.stop.text}"
        return self._of(None, refused=(Concern(text, _up_to(window), Trap.SILENT_HOLE),))

    def _server_has_more(self) -> bool:
        """Whether what the archive lacks of that timeline may come from the old server, which writes it."""
        return self.known.more_wal and self.found.target == self.target.timeline

    def _before_its_timeline(self, window: Window) -> Iterator[Concern]:
        """Where the archive ends before the timeline has begun, its parent's state is all that comes of it.

        What lies on the way may be the parent's last segments, the timeline's first, or both.
        """
        path = self.found.path(window.timeline)
        if path is None or window.until_lsn > path.begins_at:
            return
        last = path.timeline_at(window.until_lsn - 1)
        first = path.segment(window.until_lsn // self.found.cluster.segment_bytes)
        yield Concern(
            f"the archive ends at {format_lsn(window.until_lsn)}, and timeline {window.timeline} begins at "
            f"{format_lsn(path.begins_at)}: {first.name(self.found.cluster.segment_bytes)} is missing, and a "
            f"server opens without an error with what is timeline {last}'s",
            f"recover to timeline {last}'s end, which says so: --to-latest --timeline {last}",
            Trap.SILENT_HOLE,
        )


def _up_to(window: Window) -> str:
    """How a hole is not run into. Where it is at a switch of timelines no copy may fill it."""
    remedy = f"recover up to there: --to-lsn {format_lsn(window.until_lsn)} --before"
    astray = (
        window.stop is not None
        and window.stop.kind is StopKind.SEGMENT_MISSING
        and _ASTRAY in window.stop.text
    )
    return remedy if astray else f"{remedy}; or fill the hole first, where any copy has the segments"


def _by_another_clock(ahead_s: float) -> Iterator[Concern]:
    """What is archived is dated by two clocks: commits by the host's, segments by the store's."""
    if abs(ahead_s) <= _CLOCKS_APART_S:
        return
    direction = "ahead of" if ahead_s > 0 else "behind"
    yield Concern(
        f"the droplet's clock is {duration_text(abs(ahead_s))} {direction} the store's: a server compares "
        "the target with the times of commits, which are the droplet's; what was archived has the store's",
        "give the time as that clock had it, or better a place, which walconsole moment tells: --to-lsn",
        Trap.NOT_PLACED,
    )


def _after_last_commit(moment: float, last: float | None) -> tuple[Concern, ...]:
    if last is not None and moment < last:
        return ()
    told = (
        f"whether anything was committed after {time_text(moment)} is not known: where nothing was, the "
        "server does not learn that it has come to it, and the replay ends at the archive's end"
        if last is None
        else f"{time_text(moment)} is {duration_text(moment - last)} after the last commit in the archive, "
        f"{time_text(last)}: the server would end with FATAL instead of stopping there"
    )
    remedy = "recover to the archive's end: nothing was committed in between, the data are the same"
    return (Concern(told, remedy, Trap.AFTER_LAST_COMMIT),)


_ASTRAY = "onto another branch"


# -- What no window holds.


@record
class _Span:
    """A window in one measure, time or place."""

    since: float
    until: float
    window: Window


def _outside(
    spans: Sequence[_Span], at: float, named: Callable[[float], str], far: Callable[[float], str]
) -> Concern:
    """Why nothing leads there: how far it is from what can be reached."""
    first, last = spans[0], spans[-1]
    before = next((each for each in reversed(spans) if each.until < at), None)
    after = next((each for each in spans if at < each.since), None)
    if before is None and after is not None:
        return Concern(
            f"{named(at)} is {far(first.since - at)} before {named(first.since)}, where the oldest base "
            "backup that can be replayed had stopped; a server does not always refuse it, and would open at "
            "a later state than was asked for",
            f"the earliest that can be reached is {named(first.since)}",
            Trap.BEFORE_CONSISTENCY,
        )
    if before is None:
        return Concern(
            f"when the base backup stopped from which {named(at)} would be reached is not known",
            "give an LSN",
            Trap.NOT_PLACED,
        )
    if before.window.stop is None and after is None:
        return Concern(
            f"{named(at)} is {far(at - last.until)} after {named(last.until)}, where the archive ends: the "
            "server would replay all of it and end with FATAL",
            "recover to the archive's end, or push the old server's last WAL first",
            Trap.AFTER_ARCHIVE,
        )
    hole = before.window.stop.text if before.window.stop is not None else "no base backup lies between"
    later = (
        ""
        if after is None
        else f", the next that can be reached {far(after.since - at)} after it, {named(after.since)}"
    )
    return Concern(
        f"{named(at)} lies behind a hole: {hole}; replay ends {far(at - before.until)} before it, at "
        f"{named(before.until)}{later}",
        _up_to(before.window),
        Trap.SILENT_HOLE,
    )


# -- Timelines.


_PAGES = {
    StopKind.OTHER_BRANCH: Trap.NOT_A_CHILD,
    StopKind.HISTORY_MISSING: Trap.NO_HISTORY,
    StopKind.HISTORY_UNREAD: Trap.NO_HISTORY,
    StopKind.SEGMENT_MISSING: Trap.WAL_GONE,
    StopKind.SEGMENT_DAMAGED: Trap.WAL_GONE,
}


def _no_way(found: Recoverability, timeline: int, backup: str, profile: str) -> Concern:
    """Why no base backup, or not the one that was named, leads to that timeline at all: what stops it."""
    judged = ", ".join(str(each) for each in sorted(found.reach))
    if timeline not in found.reach:
        text = f"no copy holds anything of timeline {timeline}: there are {judged}"
        return Concern(text, "name one of these: --timeline", Trap.NO_HISTORY)
    if backup and not any(each.backup.id == backup for each in found.backups):
        return Concern(f"there is no base backup {backup}", "the recovery screen lists them", Trap.NO_BACKUP)
    reaches = [each for each in found.reach[timeline].reaches if not backup or each.held.backup.id == backup]
    stopped = [(each.held.backup, each.stop) for each in reaches if each.stop is not None]
    if not stopped:
        text = f"there is no base backup that leads to timeline {timeline}"
        return Concern(text, f"nothing can be restored without one; {of_what_comes(profile)}", Trap.NO_BACKUP)
    newest, stop = stopped[-1]
    trap = _PAGES.get(stop.kind, Trap.BACKUP_BROKEN)
    others = [str(each) for each, reach in sorted(found.reach.items()) if reach.windows]
    remedy = f"timeline {' or '.join(others)} can be reached"
    if not others:
        remedy = where_it_stops(stop, newest, profile)
    return Concern(f"the base backup {newest.id} does not lead there: {stop.text}", remedy, trap)


def _of_timelines(found: Recoverability, timeline: int) -> Iterator[Concern]:
    """What is risked whatever the target is."""
    if found.latest > timeline:
        yield Concern(
            f"the archive holds timeline {found.latest} beside {timeline}, on which 'latest' would end: what "
            "another server wrote, or an earlier recovery",
            f"timeline {timeline} is named to the server, never 'latest'; --timeline chooses another",
            Trap.NOT_A_CHILD,
        )
