"""What production asks of another host, and what that host has: one script and one statement each."""

from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.recovery.other_host import USUAL_BLOCK, ClusterNeeds, ClusterThere, OtherHost
from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError
from walconsole.observe.host.host_script import assignment
from walconsole.provision.droplet.commands import os_user, psql, status_of
from walconsole.provision.droplet.files import own_script
from walconsole.provision.engine.site import Site

NEEDED = ("psql", "timeout", "flock", "tar", "tee", "sha256sum", "zstd", "rclone")
"""Programs that the installed scripts call, besides PostgreSQL's own."""
_OF_POSTGRESQL = ("postgres", "pg_ctl", "pg_controldata", "pg_verifybackup", "pg_combinebackup")
_FIRST_WITH_COMBINING = 17
_KIB = 1024
"""PostgreSQL's configure is told block sizes in kilobytes (documentation, "Building and Installation")."""

_SQL = """SELECT current_setting('server_version_num')::int / 10000, current_setting('block_size'),
    current_setting('wal_block_size'),
    (SELECT string_agg(DISTINCT locale, ',') FROM (
        SELECT datcollate::text FROM pg_database UNION SELECT datctype::text FROM pg_database) AS used
        (locale)), current_setting('shared_preload_libraries'), (SELECT
        string_agg(pg_tablespace_location(oid), ',') FROM pg_tablespace WHERE spcname NOT IN ('pg_default',
        'pg_global')),
    (SELECT system_identifier FROM pg_control_system())"""


async def needs_of_production(site: Site) -> ClusterNeeds:
    """What `site`'s production tells; what it could not be asked for is left open. Raises nothing of it."""
    production = site.production
    if production is None or production.away:
        return ClusterNeeds()
    source = production.site
    told = await _ask(source)
    needs = ClusterNeeds(
        identity=_first(told, "identity"), machine=_first(told, "machine"), glibc=_first(told, "glibc")
    )
    try:
        row = (*(await psql(source, _SQL)).split("\t"), *[""] * 7)[:7]
    except ProvisionError:  # its server does not run: that is why somebody recovers
        return needs
    return replace(
        needs,
        major=_number(row[0]),
        block=_number(row[1]),
        wal_block=_number(row[2]),
        locales=_list(row[3]),
        libraries=tuple(each.strip(' "').rpartition("/")[2].removesuffix(".so") for each in _list(row[4])),
        tablespaces=_list(row[5]),
        system_identifier=row[6].strip(),
    )


async def look_at_other(site: Site, major: int | None, needed: Sequence[str] = NEEDED) -> OtherHost:
    """What the other host has for a cluster of PostgreSQL `major`. Raises what the shell raises."""
    own = [
        each for each in _OF_POSTGRESQL if each != "pg_combinebackup" or (major or 0) >= _FIRST_WITH_COMBINING
    ]
    told = await _ask(site, major=str(major or ""), needed=" ".join(needed), own=" ".join(own))
    return OtherHost(
        name=site.where,
        identity=_first(told, "identity"),
        hostname=_first(told, "hostname"),
        machine=_first(told, "machine"),
        glibc=_first(told, "glibc"),
        user=os_user(site),
        has_user=bool(told.get("user")),
        bin=_first(told, "bin"),
        block=_KIB * (_number(_first(told, "block")) or 0) or USUAL_BLOCK,
        wal_block=_KIB * (_number(_first(told, "wal-block")) or 0) or USUAL_BLOCK,
        lacks=tuple(told.get("lacks", ())),
        locales=tuple(told.get("locale", ())),
        libraries=tuple(told.get("library", ())),
        clusters=tuple(_cluster(each) for each in told.get("cluster", ())),
        clock_off_s=await _clock_off(site),
        is_root=(await site.survey()).root or bool(site.profile.paths.root),
    )


async def _ask(site: Site, major: str = "", needed: str = "", own: str = "") -> dict[str, list[str]]:
    """What scripts/other_host.sh says."""
    path = site.choices.path if site.profile.paths.root else ""
    values = {"user": os_user(site), "path": path, "major": major, "needed": needed, "own": own}
    told = "".join(assignment(name, value.encode()) for name, value in values.items())
    _, said = await status_of(site, f"{told}{own_script('other_host.sh')}", timeout_s=30.0)
    return _told(said)


async def _clock_off(site: Site) -> float | None:
    there = (await site.survey()).clock_offset_s
    production = site.production
    if there is None or production is None or production.away:
        return there
    source = (await production.site.survey()).clock_offset_s
    return there if source is None else there - source


def _told(said: str) -> dict[str, list[str]]:
    """Lines `KEY VALUE`; remote text, safe to show."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        key, _, value = safe(line).partition(" ")
        found.setdefault(key, []).append(value.strip())
    return found


def _first(told: dict[str, list[str]], key: str) -> str:
    return next(iter(told.get(key, ())), "")


def _list(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


def _cluster(text: str) -> ClusterThere:
    identifier, _, rest = text.partition(" ")
    data, _, state = rest.rpartition("|")
    return ClusterThere(data, identifier, state)
