"""What the rules of a bucket's lifecycle take from a restore: judged by what its base backups need.

A rule takes an object `days` after it was stored (S3 acts at the midnight after), or on its date and from
then on at once. It is dangerous where it takes the newest base backup, or WAL that this one needs, before
the next is due; and where it takes WAL that an older backup needs which itself stays. A rule that takes a
backup and its WAL together is retention. `.history` files are needed for ever. Rules that ask for a tag are
passed over: what archives stores none. So are those of old versions and of unfinished uploads.
"""

import math
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from walconsole.domain.facts.evidence import LifecycleRule, RuleAction
from walconsole.domain.records import record
from walconsole.domain.wal import Segment

DAY_S = 86_400.0
_DOCUMENT_BYTES = 4096
"""About what a description takes, or a history, whose size no listing kept."""
_NAME_DIGITS = 24
_HEX = re.compile(r"[0-9A-F/]*")


class Taken(StrEnum):
    """What a rule takes."""

    BACKUP = "base backups"
    WAL = "WAL"
    HISTORY = ".history files"


@record
class NeededBackup:
    """A base backup that can be restored. `objects` are all that it consists of, its parents' too.

    Each with its key, its bytes (None: not known), and when it was stored (seconds since the epoch). `first`
    is the segment that replay begins in, `wal_from` when that was stored.
    """

    id: str
    objects: tuple[tuple[str, int | None, float], ...]
    first: Segment
    wal_from: float


@record
class Needed:
    """What is needed in one bucket: base backups oldest first, WAL up to `newest` below `root`, histories.

    `due` is when the next base backup should stand, None where nothing tells. `segment_stored_bytes` is what
    a segment takes on average. `by_day`: WAL lies in a folder for each day.
    """

    root: str
    segment_bytes: int
    segment_stored_bytes: float
    newest: Segment
    backups: tuple[NeededBackup, ...]
    history_keys: tuple[str, ...] = ()
    due: float | None = None
    by_day: bool = False


@record
class Loss:
    """`rule` takes `what` of the backup `id` (empty: of none that is known) in `left_s` (0 and less: it has).

    `newest`: no newer backup stands by then, as far as is known.
    """

    rule: LifecycleRule
    what: Taken
    id: str
    left_s: float
    newest: bool


def acting(rules: Iterable[LifecycleRule]) -> list[LifecycleRule]:
    """Those that take whole objects, whatever their tags."""
    does = (RuleAction.EXPIRE, RuleAction.FREEZE)
    return [rule for rule in rules if rule.enabled and rule.action in does and not rule.tags]


def takes(rule: LifecycleRule, key: str, stored_bytes: float | None) -> bool:
    """Whether it is about that object."""
    size = _DOCUMENT_BYTES if stored_bytes is None else stored_bytes
    large = rule.larger_than is None or size > rule.larger_than
    small = rule.smaller_than is None or size < rule.smaller_than
    return key.startswith(rule.prefix) and large and small


def takes_wal(rule: LifecycleRule, needed: Needed, first: Segment) -> bool:
    """Whether it is about WAL from `first` on, or a part of it: its prefix may go on into the names."""
    if not takes(rule, rule.prefix, needed.segment_stored_bytes):
        return False
    if needed.root.startswith(rule.prefix):
        return True
    inside = rule.prefix.removeprefix(needed.root)
    if not rule.prefix.startswith(needed.root) or not _HEX.fullmatch(inside):
        return False
    if needed.by_day:
        return True  # which segments lie in a day's folder no name tells
    named = inside.rpartition("/")[2] or inside.partition("/")[0]
    names = (each.name(needed.segment_bytes) for each in (first, needed.newest))
    lowest, highest = named.ljust(_NAME_DIGITS, "0"), named.ljust(_NAME_DIGITS, "F")
    begin, end = sorted(names)
    return begin <= highest and lowest <= end


def moment(rule: LifecycleRule, stored_at: float) -> float:
    """When it takes what was stored then."""
    if rule.date is not None:
        return max(rule.date, stored_at)
    return stored_at + (rule.days or 0) * DAY_S


