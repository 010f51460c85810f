"""Archiver: what pg_stat_archiver says, how far behind the archive is, and what would be lost."""

from walconsole.domain.facts.observed import ArchiverFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import (
    ArchiverState,
    Lag,
    lag,
    last_failure_age,
    last_success_age,
    ready_count,
    state,
)
from walconsole.domain.standing.exposure import exposure
from walconsole.domain.standing.trends import archived_per_minute
from walconsole.domain.units import age_text, bytes_text, count_text, duration_text
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Content, Line, Span, Tone, View
from walconsole.ui.board.typeset import (
    NOT_AVAILABLE,
    aged,
    clock_text,
    fit_middle,
    notice,
    or_na,
    right,
    room,
    row,
    shown,
    sparkline,
    stamp,
)

_TONE = {
    ArchiverState.UNKNOWN: Tone.UNKNOWN,
    ArchiverState.OFF: Tone.CRITICAL,
    ArchiverState.STREAMED: Tone.OK,
    ArchiverState.STANDBY: Tone.OK,
    ArchiverState.NO_COMMAND: Tone.CRITICAL,
    ArchiverState.FAILING: Tone.CRITICAL,
    ArchiverState.STALLED: Tone.CRITICAL,
    ArchiverState.BEHIND: Tone.WARNING,
    ArchiverState.NEVER: Tone.WARNING,
    ArchiverState.IDLE: Tone.OK,
    ArchiverState.WORKING: Tone.OK,
}


def _state_span(view: View) -> Span:
    now_state = state(view.snapshot, view.now)
    tone = _TONE[now_state]
    sign = {Tone.OK: view.glyphs.ok, Tone.WARNING: view.glyphs.warning, Tone.CRITICAL: view.glyphs.critical}
    return Span(f"{sign.get(tone, view.glyphs.unknown)} {now_state.value}", tone)


def _when(name: str | None, age: float | None, view: View) -> tuple[Span, Span]:
    """The name without its middle where it has no room beside its age, which is never cut."""
    if name is None:
        return Span("none", Tone.MUTED), Span("")
    when = f"  {age_text(age)}"
    return Span(fit_middle(shown(name), max(8, room(view) - len(when))), Tone.STRONG), Span(when)


def _counts(entry: str, label: str, here: int, total: int | None, bad: bool) -> Line:
    tone = Tone.WARNING if bad else Tone.TEXT
    return row(
        entry,
        label,
        Span(right(count_text(here), 8), tone),
        Span(" session", Tone.MUTED),
        Span(right(or_na(total, count_text), 12)),
        Span(" since reset", Tone.MUTED),
        value=f"{here} session, {or_na(total, str)} since reset",
    )


def _last_failure(facts: ArchiverFacts, age: float | None, view: View) -> Line:
    if facts.last_failed_at is None:
        return row("last_failure", "last failure", Span("none counted", Tone.MUTED))
    newer = facts.last_archived_at is None or facts.last_failed_at > facts.last_archived_at
    name, when = shown(facts.last_failed_wal or "unnamed"), age_text(age)
    note = "newer" if newer else "older"
    if len(name) + len(when) + 26 <= room(view):
        note += " than success"
    note = f" {view.glyphs.warning} {note}" if newer else f", {note}"
    return row(
        "last_failure",
        "last failure",
        Span(name),
        Span(f"  {when}"),
        Span(note, Tone.WARNING if newer else Tone.MUTED),
        value=facts.last_failed_wal or "",
    )


def _distance(entry: str, label: str, amount: Lag | None, unknown: str, tone: Tone) -> Line:
    """Segments, bytes and seconds in three columns."""
    if amount is None:
        return row(entry, label, Span(unknown, Tone.CRITICAL if tone is Tone.CRITICAL else Tone.MUTED))
    word = " segment " if amount.segments == 1 else " segments"
    seconds = "at rest" if amount.idle else or_na(amount.seconds, duration_text)
    return row(
        entry,
        label,
        Span(right(count_text(amount.segments), 5), tone),
        Span(word, Tone.MUTED),
        Span(right(bytes_text(amount.bytes), 11)),
        Span(right(seconds, 13)),
        value=f"{amount.segments} segments, {amount.bytes} bytes, {seconds}",
    )


