"""What pgBackRest's repository in a copy holds, read by the profile's own key, without pgBackRest.

archive.info and backup.info are INI files with JSON values (src/info/info*.c); a segment lies in
`archive/STANZA/VERSION-ID/` as TIMELINE+LOG/NAME-SHA1 and a suffix of its compression.
"""

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from walconsole.domain.archive.layouts import archived_name, split_key
from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable
from walconsole.domain.recovery.hostile import LONGEST_LIST
from walconsole.domain.recovery.pgbackrest import LABEL, read_pgbackrest
from walconsole.domain.store.answers import Meaning
from walconsole.domain.wal import Segment, WalNameKind
from walconsole.errors import ObjectStoreError
from walconsole.ports import ObjectStore
from walconsole.provision.droplet.survey import ServerSurvey
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.bucket_pages import listed
from walconsole.provision.steps.look_result import BackupLook

_LARGEST_INFO = 64 * 1024
_ABSENT = frozenset({Meaning.ABSENT_OBJECT, Meaning.ABSENT_BUCKET, Meaning.ABSENT})
_MOST_READ = 20
"""Backups whose manifest is asked for, the newest first."""


@record
class StanzaLook:
    """A stanza's archive.info: whose it is. `folder` is where its segments lie, relative to the prefix.

    `system_identifier` is None where there is no stanza, and where it could not be looked at: `why` says so.
    """

    target: BucketTarget
    system_identifier: int | None = None
    folder: str = ""
    why: str = ""
    remedy: str = ""

    @property
    def where(self) -> str:
        """`BUCKET in REGION`."""
        return f"{self.target.bucket} in {self.target.region}"


async def look_at_stanza(site: Site, target: BucketTarget) -> StanzaLook:
    """The copy's. Raises nothing of the store's."""
    stanza = site.profile.name
    key = f"{target.prefix}archive/{stanza}/archive.info"
    try:
        content = (await site.store(target).read(key, _LARGEST_INFO)).body
    except ObjectStoreError as error:
        if error.meaning in _ABSENT:
            return StanzaLook(target)
        return StanzaLook(target, why=f"it could not be looked at: {error.why}", remedy=error.remedy)
    values = dict(
        line.split("=", 1) for line in content.decode("utf-8", "replace").splitlines() if "=" in line
    )
    try:
        system, number = int(values["db-system-id"]), int(values["db-id"])
        version = str(json.loads(values["db-version"]))
    except (KeyError, ValueError):
        return StanzaLook(target, why=f"{key} cannot be read", remedy="see `pgbackrest info`")
    if not re.fullmatch(r"[0-9.]{1,8}", version, re.ASCII):
        return StanzaLook(target, why=f"{key} names no version", remedy="see `pgbackrest info`")
    return StanzaLook(target, system, f"archive/{stanza}/{version}-{number}/")


async def look_at_repository(
    site: Site, target: BucketTarget, server: ServerSurvey, labels: Sequence[str] = ()
) -> BackupLook:
    """The copy's newest complete backup of this cluster, with the WAL that it needs.

    `labels`: one of these alone. Raises nothing of the store's.
    """
    stanza = await look_at_stanza(site, target)
    if stanza.system_identifier is None:
        return BackupLook(target, why=stanza.why or "no stanza", remedy=stanza.remedy)
    store = site.store(target)
    try:
        found = await _backups(store, target, site.profile.name)
        wanted = [one for one in found if not labels or (isinstance(one, BaseBackup) and one.id in labels)]
        return await _newest(store, stanza, server, wanted)
    except ObjectStoreError as error:
        if error.meaning in _ABSENT:
            return BackupLook(target, why="no base backup")
        return BackupLook(target, why=f"it could not be looked at: {error.why}", remedy=error.remedy)


async def segments_from(
    store: ObjectStore, stanza: StanzaLook, first: Segment, segment_bytes: int
) -> frozenset[Segment]:
    """The segments of its timeline that the repository holds, from `first` on. Raises ObjectStoreError."""
    folder, name = f"{stanza.target.prefix}{stanza.folder}", first.name(segment_bytes)
    found = set()
    async for key, size in listed(store, f"{folder}{name[:16]}/{name}", f"{folder}{first.timeline:08X}"):
        archived = archived_name(split_key(key)[1], segment_bytes)
        if size and archived is not None and archived.kind is WalNameKind.SEGMENT and archived.segment:
            found.add(archived.segment)
    return frozenset(found)


async def _backups(store: ObjectStore, target: BucketTarget, stanza: str) -> list[BaseBackup | Unreadable]:
    """Those of backup.info, the newest first. Raises ObjectStoreError."""
    place = f"backup/{stanza}/"
    key = f"{place}backup.info"
    content = (await store.read(f"{target.prefix}{key}", LONGEST_LIST + 1)).body
    named = sorted(set(LABEL.findall(content.decode("utf-8", "replace"))), reverse=True)[:_MOST_READ]
    manifests = [label async for label in _with_manifest(store, f"{target.prefix}{place}", named)]
    read = read_pgbackrest(key, place, content, manifests)
    return [one for one in reversed(read) if isinstance(one, Unreadable) or one.id in named]


async def _with_manifest(store: ObjectStore, place: str, labels: Sequence[str]) -> AsyncIterator[str]:
    for label in labels:
        manifest = f"{place}{label}/backup.manifest"
        async for key, _ in listed(store, manifest[:-1], manifest):
            if key == manifest:
                yield label
            break


async def _newest(
    store: ObjectStore,
    stanza: StanzaLook,
    server: ServerSurvey,
    backups: Sequence[BaseBackup | Unreadable],
) -> BackupLook:
    whys = []
    for read in backups:
        if isinstance(read, Unreadable):
            whys.append(read.why)
            continue
        backup = replace(read, segment_bytes=server.segment_bytes)
        why = _fault(backup, server)
        if not why:
            why, later = await _wal(store, stanza, backup, server.segment_bytes)
            if not why:
                return BackupLook(stanza.target, backup, later)
        whys.append(f"{backup.id}: {why}")
    return BackupLook(stanza.target, why="; ".join(whys[:3]) or "no base backup")


def _fault(backup: BaseBackup, server: ServerSurvey) -> str:
    if backup.completeness is not Completeness.COMPLETE:
        return backup.why or backup.completeness
    if backup.system_identifier != int(server.system_identifier) % 2**64:
        return f"of another cluster, {backup.system_identifier}"
    return ""


async def _wal(
    store: ObjectStore, stanza: StanzaLook, backup: BaseBackup, segment_bytes: int
) -> tuple[str, frozenset[int]]:
    """What it lacks of the WAL that it needs, in words; the numbers of the segments after its stop."""
    first, last = backup.first_segment(segment_bytes), backup.last_segment(segment_bytes)
    if first is None or last is None:
        return "its WAL is not known", frozenset()
    there = await segments_from(store, stanza, first, segment_bytes)
    if (
        last.timeline != first.timeline
    ):  # where the one timeline ends and the other begins only a history tells
        there |= await segments_from(store, stanza, last, segment_bytes)
        needed = [first, last]
    else:
        needed = [Segment(first.timeline, number) for number in range(first.number, last.number + 1)]
    lacking = next((segment for segment in needed if segment not in there), None)
    if lacking is not None:
        return f"{lacking.name(segment_bytes)} is not there, which it needs", frozenset()
    return "", frozenset(
        one.number for one in there if one.timeline == last.timeline and one.number > last.number
    )
