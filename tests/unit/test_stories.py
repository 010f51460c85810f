"""Cause before consequence: every finding is told once, under what explains it."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, healthy
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import MODES
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Certainty, Finding, Severity
from walconsole.domain.standing.stories import stories

RULES = sorted(mode.id for mode in MODES.values() if mode.alarms)


def finding(
    rule: str, severity: Severity = Severity.WARNING, certainty: Certainty = Certainty.PROVED
) -> Finding:
    return Finding(
        rule, severity, f"{rule} it is", ("seen",), "mend it", Snapshot.archiver, certainty=certainty
    )


def reachable(rule: str) -> set[str]:
    found: set[str] = set()
    frontier = set(MODES[rule].explains)
    while frontier:
        found |= frontier
        frontier = {effect for each in frontier for effect in MODES[each].explains} - found
    return found


def test_nothing_explains_itself() -> None:
    """A ring of causes would leave its findings without a root, and so untold."""
    assert [rule for rule in RULES if rule in reachable(rule)] == []


@given(st.lists(st.sampled_from(RULES), unique=True), st.data())
def test_every_finding_is_told_exactly_once(rules: list[str], data: st.DataObject) -> None:
    findings = [finding(rule, data.draw(st.sampled_from(Severity))) for rule in rules]
    told = stories(findings, MODES, Assessment(healthy(), NOW))
    flat = [each for story in told for each in (story.root, *story.consequences)]
    assert sorted(each.rule for each in flat) == sorted(rules)
    assert [story.severity for story in told] == sorted((story.severity for story in told), reverse=True)
    for story, other in product(told, flat):
        assert story.root.rule not in MODES[other.rule].explains
    for story in told:
        for each in story.consequences:
            assert each.rule in reachable(story.root.rule)


def test_a_revoked_key_explains_the_failure_the_backlog_and_the_disk_in_that_order() -> None:
    mixed = ["disk-filling", "too-slow", "failing", "key-403", "dr-behind"]
    (story,) = stories([finding(rule) for rule in mixed], MODES, Assessment(healthy(), NOW))
    assert story.root.rule == "key-403"
    assert [each.rule for each in story.consequences] == ["failing", "too-slow", "dr-behind", "disk-filling"]


def test_two_causes_are_two_stories_and_the_consequence_is_told_under_the_surer_one() -> None:
    findings = [
        finding("auto-conf-override", Severity.CRITICAL, Certainty.LIKELY),
        finding("key-403", Severity.CRITICAL, Certainty.PROVED),
        finding("failing", Severity.CRITICAL),
    ]
    told = stories(findings, MODES, Assessment(healthy(), NOW))
    assert {story.root.rule: [each.rule for each in story.consequences] for story in told} == {
        "auto-conf-override": [],
        "key-403": ["failing"],
    }


def test_the_file_that_is_never_read_is_the_cause_of_archiving_being_off() -> None:
    (story,) = stories(
        [finding("archive-off", Severity.CRITICAL), finding("dead-config")], MODES, Assessment(healthy(), NOW)
    )
    assert (story.root.rule, story.severity) == ("dead-config", Severity.CRITICAL)
