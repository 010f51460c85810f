"""How what is remembered goes on with each note. The same ones twice change nothing: two may look at once."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.model import (
    BRIEF_S,
    HOLD_S,
    LONGEST_TEXT,
    MOST_CAUSES,
    MOST_CHANGES,
    MOST_CLOSED,
    MOST_RUNS,
    AccessChange,
    Cause,
    Incident,
    IncidentLog,
    Look,
    Note,
    Peak,
    Run,
    Seen,
    TakenBack,
    Worst,
)
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import oldest_wait_s, ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Diagnosis, Level, Severity, Story

_BAD = (Level.WARNING, Level.CRITICAL)
_ORDER = (Level.UNKNOWN, Level.OK, Level.WARNING, Level.CRITICAL)
N = TypeVar("N", int, float)
_CLOCK_JUMP_S = 60.0
"""A clock that NTP sets goes back by less; two consoles' looks may cross by a few seconds."""


def look_of(snapshot: Snapshot, diagnosis: Diagnosis, now: float) -> Look:
    """What is to be remembered of a snapshot and of what was said about it."""
    assessment = Assessment(snapshot, now)
    lost = assessment.exposure
    archiver, server = snapshot.archiver.value, snapshot.server.value
    return Look(
        now,
        diagnosis.verdict.level,
        _text(diagnosis.verdict.text),
        tuple(_seen(story) for story in diagnosis.stories if story.severity > Severity.NOTE),
        waiting=ready_count(snapshot),
        oldest_s=oldest_wait_s(snapshot, now),
        lost_segments=None if lost is None else lost.segments,
        lost_bytes=None if lost is None else lost.bytes,
        lost_s=None if lost is None else lost.seconds,
        everything=lost is None and archiver is not None and server is not None,
    )


def _seen(story: Story) -> Seen:
    root = story.root
    key = f"{root.rule}/{root.slot.name}/{root.setting or ''}"
    return Seen(key[:LONGEST_TEXT], root.rule, story.severity.name.lower(), _text(root.title))


def follow(log: IncidentLog, notes: Iterable[Note]) -> IncidentLog:
    """The log after these notes, in their order."""
    for note in notes:
        match note:
            case Look():
                log = _looked(log, note)
            case Run():
                log = _ran(log, note)
            case AccessChange():
                log = _changed(log, note)
            case TakenBack():
                log = _taken_back(log, note)
    return log


def combined(earlier: Look, later: Look) -> Look:
    """Both as one look, the worse of each: its peaks stay, its times are those of the later."""
    if earlier.level is not later.level:
        return max(earlier, later, key=lambda look: _ORDER.index(look.level))
    causes = {cause.key: cause for cause in (*earlier.causes, *later.causes)}
    return replace(
        later,
        causes=tuple(causes.values()),
        waiting=_more(earlier.waiting, later.waiting),
        oldest_s=_more(earlier.oldest_s, later.oldest_s),
        lost_segments=_more(earlier.lost_segments, later.lost_segments),
        lost_bytes=_more(earlier.lost_bytes, later.lost_bytes),
        lost_s=_more(earlier.lost_s, later.lost_s),
        everything=earlier.everything or later.everything,
    )


def shortened(looks: list[Look], most: int) -> list[Look]:
    """At most so many: two in the midst of equal levels are taken together, so that no turn is lost."""
    if len(looks) <= most:
        return looks
    at = next(
        (at for at in range(1, len(looks) - 1) if len({look.level for look in looks[at - 1 : at + 2]}) == 1),
        0,
    )
    return [*looks[:at], combined(*looks[at : at + 2]), *looks[at + 2 :]]


def _more(one: N | None, other: N | None) -> N | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _text(text: str) -> str:
    return safe(text)[:LONGEST_TEXT]


def _looked(log: IncidentLog, look: Look) -> IncidentLog:
    log = _by_this_clock(log, look.at)
    if look.level in _BAD:
        return replace(log, open=_worse(log.open, look))
    if log.open is None:
        return log
    incident = _drained(log.open, look)
    if look.level is not Level.OK:
        return replace(log, open=incident)  # who cannot tell says neither that it goes on nor that it is over
    incident = replace(incident, ok_since=look.at if incident.ok_since is None else incident.ok_since)
    since = look.at if incident.ok_since is None else incident.ok_since
    if look.at - since < HOLD_S:
        return replace(log, open=incident)
    log = replace(log, open=None)
    if _is_brief(log, incident, since):
        return log
    return replace(log, closed=(*log.closed, incident)[-MOST_CLOSED:])


