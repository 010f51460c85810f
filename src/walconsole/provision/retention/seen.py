"""What a listing after retention shows: the planned keys gone, everything else there, windows as promised."""

from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.expiry import CopyExpiry, after_expiry
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.units import plural
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.look import Look, keys_of, listed, target_of


async def whats_wrong(site: Site, applied: Look, anew: Look) -> str:
    """The first thing that is not as it was planned; empty where nothing is. Raises ObjectStoreError."""
    plan = applied.found.plan if applied.found is not None else None
    if applied.found is None or plan is None or anew.found is None or anew.found.plan is None:
        return "; ".join(anew.refused) or "it could not be looked at again"
    cluster = plan.before.cluster
    are = {copy.role: copy for copy in anew.found.copies}
    for part, copy, holding in zip(plan.copies, applied.found.copies, applied.found.holdings, strict=True):
        target = target_of(site, part.role)
        left = (await keys_of(site, target, holding, part)).keys - _backup_keys(part, target.prefix)
        left |= set(await _left_of_backups(site, part))
        if left:
            return f"{plural(len(left), 'planned object')} still in {target.bucket}, the first {min(left)}"
        lost = _lost(after_expiry(copy, part, cluster), are[part.role])
        if lost:
            return f"{lost} is missing in {target.bucket}, which was to stay"
    return _narrower(plan.after, anew.found.plan.before)


def _backup_keys(part: CopyExpiry, prefix: str) -> frozenset[str]:
    return frozenset(f"{prefix}{key}" for each in part.backups for key in each.keys)


async def _left_of_backups(site: Site, part: CopyExpiry) -> list[str]:
    """What is listed in the folders of backups that went."""
    target = target_of(site, part.role)
    left = []
    for folder in sorted({key.rpartition("/")[0] for each in part.backups for key in each.keys}):
        within = f"{target.prefix}{folder}/"
        left += [key async for key, _ in listed(site.store(target), within, f"{within}\U0010ffff")]
    return left


def _lost(expected: ArchiveCopy, found: ArchiveCopy) -> str:
    """What should be there and is not: WAL by its timeline, a backup, a history; empty where all is."""
    for timeline, runs in expected.timelines.items():
        have = found.timelines.get(timeline)
        missing = runs if have is None else runs.minus(have)
        if missing.count:
            return f"WAL of timeline {timeline} ({plural(missing.count, 'segment')})"
    backups = {(each.name, each.completeness) for each in found.backups}
    for each in expected.backups:
        if each.writer is not Writer.LABEL and (each.name, each.completeness) not in backups:
            return each.id
    histories = sorted({*expected.known_histories} - {*found.known_histories})
    return f"the history of timeline {histories[0]}" if histories else ""


def _narrower(promised: Recoverability, found: Recoverability) -> str:
    """A window that was promised and is not there in full."""
    for window in promised.windows:
        if not any(
            each.since_lsn <= window.since_lsn and each.until_lsn >= window.until_lsn
            for each in found.windows
        ):
            return "what can be restored is less than was promised"
    return ""
