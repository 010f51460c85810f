"""`backup.json`: what the installed script writes last, and without which there is no backup.

Fields that are not known are ignored, so that a newer script may say more; one that cannot be read
so any more counts `format` up.
"""

import re
from collections.abc import Mapping

from walconsole.domain.recovery.backups import BackupObject, BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    field,
    identifier_of,
    in_order,
    json_object,
    lsn,
    moment,
    optional,
    plain_name,
    segment_of,
    segment_size,
    text_of,
    timeline_number,
    words,
)
from walconsole.domain.wal import Segment

FORMAT = 1
MARKER = "backup.json"
MANIFEST = "backup_manifest"
_TAR = "base.tar"
FOLDER = "base/"
"""Where the installed script stores base backups, below the profile's prefix."""
_EXPIRING = re.compile(r"expiring\.([0-9A-F]{8})\.([0-9A-F]{16})", re.ASCII)
ID = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
LABELLED = "walconsole "
"""What a backup's label begins with (pg_basebackup -l); its id follows."""
_KINDS = ("full", "incremental")
_MOST_OBJECTS = 10_000
_CHECKS = ("read_back", "manifest", "wal")


def expiring_name(timeline: int, lsn: int) -> str:
    """The object in a backup's folder that says: retention takes it away, and its replay began there.

    It is written before the marker goes and goes last, so that whoever goes on after an interruption knows
    what is left of the backup, and which label was its.
    """
    return f"expiring.{timeline:08X}.{lsn:016X}"


def expiring_from(name: str) -> tuple[int, int] | None:
    """Timeline and position, None for any other object's name."""
    match = _EXPIRING.fullmatch(name)
    return None if match is None else (int(match[1], 16), int(match[2], 16))


def read_ours(key: str, place: str, id: str, content: bytes) -> BaseBackup | Unreadable:
    """The backup that the marker below `place` + `id` describes, complete as far as it says."""
    try:
        return _read(place, id, json_object(text_of(content)))
    except RefusedError as refused:
        return Unreadable(key, str(refused))


def _read(place: str, id: str, told: Mapping[str, object]) -> BaseBackup:
    version = count(told, "format")
    if version != FORMAT:
        raise RefusedError(
            f"it has a newer format, {version}: a newer walconsole reads it"
            if version > FORMAT
            else f"its format is {version}, which no version writes"
        )
    if field(told, "id", str) != id:
        raise RefusedError("its 'id' is not its folder's name")
    segment_bytes = segment_size(count(told, "wal_segment_size"), "wal_segment_size")
    timeline = timeline_number(count(told, "timeline"), "timeline")
    start_lsn, stop_lsn = lsn(told, "start_lsn"), lsn(told, "stop_lsn")
    in_order(start_lsn, stop_lsn)
    started, stopped = (moment(field(told, name, str), name) for name in ("started", "stopped"))
    objects = _objects(told)
    return BaseBackup(
        Writer.OURS,
        id,
        place,
        timeline=timeline,
        start_lsn=start_lsn,
        stop_lsn=stop_lsn,
        stop_timeline=_segments(told, timeline, start_lsn, stop_lsn, segment_bytes),
        system_identifier=identifier_of(field(told, "system_identifier", str), "system_identifier"),
        server_version_num=count(told, "server_version_num", 2**31 - 1),
        segment_bytes=segment_bytes,
        checkpoint_lsn=None if told.get("checkpoint_lsn") is None else lsn(told, "checkpoint_lsn"),
        started=started,
        stopped=stopped,
        stored_bytes=sum(each.stored_bytes for each in objects),
        unpacked_bytes=_unpacked(told),
        parent=_parent(told, id),
        from_standby=optional(told, "from_standby", bool),
        label=words(told, "label"),
        completeness=Completeness.COMPLETE,
        verified=_verified(told),
        encryption=words(told, "encryption"),
        objects=objects,
    )


def _segments(
    told: Mapping[str, object], timeline: int, start_lsn: int, stop_lsn: int, segment_bytes: int
) -> int:
    """The timeline on which it stops. Both names must be those of the positions, or one of them is wrong."""
    start = segment_of(field(told, "start_wal", str), "start_wal", segment_bytes)
    stop = segment_of(field(told, "stop_wal", str), "stop_wal", segment_bytes)
    if start != Segment.at(timeline, start_lsn, segment_bytes):
        raise RefusedError("its 'start_wal' is not the segment of its 'start_lsn'")
    ends = {stop_lsn // segment_bytes, Segment.ending_at(1, stop_lsn, segment_bytes).number}
    if stop.number not in ends or stop.timeline < timeline:
        raise RefusedError("its 'stop_wal' is not the segment of its 'stop_lsn'")
    return stop.timeline


def _objects(told: Mapping[str, object]) -> tuple[BackupObject, ...]:
    entries = field(told, "objects", list)
    if not 0 < len(entries) <= _MOST_OBJECTS:
        raise RefusedError("its 'objects' are none, or far too many")
    found: dict[str, BackupObject] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise RefusedError("one of its 'objects' is no JSON object")
        name = plain_name(field(entry, "name", str), "name")
        found[name] = BackupObject(name, count(entry, "bytes"))
    if len(found) < len(entries):
        raise RefusedError("two of its 'objects' have one name")
    if not any(each.name.startswith(_TAR) and each.stored_bytes for each in found.values()):
        raise RefusedError("its 'objects' hold no tar of the data directory")
    return tuple(found.values())


def _unpacked(told: Mapping[str, object]) -> int | None:
    """The sum of what the objects take when they are unpacked, None where one does not say."""
    sizes = [
        count(entry, "unpacked_bytes")
        for entry in field(told, "objects", list)
        if entry.get("unpacked_bytes") is not None
    ]
    return sum(sizes) if sizes else None


def _parent(told: Mapping[str, object], id: str) -> str | None:
    kind, parent = field(told, "kind", str), optional(told, "parent", str)
    if kind not in _KINDS:
        raise RefusedError("its 'kind' is neither full nor incremental")
    if (kind == "incremental") != (parent is not None):
        raise RefusedError("an incremental backup has a parent, and no other has")
    if parent is not None and (not ID.fullmatch(parent) or parent == id):
        raise RefusedError("its 'parent' is no other backup's id")
    return parent


def _verified(told: Mapping[str, object]) -> bool:
    checks = optional(told, "verified", dict) or {}
    return all(checks.get(name) is True for name in _CHECKS)
