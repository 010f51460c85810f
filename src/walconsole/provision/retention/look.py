"""One look at what retention would delete: everything read anew, the plan, and the very keys of it."""

import asyncio
from collections.abc import AsyncIterator

from walconsole.domain.archive.holding import Holding
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.records import record
from walconsole.domain.recovery.doubts import Lock
from walconsole.domain.recovery.expiry import CopyExpiry
from walconsole.domain.recovery.going import CopyKeys, WalKeys
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.backup_runs import BackupRuns
from walconsole.domain.standing.retention import Retention, retention
from walconsole.ports import ObjectStore
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.archive_lock import ArchiveLock


@record
class Look:
    """What was found at `at` (seconds since the epoch); `found` None: there is no rule.

    `copies` are the keys of each part of the plan, in its order; empty where there is no plan. `locks` are
    others' that hold, `runs` the base backups that were being taken, None: not looked at.
    """

    at: float
    found: Retention | None
    copies: tuple[CopyKeys, ...] = ()
    locks: tuple[Lock, ...] = ()
    runs: BackupRuns | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """Why nothing can be planned at all."""
        return self.found.refused if self.found is not None else ()

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return not any(each.keys for each in self.copies)


async def look(site: Site, lock: ArchiveLock) -> Look:
    """Raises ObjectStoreError, SshError."""
    if site.snapshot is None:
        raise AssertionError("this site cannot be observed")
    snapshot = await site.snapshot()
    now = site.clock.now()
    found = retention(snapshot, now)
    if found is None or found.plan is None:
        return Look(now, found)
    locks = await lock.lying([target_of(site, copy.role) for copy in found.copies])
    found = retention(snapshot, now, locks) if locks else found
    if found is None or found.plan is None:
        raise AssertionError("a lock makes no plan impossible")
    parts = zip(found.plan.copies, found.holdings, strict=True)
    copies = [keys_of(site, target_of(site, part.role), holding, part) for part, holding in parts]
    keys = tuple(await asyncio.gather(*copies))
    holding = tuple(each for each in locks if each.until > now)
    return Look(now, found, keys, holding, Assessment(snapshot, now).backup_runs)


def target_of(site: Site, role: BucketRole) -> BucketTarget:
    """The bucket of that copy, which must be one of the profile's."""
    return next(target for target in site.profile.buckets if target.role is role)


async def keys_of(site: Site, target: BucketTarget, holding: Holding | None, part: CopyExpiry) -> CopyKeys:
    """What is stored of the plan's WAL and labels, listed now. Raises ObjectStoreError, SshError."""
    if holding is None:
        return CopyKeys(part.role, target.prefix, part)
    store, found = site.store(target), WalKeys(holding, part)
    for after, beyond in found.stretches():
        async for key, size in listed(store, after, beyond):
            found.note(key, size)
    return CopyKeys(part.role, target.prefix, part, tuple(found.wal), tuple(found.labels), found.wal_bytes)


async def listed(store: ObjectStore, after: str, beyond: str) -> AsyncIterator[tuple[str, int]]:
    """Every key after `after` and before `beyond`, with its size in bytes; all pages of it."""
    while True:
        page = await store.page(start_after=after)
        for position, key in enumerate(page.objects.keys):
            if key >= beyond:
                return
            yield key, page.objects[position].size
        if not page.truncated or not len(page.objects):
            return
        after = page.objects.keys[-1]
