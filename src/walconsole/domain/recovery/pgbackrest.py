"""pgBackRest's `backup/STANZA/backup.info`: one file says all of a stanza's backups.

Facts from its src/info/infoBackup.c: an INI file with JSON values; `[backup:current]` has a line for each
backup that is complete, which is added last and taken away first; `db-id` leads to `[db:history]`, which has
the system identifier. A folder with a manifest and without such a line is a backup that was not finished,
or one that is being expired. `backup-error` is set where page checksums were wrong when it was made. The
file has a checksum of its own, and a twin `backup.info.copy`.
"""

import re
from collections.abc import Iterable, Mapping

from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import (
    LONGEST_LIST,
    RefusedError,
    count,
    field,
    in_order,
    json_object,
    lsn,
    optional,
    optional_count,
    seconds,
    text_of,
    timeline_of,
)

_SECTION = re.compile(r"\[(?P<name>[a-z:]+)\]")
LABEL = re.compile(r"\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?", re.ASCII)
_CIPHERED = b"Salted__"
_MOST_BACKUPS = 10_000


def read_pgbackrest(
    key: str, place: str, content: bytes, manifests: Iterable[str]
) -> tuple[BaseBackup | Unreadable, ...]:
    """Every backup of the stanza whose folder is `place`, oldest first.

    `manifests` are the labels of which a backup.manifest is there. A repository that pgBackRest encrypts
    (repo-cipher-type) is one Unreadable, as is a file that cannot be read.
    """
    there = {label for label in manifests if LABEL.fullmatch(label)}
    if content.startswith(_CIPHERED):
        why = "pgBackRest encrypts it (repo-cipher-type): only pgbackrest info reads it"
        return (Unreadable(key, why, tuple(sorted(there))),)
    try:
        sections = _sections(text_of(content, LONGEST_LIST))
        current, history = sections.get("backup:current", {}), sections.get("db:history", {})
        if "db:history" not in sections or len(current) > _MOST_BACKUPS:
            raise RefusedError("it has no [db:history], or far too many backups")
    except RefusedError as refused:
        return (Unreadable(key, str(refused)),)
    found = {label: _entry(key, place, label, text, history, there) for label, text in current.items()}
    for label in there - found.keys():
        found[label] = _unfinished(place, label)
    return tuple(found[label] for label in sorted(found))


def _sections(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    entries: dict[str, str] = {}
    for line in text.split("\n"):
        heading = _SECTION.fullmatch(line)
        if heading:
            entries = sections.setdefault(heading["name"], {})
        elif "=" in line:
            name, value = line.split("=", 1)
            entries[name] = value
    return sections


def _entry(
    key: str, place: str, label: str, text: str, history: Mapping[str, str], there: set[str]
) -> BaseBackup | Unreadable:
    if not LABEL.fullmatch(label):
        return Unreadable(key, "a name in its [backup:current] is no backup's")
    try:
        return _backup(place, label, json_object(text), history, label in there)
    except RefusedError as refused:
        return Unreadable(key, f"{label}: {refused}")


def _backup(
    place: str, label: str, told: Mapping[str, object], history: Mapping[str, str], manifest: bool
) -> BaseBackup:
    if optional(told, "option-online", bool) is False:
        raise RefusedError("it was made of a stopped server: it names no WAL")
    start_lsn, stop_lsn = lsn(told, "backup-lsn-start"), lsn(told, "backup-lsn-stop")
    in_order(start_lsn, stop_lsn)
    database = _database(history, count(told, "db-id"))
    version = field(database, "db-version", str)
    broken = optional(told, "backup-error", bool) is True
    return BaseBackup(
        Writer.PGBACKREST,
        label,
        place,
        timeline=timeline_of(field(told, "backup-archive-start", str), "backup-archive-start"),
        start_lsn=start_lsn,
        stop_lsn=stop_lsn,
        stop_timeline=timeline_of(field(told, "backup-archive-stop", str), "backup-archive-stop"),
        system_identifier=count(database, "db-system-id", 2**64 - 1),
        server_version_num=_version(version),
        started=seconds(count(told, "backup-timestamp-start"), "backup-timestamp-start"),
        stopped=seconds(count(told, "backup-timestamp-stop"), "backup-timestamp-stop"),
        stored_bytes=optional_count(told, "backup-info-repo-size-delta"),
        unpacked_bytes=optional_count(told, "backup-info-size"),
        parent=_prior(told, label),
        from_standby=optional(told, "option-backup-standby", bool),
        completeness=Completeness.COMPLETE if manifest and not broken else Completeness.INCOMPLETE,
        why=_why(manifest, broken),
        verified=False if broken else None,
    )


def _why(manifest: bool, broken: bool) -> str:
    if not manifest:
        return "its backup.manifest is missing"
    return "page checksums were wrong when it was made" if broken else ""


def _database(history: Mapping[str, str], number: int) -> Mapping[str, object]:
    text = history.get(str(number))
    if text is None:
        raise RefusedError("its 'db-id' is not in [db:history]")
    return json_object(text)


def _version(text: str) -> int:
    """`15` is 150000, `9.6` is 90600."""
    match = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,2}))?", text, re.ASCII)
    if match is None:
        raise RefusedError("its 'db-version' is no version")
    major, minor = int(match[1]), int(match[2] or 0)
    return major * 10_000 + (minor * 100 if major < 10 else 0)


def _prior(told: Mapping[str, object], label: str) -> str | None:
    prior = optional(told, "backup-prior", str)
    if prior is not None and (not LABEL.fullmatch(prior) or prior == label):
        raise RefusedError("its 'backup-prior' is no other backup")
    return prior


def _unfinished(place: str, label: str) -> BaseBackup:
    return BaseBackup(
        Writer.PGBACKREST,
        label,
        place,
        completeness=Completeness.INCOMPLETE,
        why="backup.info does not have it: it was not finished, or is being expired",
    )
