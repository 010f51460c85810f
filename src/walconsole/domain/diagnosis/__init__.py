"""Rules that turn a snapshot into findings and a verdict, one module a family of failures.

A new failure mode is one rule: a function in its family's module, listed in that module's RULES.
"""

from walconsole.domain.diagnosis import archive, archiving, bucket, configuration, disk, sources
from walconsole.domain.diagnosis.model import Diagnosis, Finding, Level, Rule, Severity, Story, Verdict
from walconsole.domain.diagnosis.stories import stories
from walconsole.domain.diagnosis.verdict import verdict
from walconsole.domain.snapshot import Snapshot

RULES: tuple[Rule, ...] = (
    *sources.RULES,
    *configuration.RULES,
    *archiving.RULES,
    *bucket.RULES,
    *archive.RULES,
    *disk.RULES,
)


def diagnose(snapshot: Snapshot, now: float) -> Diagnosis:
    """The verdict and the findings at `now` (seconds since the epoch), worst first, then in rule order."""
    findings = [finding for rule in RULES for finding in rule(snapshot, now)]
    findings.sort(key=lambda finding: -finding.severity)
    return Diagnosis(verdict(snapshot, now), tuple(findings), stories(findings, snapshot, now))


__all__ = ["RULES", "Diagnosis", "Finding", "Level", "Severity", "Story", "Verdict", "diagnose"]
