"""The lists that archivers print of their base backups as JSON. Never raises: what is none says so.

pgBackRest, src/command/info/info.c (`info --output=json`: it ends with 0 whatever fails, and the cause stands
in the repository's status); Barman, barman/clients/cloud_backup_list.py (`--format json`).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from walconsole.domain.facts.own_list import OwnBackup, OwnList
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
    return OwnList(tool, tuple(_labels(stanza.get("backup") or [], number)))


def _labels(backups: list[Mapping[str, Any]], repository: int) -> Iterator[OwnBackup]:
    for each in backups[:_MOST]:
        if int((each.get("database") or {}).get("repo-key", repository)) == repository:
            failed = each.get("error") is True
            yield OwnBackup(safe(str(each["label"])), float(each["timestamp"]["stop"]), failed)


def _of_barman(told: Mapping[str, Any]) -> OwnBackup:
    ended = told.get("end_time_iso")
    stopped = datetime.fromisoformat(str(ended)).timestamp() if ended else None
    return OwnBackup(safe(str(told["backup_id"])), stopped, told.get("status") == "FAILED")
