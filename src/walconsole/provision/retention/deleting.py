"""Deleting one copy's planned keys, in the order in which an interruption at any request leaves no doubt."""

from collections.abc import AsyncIterator, Sequence

from walconsole.domain.profile import BucketTarget
from walconsole.domain.recovery.expiry import BackupDeletion
from walconsole.domain.recovery.going import CopyKeys
from walconsole.domain.recovery.ours import MARKER, expiring_from, expiring_name
from walconsole.domain.store.answers import Meaning
from walconsole.domain.units import plural
from walconsole.errors import ObjectStoreError, ProvisionError
from walconsole.provision.engine.model import Event, Printed
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.archive_lock import ArchiveLock
from walconsole.provision.retention.writing import MOST_KEYS

_GONE = frozenset({Meaning.ABSENT_OBJECT, Meaning.ABSENT})


class CopyDeletion:
    """One copy's. Backups first, each with its marker before all else; then WAL and labels (`run`)."""

    def __init__(self, site: Site, target: BucketTarget, lock: ArchiveLock) -> None:
        self._site, self._lock = site, lock
        self._writer = lock.writer(target)
        self._bucket = target.bucket
        self._last: list[str] = []

    async def run(self, going: CopyKeys) -> AsyncIterator[Event]:
        """Raises ObjectStoreError, ProvisionError: what was deleted until then is gone."""
        for backup in going.part.backups:
            await self._backup(going.prefix, backup)
            yield Printed(f"{self._bucket}: {backup.id} is gone, {plural(len(backup.keys), 'object')}")
        done = 0
        for some in _in_requests(going.wal):
            await self._erase(some)
            done += len(some)
            yield Printed(f"{self._bucket}: {done} of {plural(len(going.wal), 'object')} of WAL are gone")
        for some in _in_requests(going.labels):
            await self._erase(some)

    async def finish(self) -> None:
        """What says that backups are being taken away, when every copy's part is done: it tells which labels
        were theirs, in the other copy too.
        """
        for some in _in_requests(self._last):
            await self._erase(some)

    async def _backup(self, prefix: str, backup: BackupDeletion) -> None:
        keys = [f"{prefix}{key}" for key in backup.keys]
        marker = next((key for key in keys if key.endswith(f"/{MARKER}")), None)
        noted = [key for key in keys if expiring_from(key.rpartition("/")[2]) is not None]
        self._last += noted
        if marker is not None:
            if backup.begun is not None and not noted:
                note = marker.removesuffix(MARKER) + expiring_name(*backup.begun)
                await self._writer.put(note, b"")
                self._last.append(note)
            await self._erase([marker])
            await self._confirm(marker)
        for some in _in_requests([key for key in keys if key != marker and key not in self._last]):
            await self._erase(some)

    async def _erase(self, keys: Sequence[str]) -> None:
        await self._lock.hold()
        await self._writer.erase(keys)

    async def _confirm(self, marker: str) -> None:
        """Raises ProvisionError where it can still be read."""
        try:
            await self._site.store(self._writer.target).read(marker, 1)
        except ObjectStoreError as error:
            if error.meaning in _GONE:
                return
            raise
        why = "the store said that it is deleted, and it can still be read"
        raise ProvisionError(f"deleting {marker} from {self._bucket}", why, "ask the store why")


def _in_requests(keys: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(keys[at : at + MOST_KEYS]) for at in range(0, len(keys), MOST_KEYS)]
