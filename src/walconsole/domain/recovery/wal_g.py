"""WAL-G's sentinels: `basebackups_005/NAME_backup_stop_sentinel.json`, stored when all else is.

Facts from its internal/databases/postgres/backup_sentinel_dto.go and PostgreSQL.md: LSNs are whole numbers;
the name is `base_` with the segment in which it begins, then `_D_` and the parent's segment for a delta;
StartTime and FinishTime are in sentinels of version 2, in older ones in `NAME/metadata.json`.
"""

import re
from collections.abc import Mapping

from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    in_order,
    json_object,
    moment,
    optional,
    optional_count,
    text_of,
    timeline_of,
)

SENTINEL = "_backup_stop_sentinel.json"
NAME = re.compile(r"base_(?P<start>[0-9A-F]{24})(?:_D_[0-9A-F]{24})?(?:_[0-9]{1,20})?")
_HIGHEST_LSN = 2**64 - 1


def read_wal_g(
    key: str, place: str, id: str, sentinel: bytes, metadata: bytes | None = None
) -> BaseBackup | Unreadable:
    """The backup `id` (`base_...`) of which this is the sentinel; `metadata` is its metadata.json."""
    try:
        more = json_object(text_of(metadata)) if metadata is not None else {}
        return _read(place, id, json_object(text_of(sentinel)), more)
    except RefusedError as refused:
        return Unreadable(key, str(refused))


def _read(place: str, id: str, told: Mapping[str, object], more: Mapping[str, object]) -> BaseBackup:
    name = NAME.fullmatch(id)
    if name is None:
        raise RefusedError("it is no sentinel of a PostgreSQL backup's")
    if told.get("LSN") is None or told.get("FinishLSN") is None:
        raise RefusedError("it has no LSN: it was made of a stopped server, or by a very old WAL-G")
    start_lsn, stop_lsn = count(told, "LSN", _HIGHEST_LSN), count(told, "FinishLSN", _HIGHEST_LSN)
    in_order(start_lsn, stop_lsn)
    parent = optional(told, "DeltaFrom", str) or None
    if parent is not None and (not NAME.fullmatch(parent) or parent == id):
        raise RefusedError("its 'DeltaFrom' is no other backup")
    timeline = timeline_of(name["start"], "name")
    return BaseBackup(
        Writer.WAL_G,
        id,
        place,
        timeline=timeline,
        start_lsn=start_lsn,
        stop_lsn=stop_lsn,
        stop_timeline=timeline,
        system_identifier=optional_count(told, "SystemIdentifier", 2**64 - 1),
        server_version_num=optional_count(told, "PgVersion", 2**31 - 1),
        started=_moment(told, "StartTime", more, "start_time"),
        stopped=_moment(told, "FinishTime", more, "finish_time"),
        stored_bytes=optional_count(told, "CompressedSize") or None,
        unpacked_bytes=optional_count(told, "UncompressedSize") or None,
        parent=parent,
        completeness=Completeness.COMPLETE,
    )


def _moment(told: Mapping[str, object], name: str, more: Mapping[str, object], other: str) -> float | None:
    text = optional(told, name, str) or optional(more, other, str)
    return moment(text, name) if text else None
