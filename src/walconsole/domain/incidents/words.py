"""An incident in words: one line for a screen, a few for a report."""

from collections.abc import Callable, Iterator, Sequence

from walconsole.domain.incidents.model import (
    HOLD_S,
    AccessChange,
    Incident,
    IncidentLog,
    Run,
    RunResult,
    Worst,
)
from walconsole.domain.units import bytes_text, plural, whole_duration_text

When = Callable[[float], str]
"""A time in words, as it is shown there."""
_KEY = "key"
_LOOKS_APART_S = 60.0
"""Looks that are closer together say when something ended."""
_RUNS_NAMED, _RUNS_TOLD, _CAUSES_TOLD = 2, 20, 24
_ENDED_WELL = frozenset((RunResult.DONE, RunResult.TAKEN_BACK))


def open_line(log: IncidentLog, when: When) -> str:
    """What is remembered of the incident that is open; empty where none is."""
    incident = log.open
    if incident is None:
        return ""
    parts = [f"incident since {when(incident.opened_at)}"]
    if incident.ok_since is not None:
        parts[0] += f", OK again since {when(incident.ok_since)}"
    parts.append(f"at worst {worst_text(incident.worst)}" if worst_text(incident.worst) else "")
    if incident.causes:
        parts.append(f"{plural(len(incident.causes), 'cause')} seen")
    if incident.drained_at is not None:
        parts.append(f"nothing waits since {when(incident.drained_at)}")
    parts.append(_runs_text(log.runs_of(incident), when))
    return ", ".join(part for part in parts if part)


def closed_line(log: IncidentLog, when: When) -> str:
    """What is remembered of the one that was closed last; empty where there is none."""
    incident = log.last
    if incident is None or incident.ok_since is None:
        return ""
    lasted = whole_duration_text(max(0.0, incident.ok_since - incident.opened_at))
    worst = worst_text(incident.worst)
    first = incident.causes[0].rule if incident.causes else incident.level.value
    parts = [
        f"last incident {when(incident.opened_at)} to {when(incident.ok_since)} ({lasted}): {first}",
        f"at worst {worst}" if worst else "",
        mended_text(log, incident, when),
    ]
    return ", ".join(part for part in parts if part)


def worst_text(worst: Worst) -> str:
    """The worst of it in a few words; empty where nothing was exposed."""
    if worst.waiting is not None:
        return f"{plural(int(worst.waiting.value), 'segment')} waiting"
    if worst.everything_at is not None:
        return "nothing was known to be safe"
    if worst.lost_segments is not None:
        return f"{plural(int(worst.lost_segments.value), 'segment')} behind"
    return "" if worst.lost_bytes is None else f"{bytes_text(worst.lost_bytes.value)} not archived"


def run_text(run: Run, when: When) -> str:
    """`“Reload the configuration” done at 14:40`."""
    if run.result is RunResult.BEGUN:
        return f"“{run.title}” begun at {when(run.began_at)}, its end was not seen"
    return f"“{run.title}” {run.result.value} at {when(_ended(run))}"


def mended_text(log: IncidentLog, incident: Incident, when: When) -> str:
    """What was run last before it was over. It is not said that it was this which mended it."""
    well = [run for run in log.runs_of(incident) if run.result in _ENDED_WELL]
    return f"mended after {_runs_text(well, when)}" if well else "mended by nothing that walconsole ran"


def _runs_text(runs: Sequence[Run], when: When) -> str:
    """The last of them, and how many there were before; empty for none."""
    told = ", ".join(run_text(run, when) for run in runs[-_RUNS_NAMED:])
    before = len(runs) - _RUNS_NAMED
    return f"{told} and {plural(before, 'step')} before" if before > 0 else told


def _ended(run: Run) -> float:
    return run.began_at if run.ended_at is None else run.ended_at


