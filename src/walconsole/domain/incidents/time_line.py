"""What is remembered, as events of the time line."""

from collections.abc import Iterator

from walconsole.domain.incidents.model import IncidentLog, RunResult
from walconsole.domain.incidents.words import access_text, back_text
from walconsole.domain.standing.event_times import Event, EventKind

_SOURCE = "remembered by walconsole"


def remembered_events(log: IncidentLog) -> Iterator[Event]:
    """Incidents as they opened and ended, steps that were run, keys and grants that were changed."""
    for incident in (*log.closed, *([log.open] if log.open is not None else [])):
        opened = f"incident opened: {incident.verdict}"
        yield Event(incident.opened_at, EventKind.CONSOLE, opened, _SOURCE)
        if incident.drained_at is not None:
            yield Event(incident.drained_at, EventKind.CONSOLE, "nothing waits any more", _SOURCE)
        if incident.ok_since is not None:
            yield Event(incident.ok_since, EventKind.CONSOLE, "the verdict is OK again", _SOURCE)
    for run in log.runs:
        if run.result is RunResult.BEGUN or run.ended_at is None:
            yield Event(run.began_at, EventKind.CONSOLE, f"step “{run.title}” begun", _SOURCE)
        else:
            why = f": {run.why}" if run.why else ""
            yield Event(
                run.ended_at, EventKind.CONSOLE, f"step “{run.title}” {run.result.value}{why}", _SOURCE
            )
    for change in log.changes:
        yield Event(change.at, EventKind.ACCESS, access_text(change), _SOURCE)
        if change.taken_back_at is not None:
            yield Event(change.taken_back_at, EventKind.ACCESS, back_text(change), _SOURCE)
