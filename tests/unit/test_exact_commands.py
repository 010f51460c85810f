"""No command that the console shows as one that can be run has anything to be filled in."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import walconsole
from tests.data import snapshots
from tests.data.exact import faults
from tests.data.facts import NOW, healthy, read
from tests.unit import test_diagnosis, test_diagnosis_evidence
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Diagnosis

STATES = ("healthy", "incident", "failing", "slow", "idle", "unread", "nothing_readable", "all_dead")
EVIDENCE = [(name, evidence) for name, evidence, _ in test_diagnosis_evidence.CASES]
FACTS = [(name, facts) for name, facts, _ in test_diagnosis.CASES]


def wrong(diagnosis: Diagnosis) -> list[str]:
    return [
        f"{finding.rule}: {command!r}: {fault}"
        for finding in diagnosis.findings
        for fix in finding.fixes
        for command in fix.commands
        for fault in faults(command)
    ]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("name", "evidence"), EVIDENCE, ids=[name for name, _ in EVIDENCE])
def test_of_a_state_with_its_evidence(state: str, name: str, evidence: Any) -> None:
    snapshot: Snapshot = getattr(snapshots, state)()
    for slot, value in evidence:
        snapshot = fold(snapshot, read(slot, value), NOW)
    assert wrong(diagnose(snapshot, NOW)) == []


@pytest.mark.parametrize(("name", "facts"), FACTS, ids=[name for name, _ in FACTS])
def test_of_what_was_read(name: str, facts: dict[str, Any]) -> None:
    assert wrong(diagnose(healthy(**facts), NOW)) == []


def written(folder: str, *makers: str) -> Iterator[tuple[str, str]]:
    """Every text in a call of one of `makers`, with its place: of an f-string what is not computed."""
    root = Path(walconsole.__file__).parent
    for path in sorted((root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                place = f"{path.relative_to(root)}:{node.lineno}"
                for text in node.args[:1]:
                    yield from ((place, part) for part in _texts(text))


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "/computed" for part in node.values)
        yield "".join(map(str, parts))


def test_of_every_step() -> None:
    """As it is written in the source: a Command's text, whatever it is filled with."""
    found = [
        f"{place}: {text!r}: {fault}"
        for place, text in written("provision", "Command")
        for fault in faults(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "command",
    [
        "rclone --config /etc/rclone-NAME.conf lsf x:y",
        "rclone copy --ignore-existing OTHER:BUCKET THIS:BUCKET",
        "getent hosts ENDPOINT",
        "aws s3api put-object --bucket b …",
        "psql -c <statement>",
        "restart the standby",
        "the archive command with pg_wal/000000010000000000000001",
        "/usr/local/bin/x SEGMENT /var/tmp/SEGMENT primary",
        "",
    ],
)
def test_what_cannot_be_typed_is_found(command: str) -> None:
    assert list(faults(command))


@pytest.mark.parametrize(
    "command",
    [
        "runuser -u postgres -- rclone --config /etc/rclone-x.conf lsf --max-depth 1 a:b/c",
        "openssl s_client -connect nyc3.digitaloceanspaces.com:443 </dev/null",
        "ALTER SYSTEM SET archive_mode = 'on';",
        "SELECT pg_drop_replication_slot('OLD');",
        "kill -TERM 7  # and its children; KILL after 3 s",
        "AWS_PROFILE=x aws s3 ls s3://b/",
        "mv pg_wal/archive_status/000000010000000000000001.ready /var/tmp/",
    ],
)
def test_what_can_be_typed_is_not(command: str) -> None:
    assert list(faults(command)) == []
