"""Keys that are noted before they are asked for, and taken away again: proved to be gone, or kept in doubt.

No outcome of a create but a refusal, or a connection that never came about, proves that no key was made:
an answer may be lost, and a call that was cancelled goes on and may make one a moment later. So the key is
looked for by its name, more than once; and where it does not show, nobody knows: its entry stays in the
ledger, and it is looked for on (see `Doubts`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

from walconsole.domain.store.access_keys import MadeKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.domain.store.temporary_keys import LedgerEntry, kind_of
from walconsole.errors import KeyServiceError, RegisterError, TemporaryKeyError, WalconsoleError
from walconsole.ports import Clock, KeyLedger, KeyService
from walconsole.provision.engine.site import Sleep
from walconsole.provision.keys.leftovers import Doubts

_log = logging.getLogger(__name__)

LONGEST_DISPOSAL_S = 25.0
"""The process has 40 s to end once it was asked to."""
LONGEST_CALL_S = 16.0
"""To connect and to read, as the adapter allows."""
LOOKS_AFTER_DOUBT = 5
"""Over 7.5 s; whoever must know at once does not wait longer."""
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_REFUSALS = frozenset((400, 401, 403, 404, 405, 413, 422, 429))
"""HTTP statuses with which the API says that it did not do what was asked."""

T = TypeVar("T")


@dataclass(slots=True)
class AskedKey:
    """One key that is noted, and then asked for: `creating` is None until it is.

    `since` is monotonic. Of `access_keys`, which bear its name, `deleted` are those that the API deleted.
    """

    entry: LedgerEntry
    service: KeyService
    noting: "asyncio.Future[None]"
    since: float
    creating: "asyncio.Future[MadeKey] | None" = None
    access_keys: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    disposal: "asyncio.Task[None] | None" = None
    settled: bool = False

    @property
    def made(self) -> MadeKey | None:
        """What came of it, None while that is open or where it failed."""
        return self.creating.result() if self._ended and self._error is None and self.creating else None

    @property
    def refused(self) -> bool:
        """Whether the API said that it made none, or was never asked."""
        error = self._error
        return isinstance(error, KeyServiceError) and (error.status in _REFUSALS or not error.sent)

    @property
    def never_sent(self) -> bool:
        """Whether the API was never asked: then there is nothing to look for, nor a way to look."""
        error = self._error
        return isinstance(error, KeyServiceError) and not error.sent

    @property
    def in_doubt(self) -> bool:
        """Whether one may have been made that never showed."""
        return self.creating is not None and not self.refused and not self.access_keys

    @property
    def doubt(self) -> str:
        """Why it is not known, in words."""
        error = self._error
        return error.why if isinstance(error, KeyServiceError) else "it did not answer in time"

    @property
    def _ended(self) -> bool:
        return self.creating is not None and self.creating.done() and not self.creating.cancelled()

    @property
    def _error(self) -> BaseException | None:
        return self.creating.exception() if self._ended and self.creating is not None else None


class AskedKeys:
    """Makes keys for one session and takes them away. `doubts` has those of which nobody knows."""

    def __init__(
        self,
        profile: str,
        endpoint: str,
        key_service: Callable[[], Awaitable[KeyService]],
        ledger: KeyLedger,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._profile, self._endpoint, self._key_service = profile, endpoint, key_service
        self._ledger, self._clock, self._sleep = ledger, clock, sleep
        self.doubts = Doubts(key_service, ledger, clock, sleep)

    async def begin(self, name: str) -> AskedKey:
        """Start to note it: `make` waits for that. Raises KeyServiceError where there is no token."""
        service = await self._key_service()
        entry = LedgerEntry(name, self._endpoint, self._profile, self._clock.now())
        noting = asyncio.ensure_future(asyncio.to_thread(self._ledger.note, entry))
        return AskedKey(entry, service, noting, self._clock.monotonic())

    async def make(self, asked: AskedKey, grants: Sequence[KeyGrant]) -> MadeKey:
        """Ask for it once it is noted. Raises what `TemporaryKey.obtain` does."""
        try:
            await asyncio.shield(asked.noting)
            asked.creating = asyncio.ensure_future(asked.service.create(asked.entry.name, tuple(grants)))
            made = await asyncio.shield(asked.creating)
        except WalconsoleError:
            await self.take_away(asked)
            raise
        asked.entry = replace(asked.entry, access_key=made.key.access_key)
        await asyncio.to_thread(self._ledger.note, asked.entry)
        return made

    async def keep(self, asked: AskedKey) -> None:
        """It is to stay: nobody is to take it away any more. Raises RegisterError."""
        await asyncio.to_thread(self._ledger.settle, asked.entry.name)
        asked.settled = True

    async def take_away(self, asked: AskedKey) -> None:
        """Delete it, if it was made. Goes on by itself when its caller is cancelled; callers share it.

        Raises TemporaryKeyError where it may still be alive: it is in the ledger then, and where nobody
        knows it is in `doubts` too, and settled here.
        """
        if asked.settled:
            return
        if asked.disposal is None or asked.disposal.done():
            name = f"deleting the key {asked.entry.name}"
            asked.disposal = asyncio.create_task(self._take_away(asked), name=name)
        await asyncio.shield(asked.disposal)

    async def _take_away(self, asked: AskedKey) -> None:
        until = self._clock.monotonic() + LONGEST_DISPOSAL_S
        await asyncio.wait([asked.noting])
        if asked.creating is not None:
            await self._wait_for_create(asked.creating, asked)
            if not asked.never_sent:
                await self._delete_persistently(asked, until)
        if asked.in_doubt:
            await self._leave_in_doubt(asked)
        try:
            await asyncio.to_thread(self._ledger.settle, asked.entry.name)
        except RegisterError:
            if asked.noting.exception() is None:
                raise
        asked.settled = True

    async def _leave_in_doubt(self, asked: AskedKey) -> None:
        """Its entry says so, for the next start; this one goes on looking. Raises TemporaryKeyError."""
        asked.entry = replace(asked.entry, unknown_since=self._clock.now())
        asked.settled = True
        self.doubts.add(asked.entry, self._clock.monotonic() - asked.since)
        try:
            await asyncio.to_thread(self._ledger.note, asked.entry)
        except RegisterError as error:  # its entry is there, without that word
            _log.warning("%s", error.line())
        tried, why = f"making the key {asked.entry.name}", f"nobody knows whether it was made: {asked.doubt}"
        raise TemporaryKeyError(tried, why, self.doubts.remedy) from None

    async def _wait_for_create(self, creating: "asyncio.Future[MadeKey]", asked: AskedKey) -> None:
        """Until the create has come to an end: its thread may be under way though nobody waits for it."""
        await asyncio.wait([creating], timeout=LONGEST_CALL_S)
        if asked.made is not None:
            asked.access_keys.add(asked.made.key.access_key)

    async def _delete_persistently(self, asked: AskedKey, until: float) -> None:
        """Again and again until it is proved to be gone, or time is up. Raises TemporaryKeyError."""
        looks = LOOKS_AFTER_DOUBT if asked.in_doubt else 1
        for attempt in count():
            try:
                await self._delete_all(asked, until, looks)
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the key must not stay
                if asked.refused and isinstance(error, KeyServiceError) and error.status in (401, 403):
                    return  # this token may neither make keys nor look at them
                pause = _pause(error, attempt)
                if self._clock.monotonic() + pause >= until:
                    tried = f"deleting the temporary key {asked.entry.name}"
                    raise TemporaryKeyError(tried, _reason(error), how_to_delete(asked)) from None
                _log.warning("a temporary key is not deleted yet: %s", _reason(error))
                await self._sleep(pause)
            else:
                return

    async def _delete_all(self, asked: AskedKey, until: float, looks: int) -> None:
        """Delete what bears the name, and read back. Raises KeyServiceError, TimeoutError.

        Of `looks` the last ones find nothing, with a pause between: a key may appear late. One whose id is
        known is deleted by that, whether a listing shows it or not.
        """
        service, empty = asked.service, 0
        while empty < looks:
            found = {
                key.access_key
                for key in await self._bounded(service.keys(), until)
                if key.name == asked.entry.name
            }
            asked.access_keys |= found
            alive = (
                found
                or asked.access_keys - asked.deleted
                or {
                    each
                    for each in asked.access_keys
                    if await self._bounded(service.key(each), until) is not None
                }
            )
            for access_key in sorted(alive):
                await self._bounded(service.delete(access_key), until)
                asked.deleted.add(access_key)
            empty = 0 if alive else empty + 1
            if empty < looks:
                await self._sleep(_PAUSES_S[max(0, min(empty, len(_PAUSES_S)) - 1)])

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


def how_to_delete(asked: AskedKey) -> str:
    """What the operator can do about a key that may be alive."""
    ids = ", ".join(sorted(asked.access_keys)) or f"the key named {asked.entry.name}"
    return (
        f"{kind_of(asked.entry.name)} key may be alive: the next start of walconsole offers to delete"
        f" it, or do so now: doctl spaces keys delete {ids} (or cloud.digitalocean.com/spaces/access_keys)"
    )
