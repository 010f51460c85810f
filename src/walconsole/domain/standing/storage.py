"""What each bucket stores now and in thirty days, and costs: base backups and WAL apart."""

from collections.abc import Sequence

from walconsole.domain.archive.growth import DAY_S, WINDOW_S, growth, stored_bytes_each
from walconsole.domain.archive.stored_parts import (
    FORECAST_DAYS,
    Staying,
    StoredBackup,
    StoredParts,
    Trend,
    forecast,
)
from walconsole.domain.facts.evidence import PolicyFacts
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.expiry import Keep
from walconsole.domain.recovery.lifecycle import staying_days
from walconsole.domain.recovery.ours import FOLDER

NIGHTLY_S = 2 * DAY_S
"""Where our script finished a base backup within that time, its nightly schedule stands."""
_NOTHING = Staying()


@record
class Storage:
    """One bucket: bytes now, and after FORECAST_DAYS; None where that cannot be told, and `why_not` says why.

    `trend` is what the forecast goes by, `staying` what is taken to stay.
    """

    role: BucketRole
    now: StoredParts
    later: StoredParts | None
    trend: Trend | None
    staying: Staying
    why_not: str = ""


def stored(snapshot: Snapshot, now: float, keep: Keep | None = None) -> tuple[Storage, ...]:
    """Of each copy that was listed to its end, the primary first; as `storage`."""
    read = ((snapshot.primary.value, snapshot.policy), (snapshot.dr.value, snapshot.dr_policy))
    found = (
        storage(bucket, now, keep, _staying(bucket, policy.value))
        for bucket, policy in read
        if bucket is not None
    )
    return tuple(each for each in found if each is not None)


def _staying(bucket: BucketFacts, policy: PolicyFacts | None) -> Staying:
    """What the bucket's own rules leave, as far as they could be read."""
    holding = bucket.holding
    if policy is None or holding is None:
        return _NOTHING
    made = whole_backups(bucket)
    newest = made[-1] if made else None
    key, size = f"{holding.prefix}{FOLDER}", None
    if newest is not None:
        key, size = f"{holding.prefix}{newest.place}{newest.id}/", newest.stored_bytes
    each = stored_bytes_each(holding) or holding.segment_bytes
    wal, backups = staying_days(policy.rules, holding.newest_key, each, key, size)
    return Staying(wal_days=wal, backup_days=backups)


def storage(
    bucket: BucketFacts, now: float, keep: Keep | None = None, staying: Staying = _NOTHING
) -> Storage | None:
    """`now` is the console's clock; `keep` is retention's rule, where it is run daily, `staying` has the
    bucket's own rules. None while the bucket is not listed to its end.
    """
    if not bucket.complete:
        return None
    other = max(0, bucket.stored_bytes - bucket.backup_bytes - bucket.wal_bytes)
    parts = StoredParts(bucket.backup_bytes, bucket.wal_bytes, other)
    if keep is not None:
        staying = Staying(keep.full, keep.days, staying.wal_days, staying.backup_days)
    grown = growth(bucket.holding, now) if bucket.holding is not None else None
    if grown is None:
        why = "less than ten minutes of history" if bucket.holding is not None else "it holds no WAL"
        return Storage(bucket.role, parts, None, None, staying, why)
    made = whole_backups(bucket)
    trend = Trend(grown.bytes_per_day, *pace(made, now))
    known = [
        StoredBackup(max(0.0, now - (each.stopped or now)) / DAY_S, each.stored_bytes or 0) for each in made
    ]
    return Storage(bucket.role, parts, forecast(parts, known, trend, staying), trend, staying)


def whole_backups(bucket: BucketFacts) -> list[BaseBackup]:
    """Base backups in it that are whole and say when they stopped, oldest first."""
    found = [
        each
        for each in bucket.backups or ()
        if isinstance(each, BaseBackup)
        and each.writer is not Writer.LABEL
        and each.completeness is Completeness.COMPLETE
        and each.stopped is not None
    ]
    return sorted(found, key=lambda each: each.stopped or 0.0)


def pace(made: Sequence[BaseBackup], now: float) -> tuple[float, float]:
    """Base backups a day, and the bytes of each: one a night where our script runs, else as in the last week.

    Of incremental ones the mean is taken, else the newest one's size.
    """
    week = [each for each in made if (each.stopped or 0.0) > now - WINDOW_S]
    if not week:
        return 0.0, 0.0
    newest = week[-1]
    size = float(newest.stored_bytes or 0)
    if any(each.is_incremental for each in week):
        size = sum(each.stored_bytes or 0 for each in week) / len(week)
    if newest.writer is Writer.OURS:
        return (1.0 if now - (newest.stopped or 0.0) <= NIGHTLY_S else 0.0), size
    lasted = (newest.stopped or 0.0) - (week[0].stopped or 0.0)
    return ((len(week) - 1) * DAY_S / lasted if lasted > 0 else 0.0), size


def assumed_text(found: Storage) -> str:
    """What a forecast takes for granted, in words."""
    trend, staying = found.trend, found.staying
    if trend is None:
        return ""
    backups = "no further base backup"
    if trend.backups_per_day > 0:
        backups = f"{trend.backups_per_day:.3g} base backups a day"
        if abs(trend.backups_per_day - 1) < 1e-9:
            backups = "a base backup a night"
    taken = []
    if staying.retains:
        taken.append("retention takes what the profile lets it")
    if staying.wal_days is not None or staying.backup_days is not None:
        taken.append("the bucket's lifecycle rules delete")
    return f"{backups}; {' and '.join(taken) or 'nothing is deleted'}"


__all__ = [
    "FORECAST_DAYS",
    "NIGHTLY_S",
    "Storage",
    "assumed_text",
    "pace",
    "storage",
    "stored",
    "whole_backups",
]
