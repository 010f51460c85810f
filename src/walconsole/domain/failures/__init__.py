"""Rules that turn a snapshot into findings and a verdict, one module a family of failures.

A new failure mode is one rule: a function in its family's module, listed in that module's RULES.
"""

from walconsole.domain.failures import (
    archive,
    archiving,
    bucket,
    command,
    configuration,
    disk,
    refusals,
    retention,
    sources,
    usability,
)
from walconsole.domain.snapshot import Snapshot
from walconsole.domain.standing.model import Diagnosis, Finding, Level, Rule, Severity, Story, Verdict
from walconsole.domain.standing.stories import stories
from walconsole.domain.standing.verdict import at_least, verdict

RULES: tuple[Rule, ...] = (
    *sources.RULES,
    *configuration.RULES,
    *command.RULES,
    *refusals.RULES,
    *archiving.RULES,
    *bucket.RULES,
    *archive.RULES,
    *usability.RULES,
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
