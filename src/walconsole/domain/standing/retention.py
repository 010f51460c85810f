"""What retention would delete next, as one snapshot says, and why it would not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from walconsole.domain.archive.holding import Holding
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.expiry import ExpiryPlan, Keep, Lock, Now, expiry_plan
from walconsole.domain.recovery.from_facts import archive_copy, cluster_of
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.standing.recovery import is_known, reads_both, server_timeline
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.wal import Segment, WalNameKind, wal_name


@dataclass(frozen=True, slots=True)
class Retention:
    """The plan by the rules `keep`, from `copies` (the primary first) in the buckets named by their roles.

    `plan` None: nothing can be planned, and `refused` is why. `absent`: there is no DR bucket.
    """

    keep: Keep
    plan: ExpiryPlan | None = None
    refused: tuple[str, ...] = ()
    copies: tuple[ArchiveCopy, ...] = ()
    holdings: tuple[Holding | None, ...] = ()
    absent: bool = False


def retention(snapshot: Snapshot, now: float, locks: tuple[Lock, ...] = ()) -> Retention | None:
    """What would go at `now` (seconds since the epoch); None where the profile has no rule.

    `locks` are those that were found in the copies.
    """
    keep = snapshot.told.keep
    if keep is None:
        return None
    absent = _is_absent(snapshot.dr)
    readings = (snapshot.primary,) if absent else (snapshot.primary, snapshot.dr)
    unread = tuple(_unread(snapshot, readings))
    buckets = [each.value for each in readings if each.value is not None]
    if unread or len(buckets) < len(readings):
        return Retention(keep, refused=unread, absent=absent)
    server, archiver = snapshot.server.value, snapshot.archiver.value
    timeline = server_timeline(snapshot, [each.holding for each in buckets])
    cluster = replace(cluster_of(server, archiver), timeline=timeline)
    both = reads_both(snapshot)
    copies = tuple(
        archive_copy(each, each.backups or (), read_by_restore=both or each.role is BucketRole.PRIMARY)
        for each in buckets
    )
    plan = expiry_plan(copies, cluster, keep, Now(now, locks, _archived(snapshot)))
    return Retention(keep, plan, (), copies, tuple(each.holding for each in buckets), absent)


def is_judgeable(snapshot: Snapshot) -> bool:
    """Whether all that a plan rests on was asked, and each bucket that answers was read to its end."""
    asked = (snapshot.server, snapshot.archiver, snapshot.settings)
    return all(each.freshness is not Freshness.UNREAD for each in asked) and all(
        each.problem is not None or (is_known(each) and _is_looked_at(each))
        for each in (snapshot.primary, snapshot.dr)
    )


def _is_looked_at(reading: Reading[BucketFacts]) -> bool:
    """Whether its heads were read, which tell whose it is; an empty bucket has none."""
    bucket = reading.value
    return bucket is not None and (bucket.holding is None or bucket.checked_at is not None)


def _unread(snapshot: Snapshot, readings: tuple[Reading[BucketFacts], ...]) -> Iterator[str]:
    for reading in readings:
        if reading.problem is not None:
            yield f"{reading.slot.words} could not be read: {reading.problem.reason}"
        elif not (is_known(reading) and _is_looked_at(reading)):
            yield f"{reading.slot.words} is still being read"
    for asked in (snapshot.server, snapshot.archiver):
        if asked.problem is not None:
            yield f"{asked.slot.words} could not be read: {asked.problem.reason}"
        elif asked.value is None:
            yield f"{asked.slot.words} was not read yet"


def _is_absent(reading: Reading[BucketFacts]) -> bool:
    return reading.problem is not None and meaning_of(reading.problem.code) is Meaning.ABSENT_BUCKET


def _archived(snapshot: Snapshot) -> Segment | None:
    """The segment that the server archived last; after a label or a history the one before it writes in."""
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None or archiver is None:
        return None
    last = wal_name(archiver.last_archived_wal, server.segment_bytes)
    if last is None:
        return None
    if last.kind is WalNameKind.SEGMENT:
        return last.segment
    written = Segment.at(last.timeline, archiver.lsn, server.segment_bytes)
    return replace(written, number=max(0, written.number - 1))
