"""Keys that may be left over: those of which nobody knows whether they were made, and an earlier console's.

An API may answer after its client gave up, and may list a key only after a while. For an hour after a create
that came to no certain end its key is looked for by its exact name; it is deleted as soon as it shows, and
nobody is asked: its name is random, and stands in this machine's ledger. Then, after one more look, it is
forgotten. A temporary full-access key that an earlier console could not take away is found, and deleted if
that is agreed to.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from walconsole.domain.records import record
from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.temporary_keys import LONGEST_LAG_S, LedgerEntry, kind_of, parse
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


YOUNG_S = 15 * 60.0
"""A key of another machine's console that is younger may well be in use there."""
_READS_BACK = 5
_PAUSE_S = 0.5


@record
class Leftover:
    """A temporary key that nobody uses. `access_keys` are those of that name at the API, none if it has none.

    `made_at` is seconds since the epoch. `noted`: this machine's ledger has it, and its console is dead;
    otherwise it was found at the API by its name alone, and was made elsewhere. `entry` is the ledger's.
    """

    name: str
    profile: str
    made_at: float
    access_keys: tuple[str, ...]
    entry: LedgerEntry | None = None

    @property
    def noted(self) -> bool:
        return self.entry is not None

    @property
    def in_doubt(self) -> bool:
        """Whether it may still appear, or is known to be nobody's: no question is asked about it."""
        return self.entry is not None and (not self.access_keys or self.entry.unknown_since > 0)


async def leftovers(
    ledger: KeyLedger, service: KeyService, endpoint: str, now: float
) -> tuple[Leftover, ...]:
    """What the ledger has for this API and whose console is dead, and what of that name the API lists.

    Keys that are listed and not noted here count when they are older than YOUNG_S. Raises KeyServiceError,
    RegisterError.
    """
    orphans = [one for one in await asyncio.to_thread(ledger.orphans) if one.endpoint in ("", endpoint)]
    noted = {entry.name for entry in orphans}
    listed = [key for key in await service.keys() if key.name in noted or parse(key.name) is not None]
    elsewhere = (key.name for key in listed if key.name not in noted and _is_old(key, now))
    return (
        *(_noted(entry, listed) for entry in orphans),
        *(_found(name, listed) for name in dict.fromkeys(elsewhere)),
    )


async def delete_leftover(leftover: Leftover, ledger: KeyLedger, service: KeyService) -> None:
    """Delete every key of that name, read back that there is none, and forget it.

    One that is noted and never showed is for `doubts` to look for. Raises KeyServiceError, and
    TemporaryKeyError where it is still listed.
    """
    for attempt in range(_READS_BACK):
        alive = [key for key in await service.keys() if key.name == leftover.name]
        if not alive:
            await asyncio.to_thread(ledger.settle, leftover.name)
            return
        if attempt:
            await asyncio.sleep(_PAUSE_S)
        for key in alive:
            await service.delete(key.access_key)
    raise TemporaryKeyError(
        f"deleting the temporary key {leftover.name}",
        "the API still lists it",
        "delete it at cloud.digitalocean.com/spaces/access_keys",
    )


def _noted(entry: LedgerEntry, listed: Sequence[SpacesKey]) -> Leftover:
    return Leftover(entry.name, entry.profile, entry.noted_at, _of_name(entry.name, listed), entry)


def _found(name: str, listed: Sequence[SpacesKey]) -> Leftover:
    named = parse(name)
    profile, made_at = (named.profile, named.made_at) if named is not None else ("", 0.0)
    return Leftover(name, profile, made_at, _of_name(name, listed))


def _of_name(name: str, listed: Sequence[SpacesKey]) -> tuple[str, ...]:
    return tuple(key.access_key for key in listed if key.name == name)


def _is_old(key: SpacesKey, now: float) -> bool:
    """By the API's clock where it tells, for that of the machine that named it may be wrong."""
    named = parse(key.name)
    made_at = _moment(key.created_at) or (named.made_at if named is not None else now)
    return now - made_at > YOUNG_S


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
