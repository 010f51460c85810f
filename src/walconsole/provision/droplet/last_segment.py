"""Waiting until a server has archived a segment."""

from collections.abc import AsyncIterator

from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import psql
from walconsole.provision.engine.model import Event, Proved, Waiting
from walconsole.provision.engine.site import Site

_ARCHIVED = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"


async def until_archived(site: Site, segment: str, within_s: float) -> AsyncIterator[Event]:
    """Until the server says that it archived `segment`, or a later one of that timeline.

    A label's name begins as its segment's, and is archived after it. Raises ProvisionError after `within_s`.
    """
    began = site.clock.monotonic()
    while (waited := (now := site.clock.monotonic()) - began) < within_s:
        archived = await psql(site, _ARCHIVED)
        if archived[:24] >= segment and archived[:8] == segment[:8]:
            yield Proved(f"{segment} is archived")
            return
        yield Waiting(f"{segment} is to be archived", waited, within_s)
        await site.rest(1.0, now)
    raise ProvisionError(
        f"waiting until {segment} is archived", f"it is not after {within_s:.0f} s", "mend archiving first"
    )
