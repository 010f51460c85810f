"""Keys of which nobody knows whether they were made: looked for by their exact names until they show.

An API may answer after its client gave up, and may list a key only after a while. For an hour after a create
that came to no certain end its key is looked for; it is deleted as soon as it shows, and nobody is asked: its
name is random, and stands in this machine's ledger. Then, after one more look, it is forgotten.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from walconsole.domain.store.temporary_keys import LONGEST_LAG_S, LedgerEntry, kind_of
from walconsole.domain.units import duration_text
from walconsole.errors import TemporaryKeyError, WalconsoleError
from walconsole.ports import Clock, KeyLedger, KeyService
from walconsole.provision.engine.site import Sleep

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
_BY_HAND = "cloud.digitalocean.com/spaces/access_keys"


@dataclass(slots=True)
class _Doubt:
    """`age_s` is how long ago it was asked for when this process began to count, at `counted_from`."""

    entry: LedgerEntry
    age_s: float
    counted_from: float


class Doubts:
    """What this process looks for. Its time is the monotonic clock's: a clock that is set changes nothing.

    `changed` is called when `lines` has changed, `told` with what became of a key.
    """

    def __init__(
        self,
        key_service: Callable[[], Awaitable[KeyService]],
        ledger: KeyLedger,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._key_service, self._ledger, self._clock, self._sleep = key_service, ledger, clock, sleep
        self._doubts: dict[str, _Doubt] = {}
        self._some = asyncio.Event()
        self._looking = asyncio.Lock()
        self._problem = ""
        self.changed: Callable[[], None] = lambda: None
        self.told: Callable[[str], None] = lambda _: None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the keys that are looked for."""
        return tuple(self._doubts)

    @property
    def lines(self) -> tuple[str, ...]:
        """One for each, for the first line of a screen or for standard error."""
        return tuple(map(self._line, self._doubts.values()))

    @property
    def remedy(self) -> str:
        """What is done about them, and what the operator can do."""
        return (
            f"it is looked for by that name for an hour, by the next start too, and deleted when it shows;"
            f" or look yourself: {_BY_HAND}"
        )

    def add(self, entry: LedgerEntry, age_s: float) -> None:
        """Look for this one too, which was asked for `age_s` ago."""
        self._doubts[entry.name] = _Doubt(entry, max(0.0, age_s), self._clock.monotonic())
        self._some.set()
        self.changed()

    async def look(self) -> None:
        """Once, at the API. What cannot be looked at stays, and `lines` say why."""
        if not self._doubts:
            return
        async with self._looking:
            try:
                await self._look()
                self._problem = ""
            except WalconsoleError as error:
                _log.warning("%s", error.line())
                self._problem = error.why
        self.changed()

    async def watch(self) -> None:
        """Look again and again, for as long as there are any; then wait for more. Ends when cancelled."""
        while True:
            await self._some.wait()
            await self.watch_these()
            self._some.clear()

    async def watch_these(self) -> None:
        """Until there is none any more."""
        while self._doubts:
            await self.look()
            if self._doubts:
                await self._sleep(min(map(self._pause, self._doubts.values())))

    async def _look(self) -> None:
        service = await self._key_service()
        listed = await service.keys()
        for name, doubt in tuple(self._doubts.items()):
            shown = {key.access_key for key in listed if key.name == name}
            known = {doubt.entry.access_key} - {""}
            if shown or known:
                await self._delete(service, name, shown | known)
                self._settled(doubt, "is deleted" if shown else "is gone")
            elif self._age(doubt) > LONGEST_LAG_S:
                await asyncio.to_thread(self._ledger.settle, name)
                self._settled(doubt, "never showed, and is looked for no more")

    async def _delete(self, service: KeyService, name: str, access_keys: set[str]) -> None:
        for access_key in sorted(access_keys):
            await service.delete(access_key)
        if any(key.name == name for key in await service.keys()):
            raise TemporaryKeyError(f"deleting the key {name}", "the API still lists it", _BY_HAND)
        await asyncio.to_thread(self._ledger.settle, name)

    def _settled(self, doubt: _Doubt, what: str) -> None:
        self._doubts.pop(doubt.entry.name, None)
        after = duration_text(self._age(doubt))
        self.told(f"the key {doubt.entry.name}, which nobody knew to be made or not, {what} (after {after})")

    def _age(self, doubt: _Doubt) -> float:
        return doubt.age_s + self._clock.monotonic() - doubt.counted_from

    def _pause(self, doubt: _Doubt) -> float:
        return min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, self._age(doubt) / 10))

    def _line(self, doubt: _Doubt) -> str:
        name, left = doubt.entry.name, LONGEST_LAG_S - self._age(doubt)
        until = datetime.fromtimestamp(self._clock.now() + max(0.0, left), UTC).strftime("%H:%M UTC")
        how = f"it cannot be looked for: {self._problem}" if self._problem else f"looked for until {until}"
        return f"{kind_of(name)} key may be alive, {name}: {how}, and deleted when it shows"


def age_of(entry: LedgerEntry, clock: Clock) -> float:
    """How long ago it was noted, in seconds: by the machine's uptime where that tells, else by its clock."""
    return entry.age_s if entry.age_s is not None else max(0.0, clock.now() - entry.noted_at)
