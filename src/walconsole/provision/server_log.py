"""The server's own log on the droplet, as far as Debian's list of clusters names it."""

import json
from shlex import quote

from walconsole.domain.redaction import safe
from walconsole.provision.droplet import os_user, programs, status_of
from walconsole.provision.site import Site

_LONGEST_LINE = 500


async def server_log(site: Site) -> str:
    """The file that the cluster logs to at its start, by pg_lsclusters; empty where it has none."""
    cluster = (await site.survey()).cluster
    name = cluster.name if cluster is not None else None
    if name is None:
        return ""
    which = f"$1 == {json.dumps(name.version)} && $2 == {json.dumps(name.name)} {{ print $7 }}"
    status, said = await status_of(site, f"{programs(site)}pg_lsclusters -h | awk {quote(which)}")
    path = said.strip()
    return path if status == 0 and path.startswith("/") else ""


async def last_lines(site: Site, about: str, count: int = 2) -> tuple[str, ...]:
    """The newest lines of it that have `about` in them, the oldest first; none where it cannot be read."""
    path = await server_log(site)
    if not path:
        return ()
    script = f"tail -c 65536 -- {quote(path)} | grep -F -e {quote(about)} | tail -n {count}"
    # as the server: in its folder of logs a link may lead anywhere
    _, said = await status_of(site, script, user=os_user(site))
    return tuple(safe(line[:_LONGEST_LINE]) for line in said.splitlines())
