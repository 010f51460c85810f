"""The keys that a session makes: the temporary full-access key, which any way out deletes; limited ones."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from walconsole.domain.store.access_keys import KeyPair, MadeKey
from walconsole.domain.store.grants import FULL_ACCESS, KeyGrant
from walconsole.domain.store.temporary_keys import temporary_name
from walconsole.errors import TemporaryKeyError, WalconsoleError
from walconsole.ports import Clock, KeyLedger, KeyService
from walconsole.provision.engine.site import Sleep
from walconsole.provision.keys.asked import LONGEST_DISPOSAL_S, AskedKey, AskedKeys, how_to_delete
from walconsole.provision.keys.leftovers import Doubts

_ALL_BUCKETS = (KeyGrant("", FULL_ACCESS),)


class TemporaryKey:
    """site.TemporaryKeys for one session; the session calls `end` whatever becomes of the steps.

    `endpoint` is the keys API's, for the ledger alone.
    """

    def __init__(
        self,
        profile: str,
        endpoint: str,
        key_service: Callable[[], Awaitable[KeyService]],
        ledger: KeyLedger,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._profile, self._clock = profile, clock
        self._keys = AskedKeys(profile, endpoint, key_service, ledger, clock, sleep)
        self._asked: AskedKey | None = None
        self._limited: dict[str, AskedKey] = {}

    @property
    def doubts(self) -> Doubts:
        """Keys of which nobody knows whether they were made."""
        return self._keys.doubts

    @property
    def name(self) -> str:
        """See site.TemporaryKeys."""
        return self._asked.entry.name if self._asked is not None else ""

    @property
    def pair(self) -> KeyPair | None:
        """See site.TemporaryKeys."""
        made = self._asked.made if self._asked is not None else None
        return made.pair if made is not None else None

    @property
    def since(self) -> float | None:
        """See site.TemporaryKeys."""
        return self._asked.since if self._asked is not None else None

    @property
    def left(self) -> str:
        """What may be alive, and what to do; empty where nothing is."""
        asked = [one for one in (self._asked, *self._limited.values()) if one is not None]
        return "; ".join([*map(how_to_delete, asked), *self.doubts.lines])

    @property
    def names(self) -> tuple[str, ...]:
        """Of every key that may be alive."""
        return tuple(name for name in (self.name, *self._limited, *self.doubts.names) if name)

    async def obtain(self) -> KeyPair:
        """See site.TemporaryKeys. An earlier key of this session is disposed of first.

        Raises RegisterError where the ledger cannot be written (then none was asked for), KeyServiceError
        where none was made, and TemporaryKeyError where one may have been made and could not be deleted.
        """
        await self.dispose()
        name = temporary_name(self._profile, self._clock.now(), secrets.token_hex(8))
        asked = self._asked = await self._keys.begin(name)
        try:
            return (await self._keys.make(asked, _ALL_BUCKETS)).pair
        finally:
            self._forget_settled()

    async def dispose(self) -> None:
        """See site.TemporaryKeys. Goes on by itself when its caller is cancelled; callers share it.

        Raises TemporaryKeyError where the key may still be alive: it is in the ledger then.
        """
        if self._asked is not None:
            try:
                await self._keys.take_away(self._asked)
            finally:
                self._forget_settled()

    async def make(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        """See site.TemporaryKeys."""
        asked = self._limited[name] = await self._keys.begin(name)
        try:
            return await self._keys.make(asked, grants)
        finally:
            self._forget_settled()

    async def keep(self, name: str) -> None:
        """See site.TemporaryKeys."""
        await self._keys.keep(self._limited[name])
        self._forget_settled()

    async def take_away(self, name: str) -> None:
        """See site.TemporaryKeys."""
        if name in self._limited:
            try:
                await self._keys.take_away(self._limited[name])
            finally:
                self._forget_settled()
        elif name in self.doubts.names:
            raise TemporaryKeyError(f"deleting the key {name}", "nobody knows whether it was made", self.left)

    async def end(self) -> None:
        """The session's end: everything is taken away, and what is in doubt looked for once more.

        Raises TemporaryKeyError where anything may be alive.
        """
        for asked in (self._asked, *self._limited.values()):
            if asked is not None:
                try:
                    await self._keys.take_away(asked)
                except WalconsoleError:
                    pass  # `left` tells
                finally:
                    self._forget_settled()
        try:
            async with asyncio.timeout(LONGEST_DISPOSAL_S):
                await self.doubts.look()
        except TimeoutError:
            pass  # `left` tells
        if self.left:
            raise TemporaryKeyError(f"deleting the key {', '.join(self.names)}", self.left)

    def _forget_settled(self) -> None:
        if self._asked is not None and self._asked.settled:
            self._asked = None
        self._limited = {name: asked for name, asked in self._limited.items() if not asked.settled}
