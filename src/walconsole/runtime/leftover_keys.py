"""Temporary keys that an earlier console left behind: offered at the start, and before the steps."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from walconsole.adapters.key_ledger import LedgerFolder
from walconsole.domain.profile import Profile
from walconsole.errors import WalconsoleError
from walconsole.ports import KeyLedger
from walconsole.provision.leftovers import Leftover, delete_leftover, leftovers
from walconsole.runtime.cleanup import Cleanups
from walconsole.runtime.clock import SystemClock
from walconsole.runtime.provisioning import KeysLater, Provisioned, ledger_folder
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.export import moment_text

_log = logging.getLogger(__name__)
_TITLE = "A temporary full-access key was left behind"
_OURS = "Its console has ended, and nobody needs it. Delete it now?"
_ELSEWHERE = (
    "It is not of this machine: delete it only if no console elsewhere is setting archiving up. Delete it?"
)


def offer_at_start(
    profile: Profile, app: WalconsoleApp, environment: Mapping[str, str], cleanups: Cleanups
) -> None:
    """Look into the ledger beside everything else; nothing is asked of anybody where it is empty."""
    ledger = LedgerFolder(ledger_folder(environment))
    task = asyncio.create_task(_offer(profile, app, environment, ledger), name="leftover keys")
    cleanups.add_task(task)


async def _offer(
    profile: Profile, app: WalconsoleApp, environment: Mapping[str, str], ledger: KeyLedger
) -> None:
    keys = KeysLater(profile, environment)
    try:
        orphans = await asyncio.to_thread(ledger.orphans)
        if not any(one.endpoint in ("", profile.api.endpoint) for one in orphans):
            return
        service = await keys()
        found = await leftovers(ledger, service, profile.api.endpoint, SystemClock().now())
        for leftover in await _agreed(app, found):
            await delete_leftover(leftover, ledger, service)
            app.notify(f"{leftover.name} is deleted", title="temporary key", markup=False)
    except WalconsoleError as error:
        _log.warning("%s", error.line())
        app.notify(error.line(), title=_TITLE, severity="error", markup=False, timeout=30)
    finally:
        await keys.close()


async def offer_leftovers(parts: Provisioned, app: WalconsoleApp) -> None:
    """The same before the steps, where those count that the API alone knows. Without a token: nothing."""
    try:
        found = await parts.leftovers()
        for leftover in await _agreed(app, found):
            await parts.delete(leftover)
            app.notify(f"{leftover.name} is deleted", title="temporary key", markup=False)
    except WalconsoleError as error:
        _log.warning("%s", error.line())


async def _agreed(app: WalconsoleApp, found: Sequence[Leftover]) -> Sequence[Leftover]:
    """Those that the operator says yes to: asked about by themselves, what was made on another machine."""
    agreed: list[Leftover] = []
    for noted, advice in ((True, _OURS), (False, _ELSEWHERE)):
        some = [leftover for leftover in found if leftover.noted == noted]
        if some and await app.agree(_TITLE, [*map(_words, some), advice], "Delete"):
            agreed += some
    return agreed


def _words(leftover: Leftover) -> str:
    alive = (
        f"alive as {', '.join(leftover.access_keys)}" if leftover.access_keys else "not at the API any more"
    )
    where = "noted on this machine" if leftover.noted else "made on another machine"
    return f"{leftover.name}, of {moment_text(leftover.made_at)}, {where}, {alive}"
