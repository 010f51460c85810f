"""Incidents over all clusters: a line each, a document, what is remembered of one; all of it safe to show."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from walconsole.domain.incidents.model import Incident, IncidentLog
from walconsole.domain.incidents.words import told, worst_text
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.units import whole_duration_text
from walconsole.report.incidents import incident_document
from walconsole.report.parts import Document, iso


@record
class Remembered:
    """One incident of `cluster`, as the file of that one's incidents is called."""

    cluster: str
    incident: Incident
    log: IncidentLog

    @property
    def key(self) -> str:
        """By which it is named: the cluster, and when it opened."""
        opened = iso(self.incident.opened_at) or ""
        return f"{self.cluster}/{opened[:19]}Z"

    @property
    def alone(self) -> IncidentLog:
        """What is remembered of it, without the incidents after it."""
        if self.incident is self.log.open:
            return replace(self.log, closed=())
        return replace(self.log, open=None, closed=(self.incident,))


def newest_first(logs: Sequence[tuple[str, IncidentLog]]) -> list[Remembered]:
    """Every incident of all of them."""
    found = [
        Remembered(cluster, incident, log)
        for cluster, log in logs
        for incident in (*log.closed, *([log.open] if log.open is not None else []))
    ]
    return sorted(found, key=lambda each: (-each.incident.opened_at, each.cluster))


def incident_line(each: Remembered, now: float) -> str:
    """When, how long, how bad, why, the worst of it."""
    incident = each.incident
    end = incident.ok_since
    lasted = whole_duration_text(max(0.0, (now if end is None else end) - incident.opened_at))
    state = f"open for {lasted}" if end is None else f"lasted {lasted}"
    causes = "; ".join(dict.fromkeys(cause.title for cause in incident.causes)) or incident.verdict
    worst = worst_text(incident.worst)
    words = [f"{each.key}  {incident.level.value.upper()}", state, safe(causes), safe(worst)]
    return ", ".join(word for word in words if word)


def incident_list_document(found: Sequence[Remembered], problems: Sequence[str], now: float) -> Document:
    """What `walconsole incidents --json` prints."""
    return {
        "document": "walconsole incidents of all clusters",
        "schema_version": 1,
        "listed_at": iso(now),
        "incidents": [
            {"key": safe(each.key), "cluster": safe(each.cluster)}
            | incident_document(each.log, each.incident)
            for each in found
        ],
        "problems": [safe(problem) for problem in problems],
    }


def remembered_lines(each: Remembered, problem: str = "") -> Iterator[str]:
    """The Markdown of what is remembered of it, where nothing else is kept of that time.

    `problem`: why what is kept cannot be read.
    """
    yield f"# WAL archiving of {safe(each.cluster)}: an incident"
    yield ""
    for line in told(each.log, each.incident, lambda at: iso(at) or ""):
        yield f"- {safe(line)}"
    yield ""
    why = "Nothing of the screens of that time is kept any more"
    if problem:
        why = f"What is kept of the screens of that time cannot be read ({safe(problem)})"
    yield f"{why}: this is what was remembered of it."
