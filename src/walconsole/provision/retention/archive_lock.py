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
from walconsole.provision.retention.writing import CopyWriter

_LONGEST_OWNER = 120
_NONE = frozenset({Meaning.ABSENT_OBJECT, Meaning.ABSENT})
_DENIED = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED})


class ArchiveLock:
    """One holder's. `purpose` says what for, in words that follow "is locked: "."""

    def __init__(self, site: Site, purpose: str) -> None:
        self._site, self._purpose = site, purpose
        self._nonce = secrets.token_hex(16)
        self._owner = ""
        self._until = 0.0
        self._held: list[CopyWriter] = []

    @property
    def is_held(self) -> bool:
        """Whether it may lie in any copy."""
        return bool(self._held)

    async def lying(self, targets: Sequence[BucketTarget]) -> tuple[Lock, ...]:
        """What lies in these copies of others that may live. Raises ObjectStoreError, SshError."""
        found = []
        for target in targets:
            content = await self._read(target)
            if content is not None and not self._may_be_taken_over(content):
                found.append(held(content, target.bucket, self._site.clock.now()))
        return tuple(found)

    def _may_be_taken_over(self, content: bytes) -> bool:
        """It is ours, or that of a process of this machine that is gone."""
        try:
            marker = read_lock(content)
        except RefusedError:
            return False
        return marker.nonce == self._nonce or is_dead(marker.owner)

    async def take(self, writers: Sequence[CopyWriter]) -> None:
        """In every copy, read back. Raises BlockedError where another has it, or a key may not write."""
        now = self._site.clock.now()
        theirs = [each for each in await self.lying([each.target for each in writers]) if each.until > now]
        if theirs:
            raise BlockedError("taking the lock", theirs[0].owner, _WAIT)
        self._owner = f"{this_console()} since {datetime.fromtimestamp(now, UTC):%H:%M} UTC"[:_LONGEST_OWNER]
        for writer in writers:
            self._held.append(writer)
            await self._write(writer)
        await self.confirm()

    async def hold(self) -> None:
        """Renew it where half of its time is over. Raises ProvisionError where it is another's by now."""
        if self._site.clock.now() < self._until - LOCK_S / 2:
            return
        await self.confirm()
        for writer in self._held:
            await self._write(writer)

    async def confirm(self) -> None:
        """Read it in every copy. Raises ProvisionError where another wrote over it, or took it away."""
        for writer in self._held:
            content = await self._read(writer.target)
            if content is None or not self._is_ours(content):
                why = "another has taken it meanwhile" if content is not None else "somebody took it away"
                raise ProvisionError(f"keeping {LOCK_KEY} in {writer.target.bucket}", why, _AGAIN)

    async def release(self) -> None:
        """Take it away where it is ours. Raises the first error; each copy is tried."""
        failed: ObjectStoreError | ProvisionError | None = None
        for writer in list(self._held):
            try:
                content = await self._read(writer.target)
                if content is not None and self._is_ours(content):
                    await writer.erase([self._key(writer.target)])
                self._held.remove(writer)
            except (ObjectStoreError, ProvisionError) as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def _is_ours(self, content: bytes) -> bool:
        try:
            return read_lock(content).nonce == self._nonce
        except RefusedError:
            return False

    async def _write(self, writer: CopyWriter) -> None:
        """Raises BlockedError where the key may only read: nothing was changed yet."""
        self._until = self._site.clock.now() + LOCK_S
        marker = LockMarker(self._owner, self._purpose, self._until, self._nonce)
        key = self._key(writer.target)
        try:
            await writer.put(key, marker.document())
        except ObjectStoreError as error:
            if error.meaning not in _DENIED:
                raise
            remedy = (
                f"give the key that the profile names for {writer.target.bucket} the grant readwrite on it"
            )
            raise BlockedError(f"writing {key} to {writer.target.bucket}", error.why, remedy) from None

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


_WAIT = "wait until that one has ended; a lock that nobody renews runs out by itself"
_AGAIN = "run the same command again: it goes on from there"
