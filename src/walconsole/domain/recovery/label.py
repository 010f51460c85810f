"""`.backup` files: what PostgreSQL itself says of a base backup when it ends, beside the WAL.

Facts from access/transam/xlog.c (build_backup_content): lines of `NAME: value`; the start's lines come
first, and are in backup_label, too. Every tool leaves one, and it proves no base backup: it says that one
was made, not that it was kept, nor where.
"""

import re
from collections.abc import Mapping

from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import (
    LONGEST_WORDS,
    RefusedError,
    in_order,
    lsn_of,
    moment,
    text_of,
    timeline_number,
    timeline_of,
)

_LINE = re.compile(r"(?P<name>[A-Z][A-Z ]{3,40}): (?P<value>.*)")
_POSITION = re.compile(r"(?P<lsn>[0-9A-F]{1,8}/[0-9A-F]{1,8})(?: \(file (?P<file>[0-9A-F]{24})\))?")
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) (?:UTC|GMT)", re.ASCII)
KEPT_ELSEWHERE = "a .backup label says that it was made, not where it is"


def label_lines(text: str) -> Mapping[str, str]:
    """The lines of a label by their names."""
    matches = (_LINE.fullmatch(line.rstrip("\r")) for line in text.split("\n"))
    return {match["name"]: match["value"] for match in matches if match}


def label_position(lines: Mapping[str, str], name: str) -> tuple[int, int]:
    """Timeline and LSN of a line such as `0/2000028 (file 000000010000000000000002)`. Raises RefusedError."""
    match = _POSITION.fullmatch(lines.get(name, ""))
    if match is None or match["file"] is None:
        raise RefusedError(f"its {name!r} is no position")
    return timeline_of(match["file"], name), lsn_of(match["lsn"], name)


def label_checkpoint(lines: Mapping[str, str]) -> int | None:
    """The checkpoint's LSN, None where the label has none. Raises RefusedError."""
    name = "CHECKPOINT LOCATION"
    return lsn_of(lines[name], name) if name in lines else None


def read_label(key: str, id: str, place: str, content: bytes) -> BaseBackup | Unreadable:
    """What the label at `key` says; `id` is its file's name. Never more than UNKNOWN."""
    try:
        return _read(id, place, label_lines(text_of(content)))
    except RefusedError as refused:
        return Unreadable(key, str(refused))


def _read(id: str, place: str, lines: Mapping[str, str]) -> BaseBackup:
    timeline, start_lsn = label_position(lines, "START WAL LOCATION")
    stop_timeline, stop_lsn = label_position(lines, "STOP WAL LOCATION")
    in_order(start_lsn, stop_lsn)
    if "STOP TIMELINE" in lines:  # since PostgreSQL 11
        stop_timeline = _number(lines["STOP TIMELINE"], "STOP TIMELINE")
    return BaseBackup(
        Writer.LABEL,
        id,
        place,
        timeline=timeline,
        start_lsn=start_lsn,
        stop_lsn=stop_lsn,
        stop_timeline=stop_timeline,
        checkpoint_lsn=label_checkpoint(lines),
        started=_moment(lines, "START TIME"),
        stopped=_moment(lines, "STOP TIME"),
        parent=None,
        from_standby=lines.get("BACKUP FROM") == "standby" if "BACKUP FROM" in lines else None,
        label=lines.get("LABEL", "")[:LONGEST_WORDS],
        completeness=Completeness.UNKNOWN,
        why=KEPT_ELSEWHERE,
    )


def _number(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII):
        raise RefusedError(f"its {name!r} is no timeline")
    return timeline_number(int(text), name)


def _moment(lines: Mapping[str, str], name: str) -> float | None:
    """None where the server's log_timezone is another than UTC: a zone's abbreviation tells no offset."""
    match = _STAMP.fullmatch(lines.get(name, ""))
    return moment(match[1], name) if match else None
