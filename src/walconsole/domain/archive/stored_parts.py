"""What a bucket stores in parts, and what it will: pure arithmetic, bytes and days.

A forecast takes three things for granted: WAL grows as it did, base backups go on as they were made, and
what takes anything away (retention, the bucket's own rules) does so on its day. WAL that is stored is thought
to have come as fast as it comes now, for that alone tells how old each of it is.
"""

from collections.abc import Iterable
from typing import NamedTuple

from walconsole.domain.records import record

FORECAST_DAYS = 30


@record
class StoredParts:
    """Bytes of base backups, of WAL, and of what is neither."""

    backups: float
    wal: float
    other: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.backups + self.wal + self.other


class StoredBackup(NamedTuple):
    """A base backup that is there: how many days ago it stopped, and its bytes."""

    age_days: float
    stored_bytes: float


@record
class Trend:
    """What comes: bytes of WAL a day, base backups a day and the bytes of each."""

    wal_bytes_per_day: float
    backups_per_day: float = 0.0
    backup_bytes: float = 0.0


@record
class Staying:
    """What stays; None: nothing is taken away by that rule.

    Retention keeps the newest `full` base backups, those of the last `days` and the newest before those, and
    the WAL since the oldest that stays. The bucket's rules delete WAL after `wal_days`, base backups after
    `backup_days`, whatever they are good for.
    """

    full: int | None = None
    days: float | None = None
    wal_days: float | None = None
    backup_days: float | None = None

    @property
    def retains(self) -> bool:
        """Whether there is a rule of retention."""
        return self.full is not None or self.days is not None


def forecast(
    now: StoredParts,
    backups: Iterable[StoredBackup],
    trend: Trend,
    staying: Staying,
    days: float = FORECAST_DAYS,
) -> StoredParts:
    """The parts in so many days. `backups` are those of which the age is known; the rest of them stays."""
    known = list(backups)
    rest = max(0.0, now.backups - sum(each.stored_bytes for each in known))
    made = round(trend.backups_per_day * days)
    then = [StoredBackup(each.age_days + days, each.stored_bytes) for each in known]
    then += [StoredBackup(days - (at + 1) / trend.backups_per_day, trend.backup_bytes) for at in range(made)]
    kept = _kept(then, staying)
    wal_days = [] if staying.wal_days is None else [staying.wal_days]
    if staying.retains and kept:
        wal_days.append(max(each.age_days for each in kept))
    wal = _of_the_last(min(wal_days, default=None), now.wal, trend.wal_bytes_per_day, days)
    return StoredParts(rest + sum(each.stored_bytes for each in kept), wal, now.other)


def _kept(backups: list[StoredBackup], staying: Staying) -> list[StoredBackup]:
    """Those that neither retention nor the bucket takes."""
    newest_first = sorted(backups)
    kept = set(range(len(newest_first)))
    if staying.retains:
        kept = set(range(min(staying.full or 0, len(newest_first))))
        if staying.days is not None:
            within = [at for at, each in enumerate(newest_first) if each.age_days <= staying.days]
            kept |= {*within, min(len(within), len(newest_first) - 1)} if newest_first else set()
    oldest = staying.backup_days
    return [newest_first[at] for at in sorted(kept) if oldest is None or newest_first[at].age_days <= oldest]


def _of_the_last(kept_days: float | None, stored: float, per_day: float, days: float) -> float:
    """Bytes of WAL after `days`, of which those of the last `kept_days` stay."""
    if kept_days is None:
        return stored + per_day * days
    if kept_days <= days:
        return per_day * max(0.0, kept_days)
    return per_day * days + min(stored, per_day * (kept_days - days))
