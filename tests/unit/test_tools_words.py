"""On a host of another tool each remedy, fix and command is that tool's: none is rclone's, none is a form."""

import pytest

from tests.data import snapshots
from tests.data.archiver_log import FAILING, log_of, stamp
from tests.data.exact import faults
from tests.data.facts import NOW, archiver, healthy, read
from tests.data.tools import TOOLS, Tool, nothing_of_rclone, on_host_of
from tests.unit import test_diagnosis, test_diagnosis_evidence
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import Diagnosis, diagnose

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


def refused(tool: Tool, said: str) -> Diagnosis:
    """A host on which every attempt ends with these words."""
    end = f"{stamp(3)} [77] LOG:  archive command failed with exit code 1"
    snapshot = fold(healthy(archiver=archiver(**FAILING)), read(*log_of([said, end])), NOW)
    return diagnose(on_host_of(tool, snapshot), NOW)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@pytest.mark.parametrize("said", SAID)
def test_of_what_the_tool_was_told(tool: Tool, said: str) -> None:
    diagnosis = refused(tool, said)
    assert wrong(diagnosis) == []
    assert any(said in text for each in diagnosis.findings for text in each.evidence), diagnosis.findings
