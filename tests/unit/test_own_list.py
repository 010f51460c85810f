"""The archiver's own list of base backups: read as it prints it, and compared with what its store holds."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, backup, bucket, healthy, read
from tests.data.tools import TOOLS, on_host_of
from walconsole.domain.facts.own_list import OwnBackup, OwnList
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.own_list import read_own_list, told_by_tool
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


SYSTEM = 7300000000000000001


def sealed_info(*labels: str, **changes: Any) -> str:
    """As pgBackRest 2.45 and 2.55 print it of a repository that they encrypt."""
    repo = [{"key": 1, "cipher": "aes-256-cbc", "status": OK}]
    backups = [
        {"label": label, "error": False, "database": {"id": 1, "repo-key": 1}, "type": "full", "prior": None,
         "timestamp": {"start": NOW - 7200, "stop": NOW - 7000},
         "archive": {"start": "000000010000000000000004", "stop": "000000010000000000000004"},
         "lsn": {"start": "0/4000028", "stop": "0/4000100"}} | changes
        for label in labels
    ]  # fmt: skip
    known = [{"id": 1, "repo-key": 1, "system-id": SYSTEM, "version": "15"}]
    return json.dumps([{"name": "main", "status": OK, "repo": repo, "db": known, "backup": backups}])


SEALED = Unreadable("backup/main/backup.info", "pgBackRest encrypts it", (OLD, GOOD))


def test_where_a_backup_begins_and_ends_is_read_of_the_tools_own_list() -> None:
    (found,) = read_own_list("pgBackRest", sealed_info(GOOD)).backups
    assert (found.timeline, found.start_lsn, found.stop_lsn) == (1, 0x4000028, 0x4000100)
    assert (found.system_identifier, found.parent, found.started) == (SYSTEM, None, NOW - 7200)


@pytest.mark.parametrize(
    "changes",
    [{"lsn": {"start": "0/5000028", "stop": "0/4000100"}}, {"lsn": None}, {"archive": {"start": "x"}}],
)
def test_a_list_that_does_not_tell_it_is_not_gone_by(changes: dict[str, Any]) -> None:
    told = read_own_list("pgBackRest", sealed_info(GOOD, **changes))
    assert [each.id for each in told.backups] == [GOOD]
    assert told_by_tool((SEALED,), told) == (SEALED,)


def test_backups_of_an_encrypted_repository_are_what_the_tool_lists_and_the_store_holds() -> None:
    told = read_own_list("pgBackRest", sealed_info(OLD, GOOD, "20261129-010000F"))
    found = told_by_tool((SEALED,), told)
    assert [(each.id, each.completeness) for each in found if isinstance(each, BaseBackup)] == [
        (OLD, Completeness.COMPLETE), (GOOD, Completeness.COMPLETE),
        ("20261129-010000F", Completeness.INCOMPLETE),
    ]  # fmt: skip
    assert told_by_tool((SEALED,), told) is found  # what is the same is computed once
    (failed,) = told_by_tool((SEALED,), read_own_list("pgBackRest", sealed_info(GOOD, error=True)))
    assert isinstance(failed, BaseBackup)
    assert failed.completeness is Completeness.INCOMPLETE


@pytest.mark.parametrize("own", [OwnList("barman-cloud"), OwnList("pgBackRest", why="no answer within 25 s")])
def test_without_its_list_it_stays_unread(own: OwnList) -> None:
    assert told_by_tool((SEALED,), own) == (SEALED,)
    assert told_by_tool((SEALED, replace(SEALED, key="backup/b/backup.info")), own)[0] is SEALED


def test_an_encrypted_list_is_no_fault_and_its_own_program_is_asked() -> None:
    snapshot = healthy(primary=read(Snapshot.primary, bucket(backups=(SEALED,)), NOW))
    (found,) = [
        each
        for each in diagnose(on_host_of(TOOLS[0], snapshot), NOW).findings
        if each.rule == "backup-broken"
    ]
    assert found.severity is Severity.NOTE
    assert "pgbackrest --stanza=main info" in str(found.fixes)
    assert "backup" not in str([command.split("main ")[1] for fix in found.fixes for command in fix.commands])
