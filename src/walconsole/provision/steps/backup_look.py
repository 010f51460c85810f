"""Which complete base backup of this cluster a copy holds, read by the profile's own key."""

import asyncio
from collections.abc import Iterator, Sequence

from walconsole.domain.profile import BucketTarget, Engine
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import LONGEST
from walconsole.domain.recovery.ours import FOLDER
from walconsole.domain.recovery.whereabouts import Folder, Whereabouts, read_folder
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError, ProvisionError
from walconsole.ports import ObjectStore
from walconsole.provision.droplet.survey import ServerSurvey
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.bucket_pages import listed
from walconsole.provision.steps.look_result import BackupLook
from walconsole.provision.steps.repository_look import look_at_repository

_MOST_READ = 20
"""Backups that are read, the newest first, until one is complete."""
_SUFFIXES = ("", ".zst", ".gz")


async def looks_at_backups(site: Site, only: str = "") -> list[BackupLook]:
    """Each copy's newest good one, by the profile's engine; with `only` the one of that id.

    Of pgBackRest's, each repository of which names its own, `only` has them all. Raises ProvisionError where
    the server cannot be asked whose they are.
    """
    survey = await site.survey()
    server = survey.server
    if server is None:
        raise ProvisionError("looking whose base backups there are", survey.server_problem)
    if site.profile.engine is Engine.PGBACKREST:
        labels = only.split()
        seen = (look_at_repository(site, target, server, labels) for target in site.targets())
        return list(await asyncio.gather(*seen))
    looking = (look_at_backups(site, target, server, only) for target in site.targets())
    return list(await asyncio.gather(*looking))


async def look_at_backups(
    site: Site, target: BucketTarget, server: ServerSurvey, only: str = ""
) -> BackupLook:
    """The copy's newest good backup; with `only` the one of that id. Raises nothing of the store's."""
    try:
        store = site.store(target)
        found = await _folders(store, target.prefix)
        wanted = [folder for folder in found if not only or folder.id == only]
        return await _newest(store, target, server, wanted)
    except ObjectStoreError as error:
        return BackupLook(target, why=f"it could not be looked at: {error.why}", remedy=error.remedy)


async def names_below(site: Site, target: BucketTarget, identity: str) -> set[str]:
    """The names of the objects of that base backup in the copy. Raises ObjectStoreError."""
    prefix = f"{target.prefix}{FOLDER}{identity}/"
    return {key.removeprefix(prefix) async for key, _ in listed(site.store(target), prefix, prefix)}


async def _folders(store: ObjectStore, prefix: str) -> list[Folder]:
    """Our backups' folders, the newest first."""
    places = Whereabouts()
    async for key, size in listed(store, f"{prefix}{FOLDER}", f"{prefix}{FOLDER}"):
        places.note(key.removeprefix(prefix), size)
    ours = (each for each in places.folders() if each.writer is Writer.OURS and each.place == FOLDER)
    return sorted(ours, key=lambda folder: folder.id, reverse=True)


async def _newest(
    store: ObjectStore, target: BucketTarget, server: ServerSurvey, folders: list[Folder]
) -> BackupLook:
    whys = []
    for folder in folders[:_MOST_READ]:
        read = await _read(store, target.prefix, folder)
        why = read.why if isinstance(read, Unreadable) else await _fault(store, target.prefix, read, server)
        if isinstance(read, BaseBackup) and not why:
            return BackupLook(target, read, await _later(store, target.prefix, read, server.segment_bytes))
        whys.append(f"{folder.id}: {why}")
    return BackupLook(target, why="; ".join(whys[:3]) or "no base backup")


async def _read(store: ObjectStore, prefix: str, folder: Folder) -> BaseBackup | Unreadable:
    contents = {key: (await store.read(f"{prefix}{key}", LONGEST + 1)).body for key in folder.wanted}
    return read_folder(folder, contents)[0]


async def _fault(store: ObjectStore, prefix: str, backup: BaseBackup, server: ServerSurvey) -> str:
    """What is wrong with it for this server; empty where nothing is."""
    if backup.completeness is not Completeness.COMPLETE:
        return backup.why or backup.completeness
    if backup.system_identifier != int(server.system_identifier) % 2**64:
        return f"of another cluster, {backup.system_identifier}"
    if backup.segment_bytes != server.segment_bytes:
        return f"its wal_segment_size is {backup.segment_bytes}, the server's {server.segment_bytes}"
    lacking = await _lacking_wal(store, prefix, backup, server.segment_bytes)
    return f"{lacking} is not there, which it needs" if lacking else ""


async def _lacking_wal(store: ObjectStore, prefix: str, backup: BaseBackup, segment_bytes: int) -> str:
    """The first segment from its start to its stop that is not in the copy; empty where all are."""
    first, last = backup.first_segment(segment_bytes), backup.last_segment(segment_bytes)
    if first is None or last is None:
        return "its WAL"
    there: set[Segment] = set()
    for timeline in {first.timeline, last.timeline}:
        after = f"{prefix}{Segment(timeline, first.number).name(segment_bytes)[:-1]}"
        async for key, size in listed(store, after, f"{prefix}{timeline:08X}"):
            name = key.removeprefix(prefix)
            segment = _segment(name, size, segment_bytes)
            if segment is not None:
                there.add(segment)
                if segment.number > last.number:
                    break
    lacking = next((segment for segment in _needed(first, last) if segment not in there), None)
    return lacking.name(segment_bytes) if lacking is not None else ""


async def _later(store: ObjectStore, prefix: str, backup: BaseBackup, segment_bytes: int) -> frozenset[int]:
    """The numbers of the segments after its stop, of the timeline on which it stopped."""
    last = backup.last_segment(segment_bytes)
    if last is None:
        return frozenset()
    found = listed(store, f"{prefix}{last.name(segment_bytes)}", f"{prefix}{last.timeline:08X}")
    named = [_segment(key.removeprefix(prefix), size, segment_bytes) async for key, size in found]
    return frozenset(each.number for each in named if each is not None and each.number > last.number)


def missing_after(looks: Sequence[BackupLook], segment_bytes: int) -> str:
    """The first segment that no copy holds of those between the newest backup and the newest WAL; else empty.

    A restore reads each copy: what one lacks the other may hold. What was archived on a later timeline is
    not looked at.
    """
    ends = [look.backup.last_segment(segment_bytes) for look in looks if look.backup is not None]
    last = max((end for end in ends if end is not None), default=None)
    stored = frozenset[int]().union(*(look.later for look in looks))
    if last is None or not stored:
        return ""
    gap = next((number for number in range(last.number + 1, max(stored)) if number not in stored), None)
    return Segment(last.timeline, gap).name(segment_bytes) if gap is not None else ""


def _needed(first: Segment, last: Segment) -> Iterator[Segment]:
    """Asked one by one: a description may name more segments than there can be."""
    if last.timeline != first.timeline:
        yield from (first, last)  # where the one timeline ends and the other begins only a history tells
        return
    for number in range(first.number, last.number + 1):
        yield Segment(first.timeline, number)


def _segment(name: str, size: int, segment_bytes: int) -> Segment | None:
    """The segment that a key holds whole, as far as its size tells."""
    if name[24:] not in _SUFFIXES or not size or (len(name) == 24 and size != segment_bytes):
        return None
    try:
        return Segment.parse(name[:24], segment_bytes)
    except ValueError:
        return None