def _never_archived(snapshot: Snapshot) -> bool:
    """Whether it is known that nothing of this server was ever archived."""
    archiver, bucket = snapshot.archiver.value, snapshot.primary.value
    return archiver is not None and archiver.last_archived_at is None and not (bucket and bucket.segments)


def _exposure(view: View) -> Line:
    lost = exposure(view.snapshot, view.now)
    if lost is None and _never_archived(view.snapshot):
        return _distance(
            "exposure", "lost if now", None, "everything: nothing was ever archived", Tone.CRITICAL
        )
    tone = Tone.WARNING if lost is not None and lost.segments > 1 else Tone.TEXT
    return _distance("exposure", "lost if now", lost, NOT_AVAILABLE, tone)


def _rate(view: View) -> Line:
    bins = max(10, min(30, room(view) - 8))
    rates = archived_per_minute(view.snapshot.history, view.now, bins=bins)
    seen = [rate for rate in rates if rate is not None]
    if not seen:
        return row("rate", "segments/min", Span("n/a  not watched for long enough", Tone.MUTED))
    drawn = iter(sparkline(seen, view.glyphs.sparks))
    picture = "".join(view.glyphs.dot if rate is None else next(drawn) for rate in rates)
    return row(
        "rate", "segments/min", Span(picture), Span(right(f"{seen[-1]:.1f}", 7)), value=f"{seen[-1]:.1f}"
    )


def _rows(view: View) -> list[Line]:
    snapshot, now = view.snapshot, view.now
    facts, history = snapshot.archiver.value, snapshot.history
    if facts is None:
        labels = (("last_archived", "last archived"), ("archived", "archived"), ("failed", "failed"))
        return [row(entry, label, Span(NOT_AVAILABLE, Tone.MUTED)) for entry, label in labels]
    last_age = last_success_age(snapshot, now)
    failing = facts.last_failed_at is not None and (facts.last_failed_at > (facts.last_archived_at or 0.0))
    reset = facts.stats_reset_at
    return [
        row(
            "last_archived",
            "last archived",
            *_when(facts.last_archived_wal, last_age, view),
            value=facts.last_archived_wal or "",
        ),
        _counts("archived", "archived", history.archived, facts.archived_count, bad=False),
        _counts("failed", "failed", history.failed, facts.failed_count, bad=failing),
        row(
            "stats_reset",
            "counters reset",
            Span(
                or_na(reset, lambda at: f"{clock_text(at, now)}, {age_text(max(0.0, now - at))}"), Tone.MUTED
            ),
        ),
        _last_failure(facts, last_failure_age(snapshot, now), view),
        row(
            "current",
            "current WAL",
            Span(shown(facts.current_wal)),
            Span(f"  {format_lsn(facts.lsn)}", Tone.MUTED),
            value=facts.current_wal,
        ),
        _distance("lag", "lag", lag(snapshot, now), "n/a  nothing archived to measure from", Tone.TEXT),
        _exposure(view),
        _rate(view),
    ]


def render(view: View) -> Content:
    """The archiver's numbers."""
    reading = view.snapshot.archiver
    status = _state_span(view)
    lines = [row("state", "state", status), *_rows(view)]
    behind = lag(view.snapshot, view.now)
    backlog = ready_count(view.snapshot)
    summary = [status]
    if behind is not None:
        summary.append(Span(f" · {count_text(behind.segments)} behind, {bytes_text(behind.bytes)}"))
    if backlog:
        summary.append(Span(f" · {count_text(backlog)} .ready"))
    notices = notice(reading, view, "pg_stat_archiver")
    return Content(
        (stamp(reading, view.now, "pg_stat_archiver"),),
        (*notices, *aged(lines, reading, view.glyphs)),
        tuple(summary),
    )
