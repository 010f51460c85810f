"""The archiver's own list of base backups: read as it prints it, and compared with what its store holds."""

import json
from typing import Any

import pytest

from tests.data.facts import NOW, backup, bucket, healthy, read
from tests.data.tools import TOOLS, on_host_of
from walconsole.domain.facts.own_list import OwnBackup, OwnList
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.recovery.backups import Completeness, Writer
from walconsole.domain.recovery.own_list import read_own_list
from walconsole.domain.standing.model import Finding, Severity

GOOD, OLD = "20261128-010000F", "20261121-010000F"
OK = {"code": 0, "message": "ok"}


def info(*labels: str, status: dict[str, Any] | None = None, **changes: Any) -> str:
    """As pgBackRest 2.45 prints it, in part."""
    repo = [{"key": 1, "cipher": "none", "status": status or OK}]
    backups = [
        {"label": label, "error": False, "database": {"id": 1, "repo-key": 1},
         "timestamp": {"start": NOW - 7200, "stop": NOW - 7000}} | changes
        for label in labels
    ]  # fmt: skip
    return json.dumps([{"name": "main", "status": OK, "repo": repo, "backup": backups}])


def test_pgbackrest_is_read_repository_by_repository() -> None:
    found = read_own_list("pgBackRest", info(OLD, GOOD))
    assert found == OwnList("pgBackRest", (OwnBackup(OLD, NOW - 7000), OwnBackup(GOOD, NOW - 7000)))
    assert read_own_list("pgBackRest", info(GOOD, database={"repo-key": 2})).backups == ()
    assert read_own_list("pgBackRest", info(GOOD, error=True)).backups[0].failed
    assert read_own_list("pgBackRest", info(status={"code": 2, "message": "no valid backups"})).why == ""
    why = read_own_list("pgBackRest", info(status={"code": 99, "message": "[FileOpenError] refused"})).why
    assert why == "[FileOpenError] refused"


def test_what_newer_pgbackrests_tell_besides_changes_nothing() -> None:
    """2.46 to 2.59: annotations, sizes of block maps in place of a repository's size, a lock of restores."""
    sizes = {"size": 23_000_000, "delta": 700_000, "repository": {"delta": 60_000, "delta-map": 92}}
    text = info(
        OLD, GOOD, annotation={"source": "timer"}, info=sizes, backrest={"format": 5, "version": "2.57.0"}
    )
    held = {"code": 0, "message": "ok", "lock": {"backup": {"held": False}, "restore": {"held": False}}}
    document = json.loads(text)
    document[0]["status"] = held
    assert [each.id for each in read_own_list("pgBackRest", json.dumps(document)).backups] == [OLD, GOOD]
    barred = "[PathOpenError] unable to list file info for path '/repo/backup': [13] Permission denied"
    repo = [{"cipher": "none", "key": 1, "status": {"code": 99, "message": barred}}]
    broken = {
        "name": "[invalid]",
        "archive": [],
        "backup": [],
        "db": [],
        "repo": repo,
        "status": held | {"code": 99},
    }
    assert read_own_list("pgBackRest", json.dumps([broken])).why == barred


def test_barman_cloud_is_read() -> None:
    told = {"backups_list": [{"backup_id": "20261128T010000", "end_time_iso": "2026-11-28T01:00:09+00:00"}]}
    (only,) = read_own_list("barman-cloud", json.dumps(told)).backups
    assert (only.id, only.stopped) == ("20261128T010000", 1795827609.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", "ERROR: [103]: x", "[" * 100_000, '[{"repo": 7}]'])
@pytest.mark.parametrize("tool", ["pgBackRest", "barman-cloud"])
def test_what_is_no_list_says_so(tool: str, text: str) -> None:
    found = read_own_list(tool, text)
    assert found.backups == ()
    assert found.why
    assert len(found.why) <= 300


def compared(told: OwnList, *backups: Any, read_at: float = NOW) -> list[Finding]:
    """What is noted where pgBackRest tells this and the store holds these."""
    snapshot = healthy(primary=read(Snapshot.primary, bucket(backups=backups), read_at))
    snapshot = fold(snapshot, read(Snapshot.own_list, told, read_at), NOW)
    findings = diagnose(on_host_of(TOOLS[0], snapshot), NOW).findings
    return [each for each in findings if each.rule == "own-list-differs"]


def stored(label: str, **changes: Any) -> Any:
    return backup(writer=Writer.PGBACKREST, id=label, stopped=NOW - 7000, **changes)


def test_a_difference_is_a_note_and_none_is_none() -> None:
    both = read_own_list("pgBackRest", info(OLD, GOOD))
    assert compared(both, stored(OLD), stored(GOOD)) == []
    (lacking,) = compared(both, stored(OLD))
    assert lacking.severity is Severity.NOTE
    assert lacking.evidence == (f"pgBackRest lists {GOOD}, and the store does not hold it",)
    assert "pgbackrest --stanza=main verify" in str(lacking.fixes)
    incomplete = stored(GOOD, completeness=Completeness.INCOMPLETE, why="its backup.manifest is missing")
    (part,) = compared(both, stored(OLD), incomplete)
    assert "incomplete: its backup.manifest is missing" in part.evidence[0]
    (unknown,) = compared(read_own_list("pgBackRest", info(OLD)), stored(OLD), stored(GOOD))
    assert f"{GOOD}, which pgBackRest does not list" in unknown.evidence[0]


def test_what_ended_about_then_and_what_cannot_be_told_are_no_difference() -> None:
    both = read_own_list("pgBackRest", info(OLD, GOOD))
    assert compared(both, read_at=NOW - 7000) == []
    assert compared(OwnList("pgBackRest", why="no answer within 25 s"), stored(GOOD)) == []
    assert compared(read_own_list("pgBackRest", info(GOOD, error=True))) == []
