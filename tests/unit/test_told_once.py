"""One error is told once a view: in the findings, and below an evidence whose proof says the same."""

from typing import Any

import pytest

from tests.data.archiver_log import failing_with, stamp
from tests.data.facts import NOW
from walconsole.domain.facts.evidence import ProductionCheck, ProductionFacts, VerbResult
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.model import Finding, Proof, Severity
from walconsole.domain.standing.told_once import repeats, unsaid
from walconsole.ui.board.glyphs import UNICODE
from walconsole.ui.triage.rows import evidence_rows

DENIED = "ship: not archived: AccessDenied: Access Denied status code: 403, request id: tx1"


def finding(*evidence: str, **more: Any) -> Finding:
    return Finding("failing", Severity.CRITICAL, "it fails", evidence, "mend it", Snapshot.log, **more)


@pytest.mark.parametrize(
    ("text", "said", "same"),
    [
        ("403 AccessDenied for key DO00", "from here: 403 AccessDenied for key DO00", True),
        (
            "LIST sp:wal/: AccessDenied said no",
            "LIST of sp:wal/ as the archiver: AccessDenied: said no",
            True,
        ),
        ("403 AccessDenied for key DO00", "from here: 404 NoSuchBucket", False),
        ("archived_count=65", "it ends with exit code 1", False),
        ("", "anything", False),
    ],
)
def test_what_repeats(text: str, said: str, same: bool) -> None:
    assert repeats(text, said) is same


def test_one_refusal_is_told_once_whoever_was_told_it() -> None:
    cause = finding(
        "LIST of sp:wal/ as the archiver does it: AccessDenied: no", "from here: 403 AccessDenied for k"
    )
    then = finding(DENIED, "the bucket refuses the same: 403 AccessDenied for k", "it ends with exit code 1")
    assert unsaid((cause, then), "archiving FAILS") == [
        ["LIST of sp:wal/ as the archiver does it: AccessDenied: no"],
        ["it ends with exit code 1"],
    ]


def test_another_refusal_and_what_cannot_be_reached_are_told_too() -> None:
    first = finding("LIST of a: AccessDenied", "PUT of b: NoSuchBucket")
    then = finding("dial tcp 10.0.0.1: connection refused", "dial tcp 10.0.0.2: connection refused")
    assert unsaid((first, then), "") == [list(first.evidence), list(then.evidence)]


def test_what_the_first_line_says_is_not_said_again() -> None:
    assert unsaid((finding("38 segments wait"),), "archiving FAILS: 38 segments wait") == [[]]


def test_below_an_evidence_stands_where_it_was_read_and_it_is_not_told_again() -> None:
    proof = (
        Proof("403 AccessDenied for key DO00", "S3 LIST wal", NOW - 9),
        Proof("archived_count=65", "pg_stat_archiver", NOW),
    )
    rows = [
        "".join(span.text for span in row.spans).strip()
        for row in evidence_rows(
            finding("from here: 403 AccessDenied for key DO00", proof=proof), NOW, 90, UNICODE
        )
    ]
    assert "".join(rows).count("AccessDenied") == 1
    assert rows[1].startswith("S3 LIST wal")
    assert rows[-1] == "archived_count=65"


def test_a_revoked_grant_is_in_the_findings_once() -> None:
    said = "Failed to lsf: AccessDenied: Access Denied status code: 403, request id: tx2"
    check = ProductionCheck("sp:wal/", "/etc/r.conf", (VerbResult("LIST", False, "AccessDenied", said),))
    diagnosis = failing_with(
        DENIED,
        f"{stamp(3)} [77] LOG:  archive command failed with exit code 1",
        evidence=((Snapshot.production, ProductionFacts((check,))),),
    )
    told = [text for each in unsaid(diagnosis.findings, diagnosis.verdict.text) for text in each]
    assert sum("AccessDenied" in text for text in told) == 1
