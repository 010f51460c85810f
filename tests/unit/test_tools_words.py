"""On a host of another tool each remedy, fix and command is that tool's: none is rclone's, none is a form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.write_tools_table import filled
from tests.data import snapshots
from tests.data.archiver_log import FAILING, log_of, stamp
from tests.data.exact import faults
from tests.data.facts import NOW, archiver, broken, bucket, healthy, read
from tests.data.tools import TOOLS, Tool, nothing_of_rclone, on_host_of
from tests.data.tried_tools import KINDS, TRIED, WORDS, Tried
from tests.unit import test_diagnosis, test_diagnosis_evidence
from tests.unit.host_of_files import Host
from tests.unit.test_found_settings import resolved
from walconsole.config.found import adopt
from walconsole.domain.archivers.discovery import Settings
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import MODES, Diagnosis, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.observe.command.discovering import facts_of

EVIDENCE = [
    (name, evidence)
    for name, evidence, _ in test_diagnosis_evidence.CASES
    if all(nothing_of_rclone(value) for _, value in evidence)
]
FACTS = [(name, facts) for name, facts, _ in test_diagnosis.CASES]
STATES = ("healthy", "failing")
SAID = (
    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    "An error occurred (InvalidAccessKeyId) when calling the PutObject operation: Unknown",
    "An error occurred (SignatureDoesNotMatch) when calling the PutObject operation: Unknown",
    "An error occurred (NoSuchBucket) when calling the PutObject operation: None",
    "An error occurred (RequestTimeTooSkewed) when calling the PutObject operation: None",
    "An error occurred (ExpiredToken) when calling the PutObject operation: None",
    "Unable to locate credentials",
    "An error occurred (403) when calling the CreateBucket operation: Forbidden",
    'Could not connect to the endpoint URL: "https://s3.example.net/b"',
    "connection refused",
    "No space left on device",
    "permission denied",
)
CHANGES = ("pgbackrest --stanza=main check", "check-wal-archive", "stanza-create", "stanza-delete")
"""What changes something, and is no look."""


def wrong(diagnosis: Diagnosis) -> list[str]:
    found = []
    for finding in diagnosis.findings:
        texts = [finding.title, finding.remedy, finding.surer]
        texts += [text for fix in finding.fixes for text in (fix.title, fix.risk, *fix.commands)]
        found += [f"{finding.rule}: {text!r}: rclone" for text in texts if "rclone" in text.lower()]
        for fix in finding.fixes:
            for command in fix.commands:
                found += [f"{finding.rule}: {command!r}: {fault}" for fault in faults(command)]
                found += [f"{finding.rule}: {command!r} changes" for each in CHANGES if each in command]
    return found


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@pytest.mark.parametrize("state", STATES)
def test_of_a_state_with_its_evidence(tool: Tool, state: str) -> None:
    for name, evidence in EVIDENCE:
        snapshot: Snapshot = getattr(snapshots, state)()
        for slot, value in evidence:
            snapshot = fold(snapshot, read(slot, value), NOW)
        assert wrong(diagnose(on_host_of(tool, snapshot), NOW)) == [], name


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_of_what_was_read(tool: Tool) -> None:
    for name, facts in FACTS:
        assert wrong(diagnose(on_host_of(tool, healthy(**facts)), NOW)) == [], name


def refused(tool: Tool, said: str, **facts: Any) -> Diagnosis:
    """A host on which every attempt ends with these words."""
    end = f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"
    snapshot = fold(healthy(archiver=archiver(**FAILING), **facts), read(*log_of([said, end])), NOW)
    return diagnose(on_host_of(tool, snapshot), NOW)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@pytest.mark.parametrize("said", SAID)
def test_of_what_the_tool_was_told(tool: Tool, said: str) -> None:
    diagnosis = refused(tool, said)
    assert wrong(diagnosis) == []
    assert any(said in text for each in diagnosis.findings for text in each.evidence), diagnosis.findings


DOCUMENTED = [each for each in TRIED if each.tool in WORDS]
SEEN = ("SignatureDoesNotMatch", "NoSuchBucket", "Endpoint", "QuotaExceeded")
"""What the console's own reading of the same store is answered."""


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.parametrize("tried", DOCUMENTED, ids=lambda tried: tried.tool)
def test_a_failure_that_is_known_by_words_alone(tried: Tried, kind: str) -> None:
    tool, place = next(each for each in TOOLS if each.name == tried.tool), KINDS.index(kind)
    answer = broken(Snapshot.primary, f"the store answered {SEEN[place]}", SEEN[place])
    diagnosis = refused(tool, WORDS[tried.tool][place], primary=answer)
    assert diagnosis.stories[0].root.rule == tried.rule(kind), diagnosis.stories
    assert wrong(diagnosis) == []


NAMED = {tool.name for tool in TOOLS}


@pytest.mark.parametrize("tried", [each for each in TRIED if each.tool in NAMED], ids=lambda one: one.tool)
def test_another_place_than_the_operator_thinks_is_told(tried: Tried, tmp_path: Path) -> None:
    tool = next(each for each in TOOLS if each.name == tried.tool)
    found = Host(tool.files).find_out(Settings(tool.command))
    where = 'bucket = "/mnt/other"' if tried.tool == "cp" else 'bucket = "other-wal"'
    (line,) = adopt(resolved(tmp_path, f"[profiles.acme.primary]\n{where}\n"), found).differences
    assert "is believed" in line
    differing = replace(facts_of(found), differences=(line,))
    diagnosis = diagnose(fold(healthy(), read(Snapshot.discovery, differing), NOW), NOW)
    assert "archive-elsewhere" in {each.rule for each in diagnosis.findings}


def test_the_page_shows_what_is_tried() -> None:
    page = Path(__file__).parents[2] / "docs" / "your-archive.md"
    text = page.read_text("utf-8")
    assert filled(text) == text, "make docs"


def test_every_mode_of_the_table_is_one() -> None:
    assert {rule for tried in TRIED for rule in tried.failures} <= MODES.keys()


@pytest.mark.parametrize("tool", [each for each in TOOLS if not each.whole], ids=lambda tool: tool.name)
def test_what_copies_wal_alone_is_not_offered_a_script_that_is_not_there(tool: Tool) -> None:
    """The step that installs it is refused there: what is typed is PostgreSQL's own program."""
    none = (
        read(Snapshot.primary, bucket(backups=()), NOW),
        read(Snapshot.dr, bucket(BucketRole.DR, backups=()), NOW),
    )
    snapshot = on_host_of(tool, healthy(primary=none[0], dr=none[1]))
    (found,) = [each for each in diagnose(snapshot, NOW).findings if each.rule == "no-base-backup"]
    (fix,) = found.fixes
    assert fix.step == ""
    assert "pg_basebackup" in fix.commands[-1]
    assert "base-backup --fast" not in str(fix.commands)
    assert f"{tool.name} takes none" in found.remedy
