"""Barman's `backup.info`, which barman-cloud-backup writes to `SERVER/base/ID/`, first and last.

Facts from barman/infofile.py: lines of `name=value`, where the text None stands for nothing; `status` is
EMPTY, STARTED, WAITING_FOR_WALS, FAILED, SYNCING or DONE; times have an offset, or are the server's own.
barman-cloud stores the file when the backup has ended, well or not.
"""

import ast
import re
from collections.abc import Mapping

from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import (
    LONGEST_WORDS,
    RefusedError,
    identifier_of,
    in_order,
    lsn_of,
    moment,
    segment_size,
    text_of,
    timeline_number,
    timeline_of,
)
from walconsole.domain.recovery.label import label_checkpoint, label_lines

ID = re.compile(r"\d{8}T\d{6}", re.ASCII)
_NONE = "None"
_READY = frozenset({"DONE", "WAITING_FOR_WALS"})
_LONGEST_LABEL = 64 * 1024


def read_barman(key: str, place: str, id: str, content: bytes) -> BaseBackup | Unreadable:
    """The backup that this backup.info describes; `id` is its folder's name.

    WAITING_FOR_WALS is as good as DONE: whether its WAL is there is asked of the archive anyway.
    """
    try:
        return _read(place, id, _fields(text_of(content)))
    except RefusedError as refused:
        return Unreadable(key, str(refused))


def _fields(text: str) -> dict[str, str]:
    pairs = (line.rstrip("\r").split("=", 1) for line in text.split("\n") if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs if value.strip() != _NONE}


def _read(place: str, id: str, told: Mapping[str, str]) -> BaseBackup:
    status = told.get("status", "")
    if not status:
        raise RefusedError("its 'status' is missing: it is no backup.info of Barman's")
    if status not in _READY:
        return BaseBackup(
            Writer.BARMAN,
            id,
            place,
            completeness=Completeness.INCOMPLETE,
            why=f"Barman says that it is {status[:LONGEST_WORDS]}",
        )
    start_lsn = lsn_of(_told(told, "begin_xlog"), "begin_xlog")
    stop_lsn = lsn_of(_told(told, "end_xlog"), "end_xlog")
    in_order(start_lsn, stop_lsn)
    label = label_lines(_label(told))
    return BaseBackup(
        Writer.BARMAN,
        id,
        place,
        timeline=timeline_number(_number(told, "timeline"), "timeline"),
        start_lsn=start_lsn,
        stop_lsn=stop_lsn,
        stop_timeline=timeline_of(_told(told, "end_wal"), "end_wal"),
        system_identifier=identifier_of(told["systemid"], "systemid") if "systemid" in told else None,
        server_version_num=_number(told, "version") if "version" in told else None,
        segment_bytes=segment_size(_number(told, "xlog_segment_size"), "xlog_segment_size")
        if "xlog_segment_size" in told
        else None,
        checkpoint_lsn=label_checkpoint(label),
        started=moment(told["begin_time"], "begin_time") if "begin_time" in told else None,
        stopped=moment(told["end_time"], "end_time") if "end_time" in told else None,
        stored_bytes=_number(told, "size") if "size" in told else None,
        parent=_parent(told, id),
        from_standby=label["BACKUP FROM"] == "standby" if "BACKUP FROM" in label else None,
        label=told.get("backup_name", "")[:LONGEST_WORDS],
        completeness=Completeness.COMPLETE,
    )


def _parent(told: Mapping[str, str], id: str) -> str | None:
    """Of an incremental one, which Barman makes from 3.11 on."""
    parent = told.get("parent_backup_id")
    if parent is not None and (not ID.fullmatch(parent) or parent == id):
        raise RefusedError("its 'parent_backup_id' is no other backup's")
    return parent


def _told(told: Mapping[str, str], name: str) -> str:
    if name not in told:
        raise RefusedError(f"its {name!r} is missing")
    return told[name]


def _number(told: Mapping[str, str], name: str) -> int:
    text = _told(told, name)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise RefusedError(f"its {name!r} is no number")
    return int(text)


def _label(told: Mapping[str, str]) -> str:
    """backup_label's text, which is stored as a Python string; empty where that is no short one."""
    quoted = told.get("backup_label", "")
    if not quoted.startswith(("'", '"')) or len(quoted) > _LONGEST_LABEL:
        return ""
    try:
        value = ast.literal_eval(quoted)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ""
    return value if isinstance(value, str) else ""
