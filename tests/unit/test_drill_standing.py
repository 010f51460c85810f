"""What a snapshot says of restore drills: the first line, the findings, the numbers."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import bucket, healthy
from tests.data.recoveries import NOW as AT
from tests.data.recoveries import nightly
from tests.unit.test_drill_result import good
from walconsole.domain.facts.snapshot import Snapshot, Told
from walconsole.domain.failures import diagnose
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import DrillResult, Outcome
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Finding, Level, Severity
from walconsole.report.documents import check_document
from walconsole.report.metrics import metrics

DAY_S = 86_400.0
EVERY = Told(drill_every_s=7 * DAY_S)


def snapshot(*found: DrillResult | Unreadable, told: Told = EVERY, copies: int = 2) -> Snapshot:
    """A deployment from which all can be restored, in whose buckets drills left these."""
    made = replace(nightly(), told=told)
    server = made.server.value
    assert server is not None
    whose = int(server.system_identifier or 0) % 2**64
    mine = tuple(
        replace(each, system_identifier=whose) if isinstance(each, DrillResult) else each for each in found
    )
    primary, dr = made.primary.value, made.dr.value
    assert primary is not None
    assert dr is not None
    made = replace(made, primary=replace(made.primary, value=replace(primary, drills=mine)))
    if copies > 1:
        made = replace(made, dr=replace(made.dr, value=replace(dr, drills=mine)))
    return made


def ago(seconds: float) -> DrillResult:
    """A good drill that ended so long ago."""
    return replace(good(), ended=AT - seconds, began=AT - seconds - 9)


def failed(outcome: Outcome, reason: str, seconds: float = 60.0) -> DrillResult:
    return replace(
        ago(seconds), id="20261130T000000Z", outcome=outcome, reason=reason, message="what it said"
    )


def document_of(made: Snapshot) -> Any:
    diagnosis = diagnose(made, AT)
    return check_document("shithub", made, diagnosis, metrics(made, diagnosis, AT), AT)["drills"]


def findings(made: Snapshot) -> dict[str, Finding]:
    return {each.rule: each for each in diagnose(made, AT).findings if each.rule.startswith("drill-")}


def test_the_first_line_says_when_a_restore_was_proved_and_how_long_it_took() -> None:
    made = snapshot(ago(2 * DAY_S))
    line = Assessment(made, AT).recovery_line
    assert line.level is Level.OK
    assert line.text.endswith("; proved 2 d ago in 4.3 s")
    assert findings(made) == {}


@pytest.mark.parametrize("copies", [1, 2])
def test_one_copy_that_has_it_is_enough(copies: int) -> None:
    assert "proved 2 d ago" in Assessment(snapshot(ago(2 * DAY_S), copies=copies), AT).recovery_line.text


def here(made: Snapshot, *found: DrillResult | Unreadable) -> Snapshot:
    """The same with these on the host, where a drill of another tool's archive leaves them."""
    host = made.host.value
    server = made.server.value
    assert host is not None
    assert server is not None
    whose = int(server.system_identifier or 0) % 2**64
    mine = tuple(
        replace(each, system_identifier=whose) if isinstance(each, DrillResult) else each for each in found
    )
    return replace(made, host=replace(made.host, value=replace(host, drills=mine)))


def test_what_the_host_alone_tells_counts_as_what_lies_in_a_copy() -> None:
    made = here(snapshot(), ago(2 * DAY_S))
    assert Assessment(made, AT).recovery_line.text.endswith("; proved 2 d ago in 4.3 s")
    assert findings(made) == {}
    made = here(snapshot(), failed(Outcome.FAILED, "missing-segment"), ago(2 * DAY_S))
    (finding,) = findings(made).values()
    assert (finding.rule, finding.severity) == ("drill-failed", Severity.CRITICAL)
    assert finding.proof[0].source == "the drill's folder on db1"
    another = replace(made, server=replace(made.server, value=None))
    assert document_of(another)["proved"] is not None, "of whichever cluster, where that is not known"


def test_one_that_failed_is_critical_whatever_was_proved_before() -> None:
    made = snapshot(ago(2 * DAY_S), failed(Outcome.FAILED, "missing-segment"))
    (finding,) = findings(made).values()
    assert (finding.rule, finding.severity) == ("drill-failed", Severity.CRITICAL)
    assert finding.title == "the restore drill FAILED: a WAL segment is missing: what it said"
    assert any(text.startswith("one was proved last ") for text in finding.evidence)
    assert "proved" not in Assessment(made, AT).recovery_line.text
    assert diagnose(made, AT).verdict.level is Level.CRITICAL


def test_one_that_passed_later_ends_it() -> None:
    assert findings(snapshot(failed(Outcome.FAILED, "query", 2 * DAY_S), ago(DAY_S))) == {}


def test_one_that_could_not_be_made_here_is_a_warning_and_takes_no_proof_away() -> None:
    made = snapshot(ago(2 * DAY_S), failed(Outcome.REFUSED, "no-room"))
    (finding,) = findings(made).values()
    assert (finding.rule, finding.severity) == ("drill-failed", Severity.WARNING)
    assert finding.title.startswith("the last restore drill could not be made: there is no room")
    assert "proved 2 d ago" in Assessment(made, AT).recovery_line.text


def test_where_drills_are_wanted_an_old_one_and_none_are_warnings() -> None:
    (old,) = findings(snapshot(ago(9 * DAY_S))).values()
    assert (old.rule, old.severity) == ("drill-stale", Severity.WARNING)
    assert old.title == "the last restore that was proved is 9 d old (drills.every is 7 d)"
    (none,) = findings(snapshot()).values()
    assert none.title.startswith("no restore was ever proved")


def test_where_they_are_not_wanted_or_were_not_read_nothing_is_said() -> None:
    assert findings(snapshot(ago(9 * DAY_S), told=Told())) == {}
    unread = replace(nightly(), told=EVERY)
    assert Assessment(unread, AT).drills is None
    assert findings(unread) == {}
    assert findings(healthy(primary=bucket())) == {}


def test_what_cannot_be_read_proves_nothing() -> None:
    made = snapshot(Unreadable("walconsole/drills/x.json", "it is not JSON"))
    assert set(findings(made)) == {"drill-stale"}
    document = document_of(made)
    assert document["proved"] is None
    assert document["unreadable"] == ["walconsole/drills/x.json"]


def test_the_numbers_and_the_document_say_the_same() -> None:
    made = snapshot(ago(2 * DAY_S), failed(Outcome.FAILED, "query"))
    diagnosis = diagnose(made, AT)
    told = {each.name: each.value for each in metrics(made, diagnosis, AT)}
    assert told["drill_last_failed"] == 1
    assert told["drill_proved_timestamp_seconds"] == AT - 2 * DAY_S
    assert told["drill_restore_seconds"] == pytest.approx(4.343)
    assert told["restore_forecast_seconds"] > 0
    document = document_of(made)
    assert document["last"]["outcome"] == "failed"
    assert document["proved"]["restore_seconds"] == pytest.approx(4.343)
    assert document["restore_forecast_seconds"] == pytest.approx(told["restore_forecast_seconds"], abs=0.1)
