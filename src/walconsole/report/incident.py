"""The incident report: what a post-mortem begins with, as Markdown and as JSON, safe to paste."""

from collections.abc import Iterable, Iterator

from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Freshness, Need, Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.incidents.time_line import remembered_events
from walconsole.domain.incidents.words import told, troubles
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import NO_SECOND_COPY
from walconsole.domain.standing.event_times import Event, events, folded
from walconsole.domain.standing.model import Certainty, Diagnosis, Finding, Story
from walconsole.domain.standing.unseen import no_finding
from walconsole.domain.units import age_text, plural
from walconsole.report.documents import source_documents, story_document
from walconsole.report.drills import drills_document
from walconsole.report.incidents import incidents_document
from walconsole.report.parts import Document, iso
from walconsole.report.recovery import recovery_document, recovery_lines, running_document

REPORT_VERSION = 1
SPAN_S = 24 * 3600.0
"""How far back the time line goes."""
_CERTAINTY = {
    Certainty.PROVED: "proved by what is shown below",
    Certainty.LIKELY: "likely",
    Certainty.POSSIBLE: "possible",
}


def report_document(
    profile: str,
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    now: float,
    remembered: IncidentLog | None = None,
) -> Document:
    """The report as a JSON document."""
    assessment = Assessment(snapshot, now)
    return {
        "document": "walconsole incident report",
        "schema_version": REPORT_VERSION,
        "profile": safe(profile),
        "reported_at": iso(now),
        "level": diagnosis.verdict.level.value,
        "verdict": safe(diagnosis.verdict.text),
        "server": {name: safe(value) for name, value in _server(snapshot)},
        "recovery": recovery_document(assessment),
        "backup_runs": running_document(assessment),
        "drills": drills_document(assessment),
        "incidents": incidents_document(remembered),
        "stories": [story_document(story) for story in diagnosis.stories],
        "time_line": [
            {
                "at": iso(event.at),
                "kind": event.kind.value,
                "text": safe(event.text),
                "source": safe(event.source),
                "count": event.count,
                "until": iso(event.until),
            }
            for event in _happened(snapshot, now, remembered)
        ],
        "not_seen": [safe(line) for line in not_seen(snapshot)],
        "sources": list(source_documents(snapshot, now)),
    }


def report_markdown(
    profile: str,
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    now: float,
    remembered: IncidentLog | None = None,
) -> Iterator[str]:
    """The report's lines."""
    yield f"# WAL archiving of {_plain(profile)}: {diagnosis.verdict.level.value.upper()}"
    yield ""
    yield f"**{_plain(diagnosis.verdict.text)}**"
    yield ""
    yield f"By walconsole at {iso(now)}."
    yield ""
    for name, value in _server(snapshot):
        yield f"- {name}: {_plain(value)}"
    yield from _remembered(remembered)
    yield from ("", "## What can be restored", "")
    yield from (f"- {_plain(line)}" for line in recovery_lines(Assessment(snapshot, now)))
    for number, story in enumerate(diagnosis.stories, 1):
        yield from _story(number, story, now)
    if not diagnosis.stories:
        yield from ("", "## Findings", "", _calm(snapshot, diagnosis))
    yield from _time_line(_happened(snapshot, now, remembered))
    yield from _not_seen(snapshot)


