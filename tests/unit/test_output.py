"""A check's forms: the line, plugins' performance data, Prometheus' text, JSON; the report."""

import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import CLUSTER, NOW, healthy, host
from tests.data.snapshots import STATES
from walconsole.domain.facts.evidence import LogFacts
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.event_times import events
from walconsole.domain.standing.model import Level
from walconsole.report.documents import check_document
from walconsole.report.incident import report_document, report_markdown
from walconsole.report.lines import exit_code, for_nagios, for_people, for_prometheus
from walconsole.report.metric import Metric
from walconsole.report.metrics import metrics

SAMPLE = re.compile(r'walconsole_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\.)*",?)+\} -?\d+(\.\d+)?')


def made(state: str) -> dict[str, Any]:
    snapshot = STATES[state]()
    diagnosis = diagnose(snapshot, NOW)
    return {"snapshot": snapshot, "diagnosis": diagnosis, "numbers": metrics(snapshot, diagnosis, NOW)}


@pytest.mark.parametrize(
    ("state", "code"),
    [("healthy", 0), ("idle", 0), ("slow", 1), ("failing", 2), ("incident", 2), ("nothing_readable", 3)],
)
def test_exit_codes_are_those_of_the_verdict(state: str, code: int) -> None:
    assert exit_code(made(state)["diagnosis"]) == code


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_in_every_form(state: str) -> None:
    parts = made(state)
    (line,) = for_people("x", parts["diagnosis"])
    assert line.isprintable()
    nagios = for_nagios("x", parts["diagnosis"], parts["numbers"])
    text, _, data = nagios.partition(" | ")
    assert "|" not in text
    assert "\n" not in nagios
    for each in data.split():
        assert re.fullmatch(r"'[a-z_]+'=-?\d+(\.\d+)?(s|B|c)?(;;;0)?", each)
    samples: set[str] = set()
    families: list[str] = []
    for line in for_prometheus('pro"file\\', parts["diagnosis"], parts["numbers"], NOW):
        if line.startswith("#"):
            families.append(line.split()[2])
            continue
        assert SAMPLE.fullmatch(line), line
        head = line.rpartition(" ")[0]
        assert head not in samples
        samples.add(head)
        assert line.startswith(families[-1])
    assert len(set(families)) * 2 == len(families)


@pytest.mark.parametrize("state", sorted(STATES))
def test_documents_and_reports_hold_every_story_and_nothing_hostile(state: str) -> None:
    parts = made(state)
    document = check_document("x", parts["snapshot"], parts["diagnosis"], parts["numbers"], NOW)
    told = [story["root"]["id"] for story in json.loads(json.dumps(document))["stories"]]
    assert told == [story.root.rule for story in parts["diagnosis"].stories]
    report = "\n".join(report_markdown("x", parts["snapshot"], parts["diagnosis"], NOW))
    assert all(f"`{rule}`" in report for rule in told)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", report)
    assert json.dumps(report_document("x", parts["snapshot"], parts["diagnosis"], NOW))
    assert "\x1b" not in json.dumps(document)


def test_a_report_says_what_was_looked_at_and_how() -> None:
    other = replace(CLUSTER, data_directory="/srv/15/test", running=False)
    snapshot = healthy(
        host=host(clusters=(CLUSTER, other)),
        files=ConfigFiles((), errors=("postgresql.conf:7: no such parameter",)),
        log=LogFacts("postgresql.log", (), covers_from=NOW - 3600),
    )
    report = report_document("x", snapshot, diagnose(snapshot, NOW), NOW)
    told = cast("dict[str, str]", report["server"])
    assert told["connection"] == (
        "root at 203.0.113.7:22 since 2026-09-21T14:03:20.000+00:00, OpenSSH_9.2p1, host key SHA256:abc"
    )
    assert told["other clusters there"] == "/srv/15/test (down)"
    assert told["would keep the server from starting"] == "postgresql.conf:7: no such parameter"
    assert told["server's log"] == "postgresql.log, looked at from 2026-09-21T13:13:20.000+00:00 on"
    assert told["primary bucket"].endswith(
        "65 segments, 000000010000000000000001 to 000000010000000000000041"
    )


@pytest.mark.parametrize("state", sorted(STATES))
def test_the_document_is_what_its_schema_says(state: str) -> None:
    text = files("walconsole.report").joinpath("check-schema.json").read_text("utf-8")
    parts = made(state)
    document = check_document("x", parts["snapshot"], parts["diagnosis"], parts["numbers"], NOW)
    validator = jsonschema.Draft202012Validator(json.loads(text))
    assert list(validator.iter_errors(json.loads(json.dumps(document)))) == []
    del document["verdict"]
    assert list(validator.iter_errors(document))


def test_a_healthy_deployment_has_the_numbers_that_matter() -> None:
    names = {metric.name for metric in made("healthy")["numbers"]}
    assert names >= {
        "status", "archived_total", "failed_total", "ready_files", "last_archived_age_seconds",
        "unarchived_bytes", "wal_disk_free_bytes", "bucket_gaps", "bucket_newest_age_seconds",
        "recovery_reaches_now", "recovery_window_start_timestamp_seconds",
        "recovery_window_end_timestamp_seconds", "base_backup_age_seconds", "base_backup_stored_bytes",
        "recovery_replay_bytes", "base_backups",
    }  # fmt: skip


def test_what_is_not_known_is_no_metric() -> None:
    names = {metric.name for metric in made("nothing_readable")["numbers"]}
    assert names == {"status", "findings", "source_seen", "bucket_readable"}


@given(
    st.text(max_size=60), st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
)
def test_no_profile_name_breaks_a_line(name: str, value: float) -> None:
    diagnosis = made("healthy")["diagnosis"]
    numbers = (Metric("unarchived_bytes", value, "x"),)
    lines = list(for_prometheus(name, diagnosis, numbers, NOW))
    assert all("\n" not in line for line in lines)
    assert "\n" not in for_nagios(name, diagnosis, numbers)
    assert "e+" not in for_nagios("x", diagnosis, numbers).partition(" | ")[2]


def test_events_are_in_order_and_none_is_of_another_day_when_one_is_wanted() -> None:
    found = events(STATES["failing"]())
    assert [event.at for event in found] == sorted(event.at for event in found)
    assert {event.kind.value for event in found} >= {"archived", "failed", "stored", "console"}
    assert all(event.at >= NOW - 60 for event in events(STATES["failing"](), NOW - 60))


def test_the_verdict_is_never_better_than_its_findings() -> None:
    for state in STATES:
        diagnosis = made(state)["diagnosis"]
        worst = max((story.severity for story in diagnosis.stories), default=0)
        if diagnosis.verdict.level is Level.OK:
            assert worst < 2
        if diagnosis.verdict.level is Level.WARNING:
            assert worst < 3
