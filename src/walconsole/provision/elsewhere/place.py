"""Where on another host a recovered cluster shall stand, and what that host has for it."""

from shlex import quote

from walconsole.domain.archivers.own_restore import OwnRestore
from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_plan import RecoveryHost
from walconsole.domain.recovery.recover_target import RecoveryPlace
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, programs, psql, status_of
from walconsole.provision.engine.site import Site

_DEBIANS = "/var/lib/postgresql"
"""pg_createcluster(1): the data directory of a cluster is VERSION/NAME below it."""
_SQL = """SELECT sum(pg_database_size(oid))::bigint, pg_size_bytes(current_setting('max_wal_size')),
    (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))
FROM pg_database"""

_LOOK = """place={place}
parent=${{place%/*}}
at=${{parent:-/}}
while [ ! -d "$at" ]; do at=${{at%/*}}; at=${{at:-/}}; done
df -Pk -- "$at" | awk 'NR == 2 {{ print "free", int($4 / 1024) }}'
echo "owner $(stat -c %U -- "$at" 2>/dev/null)"
[ ! -e "$place" ] || echo 'taken it is there already'
up=$parent
while [ -n "$up" ]; do
    [ ! -e "$up/PG_VERSION" ] || echo "taken it would lie in $up, the data directory of a cluster"
    up=${{up%/*}}
done
{path}command -v pg_createcluster >/dev/null && echo 'debian yes'
{path}pg_lsclusters -h 2>/dev/null | awk '{{ print "cluster", $1 "/" $2 }}'
"""

_FREE_PORT = """port=5432
while grep -qsi ":$(printf %04X "$port") [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6 ||
    [ -e "/var/run/postgresql/.s.PGSQL.$port" ]; do
    port=$((port + 1))
done
echo "$port"
"""
"""Nobody listens there (state 0A, include/net/tcp_states.h), and no server has its socket."""


def lies_at(place: RecoveryPlace) -> str:
    """The data directory that a place stands for on another host; empty for the old one's place."""
    if place.cluster is not None:
        return f"{_DEBIANS}/{place.cluster.version}/{place.cluster.name}"
    return place.folder


async def look_elsewhere(site: Site, place: RecoveryPlace, called: OwnRestore) -> RecoveryHost:
    """Asked of the other host, and of production how large it is, where it answers. Raises ProvisionError.

    `called` is how another tool that archives is called on production's host.
    """
    lies = lies_at(place)
    databases, max_wal, tablespaces, running = await _of_production(site)
    if not lies:
        return RecoveryHost("", None, running, None, elsewhere=site.where)
    status, said = await status_of(site, _LOOK.format(place=quote(lies), path=programs(site)))
    if status != 0 and not said:
        raise ProvisionError(f"looking at {site.where}", f"exit status {status}")
    told = [line.partition(" ")[::2] for line in said.splitlines()]
    by_key = dict(told)
    owner, free = by_key.get("owner", ""), by_key.get("free", "")
    crowded = "" if owner == os_user(site) else f"its folder is {owner or 'nobody'}'s, not {os_user(site)}'s"
    return RecoveryHost(
        "",
        None,
        running,
        int(free) if free.isdigit() else None,
        lies.rpartition("/")[0],
        databases,
        max_wal,
        site.drill.reserve_mib,
        tuple(ClusterName(*value.split("/")) for key, value in told if key == "cluster" and "/" in value),
        crowded=by_key.get("taken", "") or crowded,
        tablespaces=tablespaces,
        archive=site.profile.primary,
        called=called,
        elsewhere=site.where,
        debian="debian" in by_key,
    )


async def free_port(site: Site) -> int:
    """The first from 5432 on that nothing uses there. Raises ProvisionError."""
    status, said = await status_of(site, _FREE_PORT)
    if status != 0 or not said.strip().isdigit():
        raise ProvisionError(f"looking for a free port on {site.where}", said.strip()[:200] or "no answer")
    return int(said)


async def _of_production(site: Site) -> tuple[int, int, int, bool]:
    """Bytes of its databases, its max_wal_size, its tablespaces, and whether it answers."""
    production = site.production
    if production is not None and not production.away:
        try:
            databases, max_wal, tablespaces = (await psql(production.site, _SQL)).split("\t")
        except ProvisionError:  # its server does not run
            pass
        else:
            return int(databases or 0), int(max_wal), int(tablespaces), True
    return 0, 1 << 30, 0, False