def _is_brief(log: IncidentLog, incident: Incident, ended: float) -> bool:
    """Whether it was a passing warning: a burst of writes makes several a day."""
    if incident.level is not Level.WARNING or ended - incident.opened_at >= BRIEF_S:
        return False
    return not log.runs_of(incident)


def _by_this_clock(log: IncidentLog, at: float) -> IncidentLog:
    """The log, looked at now; where the clock went back, the open incident says so and does not end by it."""
    before, incident = log.looked_at, log.open
    log = replace(log, looked_at=at)
    if before is None or before - at < _CLOCK_JUMP_S or incident is None:
        return log
    since = None if incident.ok_since is None else min(incident.ok_since, at)
    back = max(incident.clock_back_s, before - at)
    return replace(log, open=replace(incident, ok_since=since, clock_back_s=back))


def _worse(incident: Incident | None, look: Look) -> Incident:
    """The incident with a look that found something wrong; a new one where none was open."""
    if incident is None:
        incident = Incident(look.at, look.level, look.verdict, look.at)
    level = Level.CRITICAL if Level.CRITICAL in (incident.level, look.level) else Level.WARNING
    causes = {cause.key: cause for cause in incident.causes}
    for seen in look.causes:
        first = causes[seen.key].first_at if seen.key in causes else look.at
        causes[seen.key] = Cause(seen.key, seen.rule, seen.severity, seen.title, first, look.at)
    worse = replace(
        incident,
        level=level,
        bad_at=look.at,
        ok_since=None,
        causes=tuple(causes.values())[:MOST_CAUSES],
        worst=_worst(incident.worst, look),
    )
    return _drained(worse, look)


def _drained(incident: Incident, look: Look) -> Incident:
    """When nothing waits any more, once something has; open again when something does."""
    if look.waiting is None or incident.worst.waiting is None:
        return incident
    if look.waiting:
        return replace(incident, drained_at=None) if look.level in _BAD else incident
    return replace(incident, drained_at=look.at if incident.drained_at is None else incident.drained_at)


def _worst(worst: Worst, look: Look) -> Worst:
    everything = look.at if look.everything else None
    return Worst(
        waiting=_peak(worst.waiting, look.waiting, look.at),
        oldest_s=_peak(worst.oldest_s, look.oldest_s, look.at),
        lost_segments=_peak(worst.lost_segments, look.lost_segments, look.at),
        lost_bytes=_peak(worst.lost_bytes, look.lost_bytes, look.at),
        lost_s=_peak(worst.lost_s, look.lost_s, look.at),
        everything_at=everything if worst.everything_at is None else worst.everything_at,
    )


def _peak(peak: Peak | None, value: float | None, at: float) -> Peak | None:
    """The higher of both; nothing is no peak."""
    if not value or (peak is not None and peak.value >= value):
        return peak
    return Peak(float(value), at)


def _ran(log: IncidentLog, run: Run) -> IncidentLog:
    """A run, in the place of what was noted when it began."""
    others = tuple(one for one in log.runs if (one.step, one.began_at) != (run.step, run.began_at))
    run = replace(run, title=_text(run.title), why=_text(run.why))
    return replace(log, runs=tuple(sorted((*others, run), key=lambda one: one.began_at))[-MOST_RUNS:])


def _changed(log: IncidentLog, note: AccessChange) -> IncidentLog:
    change = replace(note, what=_text(note.what), before=_text(note.before), after=_text(note.after))
    same = (one for one in log.changes if replace(one, taken_back_at=None) == change)
    return log if any(same) else replace(log, changes=(*log.changes, change)[-MOST_CHANGES:])


def _taken_back(log: IncidentLog, note: TakenBack) -> IncidentLog:
    return replace(
        log,
        changes=tuple(
            replace(change, taken_back_at=note.at)
            if change.step == note.step and change.taken_back_at is None and change.at <= note.at
            else change
            for change in log.changes
        ),
    )