def _server(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    yield from _droplet(snapshot)
    server = snapshot.server.value
    if server is not None:
        role = "standby" if server.in_recovery else "primary"
        yield "server", f"PostgreSQL {server.version}, {role}, timeline {server.timeline}"
        yield "system identifier", server.system_identifier or "n/a"
    for copy, reading in (("primary bucket", snapshot.primary), ("DR bucket", snapshot.dr)):
        if reading.value is not None:
            yield (
                copy,
                f"{reading.value.bucket} at {reading.value.endpoint}, "
                f"{plural(reading.value.segments, 'segment')}, "
                f"{reading.value.oldest_segment or 'n/a'} to {reading.value.newest_segment or 'n/a'}"
                f"{_elsewhere(reading.value)}",
            )
        elif reading.problem is not None:
            yield copy, reading.problem.why
    if not snapshot.told.second_copy:
        yield "DR bucket", NO_SECOND_COPY
    files, log = snapshot.files.value, snapshot.log.value
    if files is not None and files.errors:
        yield "would keep the server from starting", "; ".join(files.errors)
    if log is not None and log.covers_from is not None:
        yield "server's log", f"{log.source}, looked at from {iso(log.covers_from)} on"


def _elsewhere(bucket: BucketFacts) -> str:
    """Where the key's own source (rclone's configuration) names another endpoint than the profile."""
    named = bucket.key_endpoint.rpartition("/")[2]
    return f", while the key's source names {named}" if named and named not in bucket.endpoint else ""


def _droplet(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """What was looked at, and over which connection: a report is read where that is not known."""
    link, host = snapshot.link.value, snapshot.host.value
    if link is not None:
        yield (
            "connection",
            f"{link.user} at {link.address} since {iso(link.connected_at)}, {link.server_version},"
            f" host key {link.host_key_fingerprint}",
        )
    if host is None:
        return
    yield "host", f"{host.hostname}, {host.system}"
    others = [cluster for cluster in host.clusters if cluster != host.cluster]
    if others:
        yield (
            "other clusters there",
            "; ".join(f"{one.data_directory}{'' if one.running else ' (down)'}" for one in others),
        )


def _story(number: int, story: Story, now: float) -> Iterator[str]:
    root = story.root
    yield from ("", f"## {number}. {_plain(root.title)}", "")
    since = (
        "" if root.since is None else f", since {iso(root.since)} ({age_text(max(0.0, now - root.since))})"
    )
    yield f"`{root.rule}`, {story.severity.name.lower()}{since}; the cause is {_CERTAINTY[root.certainty]}."
    if root.surer:
        yield f"Surer: {_plain(root.surer)}."
    for line in story.at_risk:
        yield f"- at risk: {_plain(line)}"
    for line in root.evidence:
        yield f"- {_plain(line)}"
    if story.consequences:
        yield from ("", "It leads to:", "")
        yield from (f"- `{each.rule}` {_plain(each.title)}" for each in story.consequences)
    yield from _proof(root)
    yield from _remedy(root)


def _proof(root: Finding) -> Iterator[str]:
    if not root.proof:
        return
    yield from ("", "Evidence:", "", "```")
    for proof in root.proof:
        at = "" if proof.at is None else f"{iso(proof.at)} "
        yield safe(f"{at}[{proof.source}] {proof.text}").replace("```", "'''")
    yield "```"


def _remedy(root: Finding) -> Iterator[str]:
    yield from ("", f"What to do: {_plain(root.remedy)}.")
    for fix in root.fixes:
        risk = f" (risk: {_plain(fix.risk)})" if fix.risk else ""
        step = f"; `walconsole` does it behind a gate (step `{fix.step}`)" if fix.step else ""
        yield from ("", f"- {_plain(fix.title)}{risk}{step}", "")
        if fix.commands:
            yield "  ```"
            yield from (f"  {safe(command)}".replace("```", "'''") for command in fix.commands)
            yield "  ```"


def _calm(snapshot: Snapshot, diagnosis: Diagnosis) -> str:
    text, _ = no_finding(snapshot, diagnosis.verdict)
    return f"{text[0].upper()}{_plain(text[1:])}."


def _remembered(remembered: IncidentLog | None) -> Iterator[str]:
    """The incident that is open and the one before it, from this look and earlier ones."""
    if remembered is None:
        return
    for title, incident in (("The incident", remembered.open), ("The last incident", remembered.last)):
        if incident is not None:
            yield from ("", f"## {title}", "")
            yield from (f"- {_plain(line)}" for line in told(remembered, incident, _when))
    lines = tuple(troubles(remembered, _when))
    if lines:
        yield from ("", "## What is not remembered", "")
        yield from (f"- {_plain(line)}" for line in lines)


def _when(at: float) -> str:
    return iso(at) or "n/a"


def _happened(snapshot: Snapshot, now: float, remembered: IncidentLog | None) -> tuple[Event, ...]:
    """The events of the span, and of all of an incident that began before it; equal failures as one."""
    since = now - SPAN_S
    known = remembered or IncidentLog()
    for incident in (known.open, known.last):
        if incident is not None and (incident.ok_since is None or incident.ok_since >= since):
            since = min(since, incident.opened_at)
    return folded(events(snapshot, since, remembered_events(known)))


def _time_line(happened: Iterable[Event]) -> Iterator[str]:
    yield from ("", "## Time line", "", "| when (UTC) | what | seen in |", "|---|---|---|")
    for event in happened:
        times = f" ({event.count} times, until {iso(event.until)})" if event.until is not None else ""
        yield f"| {iso(event.at)} | {event.kind.value}: {_cell(event.text)}{times} | {_cell(event.source)} |"


def _not_seen(snapshot: Snapshot) -> Iterator[str]:
    lines = list(not_seen(snapshot))
    if lines:
        yield from ("", "## What could not be looked at", "")
        yield from (f"- {_plain(line)}" for line in lines)


def not_seen(snapshot: Snapshot) -> Iterator[str]:
    """What was not read, and what of what was read is missing, each with why."""
    for slot in snapshot.slots:
        reading = slot.of(snapshot)
        name = slot.name.replace("_", " ")
        if reading.problem is not None:
            yield f"{name}: {reading.problem.why}"
        elif reading.freshness is Freshness.UNREAD and (slot.shown or slot.need is not Need.OCCASION):
            yield f"{name}: not read yet"
        for line in getattr(reading.value, "missing", ()) or ():
            yield f"{name}: {line}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = safe(text)
    for character in "\\`*_[]<>":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")
