"""What the host is asked before a recovery: the old cluster, room beside it, names that are taken."""

from shlex import join, quote

from walconsole.domain.archivers.own_restore import OwnRestore, OwnTool
from walconsole.domain.profile import ClusterName
from walconsole.domain.recovery.recover_plan import RecoveryHost
from walconsole.domain.recovery.recover_target import RecoveryPlace
from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import os_user, programs, psql, status_of
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.site import Site

_CONFIG_PARTS = 3
"""VERSION/NAME/postgresql.conf, below the folder of all configurations."""

_SQL = """SELECT sum(pg_database_size(oid))::bigint, pg_size_bytes(current_setting('max_wal_size'))
FROM pg_database"""

_LOOK = """data={data} place={place}
parent=${{place%/*}}
at=${{parent:-/}}
while [ ! -d "$at" ]; do at=${{at%/*}}; at=${{at:-/}}; done
df -Pk -- "$at" | awk 'NR == 2 {{ print "free", int($4 / 1024) }}'
echo "parent $(stat -c %U -- "$parent" 2>/dev/null)"
if [ {beside} = yes ]; then
    [ ! -e "$place" ] || echo 'taken it is there already'
    [ "$place" != "$data" ] || echo 'taken it is the old cluster, whose place --in-place takes'
    up=$parent
    while [ -n "$up" ]; do
        [ ! -e "$up/PG_VERSION" ] || echo "taken it would lie in $up, the data directory of a cluster"
        up=${{up%/*}}
    done
fi
for each in {new}; do
    if [ -e "$each" ] || [ -L "$each" ]; then echo "new $each"; fi
done
[ ! -L "$data" ] || echo 'fixed it is a link'
if [ -d "$data" ] && [ "$(stat -c %d -- "$data")" != "$(stat -c %d -- "${{data%/*}}/")" ]; then
    echo 'fixed it is a file system of its own'
fi
[ ! -d "$data" ] || awk -v at="$(readlink -f -- "$data")/" 'index($5, at) == 1 {{
    print "fixed " $5 " is a file system of its own, which a boot mounts over the new files"
    exit
}}' /proc/self/mountinfo 2>/dev/null
[ ! -L "$data/pg_wal" ] || echo "wal $(readlink -f -- "$data/pg_wal")"
ls "$data/pg_wal/archive_status" 2>/dev/null |
    awk '/^[0-9A-F]*[.]ready$/ {{ n++ }} END {{ print "unarchived", n + 0 }}'
[ -z "$(ls -A "$data/pg_tblspc" 2>/dev/null)" ] || echo "tablespaces $(ls "$data/pg_tblspc" | wc -l)"
{path}command -v {pgbackrest} >/dev/null && echo 'pgbackrest is here'
{path}pg_lsclusters -h 2>/dev/null | awk '{{ print "cluster", $1 "/" $2 }}'
"""


async def look_at_host(site: Site, place: RecoveryPlace, called: OwnRestore) -> RecoveryHost:
    """Asked of the droplet, and of the old server where it runs. Raises ProvisionError.

    `called` is how the archive's tool is called there.
    """
    survey = await site.survey(again=True)
    data = data_of(survey)
    lies = place.folder or data
    if not lies:
        return RecoveryHost("", None, False, None)
    program = f"{called.folder if called.tool is OwnTool.PGBACKREST else ''}pgbackrest"
    script = _LOOK.format(
        data=quote(data),
        place=quote(lies),
        beside="yes" if place.folder else "no",
        new=join(_made_of(place, data, survey)),
        path=programs(site),
        pgbackrest=quote(program),
    )
    status, said = await status_of(site, script)
    if status != 0 and not said:
        raise ProvisionError("looking at the host", f"exit status {status}")
    told = [line.partition(" ")[::2] for line in said.splitlines()]
    by_key = dict(told)
    owner, free = by_key.get("parent", ""), by_key.get("free", "")
    clusters = tuple(
        ClusterName(*value.split("/")) for key, value in told if key == "cluster" and value.count("/") == 1
    )
    server = survey.server
    databases, max_wal = await _sizes(site) if server is not None else (0, 1 << 30)
    crowded = "" if owner == os_user(site) else f"its folder is {owner or 'nobody'}'s, not {os_user(site)}'s"
    crowded = by_key.get("taken", "") or crowded
    return RecoveryHost(
        data,
        survey.cluster.name if survey.cluster is not None else None,
        server is not None,
        int(free) if free.isdigit() else None,
        lies.rpartition("/")[0],
        databases,
        max_wal,
        site.drill.reserve_mib,
        clusters,
        fixed=by_key.get("fixed", ""),
        crowded=crowded,
        taken=safe(by_key.get("new", "")),
        in_recovery=server is not None and server.in_recovery,
        archive=site.profile.primary,
        called=called,
        has_pgbackrest="pgbackrest" in by_key,
        wal_lies=safe(by_key.get("wal", "")),
        tablespaces=int(by_key.get("tablespaces", "0") or 0),
        unarchived=int(by_key.get("unarchived", "0") or 0),
    )


def _made_of(place: RecoveryPlace, data: str, survey: Survey) -> tuple[str, ...]:
    """The folders that a new cluster of Debian's is made of: what is left of an older one of that name is in
    no list of clusters, and would be found when the old server is stopped already.
    """
    if place.cluster is None:
        return ()
    config = survey.cluster.config_file if survey.cluster is not None else None
    its = [f"{data.rpartition('/')[0]}/{place.cluster.name}"]
    if config and config.count("/") > _CONFIG_PARTS:
        its.append(f"{config.rsplit('/', _CONFIG_PARTS)[0]}/{place.cluster.version}/{place.cluster.name}")
    return tuple(its)


def data_of(survey: Survey) -> str:
    """The old cluster's data directory, whether it runs or not; empty where it is not known."""
    if survey.server is not None and survey.server.data_directory:
        return survey.server.data_directory.rstrip("/")
    return survey.cluster.data_directory.rstrip("/") if survey.cluster is not None else ""


async def _sizes(site: Site) -> tuple[int, int]:
    databases, max_wal = (await psql(site, _SQL)).split("\t")
    return int(databases or 0), int(max_wal)
