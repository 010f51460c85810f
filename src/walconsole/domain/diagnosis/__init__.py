"""Rules that turn a snapshot into findings and a verdict, one module a family of failures.

A new failure mode is one rule: a function in its family's module, listed in that module's RULES.
"""

from walconsole.domain.diagnosis import (
    archive,
    archiving,
    bucket,
    command,
    configuration,
    disk,
    keeping,
    refusals,
    retention,
    sources,
)
from walconsole.domain.diagnosis.model import Diagnosis, Finding, Level, Rule, Severity, Story, Verdict
from walconsole.domain.diagnosis.stories import stories
from walconsole.domain.diagnosis.verdict import at_least, verdict
from walconsole.domain.snapshot import Snapshot

RULES: tuple[Rule, ...] = (
    *sources.RULES,
    *configuration.RULES,
    *command.RULES,
    *refusals.RULES,
    *archiving.RULES,
    *bucket.RULES,
    *archive.RULES,
    *keeping.RULES,
    *retention.RULES,
    *disk.RULES,
)


def diagnose(snapshot: Snapshot, now: float) -> Diagnosis:
    """The verdict and the findings at `now` (seconds since the epoch), worst first, then in rule order."""
    findings = [finding for rule in RULES for finding in rule(snapshot, now)]
    findings.sort(key=lambda finding: -finding.severity)
    told = stories(findings, snapshot, now)
    return Diagnosis(at_least(verdict(snapshot, now), told), tuple(findings), told)


__all__ = ["RULES", "Diagnosis", "Finding", "Level", "Severity", "Story", "Verdict", "diagnose"]
