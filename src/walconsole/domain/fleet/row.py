"""One cluster of many in a row: what its snapshot says, in the few numbers that are compared."""

from dataclasses import replace

from walconsole.domain.facts.snapshot import Freshness, Snapshot, fold
from walconsole.domain.records import record
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.standing.archiver import Lag, ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.exposure import exposure
from walconsole.domain.standing.model import Diagnosis, Level
from walconsole.domain.standing.storage import FORECAST_DAYS, stored
from walconsole.domain.standing.unreachable import link_problem
from walconsole.domain.standing.unseen import NEEDED
from walconsole.domain.units import duration_text

STALE_AFTER_S = 1_800.0
"""What is older is no news of a cluster any more: where 500 are looked at, each is within twenty minutes."""

NOT_YET = "not looked at yet"


@record
class Identity:
    """Which cluster of many: `name` tells it from the others, `host` is where it is, `tags` its groups."""

    name: str
    host: str = ""
    tags: tuple[str, ...] = ()


@record
class FleetRow:
    """None stands for what is not known. Times are seconds since the epoch, sizes bytes.

    `lost_s` is the age of the oldest WAL that would be lost with the droplet's disk, at most: the recovery
    point now, 0 where nothing would, infinite where everything would. `since` and `until` bound what can be
    restored. `backup_at` is when the newest usable base backup was finished, `drill_at` when the newest drill
    that came to a verdict ended, and `drill_good` what that was. `full_in_s` is until the disk of pg_wal is
    full, infinite while it is not filling, `growth` what the primary bucket grows in a day. `system` is the
    database system's identifier, which a primary has in common with its standbys. `read_at` is when the
    oldest of what the verdict rests on was true.
    """

    identity: Identity
    level: Level = Level.UNKNOWN
    verdict: str = NOT_YET
    lost_s: float | None = None
    since: float | None = None
    until: float | None = None
    backup_at: float | None = None
    drill_at: float | None = None
    drill_good: bool | None = None
    backlog: int | None = None
    full_in_s: float | None = None
    stored: int | None = None
    growth: float | None = None
    version: str = ""
    role: str = ""
    system: str | None = None
    read_at: float | None = None
    started_at: float | None = None
    """When the server was started, to the microsecond: with `system` it tells one server from all others."""

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return self.identity.name

    @property
    def was_seen(self) -> bool:
        """Whether a look at it has come to an end, whatever that was."""
        return self.verdict != NOT_YET

    @property
    def in_trouble(self) -> bool:
        """Whether it was looked at, and all is not well."""
        return self.level is not Level.OK and self.was_seen

    def age_s(self, now: float) -> float | None:
        """Seconds since the oldest of it was true."""
        return None if self.read_at is None else max(0.0, now - self.read_at)


def fleet_row(identity: Identity, snapshot: Snapshot | None, diagnosis: Diagnosis, now: float) -> FleetRow:
    """What one look says; without a snapshot nothing but why."""
    verdict = diagnosis.verdict
    row = FleetRow(identity, verdict.level, verdict.text)
    if snapshot is None:
        return row
    assessment = Assessment(snapshot, now)
    recovery, lost, drill = assessment.recovery, exposure(snapshot, now), _last_drill(assessment)
    stores = stored(snapshot, now)
    first = stores[0] if stores else None
    bucket, server = snapshot.primary.value, snapshot.server.value
    row = replace(
        row,
        lost_s=_lost(lost, diagnosis),
        drill_at=None if drill is None else drill.ended,
        drill_good=None if drill is None else drill.good,
        backlog=ready_count(snapshot),
        full_in_s=_full_in(assessment),
        stored=None if bucket is None else bucket.stored_bytes,
        growth=None
        if first is None or first.later is None
        else (first.later.total - first.now.total) / FORECAST_DAYS,
        version="" if server is None else server.version,
        role="" if server is None else "standby" if server.in_recovery else "primary",
        system=None if server is None else server.system_identifier,
        read_at=_read_at(snapshot),
        started_at=None if server is None else server.started_at or None,
    )
    return row if recovery is None else _with_window(row, recovery.found)


