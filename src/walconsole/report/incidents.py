"""What is remembered of incidents, as part of a document. Every text in it is safe to show."""

from walconsole.domain.incidents.model import Incident, IncidentLog, Peak
from walconsole.domain.redaction import safe
from walconsole.report.parts import Document, iso

MOST_CLOSED = 5
"""The newest that a document has."""


def incidents_document(log: IncidentLog | None) -> Document | None:
    """The open one, the newest closed ones, steps and changes of keys; None where nothing is remembered."""
    if log is None:
        return None
    return {
        "open": None if log.open is None else incident_document(log, log.open),
        "closed": [incident_document(log, incident) for incident in log.closed[-MOST_CLOSED:]],
        "problem": safe(log.problem) or None,
        "set_aside": [
            {"at": iso(each.at), "kept": safe(each.kept), "why": safe(each.why)} for each in log.set_aside
        ],
    }


def incident_document(log: IncidentLog, incident: Incident) -> Document:
    """One of them, with what was run and changed while it lasted."""
    worst = incident.worst
    return {
        "opened_at": iso(incident.opened_at),
        "last_bad_at": iso(incident.bad_at),
        "ok_since": iso(incident.ok_since),
        "drained_at": iso(incident.drained_at),
        "level": incident.level.value,
        "verdict": safe(incident.verdict),
        "clock_back_seconds": incident.clock_back_s,
        "causes": [
            {
                "id": safe(cause.rule),
                "severity": safe(cause.severity),
                "title": safe(cause.title),
                "first_at": iso(cause.first_at),
                "last_at": iso(cause.last_at),
            }
            for cause in incident.causes
        ],
        "worst": {
            "waiting_segments": _peak(worst.waiting),
            "oldest_waiting_seconds": _peak(worst.oldest_s),
            "unarchived_segments": _peak(worst.lost_segments),
            "unarchived_bytes": _peak(worst.lost_bytes),
            "recovery_point_age_seconds": _peak(worst.lost_s),
            "nothing_safe_at": iso(worst.everything_at),
        },
        "steps": [
            {
                "step": safe(run.step),
                "title": safe(run.title),
                "began_at": iso(run.began_at),
                "ended_at": iso(run.ended_at),
                "result": run.result.value,
                "why": safe(run.why),
            }
            for run in log.runs_of(incident)
        ],
        "access": [
            {
                "kind": safe(change.kind),
                "what": safe(change.what),
                "before": safe(change.before),
                "after": safe(change.after),
                "at": iso(change.at),
                "taken_back_at": iso(change.taken_back_at),
            }
            for change in log.changes_of(incident)
        ],
    }


def _peak(peak: Peak | None) -> Document | None:
    return None if peak is None else {"value": peak.value, "at": iso(peak.at)}
