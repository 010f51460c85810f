"""A recovery as one snapshot allows it: what is known of the host, and the plan."""

from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.domain.facts.evidence import FoundCopy
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, ClusterName
from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.by_tool import called_by
from walconsole.domain.recovery.recover_plan import (
    RecoveryHost,
    RecoveryPlan,
    RecoveryWish,
    plan_recovery,
)
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoveryPlace, read_into
from walconsole.domain.recovery.target_judgement import TargetKnown
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.remedies import command_in_force

_MIB = 1 << 20
_NEW_NAME = "restored"


def foreseen(
    assessment: Assessment, wish: RecoveryWish, *, lsn: int | None = None, last_commit: float | None = None
) -> RecoveryPlan:
    """What a recovery would take and lose, and what is in its way.

    `lsn` is the target's place in the WAL, `last_commit` the archive's last one, where that was read. Room is
    of the disk that holds pg_wal, where that lies in the data directory: the steps ask the disk itself.
    """
    snapshot, restorable = assessment.snapshot, assessment.recovery
    found = restorable.found if restorable is not None else None
    left_out = (
        ()
        if restorable is None
        else tuple(
            BucketRole.DR if each is snapshot.dr else BucketRole.PRIMARY for each in restorable.left_out
        )
    )
    drills = assessment.drills
    return plan_recovery(
        wish,
        found,
        host_of(snapshot) if wish.place.in_place else spare_of(snapshot) or host_of(snapshot),
        known=TargetKnown(
            lsn,
            last_commit,
            now=assessment.now,
            written=written_to(snapshot),
            ahead_s=ahead_of_stores(snapshot),
        ),
        left_out=left_out,
        earlier=drills.good if drills is not None else None,
    )


def host_of(snapshot: Snapshot) -> RecoveryHost:
    """The old cluster and its disk, as far as observation knows them."""
    facts, server, disk = snapshot.host.value, snapshot.server.value, snapshot.wal_disk.value
    cluster = facts.cluster if facts is not None else None
    data = cluster.data_directory if cluster is not None else ""
    if server is not None and server.data_directory:
        data = server.data_directory
    beside = disk is not None and bool(data) and disk.directory.startswith(f"{data}/")
    return RecoveryHost(
        data=data,
        cluster=cluster.name if cluster is not None else None,
        running=cluster is not None and cluster.running,
        free_mib=disk.free_bytes // _MIB if disk is not None and beside else None,
        folder=disk.directory if disk is not None else "",
        clusters=names_taken(snapshot),
        in_recovery=server is not None and server.in_recovery,
        tablespaces=server.tablespaces if server is not None else 0,
        identity=snapshot.told.identity,
        called=_called(snapshot),
        has_pgbackrest=any(each.tool == Writer.PGBACKREST for each in _found(snapshot)),
    )


def written_to(snapshot: Snapshot) -> int | None:
    """The write position of a server that answers (bytes), None where none does."""
    archiver = snapshot.archiver
    return archiver.value.lsn if archiver.value is not None and archiver.problem is None else None


def ahead_of_stores(snapshot: Snapshot) -> float:
    """How far the droplet's clock is ahead of a store's (seconds); 0 where either is not known."""
    host = snapshot.host.value
    told = (each.value.store_clock_offset_s for each in snapshot.copies if each.value is not None)
    offset = next((each for each in told if each is not None), None)
    return 0.0 if host is None or offset is None else host.clock_offset_s - offset


def _found(snapshot: Snapshot) -> tuple[FoundCopy, ...]:
    told = snapshot.discovery.value
    return told.copies if told is not None else ()


def _called(snapshot: Snapshot) -> OwnRestore:
    """By what the host says; whether the program is there the steps look."""
    return called_by(command_in_force(snapshot), _found(snapshot))


def spare_of(snapshot: Snapshot) -> RecoveryHost | None:
    """The host that the profile names besides, which is not observed; None where it names none."""
    server, spare = snapshot.server.value, snapshot.told.spare
    if not spare:
        return None
    answers = server is not None and snapshot.server.problem is None
    tablespaces = server.tablespaces if server is not None else 0
    return RecoveryHost(
        "",
        None,
        answers,
        None,
        tablespaces=tablespaces,
        elsewhere=spare,
        called=_called(snapshot),
        identity=snapshot.told.identity,
    )


def names_taken(snapshot: Snapshot) -> tuple[ClusterName, ...]:
    """Of all clusters on the host."""
    facts = snapshot.host.value
    return tuple(each.name for each in facts.clusters if each.name is not None) if facts is not None else ()


def place_beside(snapshot: Snapshot) -> RecoveryPlace:
    """Where the old one is not touched: of Debian's a new cluster of its version whose name is free;
    else a data directory beside its own. In its place where neither can be named. Where the old host is gone
    and the profile names another one, the base backups tell the version.
    """
    facts = snapshot.host.value
    cluster = facts.cluster if facts is not None else None
    name = cluster.name if cluster is not None else None
    version = name.version if name is not None else ""
    if cluster is None and snapshot.told.spare:
        version = _stored_version(snapshot)
    if not version:
        try:
            return read_into(f"{host_of(snapshot).data}.{_NEW_NAME}")
        except ValueError:
            return IN_PLACE
    taken = set(names_taken(snapshot))
    names = (f"{_NEW_NAME}{number or ''}" for number in (0, *range(2, 100)))
    free = (ClusterName(version, each) for each in names)
    return RecoveryPlace(next(each for each in free if each not in taken))


def _stored_version(snapshot: Snapshot) -> str:
    """The major version of the newest base backup that can be restored; empty where none tells it."""
    restorable = Assessment(snapshot, 0.0).recovery
    newest = restorable.found.newest_usable if restorable is not None else None
    number = newest.held.backup.server_version_num if newest is not None else None
    return str(number // 10_000) if number else ""
