"""A recovery before it is made: from which base backup, what it takes, what it loses, what is in its way.

Pure. What is known of the archive is a Recoverability; of the host, what it was asked for (RecoveryHost).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from walconsole.domain.profile import BucketRole, ClusterName
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.drill_plan import Forecast, Room, Sizes, forecast, room
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.recovery.recover_target import (
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    on_timeline,
    time_text,
)
from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Route, Window
from walconsole.domain.units import bytes_text, duration_text, plural
from walconsole.domain.wal import format_lsn

_COPIES = {BucketRole.PRIMARY: "the primary", BucketRole.DR: "DR"}


@dataclass(frozen=True, slots=True)
class RecoveryWish:
    """What is asked for. `backup` is the base backup's id to begin with, empty: the plan chooses. `looks` are
    read-only statements that are asked while it is paused, in `database` (empty: the profile's), `tables`
    those whose rows are counted then.
    """

    target: RecoveryTarget
    place: RecoveryPlace
    backup: str = ""
    looks: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    database: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryHost:
    """What the host was asked for. None, and empty: not known.

    `data` is the old cluster's data directory, `cluster` its Debian name, `running` whether it takes
    statements. `free_mib` is of the disk on which the recovered cluster shall lie, `folder` the folder of
    that disk. `databases_bytes` is how large the databases are, `max_wal_bytes` the server's max_wal_size.
    `clusters` are the names that are taken. `fixed`: why the old data directory cannot be moved aside by the
    cluster's owner, empty where it can; `crowded`: why nothing can be made beside it.
    """

    data: str
    cluster: ClusterName | None
    running: bool
    free_mib: int | None
    folder: str = ""
    databases_bytes: int = 0
    max_wal_bytes: int = 1 << 30
    reserve_mib: int = 1024
    clusters: tuple[ClusterName, ...] = ()
    fixed: str = ""
    crowded: str = ""
    in_recovery: bool = False
    tablespaces: int = 0


@dataclass(frozen=True, slots=True)
class Concern:
    """Why a recovery cannot be made so, or what to know before it: `text`, and what to do about it."""

    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """`target` has its timeline. `backup` is None where none leads there: `refusals` say why.

    `chain` is what is unpacked, the full backup first; `copy` is where it is read from. `first` and `last`
    are names of the `segments` that are replayed at most, `wal_bytes` those in bytes. `room` is None where
    the disk was not asked, `forecast` where no drill was made.
    """

    wish: RecoveryWish
    target: RecoveryTarget
    backup: BaseBackup | None = None
    chain: tuple[BaseBackup, ...] = ()
    copy: BucketRole | None = None
    first: str = ""
    last: str = ""
    segments: int = 0
    wal_bytes: int = 0
    room: Room | None = None
    forecast: Forecast | None = None
    loss: PlannedLoss = PlannedLoss()
    refusals: tuple[Concern, ...] = ()
    warnings: tuple[Concern, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether it can be tried."""
        return not self.refusals and self.backup is not None


def plan_recovery(
    wish: RecoveryWish,
    found: Recoverability | None,
    host: RecoveryHost,
    *,
    left_out: Sequence[BucketRole] = (),
    earlier: DrillResult | None = None,
    now: float | None = None,
) -> RecoveryPlan:
    """Never raises: what is in the way stands in the plan.

    `found` None: no copy could be read. `left_out` are copies that could not be; `earlier` is the newest good
    drill; `now` is by the store's clock (seconds since the epoch).
    """
    refused = [*_place_refused(wish.place, host)]
    if found is None:
        refused.append(
            Concern("no copy of the archive could be read", "mend what the first line says of them")
        )
        return RecoveryPlan(wish, wish.target, refusals=tuple(refused))
    target = on_timeline(wish.target, found.target)
    route, why = _way(wish, target, found)
    warned = [*_warnings(wish, target, found, host, left_out)]
    loss = _loss(target, found, now)
    if route is None:
        refused.append(why)
        return RecoveryPlan(wish, target, loss=loss, refusals=tuple(refused), warnings=tuple(warned))
    chain = tuple(each.backup for each in route.chain)
    copy = _copy_of(route, left_out)
    refused += _unfit(chain, wish.place)
    if copy is None:
        refused.append(
            Concern(f"no copy that can be read holds all of {chain[-1].id}", "choose another: --backup ID")
        )
    wal_bytes = route.sources.segments * found.cluster.segment_bytes
    taken = _room(chain, route, found, host)
    if taken is not None and not taken.suffices:
        refused.append(
            Concern(f"no room: {host.folder} has {taken}", "make room, or recover on another host")
        )
    return RecoveryPlan(
        wish,
        target,
        chain[-1],
        chain,
        copy,
        route.first,
        route.last,
        route.sources.segments,
        wal_bytes,
        taken,
        forecast(
            earlier,
            stored_bytes=_sum(each.stored_bytes for each in chain),
            unpacked_bytes=_sum(each.unpacked_bytes for each in chain),
            wal_bytes=wal_bytes,
        ),
        loss,
        tuple(refused),
        tuple(warned),
    )


# -- The way there.


def _way(wish: RecoveryWish, target: RecoveryTarget, found: Recoverability) -> tuple[Route | None, Concern]:
    """The base backup and the WAL; or why there is none."""
    timeline = target.timeline or found.target
    judged = found.reach.get(timeline)
    if judged is None:
        return None, Concern(
            f"timeline {timeline} is not known: no copy has {timeline:08X}.history or WAL of it",
            "name one that is: --timeline",
        )
    usable = [reach for window in judged.windows for reach in window.backups if _has_stopped(reach, target)]
    if wish.backup:
        usable = [reach for reach in usable if reach.held.backup.id == wish.backup]
    if not usable:
        return None, _why_none(wish, target, found, judged.reaches)
    begun = max(usable, key=lambda reach: reach.held.backup.stop_lsn or 0)
    window = next(each for each in judged.windows if begun in each.backups)
    beyond = _beyond(target, window)
    if beyond is not None:
        return None, beyond
    lsn = target.lsn
    if lsn is None or not window.since_lsn <= lsn <= window.until_lsn:
        lsn = window.until_lsn
    if target.to is RecoverTo.IMMEDIATE:
        lsn = begun.held.backup.stop_lsn or lsn
    route = found.route_through(begun, lsn, timeline)
    return route, Concern("the way from the base backup is not known")


def _has_stopped(reach: BackupReach, target: RecoveryTarget) -> bool:
    """Whether the target lies after the backup's stop: the server does not refuse an earlier one always."""
    backup = reach.held.backup
    if target.at is not None:
        return backup.stopped is not None and backup.stopped < target.at
    if target.lsn is not None:
        return backup.stop_lsn is not None and backup.stop_lsn <= target.lsn
    return True


def _beyond(target: RecoveryTarget, window: Window) -> Concern | None:
    """A hole stands before the target; at the archive's own end, what the old server has is still to come."""
    if window.stop is None:
        return None
    if target.lsn is not None and target.lsn > window.until_lsn:
        ends = format_lsn(window.until_lsn)
    elif target.at is not None and window.until is not None and target.at > window.until:
        ends = time_text(window.until)
    elif target.to is RecoverTo.LATEST:
        ends = format_lsn(window.until_lsn)
    else:
        return None
    return Concern(
        f"the WAL ends at {ends} before it: {window.stop.text}",
        f"recover up to there: --to-lsn {format_lsn(window.until_lsn)} --before, or bring the segment",
    )


def _why_none(
    wish: RecoveryWish, target: RecoveryTarget, found: Recoverability, reaches: Sequence[BackupReach]
) -> Concern:
    if not found.backups:
        return Concern("there is no base backup in any copy that could be read", "nothing can be restored")
    named = [each for each in found.backups if each.backup.id == wish.backup]
    if wish.backup and not named:
        return Concern(f"there is no base backup {wish.backup}", "the recovery screen lists them")
    asked = [each for each in reaches if not wish.backup or each.held.backup.id == wish.backup]
    late = [each for each in asked if each.usable and not _has_stopped(each, target)]
    if late:
        first = min(late, key=lambda each: each.held.backup.stop_lsn or 0).held.backup
        stopped = "" if first.stopped is None else f" at {time_text(first.stopped)}"
        return Concern(
            f"the target lies before {first.id} had stopped{stopped} ({format_lsn(first.stop_lsn or 0)}), "
            "the oldest base backup that leads there: a server cannot go back in one",
            "choose a later target",
        )
    stopped_by = next((each for each in reversed(asked) if each.stop is not None), None)
    if stopped_by is not None and stopped_by.stop is not None:
        return Concern(f"{stopped_by.held.backup.id}: {stopped_by.stop.text}", "see the recovery screen")
    return Concern("no base backup leads there", "see the recovery screen")


def _copy_of(route: Route, left_out: Sequence[BucketRole]) -> BucketRole | None:
    """The copy that all of the chain is read from: the primary where it can be."""
    for role in BucketRole:
        if role not in left_out and all(role in each.complete_in for each in route.chain):
            return role
    return None


def _room(
    chain: Sequence[BaseBackup], route: Route, found: Recoverability, host: RecoveryHost
) -> Room | None:
    if host.free_mib is None:
        return None
    sizes = Sizes(host.databases_bytes, host.max_wal_bytes, found.cluster.segment_bytes)
    return room(chain, route.sources.segments, sizes, reserve_mib=host.reserve_mib, free_mib=host.free_mib)


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = [*sizes]
    return None if None in known else sum(each or 0 for each in known)


def _loss(target: RecoveryTarget, found: Recoverability, now: float | None) -> PlannedLoss:
    judged = found.reach.get(target.timeline or found.target)
    window = judged.windows[-1] if judged is not None and judged.windows else None
    if target.to is RecoverTo.LATEST or window is None:
        return PlannedLoss()
    until = window.until if window.until is not None else now
    seconds = None if target.at is None or until is None else max(0.0, until - target.at)
    behind = None if target.lsn is None else max(0, window.until_lsn - target.lsn)
    return PlannedLoss(seconds, behind)


# -- What is in the way, and what to know.


def _place_refused(place: RecoveryPlace, host: RecoveryHost) -> Iterator[Concern]:
    if not host.data:
        yield Concern(
            "the old cluster is not known on this host: neither its configuration nor its data directory",
            "name it in the profile (cluster), or recover by hand: docs/recovery.md",
        )
    if host.crowded:
        yield Concern(
            f"nothing can be made beside {host.data}: {host.crowded}",
            "let its parent folder be the cluster owner's, or recover by hand: docs/recovery.md",
        )
    if host.in_recovery:
        yield Concern("this server is a standby", "recover on the primary's host, and make the standby anew")
    if host.tablespaces:
        yield Concern(
            f"this cluster has tablespaces of its own ({host.tablespaces}): they would be restored over "
            "production's",
            "recover by hand on another host, or with the tool that took the backup",
        )
    if place.cluster is None:
        if host.fixed:
            yield Concern(
                f"{host.data} cannot be moved aside in one step: {host.fixed}",
                "recover into a new cluster beside it: --into VERSION/NAME",
            )
        return
    if host.cluster is None:
        yield Concern(
            "the old cluster is none of Debian's: a new one has no name here",
            "recover in its place: --in-place",
        )
    elif place.cluster.version != host.cluster.version:
        yield Concern(
            f"a base backup of {host.cluster.version} starts with {host.cluster.version} alone",
            f"--into {host.cluster.version}/{place.cluster.name}",
        )
    if place.cluster in host.clusters:
        yield Concern(f"there is a cluster {place.cluster} on this host", "choose another name")


def _unfit(chain: Sequence[BaseBackup], place: RecoveryPlace) -> Iterator[Concern]:
    for backup in chain:
        if backup.writer is not Writer.OURS:
            yield Concern(
                f"{backup.writer.value} made {backup.id}",
                f"restore it with {backup.writer.value}'s own commands",
            )
        elif backup.encryption:
            yield Concern(
                f"{backup.id} is encrypted, and its secret key is not on this host",
                "restore it where the key is: docs/recovery.md, by hand",
            )
        elif backup.completeness is not Completeness.COMPLETE:
            yield Concern(f"{backup.id} is not complete: {backup.why}", "choose another: --backup ID")
    major = (chain[-1].server_version_num or 0) // 10_000
    if place.cluster is not None and major and str(major) != place.cluster.version:
        yield Concern(f"{chain[-1].id} is of PostgreSQL {major}", f"--into {major}/{place.cluster.name}")


def _warnings(
    wish: RecoveryWish,
    target: RecoveryTarget,
    found: Recoverability,
    host: RecoveryHost,
    left_out: Sequence[BucketRole],
) -> Iterator[Concern]:
    for role in left_out:
        yield Concern(f"{_COPIES[role]} could not be read: what it alone holds is not counted on")
    if found.latest != (target.timeline or found.target):
        yield Concern(
            f"'latest' would lead to timeline {found.latest}; {target.timeline} is named to the server",
            "--timeline chooses another",
        )
    judged = found.reach.get(target.timeline or found.target)
    until = judged.windows[-1].until if judged is not None and judged.windows else None
    if target.at is not None and until is not None and target.at > until:
        yield Concern(
            f"what was archived ends about {time_text(until)}, before the target: what was committed after "
            "that comes from the old server's last WAL, which is archived or kept first"
        )
    if target.to in (RecoverTo.XID, RecoverTo.NAME) and not wish.backup:
        yield Concern(
            f"whether {target.to.value} {target.value} lies after the newest base backup is not known: where "
            "it does not, the replay ends without it and says so",
            "then begin with an older one: --backup ID",
        )
    if not host.running:
        yield Concern(
            "the old server does not run: of its last WAL what lies in pg_wal is kept, if that can be read"
        )


def plan_lines(plan: RecoveryPlan) -> Iterator[tuple[str, str]]:
    """What is told of a plan before anything is done, by label and text."""
    yield "target", f"{plan.target.how}, timeline {plan.target.timeline or 'n/a'}"
    yield "where", plan.wish.place.text
    if plan.backup is not None and plan.copy is not None:
        stored = _sum(each.stored_bytes for each in plan.chain)
        size = "n/a" if stored is None else bytes_text(stored)
        more = (
            "" if len(plan.chain) == 1 else f", with {plural(len(plan.chain) - 1, 'backup')} it builds upon"
        )
        yield "base backup", f"{plan.backup.id}, {size} stored{more}, from {_COPIES[plan.copy]}"
        many = plural(plan.segments, "segment")
        yield "WAL", f"at most {many}, {plan.first} to {plan.last}, {bytes_text(plan.wal_bytes)}"
    yield "room", "n/a" if plan.room is None else str(plan.room)
    told = "not known: no restore drill was made yet" if plan.forecast is None else str(plan.forecast)
    yield "takes", told
    if plan.target.to is not RecoverTo.LATEST:
        yield "loses", f"{plan.loss} up to the archive's end; `walconsole moment` counts the transactions"
