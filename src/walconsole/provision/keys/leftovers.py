"""Temporary full-access keys that an earlier console could not take away: found, and deleted if agreed to."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.temporary_keys import LedgerEntry, parse
from walconsole.errors import TemporaryKeyError
from walconsole.ports import KeyLedger, KeyService

YOUNG_S = 15 * 60.0
"""A key of another machine's console that is younger may well be in use there."""
_READS_BACK = 5
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
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