def losses(rules: Iterable[LifecycleRule], needed: Needed, now: float) -> tuple[Loss, ...]:
    """What is taken that is needed, the worst first; `now` is by the store's clock."""
    does = acting(rules)
    found: list[Loss] = []
    for at, backup in enumerate(needed.backups):
        is_newest = at == len(needed.backups) - 1
        found += _newest_lost(does, needed, backup, now) if is_newest else _older(does, needed, backup, now)
    histories = [
        rule for rule in does if any(takes(rule, key, _DOCUMENT_BYTES) for key in needed.history_keys)
    ]
    found += [Loss(rule, Taken.HISTORY, "", math.inf, newest=False) for rule in histories[:1]]
    return tuple(sorted(found, key=lambda loss: (not loss.newest, loss.left_s)))


def _of_backup(rules: Sequence[LifecycleRule], backup: NeededBackup) -> tuple[float, LifecycleRule | None]:
    """When the first of its objects is taken, and by what; infinity where none is."""
    moments = [
        (moment(rule, stored_at), at)
        for at, rule in enumerate(rules)
        for key, size, stored_at in backup.objects
        if takes(rule, key, size)
    ]
    when, at = min(moments, default=(math.inf, -1))
    return when, rules[at] if moments else None


def _of_wal(
    rules: Sequence[LifecycleRule], needed: Needed, backup: NeededBackup
) -> tuple[float, LifecycleRule | None]:
    """When the first of the WAL is taken that it needs."""
    moments = [
        (moment(rule, backup.wal_from), at)
        for at, rule in enumerate(rules)
        if takes_wal(rule, needed, backup.first)
    ]
    when, at = min(moments, default=(math.inf, -1))
    return when, rules[at] if moments else None


def _newest_lost(
    rules: Sequence[LifecycleRule], needed: Needed, backup: NeededBackup, now: float
) -> list[Loss]:
    (backup_at, backup_rule), (wal_at, wal_rule) = _of_backup(rules, backup), _of_wal(rules, needed, backup)
    when, rule, what = backup_at, backup_rule, Taken.BACKUP
    if wal_at < backup_at - DAY_S or backup_rule is None:
        when, rule, what = wal_at, wal_rule, Taken.WAL
    if rule is None:
        return []
    due = math.inf if needed.due is None else needed.due
    coming = now < due + DAY_S < math.inf  # what makes the next one is late at times
    dangerous = when < due + DAY_S if coming else when - now <= DAY_S
    dangerous |= rule.date is not None  # the next one goes with it
    return [Loss(rule, what, backup.id, when - now, newest=True)] if dangerous else []


def _older(rules: Sequence[LifecycleRule], needed: Needed, backup: NeededBackup, now: float) -> list[Loss]:
    """WAL that it needs goes, and it stays: it is kept for nothing."""
    (backup_at, _), (wal_at, rule) = _of_backup(rules, backup), _of_wal(rules, needed, backup)
    if rule is None or wal_at >= backup_at - DAY_S or wal_at - now > DAY_S:
        return []
    return [Loss(rule, Taken.WAL, backup.id, wal_at - now, newest=False)]


def staying_days(
    rules: Iterable[LifecycleRule],
    wal_key: str,
    wal_bytes: float,
    backup_key: str,
    backup_bytes: float | None,
) -> tuple[float | None, float | None]:
    """After how many days the rules delete WAL like that object, and base backups; None: never."""
    deleting = [rule for rule in acting(rules) if rule.action is RuleAction.EXPIRE and rule.days is not None]

    def days(key: str, size: float | None) -> float | None:
        return min((float(rule.days or 0) for rule in deleting if takes(rule, key, size)), default=None)

    return days(wal_key, wal_bytes), days(backup_key, backup_bytes)


def ends_uploads(rules: Iterable[LifecycleRule], key: str) -> bool:
    """Whether uploads of that key which were never finished are ended some day."""
    return any(
        rule.enabled and rule.action is RuleAction.ABORT and key.startswith(rule.prefix) for rule in rules
    )
