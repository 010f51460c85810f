"""Temporary keys that an earlier console left behind: offered at the start, and before the steps.

Those of which nobody knows whether they were made are looked for beside everything else; the first line of
every screen says so for as long as that lasts.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from walconsole.domain.profile import Profile
from walconsole.domain.store.temporary_keys import LedgerEntry, kind_of
from walconsole.errors import WalconsoleError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyLedger
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.provision.keys.leftovers import Doubts, Leftover, age_of, delete_leftover, leftovers
from walconsole.session.deployment import KeysLater, Provisioned, ledger_folder
from walconsole.session.heard_ledger import HeardLedger
from walconsole.session.incident_memory import IncidentMemory
from walconsole.ui.board.droplet_session import DropletSession
from walconsole.ui.board.export import moment_text

_log = logging.getLogger(__name__)
_TITLE = "A temporary full-access key was left behind"
_OURS = "Its console has ended, and nobody needs it. Delete it now?"
_ELSEWHERE = (
    "It is not of this machine: delete it only if no console elsewhere is setting archiving up. Delete it?"
)


def offer_at_start(
    profile: Profile,
    shown: DropletSession,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    memory: IncidentMemory,
) -> None:
    """Look into the ledger beside everything else; nothing is asked of anybody where it is empty."""
    ledger = HeardLedger(LedgerFolder(ledger_folder(environment)), memory, SystemClock())
    if profile.read_only:
        offer = _say_only(profile, shown, ledger)
    else:
        offer = _offer(profile, shown, environment, ledger)
    cleanups.add_task(asyncio.create_task(offer, name="leftover keys"))


def show_doubts(doubts: Doubts, shown: DropletSession) -> None:
    """In the first line, for as long as there are any; and what becomes of them."""
    doubts.changed = lambda: shown.show_key_notes(doubts, doubts.lines)
    doubts.told = lambda text: shown.notify(text, "key in doubt", timeout=30)


async def _say_only(profile: Profile, shown: DropletSession, ledger: KeyLedger) -> None:
    """A read-only session deletes nothing, and so looks for nothing."""
    notes = [
        f"{kind_of(entry.name)} key may be alive, {entry.name}: this session is read-only and lets it be"
        for entry in await _orphans(profile, ledger)
    ]
    shown.show_key_notes(ledger, notes)


async def _offer(
    profile: Profile, shown: DropletSession, environment: Mapping[str, str], ledger: KeyLedger
) -> None:
    keys, clock = KeysLater(profile, environment), SystemClock()
    doubts = Doubts(keys, ledger, clock)
    show_doubts(doubts, shown)
    try:
        orphans = await _orphans(profile, ledger)
        for entry in orphans:
            if entry.unknown_since:
                doubts.add(entry, age_of(entry, clock))
        if any(not entry.unknown_since for entry in orphans):
            await _offer_these(profile, shown, ledger, doubts, keys)
        await doubts.watch_these()
    except WalconsoleError as error:
        _log.warning("%s", error.line())
        shown.notify(error.line(), _TITLE, "error", 30)
        await doubts.watch_these()
    finally:
        await keys.close()


async def _offer_these(
    profile: Profile, shown: DropletSession, ledger: KeyLedger, doubts: Doubts, keys: KeysLater
) -> None:
    """Those whose console died: what is listed is asked about, what is not may yet appear."""
    service, clock = await keys(), SystemClock()
    found = await leftovers(ledger, service, profile.api.endpoint, clock.now())
    for leftover in found:
        if leftover.entry is not None and leftover.in_doubt:
            doubts.add(leftover.entry, age_of(leftover.entry, clock))
    for leftover in await _agreed(shown, [one for one in found if not one.in_doubt]):
        await delete_leftover(leftover, ledger, service)
        shown.notify(f"{leftover.name} is deleted", "temporary key")


async def _orphans(profile: Profile, ledger: KeyLedger) -> list[LedgerEntry]:
    orphans = await asyncio.to_thread(ledger.orphans)
    return [one for one in orphans if one.endpoint in ("", profile.api.endpoint)]


async def offer_leftovers(parts: Provisioned, shown: DropletSession) -> None:
    """The same before the steps, where those count that the API alone knows. Without a token: nothing.

    Those in doubt are looked for since the start.
    """
    show_doubts(parts.doubts, shown)
    try:
        found = await parts.leftovers()
        for leftover in await _agreed(shown, [one for one in found if not one.in_doubt]):
            await parts.delete(leftover)
            shown.notify(f"{leftover.name} is deleted", "temporary key")
    except WalconsoleError as error:
        _log.warning("%s", error.line())


async def _agreed(shown: DropletSession, found: Sequence[Leftover]) -> Sequence[Leftover]:
    """Those that the operator says yes to: asked about by themselves, what was made on another machine."""
    agreed: list[Leftover] = []
    for noted, advice in ((True, _OURS), (False, _ELSEWHERE)):
        some = [leftover for leftover in found if leftover.noted == noted]
        if some and await shown.agree(_TITLE, [*map(_words, some), advice], "Delete"):
            agreed += some
    return agreed


def _words(leftover: Leftover) -> str:
    alive = f"alive as {', '.join(leftover.access_keys)}"
    where = "noted on this machine" if leftover.noted else "made on another machine"
    return f"{leftover.name}, of {moment_text(leftover.made_at)}, {where}, {alive}"
