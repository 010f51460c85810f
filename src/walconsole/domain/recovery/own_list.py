"""The lists that archivers print of their base backups as JSON. Never raises: what is none says so.

pgBackRest, src/command/info/info.c (`info --output=json`: it ends with 0 whatever fails, and the cause stands
in the repository's status); Barman, barman/clients/cloud_backup_list.py (`--format json`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from walconsole.domain.facts.own_list import OwnBackup, OwnList
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.hostile import RefusedError, in_order, lsn_of, timeline_of
from walconsole.domain.redaction import safe

_MOST = 10_000
_LONGEST = 300


def read_own_list(tool: str, text: str) -> OwnList:
    """By the tool's name as it is discovered."""
    try:
        document = json.loads(text)
        if tool == "pgBackRest":
            return _of_pgbackrest(tool, document)
        found = [_of_barman(each) for each in document["backups_list"][:_MOST]]
        return OwnList(tool, tuple(sorted(found, key=lambda each: each.id)))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        said = safe(" ".join(text.split()))[-_LONGEST:]
        return OwnList(tool, why=said or "it printed nothing")


def _of_pgbackrest(tool: str, document: list[Mapping[str, Any]]) -> OwnList:
    if not document:
        return OwnList(tool, why="it knows of no such stanza")
    stanza = document[0]
    repositories = stanza.get("repo") or [{"key": 1, "status": stanza["status"]}]
    first = min(repositories, key=lambda each: int(each["key"]))
    status, number = first["status"], int(first["key"])
    if int(status["code"]) not in (0, 2):  # 2: no valid backups, which is an answer
        return OwnList(tool, why=safe(str(status["message"]))[:_LONGEST])
    return OwnList(tool, tuple(_labels(stanza, number)))


def _labels(stanza: Mapping[str, Any], repository: int) -> Iterator[OwnBackup]:
    for each in (stanza.get("backup") or [])[:_MOST]:
        database = each.get("database") or {}
        if int(database.get("repo-key", repository)) != repository:
            continue
        times = each["timestamp"]
        plain = OwnBackup(safe(str(each["label"])), float(times["stop"]), each.get("error") is True)
        try:
            yield replace(plain, **_where(each, stanza, int(database["id"]), repository))
        except (ValueError, KeyError, TypeError, AttributeError, RefusedError):
            yield plain  # 2.45 and newer tell where it begins and ends


def _where(each: Mapping[str, Any], stanza: Mapping[str, Any], id: int, repository: int) -> dict[str, Any]:
    """Where it begins and ends, and whose it is. Raises RefusedError, and what a missing name raises."""
    found = [
        int(known["system-id"])
        for known in stanza["db"]
        if int(known["id"]) == id and int(known.get("repo-key", repository)) == repository
    ]
    start, stop = lsn_of(each["lsn"]["start"], "lsn.start"), lsn_of(each["lsn"]["stop"], "lsn.stop")
    in_order(start, stop)
    prior = each.get("prior")
    return {
        "started": float(each["timestamp"]["start"]),
        "timeline": timeline_of(each["archive"]["start"], "archive.start"),
        "stop_timeline": timeline_of(each["archive"]["stop"], "archive.stop"),
        "start_lsn": start,
        "stop_lsn": stop,
        "system_identifier": found[0] if len(found) == 1 else None,
        "parent": safe(str(prior)) if prior else None,
    }


@lru_cache(maxsize=8)
def told_by_tool(
    listed: tuple[BaseBackup | Unreadable, ...], own: OwnList
) -> tuple[BaseBackup | Unreadable, ...]:
    """Of a repository whose list pgBackRest encrypts, the backups as the tool itself lists them.

    What the store tells of each is whether its manifest lies there, for names are not encrypted. One
    repository alone: of which another list is, the tool does not say.
    """
    sealed = [each for each in listed if isinstance(each, Unreadable) and each.sealed is not None]
    if own.tool != "pgBackRest" or own.why or len(sealed) != 1:
        return listed
    place, there = f"{sealed[0].key.rpartition('/')[0]}/", set(sealed[0].sealed or ())
    known = [_sealed(each, place, there) for each in own.backups if each.start_lsn is not None]
    if len(known) < len(own.backups):
        return listed
    return (*(each for each in listed if each is not sealed[0]), *known)


def _sealed(own: OwnBackup, place: str, there: set[str]) -> BaseBackup:
    whole = own.id in there and not own.failed
    why = "pgBackRest says that it failed" if own.failed else "its backup.manifest is missing"
    return BaseBackup(
        Writer.PGBACKREST, own.id, place,
        timeline=own.timeline, start_lsn=own.start_lsn, stop_lsn=own.stop_lsn,
        stop_timeline=own.stop_timeline, system_identifier=own.system_identifier,
        started=own.started, stopped=own.stopped, parent=own.parent,
        completeness=Completeness.COMPLETE if whole else Completeness.INCOMPLETE,
        why="" if whole else why,
        verified=False if own.failed else None,
    )  # fmt: skip


def _of_barman(told: Mapping[str, Any]) -> OwnBackup:
    ended = told.get("end_time_iso")
    stopped = datetime.fromisoformat(str(ended)).timestamp() if ended else None
    return OwnBackup(safe(str(told["backup_id"])), stopped, told.get("status") == "FAILED")
