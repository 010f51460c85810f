"""The lock in the copies: taken before anything is deleted or read for long, renewed, and given back."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from walconsole.domain.profile import BucketTarget
from walconsole.domain.recovery.doubts import Lock
from walconsole.domain.recovery.hostile import RefusedError
from walconsole.domain.recovery.lock import (
    LOCK_KEY,
    LOCK_S,
    LONGEST_BYTES,
    LockMarker,
    held,
    read_lock,
)
from walconsole.domain.store.answers import Meaning
from walconsole.errors import BlockedError, ObjectStoreError, ProvisionError
from walconsole.provision.droplet.claim import is_dead, this_console
from walconsole.provision.engine.site import Site
from walconsole.provision.retention.writing import DENIED, CopyWriter

_LONGEST_OWNER = 190
_NONE = frozenset({Meaning.ABSENT_OBJECT, Meaning.ABSENT})


class ArchiveLock:
    """One holder's. `purpose` says what for, in words that follow "is locked: "."""

    def __init__(self, site: Site, purpose: str) -> None:
        self._site, self._purpose = site, purpose
        self._nonce = secrets.token_hex(16)
        self._owner = ""
        self._until = 0.0
        self._held: list[BucketTarget] = []
        self._left: dict[BucketTarget, str] = {}
        self._writers: dict[BucketTarget, CopyWriter] = {}

    @property
    def is_held(self) -> bool:
        """Whether it may lie in any copy, or one does of a process of this machine that was killed."""
        return bool(self._held or self._left)

    def writer(self, target: BucketTarget) -> CopyWriter:
        """What writes to that copy; `close` closes it."""
        if target not in self._writers:
            self._writers[target] = CopyWriter(self._site, target)
        return self._writers[target]

    async def close(self) -> None:
        """Close all connections."""
        for writer in self._writers.values():
            await writer.close()

    async def lying(self, targets: Sequence[BucketTarget]) -> tuple[Lock, ...]:
        """What lies in these copies of others that may live. Raises ObjectStoreError, SshError."""
        found = []
        for target in targets:
            content = await self._read(target)
            marker = None if content is None else _marker(content)
            if marker is not None and is_dead(marker.owner):
                self._left[target] = marker.nonce
            elif content is not None and (marker is None or marker.nonce != self._nonce):
                found.append(held(content, target.bucket, self._site.clock.now()))
        return tuple(found)

    async def take(self, targets: Sequence[BucketTarget]) -> None:
        """In every copy, read back. Raises BlockedError where another has it, or a key may only read."""
        now = self._site.clock.now()
        theirs = [each for each in await self.lying(targets) if each.until > now]
        if theirs:
            raise BlockedError("taking the lock", theirs[0].owner, _WAIT)
        self._owner = f"{this_console()} since {datetime.fromtimestamp(now, UTC):%H:%M} UTC"[:_LONGEST_OWNER]
        for target in targets:
            self._held.append(target)
            try:
                await self._write(target)
            except ObjectStoreError as error:
                if error.meaning not in DENIED:
                    raise
                tried = f"writing {self._key(target)} to {target.bucket}"
                raise BlockedError(tried, error.why, error.remedy) from None
            self._left.pop(target, None)
        await self.confirm()

    async def hold(self) -> None:
        """Renew it where half of its time is over. Raises ProvisionError where it is another's by now."""
        if self._site.clock.now() < self._until - LOCK_S / 2:
            return
        await self.confirm()
        for target in self._held:
            await self._write(target)

    async def confirm(self) -> None:
        """Read it in every copy. Raises ProvisionError where another wrote over it, or took it away."""
        for target in self._held:
            content = await self._read(target)
            if content is None or not self._is(content, self._nonce):
                why = "another has taken it meanwhile" if content is not None else "somebody took it away"
                raise ProvisionError(f"keeping {LOCK_KEY} in {target.bucket}", why, _AGAIN)

    async def release(self) -> None:
        """Take it away where it is ours, or was left. Raises the first error; each copy is tried."""
        failed: ObjectStoreError | None = None
        mine = {**self._left, **dict.fromkeys(self._held, self._nonce)}
        for target, nonce in mine.items():
            try:
                content = await self._read(target)
                if content is not None and self._is(content, nonce):
                    await self.writer(target).erase([self._key(target)])
            except ObjectStoreError as error:
                failed = failed or error
        self._held.clear()
        self._left.clear()
        if failed is not None:
            raise failed

    @staticmethod
    def _is(content: bytes, nonce: str) -> bool:
        marker = _marker(content)
        return marker is not None and marker.nonce == nonce

    async def _write(self, target: BucketTarget) -> None:
        self._until = self._site.clock.now() + LOCK_S
        marker = LockMarker(self._owner, self._purpose, self._until, self._nonce)
        await self.writer(target).put(self._key(target), marker.document())

    async def _read(self, target: BucketTarget) -> bytes | None:
        """None where none lies there."""
        try:
            return (await self._site.store(target).read(self._key(target), LONGEST_BYTES + 1)).body
        except ObjectStoreError as error:
            if error.meaning in _NONE:
                return None
            raise

    @staticmethod
    def _key(target: BucketTarget) -> str:
        return f"{target.prefix}{LOCK_KEY}"


def _marker(content: bytes) -> LockMarker | None:
    """None for what is no lock of ours."""
    try:
        return read_lock(content)
    except RefusedError:
        return None


_WAIT = "wait until that one has ended; a lock that nobody renews runs out by itself"
_AGAIN = "run the same command again: it goes on from there"