def told(log: IncidentLog, incident: Incident, when: When) -> Iterator[str]:
    """The lines of a report about one incident."""
    yield from _span(log, incident, when)
    yield f"the first line said then: {incident.verdict}"
    yield from _causes(incident, when)
    yield from _exposure(incident.worst, when)
    runs = log.runs_of(incident)
    for run in runs[-_RUNS_TOLD:]:
        yield f"run by walconsole: {run_text(run, when)}{f': {run.why}' if run.why else ''}"
    for change in log.changes_of(incident):
        yield change_text(change, when)
    if incident.drained_at is not None:
        yield f"nothing waited any more at {when(incident.drained_at)}"
    if incident.ok_since is not None:
        yield mended_text(log, incident, when)
    if incident.clock_back_s:
        back = whole_duration_text(incident.clock_back_s)
        yield f"the clock here went back by {back} meanwhile: times before that are by the clock as it was"


def troubles(log: IncidentLog, when: When) -> Iterator[str]:
    """Why something is not remembered that might be."""
    if log.problem:
        yield f"nothing is kept past this session: {log.problem}"
    for aside in log.set_aside:
        yield (
            f"what was remembered before {when(aside.at)} could not be read ({aside.why});"
            f" it is kept as {aside.kept}"
        )


def _span(log: IncidentLog, incident: Incident, when: When) -> Iterator[str]:
    level = incident.level.value.upper()
    if incident.ok_since is None:
        yield f"open since {when(incident.opened_at)}, at worst {level}"
        return
    lasted = whole_duration_text(max(0.0, incident.ok_since - incident.opened_at))
    yield f"from {when(incident.opened_at)} to {when(incident.ok_since)} ({lasted}), at worst {level}"
    if incident.ok_since - incident.bad_at > _LOOKS_APART_S:
        bad, good = when(incident.bad_at), when(incident.ok_since)
        yield f"it ended between two looks: wrong at {bad}, right at {good}"
    if incident is log.open:
        held = whole_duration_text(HOLD_S)
        yield f"it is closed when a look finds the verdict still OK {held} after that"


def _causes(incident: Incident, when: When) -> Iterator[str]:
    for cause in incident.causes[:_CAUSES_TOLD]:
        until = "" if cause.last_at - cause.first_at < 1 else f" to {when(cause.last_at)}"
        yield f"cause seen {when(cause.first_at)}{until}: {cause.title} ({cause.rule}, {cause.severity})"


def _exposure(worst: Worst, when: When) -> Iterator[str]:
    if worst.everything_at is not None:
        yield f"at {when(worst.everything_at)} nothing at all was known to be in the archive"
    for words, peak, text in (
        ("segments that waited", worst.waiting, lambda value: f"{int(value):,}"),
        ("the oldest had waited", worst.oldest_s, whole_duration_text),
        ("segments not in the archive", worst.lost_segments, lambda value: f"{int(value):,}"),
        ("bytes that the disk's loss would have cost", worst.lost_bytes, bytes_text),
        ("writes that the disk's loss would have cost", worst.lost_s, whole_duration_text),
    ):
        if peak is not None:
            yield f"at worst, {words}: {text(peak.value)} (at {when(peak.at)})"


def change_text(change: AccessChange, when: When) -> str:
    """`grant KEY BUCKET changed by walconsole: from read to readwrite, at 14:40; taken back at 14:50`."""
    back = "" if change.taken_back_at is None else f"; {_gone(change)} at {when(change.taken_back_at)}"
    return f"{access_text(change)}, at {when(change.at)}{back}"


def access_text(change: AccessChange) -> str:
    """What was changed, without when."""
    if change.kind == _KEY and not change.before:
        return f"key {change.what} made by walconsole: {change.after}"
    if change.before and change.after:
        how = f"from {change.before} to {change.after}"
    else:
        how = f"from nothing to {change.after}" if change.after else f"was {change.before or 'nothing'}"
    return f"{change.kind} {change.what} changed by walconsole: {how}"


def back_text(change: AccessChange) -> str:
    """That it was taken back, without when."""
    return f"{change.kind} {change.what} {_gone(change)} by walconsole"


def _gone(change: AccessChange) -> str:
    return "deleted" if change.kind == _KEY else "taken back"
