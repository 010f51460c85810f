"""What a plan of retention says: what goes and what stays, by which rule, and what can be restored then."""

from collections.abc import Iterator

from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.expiry import CopyExpiry
from walconsole.domain.recovery.going import CopyKeys
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.recovery.words import moment_text, recovery_verdict
from walconsole.domain.units import bytes_text, plural

NO_RULE = "no rule (keep) in the profile: nothing is ever deleted"
STRETCHES_SHOWN = 50


def going_lines(part: CopyExpiry, copy: ArchiveCopy, now: float) -> Iterator[str]:
    """A line for each backup that goes, then for each stretch of WAL."""
    stopped = {each.id: each.stopped for each in copy.backups if each.writer is Writer.OURS}
    for backup in part.backups:
        at = stopped.get(backup.id)
        when = "" if at is None else f", of {moment_text(at, now)}"
        yield f"goes: {backup.id}, {bytes_text(backup.stored_bytes)}{when}: {backup.why}"
    for each in part.wal[:STRETCHES_SHOWN]:
        ends = each.first if each.segments == 1 else f"{each.first} to {each.last}"
        yield f"goes: WAL {ends}, {plural(each.segments, 'segment')}"
    more = len(part.wal) - STRETCHES_SHOWN
    if more > 0:
        rest = sum(each.segments for each in part.wal[STRETCHES_SHOWN:])
        stretches = plural(more, "further stretch", "further stretches")
        yield f"goes: WAL in {stretches}, {plural(rest, 'segment')}"


def staying_lines(part: CopyExpiry, copy: ArchiveCopy) -> Iterator[str]:
    """A line for each backup that stays, and by which rule."""
    gone = {each.id for each in part.backups}
    kept = part.kept or {}
    for backup in copy.backups:
        if backup.writer is Writer.LABEL or (backup.writer is Writer.OURS and backup.id in gone):
            continue
        if backup.writer is not Writer.OURS:
            rule = f"{backup.writer} expires its own"
        elif part.refused and backup.id not in kept:
            rule = "nothing goes in this copy"
        else:
            rule = kept.get(backup.id) or backup.why or "it is not this profile's"
        yield f"stays: {backup.id}: {rule}"


def total_text(keys: CopyKeys) -> str:
    """`2 base backups and 412 segments, 31 GiB`."""
    part = keys.part
    told = [
        plural(count, one)
        for count, one in ((len(part.backups), "base backup"), (part.segments, "segment"))
        if count
    ]
    told = told or [plural(len(keys.labels), "label")]
    return f"{' and '.join(told)}, {bytes_text(keys.stored_bytes)}"


def window_text(found: Recoverability, now: float) -> str:
    """What can be restored, as the first line says it."""
    return recovery_verdict(found, now).text
