"""No verdict is better than what was read: any part of it unread, failed or stale, and it is not OK."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, broken, bucket, healthy, settings
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.facts.evidence import (
    CommandFacts,
    LifecycleRule,
    LogFacts,
    PolicyFacts,
    RetentionFacts,
    RuleAction,
)
from walconsole.domain.facts.observed import CatalogueFacts
from walconsole.domain.facts.snapshot import AnySlot, Reading, Snapshot, Told
from walconsole.domain.failures import Diagnosis, Level, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.copies import NO_SECOND_COPY, dr_verdict
from walconsole.domain.standing.unseen import ASKED, NEEDED, of_one_look, unanswered
from walconsole.report.documents import check_document
from walconsole.report.incident import report_markdown
from walconsole.report.lines import exit_code, for_nagios, for_people, for_prometheus
from walconsole.report.metrics import metrics

pytestmark = pytest.mark.cases("Green that is not: sources that were not read")

GAP = Gap(1, "00000001000000000000001F", "000000010000000000000021", 3)
LIMIT_S = 10.0
POLICY = PolicyFacts((LifecycleRule("uploads", RuleAction.ABORT, days=7),))


def complete(**facts: Any) -> Snapshot:
    """Everything read that a look asks for, and nothing wrong."""
    asked = {
        "catalogue": CatalogueFacts({}, {}, (), NOW, 150018),
        "log": LogFacts("/var/log/postgresql.log", ()),
        "command": CommandFacts("/usr/local/bin/archive_command.sh %p %f"),
        "retention": RetentionFacts(()),
        "policy": POLICY,
        "dr_policy": POLICY,
    }
    return healthy(**(asked | facts))


def spoiled(snapshot: Snapshot, slot: AnySlot, how: str) -> Snapshot:
    """One source unread, failed, stale (an old value, and the last attempt failed) or half listed."""
    before: Reading[Any] = slot.of(snapshot)
    after: Reading[Any] = Reading(slot)
    if how == "failed":
        after = broken(slot, "no answer", "Timeout")
    elif how == "stale":
        after = broken(slot, "no answer", "Timeout", before)
    elif how == "half" and slot in (Snapshot.primary, Snapshot.dr) and before.value is not None:
        after = replace(before, value=replace(before.value, complete=False))
    changes: dict[str, Any] = {slot.name: after}
    return replace(snapshot, **changes)


def looked(snapshot: Snapshot) -> Diagnosis:
    return of_one_look(diagnose(snapshot, NOW), snapshot, LIMIT_S)


def test_a_complete_look_is_ok() -> None:
    said = looked(complete())
    assert (said.verdict.level, said.findings) == (Level.OK, ())
    assert unanswered(complete()) == ()


@pytest.mark.parametrize("slot", NEEDED)
@pytest.mark.parametrize("how", ["unread", "failed", "stale", "half"])
def test_each_needed_source(slot: AnySlot, how: str) -> None:
    blind = spoiled(complete(), slot, how)
    assert diagnose(blind, NOW).verdict.level is not Level.OK
    assert looked(blind).verdict.level is Level.UNKNOWN


@pytest.mark.parametrize("slot", ASKED)
def test_a_look_that_ends_before_an_answer_is_unknown(slot: AnySlot) -> None:
    said = looked(spoiled(complete(), slot, "unread")).verdict
    assert said.level is Level.UNKNOWN
    assert "not read within 10 s" in said.text
    assert looked(spoiled(complete(), slot, "failed")).verdict.level is not Level.CRITICAL


@given(
    st.dictionaries(
        st.sampled_from((*NEEDED, *ASKED)), st.sampled_from(["unread", "failed", "stale", "half"])
    )
)
def test_no_subset_of_unread_sources_is_green(parts: dict[AnySlot, str]) -> None:
    snapshot = complete()
    for slot, how in parts.items():
        snapshot = spoiled(snapshot, slot, how)
    on_screen, once = diagnose(snapshot, NOW).verdict, looked(snapshot).verdict
    if parts.keys() & set(NEEDED):
        assert on_screen.level is not Level.OK, on_screen.text
        assert once.level is Level.UNKNOWN, once.text
    if any(how == "unread" for how in parts.values()):
        assert once.level is Level.UNKNOWN, once.text


@given(st.sets(st.sampled_from([slot for slot in (*NEEDED, *ASKED) if slot is not Snapshot.primary])))
def test_what_the_bucket_itself_proves_stays_critical(slots: set[AnySlot]) -> None:
    snapshot = complete(primary=bucket(gaps=(GAP,)))
    for slot in slots:
        snapshot = spoiled(snapshot, slot, "unread")
    assert looked(snapshot).verdict.level is Level.CRITICAL


def test_what_the_server_proves_stays_critical_without_the_buckets() -> None:
    off = complete(settings=settings(archive_mode="off"))
    for slot in (Snapshot.primary, Snapshot.dr):
        off = spoiled(off, slot, "unread")
    assert looked(off).verdict.level is Level.CRITICAL


def test_a_gap_that_was_seen_long_ago_proves_nothing_while_the_droplet_is_gone() -> None:
    stale = spoiled(complete(primary=bucket(gaps=(GAP,))), Snapshot.primary, "stale")
    gone = replace(stale, link=broken(Snapshot.link, "connection lost", "SshLost"))
    assert diagnose(gone, NOW).verdict.level is Level.UNKNOWN


def test_a_bucket_that_is_doubted_is_not_green() -> None:
    for role in BucketRole:
        doubted = complete(**{role.value: bucket(role, doubted=True)})
        assert diagnose(doubted, NOW).verdict.level is Level.UNKNOWN


def test_every_format_says_so() -> None:
    blind = spoiled(spoiled(complete(), Snapshot.primary, "unread"), Snapshot.dr, "unread")
    said = looked(blind)
    numbers = metrics(blind, said, NOW)
    assert exit_code(said) == 3
    (line,) = for_people("x", said)
    assert line.startswith(
        "x: UNKNOWN: cannot tell: the primary bucket and the DR bucket were not read within 10 s; so far "
        "archiving works: 41 s behind"
    )
    assert for_nagios("x", said, numbers).startswith("WALCONSOLE UNKNOWN - x: cannot tell")
    lines = list(for_prometheus("x", said, numbers, NOW))
    assert 'walconsole_status{profile="x"} 3' in lines
    assert 'walconsole_source_seen{profile="x",source="primary"} 0' in lines
    assert 'walconsole_source_seen{profile="x",source="archiver"} 1' in lines
    document = json.loads(json.dumps(check_document("x", blind, said, numbers, NOW)))
    assert (document["level"], document["exit_code"]) == ("unknown", 3)
    assert document["not_seen"] == ["primary", "dr"]


def test_a_second_copy_that_is_not_wanted_is_missed_by_nobody() -> None:
    alone = replace(
        spoiled(spoiled(complete(), Snapshot.dr, "unread"), Snapshot.dr_policy, "unread"),
        told=Told(second_copy=False),
    )
    said = looked(alone)
    assert (said.verdict.level, said.findings) == (Level.OK, ())
    assert (unanswered(alone), alone.whole, len(alone.copies)) == ((), True, 1)
    numbers = metrics(alone, said, NOW)
    assert not any(label == ("source", "dr") for each in numbers for label in each.labels)
    document = json.loads(json.dumps(check_document("x", alone, said, numbers, NOW)))
    assert document["not_seen"] == []
    assert "dr" not in {each["source"] for each in document["sources"]}
    verdict = dr_verdict(alone, NOW)
    assert (verdict.level, verdict.text) == (Level.OK, NO_SECOND_COPY)
    report = "\n".join(report_markdown("x", alone, said, NOW))
    assert f"- DR bucket: {NO_SECOND_COPY}" in report
    assert "could not be looked at" not in report


def test_one_that_is_wanted_and_not_there_is() -> None:
    without = spoiled(complete(), Snapshot.dr, "failed")
    assert looked(without).verdict.level is not Level.OK


def test_one_reason_of_several_sources_is_said_once() -> None:
    why = "sorry, too many clients already"
    blind = complete()
    for slot in (Snapshot.server, Snapshot.archiver, Snapshot.settings):
        before: Reading[Any] = slot.of(blind)
        changes: dict[str, Any] = {slot.name: broken(slot, why, "53300", before)}
        blind = replace(blind, **changes)
    for said in (diagnose(blind, NOW).verdict, looked(blind).verdict):
        assert said.level is Level.UNKNOWN
        assert said.text.count(why) == 1
    text = looked(blind).verdict.text
    assert "PostgreSQL refuses the console" in text
    assert "could not be read for that reason" in text


def test_a_bucket_that_cannot_be_read_is_told_once_beside_what_is_known() -> None:
    why = "AccessDenied: this key may not list"
    blind = complete(primary=broken(Snapshot.primary, why, "AccessDenied"))
    said = looked(blind).verdict
    assert said.level is Level.UNKNOWN
    assert said.text.count(why) == 1
    assert "so far archiving works" in said.text


def test_other_reasons_are_each_said() -> None:
    blind = complete(
        host=broken(Snapshot.host, "sudo asks for a password"),
        dr=broken(Snapshot.dr, "no route to host"),
        policy=broken(Snapshot.policy, "no route to host"),
    )
    text = looked(blind).verdict.text
    assert text.count("no route to host") == text.count("sudo asks for a password") == 1
