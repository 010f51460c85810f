"""What goes on beside retention: a recovery that is open, and what a run by a schedule waits for besides."""

from collections.abc import Mapping

from walconsole.domain.standing.expiry_schedule import not_due, running_now
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.retention.look import Look


async def open_recovery(site: Site) -> str:
    """Where a recovery stands on the droplet that is not at its end, and what ends it; empty where none is.

    It gives the lock back at its pause, and may go on from there days later, by WAL that nothing else needs.
    Raises what the shell raises.
    """
    state = await Recovery(site).state()
    return f"a recovery goes on ({state.words[0]}): {state.words[1]}" if state.is_open else ""


class Unattended:
    """`after` are the newest base backups (ids by role) when retention last did what it should."""

    def __init__(self, site: Site, after: Mapping[str, str]) -> None:
        self._site, self._after = site, after

    async def waits_for(self, shown: Look) -> str:
        """What must come or end first; empty where nothing must. A drill holds the lock while it reads.

        Raises what the shell raises.
        """
        for lock in shown.locks:
            return f"a lock lies there: {lock.owner}"
        copies = shown.found.copies if shown.found is not None else ()
        return running_now(shown.runs) or await open_recovery(self._site) or not_due(copies, self._after)
