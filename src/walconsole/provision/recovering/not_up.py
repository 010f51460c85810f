"""What the recovered server said when it did not start."""

import json
from shlex import quote

from walconsole.domain.recovery.not_starting import why_not_started
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, programs, status_of
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.control import OldServer

_LINES = 60
_MINUTES = 15


async def not_up(site: Site, state: RecoveryState, old: OldServer, error: ProvisionError) -> ProvisionError:
    """The same failure with the cause that its log tells, and what to do. Raises what the shell raises."""
    why, remedy = why_not_started(await _log(site, state, old))
    if not why:
        return error
    return ProvisionError(
        error.tried, f"it does not start: {why}", f"{remedy or 'mend that'}; then run this step again"
    )


async def _log(site: Site, state: RecoveryState, old: OldServer) -> tuple[str, ...]:
    """The end of what it logged: to its first log, then to a collector's file, where it came so far."""
    name = state.place.cluster or (old.cluster if state.place.in_place else None)
    first = quote(f"{state.work}/server.log" if state.place.folder else f"{state.old}.log")
    if name is not None:
        which = f"$1 == {json.dumps(name.version)} && $2 == {json.dumps(name.name)} {{ print $7 }}"
        _, said = await status_of(site, f"{programs(site)}pg_lsclusters -h | awk {quote(which)}")
        first = quote(said.strip() or "/nowhere")
    tree = quote(state.tree)
    # the tree's own note of a collector's file may have come with the base backup
    script = f"""tail -n {_LINES} -- {first} 2>/dev/null
cd -- {tree} 2>/dev/null && [ -n "$(find current_logfiles -mmin -{_MINUTES} 2>/dev/null)" ] || exit 0
collected=$(sed -n 's/^stderr //p' current_logfiles)
[ -z "$collected" ] || tail -n {_LINES} -- "$collected" 2>/dev/null
exit 0"""
    # as the server: in its folder of logs a link may lead anywhere
    _, said = await status_of(site, script, user=os_user(site))
    return tuple(said.splitlines())
