"""All that the recovery screen shows: what can be restored from both copies together, and from each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.archive.layouts import Layout
from walconsole.domain.moments.events import Kind
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.doubts import made_at
from walconsole.domain.recovery.time_strip import switch_times, time_span
from walconsole.domain.recovery.words import not_taken_here
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.expiry_schedule import schedule_line
from walconsole.domain.standing.retention import retention_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.facts.snapshot import Reading, Snapshot
    from walconsole.domain.moments.found import FoundMoments
    from walconsole.domain.recovery.backups import BaseBackup
    from walconsole.domain.recovery.drill_plan import Forecast
    from walconsole.domain.recovery.drill_result import Drills
    from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Window
    from walconsole.domain.standing.backup_runs import BackupRuns
    from walconsole.domain.standing.model import Verdict

NAMES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "DR"}
TOGETHER = "together"


@record
class RecoveryPicture:
    """`together` is what all copies are worth that the restore command reads, `alone` each without the other,
    of those that are wanted; None where it was not read to its end.

    `left_out` are copies that could not be read: what `together` lacks may be there; `being_read` are names
    of what will be known later. `now` is by the store's clock (seconds since the epoch), `span` what the
    strips show, None where no time is known. `switches` are moments with the timeline that began there.
    `not_taken` says why the installed script can take none of this cluster; empty where it can. `flat` are
    the copies whose WAL lies as the installed command stores it. `reaches` are the base backups and how far
    each can be replayed, the newest first, those without a time last. `retention` is what would be deleted
    next, in words. `runs` are those that are being taken, `seen_at` is now by the console's clock.
    `drills` is what restore drills proved, `forecast` what a restore would take now by their rates. `points`
    are restore points by their times and names, as far as the WAL was read for moments.
    """

    verdict: Verdict
    together: Recoverability | None
    alone: Mapping[BucketRole, Recoverability | None]
    left_out: tuple[BucketRole, ...]
    being_read: tuple[str, ...]
    now: float
    span: tuple[float, float] | None
    switches: tuple[tuple[float, int], ...]
    flat: frozenset[BucketRole]
    reaches: tuple[BackupReach, ...]
    retention: str
    runs: BackupRuns
    seen_at: float
    not_taken: str = ""
    drills: Drills | None = None
    forecast: Forecast | None = None
    points: tuple[tuple[float, str], ...] = ()

    @property
    def subjects(self) -> tuple[tuple[str, Recoverability], ...]:
        """What has a strip, by its name: all copies together, and each."""
        named = [(TOGETHER, self.together), *((NAMES[role], found) for role, found in self.alone.items())]
        return tuple((name, found) for name, found in named if found is not None)


def points_of(found: FoundMoments | None) -> tuple[tuple[float, str], ...]:
    """The restore points among what was found last: seconds since the epoch, and the name.

    pg_waldump does not tell their time: it is that of the last commit before them.
    """
    moments = found.collected.moments if found is not None else ()
    points = [each for each in moments if each.kind is Kind.RESTORE_POINT]
    dated = [(each.at_us or each.after_us, each.text) for each in points]
    return tuple((at / 1_000_000, name) for at, name in dated if at is not None)


def made_when(backup: BaseBackup) -> float | None:
    """When it stopped, else when it was begun (seconds since the epoch); None where nothing tells."""
    return backup.stopped or backup.started or made_at(backup.id)


def age_order(reach: BackupReach) -> tuple[float, int]:
    """What sorts base backups, the newest first, those without a time last."""
    backup = reach.held.backup
    return -(made_when(backup) or 0.0), -(backup.start_lsn or 0)


def window_of(found: Recoverability, reach: BackupReach) -> Window | None:
    """The window that begins with that backup or goes on over it; None where it is of no use."""
    if reach.last is None:
        return None
    until = (reach.last + 1) * found.cluster.segment_bytes
    return next((each for each in found.windows if each.until_lsn == until), None)


def _retention(assessed: Assessment) -> str:
    """What goes next, and where there is a rule who does it."""
    line = retention_line(assessed.retention)
    if assessed.retention is None:
        return line
    who = schedule_line(assessed.snapshot.expiry.value, assessed.now)
    return f"{line}; {who}" if who else line


def _reading(snapshot: Snapshot, role: BucketRole) -> Reading[BucketFacts]:
    return snapshot.primary if role is BucketRole.PRIMARY else snapshot.dr


def picture_of(snapshot: Snapshot, now: float) -> RecoveryPicture:
    """What both buckets' readings say. `now` is the console's clock."""
    assessed = Assessment(snapshot, now)
    restorable = assessed.recovery
    together = restorable.found if restorable is not None else None
    unread = restorable.left_out if restorable is not None else ()
    left_out = tuple(BucketRole.DR if each is snapshot.dr else BucketRole.PRIMARY for each in unread)
    there = tuple(BucketRole)[: len(snapshot.copies)]
    alone = {role: assessed.recovery_of(role) for role in there}
    answering = [role for role in there if _reading(snapshot, role).problem is None]
    being_read = [NAMES[role] for role in answering if alone[role] is None]
    if together is None and being_read:
        being_read.insert(0, TOGETHER)
    read = [bucket for each in (snapshot.primary, snapshot.dr) if (bucket := each.value) is not None]
    offset = next((each.store_clock_offset_s for each in read if each.store_clock_offset_s is not None), 0.0)
    history = next(
        (
            each.histories_read[together.target]
            for each in read
            if together is not None and together.target in each.histories_read
        ),
        None,
    )
    times = [each.holding.times for each in read if each.holding is not None]
    reaches = together.reach[together.target].reaches if together is not None else ()
    found = [each for each in (together, *alone.values()) if each is not None]
    return RecoveryPicture(
        verdict=assessed.recovery_verdict,
        together=together,
        alone=alone,
        left_out=left_out,
        being_read=tuple(being_read),
        now=now + offset,
        span=time_span(found, now + offset),
        switches=switch_times(history, times, together.cluster.segment_bytes) if together is not None else (),
        reaches=tuple(sorted(reaches, key=age_order)),
        retention=_retention(assessed),
        not_taken=not_taken_here(snapshot.server.value.tablespaces if snapshot.server.value else 0),
        runs=assessed.backup_runs,
        seen_at=now,
        drills=assessed.drills,
        forecast=assessed.restore_forecast,
        flat=frozenset(each.role for each in read if each.layout == Layout.FLAT.value),
    )
