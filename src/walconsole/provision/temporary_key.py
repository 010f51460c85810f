"""The temporary full-access key: noted before it is asked for, deleted by every way out, proved to be gone.

No outcome of a create but a refusal proves that no key was made: an answer may be lost, and a call that was
cancelled goes on and may make one a moment later. So the key is looked for by its name, more than once, and
the ledger's entry stays until the API knows nothing of it.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from walconsole.domain.temporary_keys import temporary_name
from walconsole.errors import KeyServiceError, RegisterError, TemporaryKeyError, WalconsoleError
from walconsole.ports import Clock, KeyGrant, KeyLedger, KeyService, LedgerEntry, MadeKey, SecretPair
from walconsole.provision.site import Sleep

_log = logging.getLogger(__name__)

FULL_ACCESS = (KeyGrant("", "fullaccess"),)
LONGEST_DISPOSAL_S = 25.0
"""The process has 40 s to end once it was asked to."""
LONGEST_CALL_S = 16.0
"""To connect and to read, as the adapter allows."""
LOOKS_AFTER_DOUBT = 3
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_REFUSALS = frozenset((400, 401, 403, 404, 405, 413, 422, 429))
"""HTTP statuses with which the API says that it did not do what was asked."""

T = TypeVar("T")


@dataclass(slots=True)
class _Asked:
    """One key that is noted, and then asked for: `creating` is None until it is."""

    entry: LedgerEntry
    service: KeyService
    noting: "asyncio.Future[None]"
    creating: "asyncio.Future[MadeKey] | None" = None
    access_keys: set[str] = field(default_factory=set)

    @property
    def made(self) -> MadeKey | None:
        """What came of it, None while that is open or where it failed."""
        if self.creating is None or not self.creating.done() or self.creating.cancelled():
            return None
        return self.creating.result() if self.creating.exception() is None else None

    @property
    def refused(self) -> bool:
        """Whether the API said that it made none."""
        if self.creating is None or not self.creating.done() or self.creating.cancelled():
            return False
        error = self.creating.exception()
        return isinstance(error, KeyServiceError) and error.status in _REFUSALS


class TemporaryKey:
    """site.TemporaryKeys for one session; the session calls `dispose` whatever becomes of the steps.

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
        self._profile, self._endpoint, self._key_service = profile, endpoint, key_service
        self._ledger, self._clock, self._sleep = ledger, clock, sleep
        self._asked: _Asked | None = None
        self._disposal: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """See site.TemporaryKeys."""
        return self._asked.entry.name if self._asked is not None else ""

    @property
    def pair(self) -> SecretPair | None:
        """See site.TemporaryKeys."""
        made = self._asked.made if self._asked is not None else None
        return made.pair if made is not None else None

    @property
    def left(self) -> str:
        """What may be alive, and what to do; empty where nothing is."""
        return _how_to_delete(self._asked) if self._asked is not None else ""

    async def obtain(self) -> SecretPair:
        """See site.TemporaryKeys. An earlier key of this session is disposed of first.

        Raises RegisterError where the ledger cannot be written (then none was asked for), KeyServiceError
        where none was made, and TemporaryKeyError where one may have been made and could not be deleted.
        """
        await self.dispose()
        service = await self._key_service()
        now = self._clock.now()
        name = temporary_name(self._profile, now, secrets.token_hex(8))
        entry = LedgerEntry(name, self._endpoint, self._profile, now)
        noting = asyncio.ensure_future(asyncio.to_thread(self._ledger.note, entry))
        asked = self._asked = _Asked(entry, service, noting)
        try:
            await asyncio.shield(noting)
            asked.creating = asyncio.ensure_future(service.create(name, FULL_ACCESS))
            made = await asyncio.shield(asked.creating)
        except WalconsoleError:
            await self.dispose()
            raise
        asked.entry = replace(entry, access_key=made.key.access_key)
        await asyncio.to_thread(self._ledger.note, asked.entry)
        return made.pair

    async def dispose(self) -> None:
        """See site.TemporaryKeys. Goes on by itself when its caller is cancelled; callers share it.

        Raises TemporaryKeyError where the key may still be alive: it is in the ledger then.
        """
        if self._asked is None:
            return
        if self._disposal is None or self._disposal.done():
            self._disposal = asyncio.create_task(self._dispose(self._asked), name="deleting a temporary key")
        await asyncio.shield(self._disposal)

    async def _dispose(self, asked: _Asked) -> None:
        until = self._clock.monotonic() + LONGEST_DISPOSAL_S
        await asyncio.wait([asked.noting])
        if asked.creating is not None:
            await self._wait_for_create(asked.creating, asked)
            await self._delete_persistently(asked, until)
        try:
            await asyncio.to_thread(self._ledger.settle, asked.entry.name)
        except RegisterError:
            if asked.noting.exception() is None:
                raise
        if self._asked is asked:
            self._asked = None

    async def _wait_for_create(self, creating: "asyncio.Future[MadeKey]", asked: _Asked) -> None:
        """Until the create has come to an end: its thread may be under way though nobody waits for it."""
        await asyncio.wait([creating], timeout=LONGEST_CALL_S)
        if asked.made is not None:
            asked.access_keys.add(asked.made.key.access_key)

    async def _delete_persistently(self, asked: _Asked, until: float) -> None:
        """Again and again until it is proved to be gone, or time is up. Raises TemporaryKeyError."""
        looks = LOOKS_AFTER_DOUBT if asked.made is None and not asked.refused else 1
        for attempt in count():
            try:
                await self._delete_all(asked, until, looks)
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the key must not stay
                if asked.refused and isinstance(error, KeyServiceError) and error.status in (401, 403):
                    return  # this token may neither make keys nor look at them
                pause = _pause(error, attempt)
                if self._clock.monotonic() + pause >= until:
                    tried = f"deleting the temporary key {asked.entry.name}"
                    raise TemporaryKeyError(tried, _reason(error), _how_to_delete(asked)) from None
                _log.warning("a temporary key is not deleted yet: %s", _reason(error))
                await self._sleep(pause)
            else:
                return

    async def _delete_all(self, asked: _Asked, until: float, looks: int) -> None:
        """Delete what bears the name, and read back. Raises KeyServiceError, TimeoutError.

        Of `looks` the last ones find nothing, with a pause between: a key may appear late.
        """
        service, empty = asked.service, 0
        while empty < looks:
            found = {
                key.access_key
                for key in await self._bounded(service.keys(), until)
                if key.name == asked.entry.name
            }
            asked.access_keys |= found
            alive = found or {
                each
                for each in asked.access_keys
                if await self._bounded(service.key(each), until) is not None
            }
            for access_key in sorted(alive):
                await self._bounded(service.delete(access_key), until)
            empty = 0 if alive else empty + 1
            if empty < looks:
                await self._sleep(_PAUSES_S[min(empty, 1)])

    async def _bounded(self, call: Awaitable[T], until: float) -> T:
        left = min(LONGEST_CALL_S, until - self._clock.monotonic())
        async with asyncio.timeout(max(0.0, left)):
            return await call


def _pause(error: Exception, attempt: int) -> float:
    asked_for = error.retry_after_s if isinstance(error, KeyServiceError) else None
    return asked_for if asked_for is not None else _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]


def _reason(error: Exception) -> str:
    if isinstance(error, KeyServiceError):
        return error.line()
    return "the API did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def _how_to_delete(asked: _Asked) -> str:
    ids = ", ".join(sorted(asked.access_keys)) or f"the key named {asked.entry.name}"
    return (
        f"a full-access key may be alive: the next start of walconsole offers to delete it, or do so now:"
        f" doctl spaces keys delete {ids} (or cloud.digitalocean.com/spaces/access_keys)"
    )
