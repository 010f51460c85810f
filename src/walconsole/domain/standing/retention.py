"""What retention would delete next, as one snapshot says, and why it would not."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from walconsole.domain.archive.holding import Holding
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.recovery.expiry import CopyExpiry, ExpiryPlan, Keep, Lock, Now, expiry_plan
from walconsole.domain.recovery.from_facts import archive_copy, cluster_of
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.standing.recovery import CopyRead, is_known, reads_both, server_timeline
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.units import bytes_text, plural
from walconsole.domain.wal import Segment, WalNameKind, wal_name


@record
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
    absent = not snapshot.told.second_copy or _is_absent(snapshot.dr)
    readings = (snapshot.primary,) if absent else snapshot.copies
    unread = tuple(_unread(snapshot, readings))
    buckets = [each.value for each in readings if each.value is not None]
    if unread or len(buckets) < len(readings):
        return Retention(keep, refused=unread, absent=absent)
    timeline = server_timeline(snapshot, [each.holding for each in buckets])
    cluster = replace(cluster_of(snapshot.server.value, None), timeline=timeline)
    both = reads_both(snapshot)
    read = tuple(CopyRead(each, both or each.role is BucketRole.PRIMARY) for each in buckets)
    offsets = tuple(each.store_clock_offset_s for each in buckets)
    made = _planned(read, offsets, cluster, keep, Now(now, locks, _archived(snapshot)), _drilled(buckets))
    return replace(made, absent=absent)


@lru_cache(maxsize=8)
def _planned(
    read: tuple[CopyRead, ...],
    clock_offsets_s: tuple[float | None, ...],
    cluster: Cluster,
    keep: Keep,
    now: Now,
    drilled: frozenset[str],
) -> Retention:
    """Asked for by the screen at every drawing, of the same copies."""
    made = (archive_copy(each.bucket, each.bucket.backups or (), read_by_restore=each.asked) for each in read)
    copies = tuple(
        replace(copy, clock_offset_s=offset) for copy, offset in zip(made, clock_offsets_s, strict=True)
    )
    holdings = tuple(each.bucket.holding for each in read)
    return Retention(keep, expiry_plan(copies, cluster, keep, now, drilled), (), copies, holdings)


def _drilled(buckets: Iterable[BucketFacts]) -> frozenset[str]:
    """The base backups that a restore was proved with, by the results in any copy."""
    results = (each for bucket in buckets for each in bucket.drills or ())
    return frozenset(each.backup for each in results if isinstance(each, DrillResult) and each.good)


def is_judgeable(snapshot: Snapshot) -> bool:
    """Whether all that a plan rests on was asked, the base backups that run among it, and each bucket that
    answers was read to its end."""
    running = (snapshot.backup_sessions, snapshot.backup_script)
    asked = (snapshot.server, snapshot.archiver, snapshot.settings, *running)
    return all(each.freshness is not Freshness.UNREAD for each in asked) and all(
        each.problem is not None or (is_known(each) and _is_looked_at(each)) for each in snapshot.copies
    )


def _is_looked_at(reading: Reading[BucketFacts]) -> bool:
    """Whether its heads were read, which tell whose it is; an empty bucket has none."""
    bucket = reading.value
    if bucket is None or bucket.holding is None:
        return bucket is not None
    return bucket.checked_at is not None and (bool(bucket.identities) or bucket.holding.newest is None)


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


# -- The same in a line.

_NAMES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "DR"}


def retention_line(found: Retention | None) -> str:
    """`keep 7 full, 14 d; next: 2 base backups, 412 segments, about 31 GiB`, or why nothing goes."""
    if found is None:
        return "no rule (keep): nothing is deleted"
    rules = f"keep {found.keep}"
    if found.plan is None:
        return f"{rules}; nothing goes: {_first(found.refused)}"
    goes = [each for each in found.plan.copies if each.backups or each.wal or each.labels]
    refused = [each for each in found.plan.copies if each.refused and not _is_empty(found, each.role)]
    if not goes:
        return f"{rules}; nothing goes" + (f": {_first(refused[0].refused)}" if refused else "")
    parts = [_next(each, found) for each in goes]
    same = len(parts) == len(found.copies) > 1 and len(set(parts)) == 1
    told = (
        f"{parts[0]} in each copy"
        if same
        else "; ".join(
            f"{part} in the {_NAMES[each.role]} copy" for each, part in zip(goes, parts, strict=True)
        )
    )
    but = f"; nothing in the {_NAMES[refused[0].role]} copy: {_first(refused[0].refused)}" if refused else ""
    return f"{rules}; next: {told}{but}"


def _next(part: CopyExpiry, found: Retention) -> str:
    """WAL by its mean size: nobody lists it for a line on the screen."""
    holding = next(
        held for held, copy in zip(found.holdings, found.copies, strict=True) if copy.role is part.role
    )
    segments = part.segments
    mean = holding.stored_bytes / holding.segments if holding is not None and holding.segments else 0.0
    stored = round(mean * segments) + sum(each.stored_bytes or 0 for each in part.backups)
    counts = ((len(part.backups), "base backup"), (segments, "segment"))
    told = [plural(count, one) for count, one in counts if count]
    return ", ".join([*told, f"about {bytes_text(stored)}"])


def _is_empty(found: Retention, role: BucketRole) -> bool:
    return any(copy.role is role and not copy.timelines and not copy.backups for copy in found.copies)


def _first(refused: tuple[str, ...]) -> str:
    return refused[0] if refused else "it is not known why"
