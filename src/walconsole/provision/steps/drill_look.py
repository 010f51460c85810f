"""What a drill would take, asked of the droplet; and what drills left in a copy, by the profile's key."""

from shlex import quote

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Unreadable
from walconsole.domain.recovery.drill_plan import Room, Sizes, room, segments_between
from walconsole.domain.recovery.drill_result import (
    DRILLS,
    LONGEST_BYTES,
    DrillResult,
    drill_id,
    drills_of,
    read_drill,
)
from walconsole.droplet.names import names_of
from walconsole.errors import ObjectStoreError, ProvisionError
from walconsole.provision.droplet.commands import ask, os_user, psql
from walconsole.provision.engine.site import Site

_SQL = """SELECT sum(pg_database_size(oid))::bigint, pg_size_bytes(current_setting('max_wal_size')),
    pg_size_bytes(current_setting('wal_segment_size')),
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END) - '0/0'
FROM pg_database"""
_NEWEST = 8


@record
class DrillNeeds:
    """What a drill of a backup takes now: room on its disk, and so many segments to replay."""

    room: Room
    segments: int
    segment_bytes: int
    folder: str


async def needs_of(site: Site, backup: BaseBackup) -> DrillNeeds:
    """Asked of the server, and of the host on which it is made. Raises ProvisionError."""
    row = (await psql(site.source, _SQL)).split("\t")
    databases, max_wal, segment_bytes, at = (int(each) for each in row)
    first = backup.first_segment(segment_bytes)
    if first is None:
        raise ProvisionError("planning a drill", f"where replay of {backup.id} begins is not known")
    segments = segments_between(first.number, at // segment_bytes)
    folder = site.drill.folder or names_of(site.profile).drill_state
    # the folder may not be there yet: its disk is that of what is above it
    script = f"""at={quote(folder)}
while [ ! -d "$at" ]; do at=${{at%/*}}; at=${{at:-/}}; done
df -Pk -- "$at" | awk 'NR == 2 {{ print int($4 / 1024) }}'"""
    free = (await ask(site, script, tried=f"asking how much room {folder} has")).strip()
    if not free.isdigit():
        raise ProvisionError(f"asking how much room {folder} has", f"df said {free[:100]!r}")
    sizes = Sizes(databases, max_wal, segment_bytes)
    # of an incremental one what it builds upon is not counted here; the script does, and refuses by it
    found = room([backup], segments, sizes, reserve_mib=site.drill.reserve_mib, free_mib=int(free))
    return DrillNeeds(found, segments, segment_bytes, folder)


async def result_in(site: Site, target: BucketTarget, identity: str) -> DrillResult | Unreadable:
    """The result of that drill in the copy. Raises ObjectStoreError."""
    key = f"{DRILLS}{identity}.json"
    read = await site.store(target).read(f"{target.prefix}{key}", LONGEST_BYTES + 1)
    return read_drill(key, read.body)


async def result_here(site: Site, identity: str) -> DrillResult | Unreadable:
    """The result of that drill as the script keeps it on the droplet. Raises ProvisionError."""
    file = quote(f"{names_of(site.profile).drill_state}/last.json")
    script = f"head -c {LONGEST_BYTES + 1} -- {file}"
    said = await ask(site, script, user=os_user(site), tried="reading what the drill proved")
    return read_drill(f"{DRILLS}{identity}.json", said.encode())


async def last_good(site: Site, system_identifier: int) -> DrillResult | None:
    """The newest good drill of the cluster among the newest in the primary copy; None where none is seen."""
    target = site.profile.primary
    place = f"{target.prefix}{DRILLS}"
    try:
        page = await site.store(target).page(start_after=place)
        keys = [key for key in page.objects.keys if drill_id(key.removeprefix(target.prefix)) is not None]
        ids = [drill_id(key.removeprefix(target.prefix)) or "" for key in keys[-_NEWEST:]]
        return drills_of([await result_in(site, target, each) for each in ids], system_identifier).good
    except ObjectStoreError:
        return None