def _lost(lost: Lag | None, diagnosis: Diagnosis) -> float | None:
    """None where nobody knows. Where it is critical and nothing is known to be safe, it is everything."""
    if lost is None:
        return float("inf") if diagnosis.verdict.level is Level.CRITICAL else None
    return 0.0 if not lost.bytes or lost.idle else lost.seconds


def _with_window(row: FleetRow, found: Recoverability) -> FleetRow:
    window, newest = found.window, found.newest_usable
    if window is None or newest is None:
        return row
    return replace(row, since=window.since, until=window.until, backup_at=newest.held.backup.stopped)


def _last_drill(assessment: Assessment) -> DrillResult | None:
    return None if assessment.drills is None else assessment.drills.newest


def _full_in(assessment: Assessment) -> float | None:
    outlook = assessment.outlook
    if outlook is None or outlook.free_change_bytes_per_s is None:
        return None
    return outlook.full_in_s if outlook.full_in_s is not None else float("inf")


def _read_at(snapshot: Snapshot) -> float | None:
    """When the oldest of what a verdict rests on was true; what was never read is told by the verdict."""
    times = [slot.of(snapshot).read_at for slot in NEEDED if slot in snapshot.slots]
    known = [at for at in times if at is not None]
    return min(known) if known else snapshot.taken_at


def aged(row: FleetRow, now: float) -> FleetRow:
    """The row as it may be shown at `now`: what is too old is well no more, for nobody knows."""
    age = row.age_s(now)
    if age is None or age < STALE_AFTER_S or row.level is not Level.OK:
        return row
    return replace(
        row, level=Level.UNKNOWN, verdict=f"not looked at for {duration_text(age)}; then {row.verdict}"
    )


def after_look(before: Snapshot | None, found: Snapshot) -> Snapshot:
    """What one look found, with the trends of the looks before it."""
    if before is None:
        return found
    snapshot = Snapshot(
        found.profile_name, found.began_at, found.taken_at, history=before.history, told=found.told
    )
    for slot in found.slots:
        reading = slot.of(found)
        if reading.freshness is not Freshness.UNREAD:
            snapshot = fold(snapshot, reading, found.taken_at)
    return snapshot


def kept_of(found: Snapshot) -> Snapshot:
    """What is kept of a look until the next one: what a glance goes on from, and the trends.

    All of it takes a quarter of a MiB: pg_settings, the log, what the buckets hold.
    """
    kept = Snapshot(
        found.profile_name, found.began_at, found.taken_at, history=found.history, told=found.told
    )
    return replace(kept, host=found.host, wal_disk=found.wal_disk)


def unreached(row: FleetRow, snapshot: Snapshot) -> FleetRow:
    """The row after a glance that did not reach its host. What was critical stays so until a whole look."""
    problem = link_problem(snapshot) or snapshot.host.problem
    if row.level is Level.CRITICAL or problem is None:
        return row
    why = f"cannot tell: the droplet cannot be reached: {problem.reason}"
    return replace(row, level=Level.UNKNOWN, verdict=why)


def glanced(row: FleetRow, snapshot: Snapshot, now: float) -> FleetRow:
    """The row after a glance that reached its host.

    The verdict stays the last whole look's, with its age: to judge what waits now by counters of then would
    call an archiver stalled that is none.
    """
    return replace(row, backlog=_counted(snapshot), full_in_s=_full_in(Assessment(snapshot, now)))


def asks_for_more(before: Snapshot, after: Snapshot) -> bool:
    """Whether what a glance saw may change the verdict: more waits, the disk fills, the server stopped."""
    waited, waits = _counted(before), _counted(after)
    if waits is not None and waits > max(1, waited or 0):
        return True
    return after.history.disk_urgent > before.history.disk_urgent or _runs(before) != _runs(after)


def _counted(snapshot: Snapshot) -> int | None:
    """What waits by the host's own count, which is newer than PostgreSQL's."""
    disk = snapshot.wal_disk.value
    return ready_count(snapshot) if disk is None or disk.ready_count is None else disk.ready_count


def _runs(snapshot: Snapshot) -> bool | None:
    host = snapshot.host.value
    return None if host is None or host.cluster is None else host.cluster.running


def is_unreachable(snapshot: Snapshot) -> bool:
    """Whether its host could not be asked at the last attempt."""
    return link_problem(snapshot) is not None or snapshot.host.freshness is Freshness.UNREAD
