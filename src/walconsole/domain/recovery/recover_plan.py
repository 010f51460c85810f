"""A recovery before it is made: from which base backup, what it takes, what it loses, what is in its way.

Pure. What is known of the archive is a Recoverability; of the host, what it was asked for (RecoveryHost).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.domain.profile import BucketRole, BucketTarget, ClusterName
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.by_tool import by_its_tool, passed_on, pgbackrest_call
from walconsole.domain.recovery.drill_plan import Forecast, Room, Sizes, forecast, room
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryPlace, RecoveryTarget
from walconsole.domain.recovery.recoverability import Recoverability, Route
from walconsole.domain.recovery.target_judgement import (
    NOT_KNOWN,
    Concern,
    PlannedLoss,
    TargetKnown,
    Trap,
    judged_target,
)
from walconsole.domain.redaction import safe
from walconsole.domain.units import bytes_text, plural

_HANDLED = re.compile(r"[-A-Za-z0-9/._+@,:]*", re.ASCII)
"""Paths that the script takes (`begin`): it works with words."""
_COPIES = {BucketRole.PRIMARY: "the primary", BucketRole.DR: "DR"}


@record
class RecoveryWish:
    """What is asked for. `backup` is the base backup's id to begin with, empty: the plan chooses. `looks` are
    read-only statements that are asked while it is paused, in `database` (empty: the profile's), `tables`
    those whose rows are counted then. `identity` is the path on the host of age's secret keys, for a base
    backup that is encrypted; empty: the file that the profile names for drills.
    """

    target: RecoveryTarget
    place: RecoveryPlace
    backup: str = ""
    looks: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    database: str = ""
    identity: str = ""


@record
class RecoveryHost:
    """What the host was asked for. None, and empty: not known.

    `data` is the old cluster's data directory, `cluster` its Debian name, `running` whether it takes
    statements. `free_mib` is of the disk on which the recovered cluster shall lie, `folder` the folder of
    that disk. `databases_bytes` is how large the databases are, `max_wal_bytes` the server's max_wal_size.
    `clusters` are the names that are taken. `fixed`: why the old data directory cannot be moved aside by the
    cluster's owner, empty where it can; `crowded`: why nothing can be made where the recovered one shall lie.
    `taken` is what lies already where a new cluster of Debian's shall have its data or its configuration.
    `called` is how another tool that archives is called on production's host, None: not known;
    `has_pgbackrest`: that program is there. `archive` is the copy to name in another tool's commands, None:
    not known. `elsewhere` is the host where that is not production's (`root@spare`): of the old cluster
    nothing is there then, `running` says whether production's server answers, and `debian` whether a cluster
    can be made as Debian does.
    `wal_lies` is where the old cluster's pg_wal leads, where that is a link; empty: it is none. `unarchived`
    counts the segments in it that the archive has not yet: they are copied aside, onto the recovered
    cluster's disk.
    `identity` is the file there of age's secret keys that the profile names for drills, empty: none. Why the
    one that is to be used cannot be says `key_fault`, empty where it can, or was not looked at.
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
    taken: str = ""
    in_recovery: bool = False
    tablespaces: int = 0
    called: OwnRestore | None = None
    has_pgbackrest: bool = False
    archive: BucketTarget | None = None
    elsewhere: str = ""
    debian: bool = True
    wal_lies: str = ""
    unarchived: int = 0
    identity: str = ""
    key_fault: str = ""


@record
class RecoveryPlan:
    """`target` has its timeline. `backup` is None where none leads there: `refusals` say why.

    `chain` is what is unpacked, the full backup first; `copy` is where it is read from. `first` and `last`
    are names of the `segments` that are replayed at most, `wal_bytes` those in bytes. `room` is None where
    the disk was not asked, `forecast` where no drill was made. `pgbackrest` are the words by which that tool
    is called, for a backup of its own, else empty. `elsewhere` is the host, where that is not production's.
    `identity` is the file of keys by which what is encrypted is read; empty: nothing of it is.
    """

    wish: RecoveryWish
    target: RecoveryTarget
    backup: BaseBackup | None = None
    chain: tuple[BaseBackup, ...] = ()
    copy: BucketRole | None = None
    pgbackrest: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    segments: int = 0
    wal_bytes: int = 0
    room: Room | None = None
    forecast: Forecast | None = None
    loss: PlannedLoss = NOT_KNOWN
    refusals: tuple[Concern, ...] = ()
    warnings: tuple[Concern, ...] = ()
    elsewhere: str = ""
    identity: str = ""

    @property
    def possible(self) -> bool:
        """Whether it can be tried."""
        return not self.refusals and self.backup is not None


def plan_recovery(
    wish: RecoveryWish,
    found: Recoverability | None,
    host: RecoveryHost,
    *,
    known: TargetKnown | None = None,
    left_out: Sequence[BucketRole] = (),
    earlier: DrillResult | None = None,
) -> RecoveryPlan:
    """Never raises: what is in the way stands in the plan.

    `found` None: no copy could be read. `known` is what was read of the target besides; None: nothing.
    `left_out` are copies that could not be read; `earlier` is the newest good drill.
    """
    refused = [*_place_refused(wish.place, host)]
    if found is None:
        refused.append(
            Concern("no copy of the archive could be read", "mend what the dashboard says of them")
        )
        return RecoveryPlan(wish, wish.target, refusals=tuple(refused))
    more_wal = bool(host.data) or (bool(host.elsewhere) and host.running)  # it archives its last first
    known = replace(known or TargetKnown(), more_wal=more_wal)
    judged = judged_target(wish.target, found, known, backup=wish.backup)
    refused += judged.refusals
    plan = RecoveryPlan(
        wish,
        judged.target,
        loss=judged.loss,
        refusals=tuple(refused),
        warnings=(*judged.warnings, *_warnings(host, left_out)),
        elsewhere=host.elsewhere,
    )
    return plan if judged.route is None else _routed(plan, judged.route, found, host, left_out, earlier)


def _routed(
    plan: RecoveryPlan,
    route: Route,
    found: Recoverability,
    host: RecoveryHost,
    left_out: Sequence[BucketRole],
    earlier: DrillResult | None,
) -> RecoveryPlan:
    """With what the way takes, and what of it cannot be had."""
    chain = tuple(each.backup for each in route.chain)
    copy = _copy_of(route, left_out)
    refused = [*_unfit(chain, plan.wish, host, plan.target)]
    if copy is None:
        refused.append(
            Concern(f"no copy that can be read holds all of {chain[-1].id}", "choose another: --backup ID")
        )
    wal_bytes = route.sources.segments * found.cluster.segment_bytes
    kept = host.unarchived if plan.wish.place.in_place or not host.running else 0
    taken = _room(chain, route, found, host, kept)
    if taken is not None and not taken.suffices:
        refused.append(
            Concern(f"no room: {host.folder} has {taken}", "make room, or recover on another host")
        )
    return replace(
        plan,
        backup=chain[-1],
        chain=chain,
        copy=copy,
        pgbackrest=pgbackrest_call(chain[-1], host.called),
        identity=(plan.wish.identity or host.identity) if any(each.encryption for each in chain) else "",
        first=route.first,
        last=route.last,
        segments=route.sources.segments,
        wal_bytes=wal_bytes,
        room=taken,
        forecast=forecast(
            earlier,
            stored_bytes=_sum(each.stored_bytes for each in chain),
            unpacked_bytes=_sum(each.unpacked_bytes for each in chain),
            wal_bytes=wal_bytes,
        ),
        refusals=(*plan.refusals, *refused),
        warnings=(*plan.warnings, *_by_another(chain, plan.wish.place), *_crowded_later(taken, host)),
    )


def _by_another(chain: Sequence[BaseBackup], place: RecoveryPlace) -> Iterator[Concern]:
    if chain[-1].writer is Writer.PGBACKREST and not place.in_place:
        yield Concern(
            "pgBackRest's configuration names the old cluster's data directory: what is opened elsewhere is "
            "not archived before it names the new one, which --promote writes into it (pg1-path, pg1-port)",
            "recover in its place where that file is not to be changed",
        )


def _crowded_later(taken: Room | None, host: RecoveryHost) -> Iterator[Concern]:
    """Once it runs by the old configuration, whose max_wal_size may be for a disk of pg_wal's own."""
    if taken is None or not taken.suffices or host.elsewhere or not host.running:
        return
    left = (taken.free_mib - taken.cluster_mib) << 20
    if left < host.max_wal_bytes:
        yield Concern(
            f"once it runs, pg_wal may grow to {bytes_text(host.max_wal_bytes)} (max_wal_size), and beside "
            f"the cluster the disk of {host.folder} has {bytes_text(left)} left",
            "lower max_wal_size before it is promoted, or give pg_wal a disk of its own after that",
        )


# -- What the way takes.


def _copy_of(route: Route, left_out: Sequence[BucketRole]) -> BucketRole | None:
    """The copy that all of the chain is read from: the primary where it can be."""
    for role in BucketRole:
        if role not in left_out and all(role in each.complete_in for each in route.chain):
            return role
    return None


def _room(
    chain: Sequence[BaseBackup], route: Route, found: Recoverability, host: RecoveryHost, kept: int
) -> Room | None:
    if host.free_mib is None:
        return None
    segment = found.cluster.segment_bytes
    sizes = Sizes(host.databases_bytes, host.max_wal_bytes, segment, kept * segment)
    return room(chain, route.sources.segments, sizes, reserve_mib=host.reserve_mib, free_mib=host.free_mib)


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = [*sizes]
    return None if None in known else sum(each or 0 for each in known)


# -- What is in the way, and what to know.


def _place_refused(place: RecoveryPlace, host: RecoveryHost) -> Iterator[Concern]:
    if host.elsewhere:
        yield from _refused_there(place, host)
        return
    if not host.data and not place.folder:
        yield Concern(
            "the old cluster is not known on this host: neither its configuration nor its data directory",
            "name it in the profile (cluster), or recover into a folder: --into /PATH",
        )
    if not _HANDLED.fullmatch(host.data):
        yield Concern(
            f"the name of {safe(host.data)} has signs that the recovery's script does not handle",
            "recover by hand: docs/recovery.md; or give its cluster a plain name",
        )
    if host.crowded:
        where = place.folder or f"anything beside {host.data}"
        yield Concern(
            f"{where} cannot be made: {host.crowded}",
            "choose a place below a folder of the cluster owner's, or recover by hand: docs/recovery.md",
        )
    if host.in_recovery:
        yield Concern(
            "this server is a standby",
            "recover on the primary's host, and make the standby anew; where that host is gone, promote this "
            "one for what it has, or recover on a third: --on",
        )
    if place.in_place and host.fixed:
        yield Concern(
            f"{host.data} cannot be moved aside in one step: {host.fixed}",
            "recover beside it: --into VERSION/NAME, or --into /PATH",
        )
    if place.cluster is not None:
        yield from _name_refused(place.cluster, host)


def _name_refused(name: ClusterName, host: RecoveryHost) -> Iterator[Concern]:
    """Of a new cluster as Debian has it."""
    if host.cluster is None:
        yield Concern(
            "the old cluster is none of Debian's: a new one has no name here",
            "recover into a folder (--into /PATH), or in its place (--in-place)",
        )
    elif name.version != host.cluster.version:
        yield Concern(
            f"a base backup of {host.cluster.version} starts with {host.cluster.version} alone",
            f"--into {host.cluster.version}/{name.name}",
        )
    if name in host.clusters:
        yield Concern(f"there is a cluster {name} on this host", "choose another name")
    elif host.taken:
        yield Concern(
            f"{name} cannot be made: {host.taken} is there already",
            f"choose another name: --into {name.version}/{name.name}2; or move that folder aside",
        )


def _refused_there(place: RecoveryPlace, host: RecoveryHost) -> Iterator[Concern]:
    """Of a place on another host than production's."""
    if place.in_place:
        yield Concern(
            f"there is no old cluster on {host.elsewhere} whose place could be taken",
            "--into VERSION/NAME, or --into /PATH; in its place: --on here",
        )
    if place.cluster is not None and not host.debian:
        yield Concern(f"{host.elsewhere} has no pg_createcluster", "recover into a folder: --into /PATH")
    if place.cluster in host.clusters:
        yield Concern(f"there is a cluster {place.cluster} on {host.elsewhere}", "choose another name")
    if host.crowded:
        where = place.folder or f"{place.cluster}"
        yield Concern(
            f"{where} cannot be made on {host.elsewhere}: {host.crowded}",
            "choose a place below a folder of the cluster owner's",
        )


def _unfit(
    chain: Sequence[BaseBackup], wish: RecoveryWish, host: RecoveryHost, target: RecoveryTarget
) -> Iterator[Concern]:
    place = wish.place
    if host.tablespaces and chain[-1].writer is Writer.OURS:
        yield Concern(
            f"this cluster has tablespaces of its own ({host.tablespaces}), and {chain[-1].id} holds none: "
            "the replay would make them at their old paths, over the old cluster's files",
            "recover by hand on another host, or from a backup of pgBackRest's, which stores them: engine = "
            '"pgbackrest" in the profile, then walconsole provision',
            Trap.TABLESPACES,
        )
    for backup in chain:
        call = pgbackrest_call(backup, host.called)
        if call and host.has_pgbackrest and passed_on(call):
            if backup.completeness is not Completeness.COMPLETE:
                yield Concern(f"{backup.id} is not complete: {backup.why}", "choose another: --backup ID")
        elif backup.writer is not Writer.OURS:
            folder = place.folder or (f"{host.data}.restored" if host.data else _usual(place))
            command = by_its_tool(backup, target, folder, host.called, host.archive)
            how = f": {command}" if command else ""
            there = f" on {host.elsewhere}, once it is configured there as on production's host"
            yield Concern(
                f"{backup.writer.value} made {backup.id}",
                f"as the cluster's owner (another's files no server starts upon), restore it with "
                f"{backup.writer.value}'s own commands{there if host.elsewhere else ''}{how}",
            )
        elif backup.encryption and (fault := _key_fault(backup, wish, host)):
            yield Concern(
                f"{backup.id} is encrypted ({backup.encryption}), and {fault}",
                "bring age's key into a file in memory that PostgreSQL's user alone may read, and name that: "
                "--identity /dev/shm/FILE; or restore it where the key is: docs/recovery.md, by hand",
            )
        elif backup.completeness is not Completeness.COMPLETE:
            yield Concern(f"{backup.id} is not complete: {backup.why}", "choose another: --backup ID")
    major = (chain[-1].server_version_num or 0) // 10_000
    if place.cluster is not None and major and str(major) != place.cluster.version:
        yield Concern(f"{chain[-1].id} is of PostgreSQL {major}", f"--into {major}/{place.cluster.name}")


def _usual(place: RecoveryPlace) -> str:
    """Where Debian has a cluster of that name."""
    return f"/var/lib/postgresql/{place.name or 'restored'}"


def _key_fault(backup: BaseBackup, wish: RecoveryWish, host: RecoveryHost) -> str:
    """Why it cannot be decrypted there, empty where it can."""
    file = wish.identity or host.identity
    if backup.encryption != "age" or not file:
        return "its secret key is not on this host"
    return f"of its key in {file}: {host.key_fault}" if host.key_fault else ""


def _warnings(host: RecoveryHost, left_out: Sequence[BucketRole]) -> Iterator[Concern]:
    if host.wal_lies:
        yield Concern(
            f"the old cluster's pg_wal is a link to {host.wal_lies}: what is recovered has its WAL in "
            "its data directory, on that disk",
            "move it when all is done, with the server stopped: mv DATA/pg_wal ELSEWHERE, then ln -s",
        )
    for role in left_out:
        yield Concern(f"{_COPIES[role]} could not be read: what it alone holds is not counted on")
    if host.elsewhere:
        if not host.running:
            yield Concern(
                "production's server does not answer: what it had not archived is not recovered",
                (
                    "where its disk can be read, bring what is in its pg_wal, and recover by hand: "
                    "docs/recovery.md"
                ),
            )
    elif not host.data:
        yield Concern("the old cluster is not known on this host: of its last WAL nothing can be kept")
    elif not host.running:
        yield Concern(
            "the old server does not run: of its last WAL what lies in pg_wal is kept, if that can be read"
        )


def plan_lines(plan: RecoveryPlan) -> Iterator[tuple[str, str]]:
    """What is told of a plan before anything is done, by label and text."""
    yield "target", f"{plan.target.how}, timeline {plan.target.timeline or 'n/a'}"
    yield "where", f"{plan.wish.place.text}{f' on {plan.elsewhere}' if plan.elsewhere else ''}"
    if plan.backup is not None and plan.copy is not None:
        stored = _sum(each.stored_bytes for each in plan.chain)
        size = "n/a" if stored is None else bytes_text(stored)
        more = (
            "" if len(plan.chain) == 1 else f", with {plural(len(plan.chain) - 1, 'backup')} it builds upon"
        )
        yield "base backup", f"{plan.backup.id}, {size} stored{more}, from {_COPIES[plan.copy]}"
        many = plural(plan.segments, "segment")
        yield "WAL", f"at most {many}, {plan.first} to {plan.last}, {bytes_text(plan.wal_bytes)}"
    if plan.identity:
        yield "key", f"decrypted by age's keys in {plan.identity}"
    yield "room", "n/a" if plan.room is None else str(plan.room)
    told = "not known: no restore drill was made yet" if plan.forecast is None else str(plan.forecast)
    yield "takes", told
    if plan.target.to is not RecoverTo.LATEST:
        yield "loses", f"{plan.loss} up to the archive's end; `walconsole moment` counts the transactions"
