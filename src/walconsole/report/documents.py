"""A diagnosis as a JSON document; docs/monitoring.md has its schema."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Diagnosis, Finding, Story
from walconsole.domain.standing.unseen import unanswered
from walconsole.report.drills import drills_document
from walconsole.report.incidents import incidents_document
from walconsole.report.lines import exit_code
from walconsole.report.metric import Metric
from walconsole.report.parts import Document, iso
from walconsole.report.recovery import recovery_document, running_document
from walconsole.report.storage import storage_documents

SCHEMA_VERSION = 1


def check_document(
    profile: str,
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    numbers: tuple[Metric, ...],
    now: float,
    remembered: IncidentLog | None = None,
) -> Document:
    """What `walconsole check --json` prints. Every text in it is safe to show."""
    assessment = Assessment(snapshot, now)
    return {
        "document": "walconsole check",
        "schema_version": SCHEMA_VERSION,
        "profile": safe(profile),
        "checked_at": iso(now),
        "level": diagnosis.verdict.level.value,
        "exit_code": exit_code(diagnosis),
        "verdict": safe(diagnosis.verdict.text),
        "not_seen": [each.slot.name for each in unanswered(snapshot)],
        "recovery": recovery_document(assessment),
        "backup_runs": running_document(assessment),
        "drills": drills_document(assessment),
        "storage": storage_documents(snapshot, now),
        "stories": [story_document(story) for story in diagnosis.stories],
        "incidents": incidents_document(remembered),
        "metrics": [
            {"name": each.name, "value": each.value, "labels": dict(each.labels)} for each in numbers
        ],
        "sources": list(source_documents(snapshot, now)),
    }


def story_document(story: Story) -> Document:
    """A cause with what follows from it."""
    return {
        "severity": story.severity.name.lower(),
        "root": finding_document(story.root),
        "consequences": [finding_document(each) for each in story.consequences],
        "at_risk": [safe(line) for line in story.at_risk],
    }


def finding_document(finding: Finding) -> Document:
    """One finding with its evidence and ways to mend it."""
    return {
        "id": finding.rule,
        "severity": finding.severity.name.lower(),
        "title": safe(finding.title),
        "since": iso(finding.since),
        "certainty": finding.certainty.name.lower(),
        "surer": safe(finding.surer),
        "setting": finding.setting,
        "evidence": [safe(line) for line in finding.evidence],
        "proof": [
            {"text": safe(proof.text), "source": safe(proof.source), "at": iso(proof.at)}
            for proof in finding.proof
        ],
        "remedy": safe(finding.remedy),
        "fixes": [
            {
                "title": safe(fix.title),
                "commands": [safe(command) for command in fix.commands],
                "step": fix.step,
                "subject": safe(fix.subject),
                "risk": safe(fix.risk),
            }
            for fix in finding.fixes
        ],
    }


def source_documents(snapshot: Snapshot, now: float) -> Iterator[Document]:
    """Every source with how old its answer is, or why there is none."""
    for slot in snapshot.slots:
        reading = slot.of(snapshot)
        problem = reading.problem
        yield {
            "source": slot.name,
            "from": safe(reading.source),
            "freshness": reading.freshness.value,
            "age_seconds": None if reading.read_at is None else round(max(0.0, now - reading.read_at), 3),
            "cadence_seconds": reading.cadence_s,
            "problem": None if problem is None else safe(problem.why),
            "remedy": None if problem is None else safe(problem.remedy),
        }
