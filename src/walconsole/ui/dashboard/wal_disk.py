"""WAL on disk: what waits in pg_wal, and how long its file system will hold."""

from walconsole.domain.facts.disk_forecast import NoEnd
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.standing.archiver import oldest_wait_s, ready_count
from walconsole.domain.standing.trends import DiskOutlook, disk_outlook
from walconsole.domain.units import bytes_text, count_text, duration_text, plural
from walconsole.ui.board.content import Content, Line, Span, Tone, View
from walconsole.ui.board.typeset import (
    NOT_AVAILABLE,
    aged,
    fit_left,
    missing_notes,
    notice,
    or_na,
    right,
    room,
    row,
    shown,
    stamp,
)

_SHORT_S = 86_400.0
_URGENT_S = 4 * 3600.0
_WATCHED_S = 120.0
_SCARCE = 0.1
_NUMBER = 10
_WATCHING = "n/a  not watched for long enough"


def _urgency(outlook: DiskOutlook) -> Tone:
    soon = outlook.full_in_s is not None and outlook.full_in_s < _URGENT_S
    if outlook.urgent or (soon and outlook.watched_s >= _WATCHED_S):
        return Tone.CRITICAL
    return Tone.TEXT if outlook.full_in_s is None or outlook.full_in_s > _SHORT_S else Tone.WARNING


def _signed(tone: Tone, view: View) -> str:
    return {Tone.CRITICAL: view.glyphs.critical + " ", Tone.WARNING: view.glyphs.warning + " "}.get(tone, "")


def _backlog(view: View, outlook: DiskOutlook | None) -> Line:
    count = ready_count(view.snapshot)
    if count is None:
        return row("backlog", "backlog", Span(NOT_AVAILABLE, Tone.MUTED))
    spans = [Span(right(count_text(count), _NUMBER)), Span(" .ready", Tone.MUTED)]
    trend = outlook.backlog_per_min if outlook else None
    if trend is not None:
        grows = trend > 0.5
        spans.append(Span(f"  {trend:+.1f}/min", Tone.WARNING if grows else Tone.MUTED))
    waited = oldest_wait_s(view.snapshot, view.now)
    if count and waited is not None:
        spans.append(Span(f"  oldest {duration_text(waited)}"))
    if sum(len(span.text) for span in spans) > room(view):
        spans = [
            span for span in spans if span.text != " .ready"
        ]  # the rest is numbers, of which none is cut
    return row("backlog", "backlog", *spans, value=str(count))


def _growth(outlook: DiskOutlook | None) -> Line:
    change = outlook.free_change_bytes_per_s if outlook else None
    if change is None:
        return row("growth", "growth", Span(_WATCHING, Tone.MUTED))
    # Free space falls by what is written: shown as the disk's growth.
    a_minute = round(-change * 60)
    text = f"{'+' if a_minute > 0 else ''}{bytes_text(a_minute)}"
    return row("growth", "growth", Span(right(text, _NUMBER)), Span(" a minute", Tone.MUTED), value=text)


def _no_end(outlook: DiskOutlook) -> tuple[str, str]:
    """What stands for the time where there is none: a growth above it must not be contradicted."""
    match outlook.no_end:
        case NoEnd.LITTLE:
            return "not", f"within {duration_text(outlook.at_least_s)}"
        case NoEnd.REUSED:
            return "never", "by WAL: pg_wal stops at max_wal_size"
        case NoEnd.UNSTEADY:
            return NOT_AVAILABLE, "it does not go on"
        case NoEnd.TOO_SHORT:
            return NOT_AVAILABLE, "not watched for long enough"
    return "not", "filling"


def _full_in(view: View, outlook: DiskOutlook | None) -> Line:
    if outlook is None or outlook.free_change_bytes_per_s is None:
        return row("full_in", "full in", Span(_WATCHING, Tone.MUTED))
    if outlook.full_in_s is None:
        number, why = _no_end(outlook)
        return row(
            "full_in",
            "full in",
            Span(right(number, _NUMBER)),
            Span(f" {why}", Tone.MUTED),
            value=f"{number} {why}",
        )
    tone = _urgency(outlook)
    text = outlook.full_in_text
    return row("full_in", "full in", Span(f"{_signed(tone, view)}{text}", tone), value=text)


def _rows(view: View, disk: WalDiskFacts, outlook: DiskOutlook | None) -> list[Line]:
    share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    scarce = Tone.WARNING if share < _SCARCE else Tone.TEXT
    place = f"{shown(disk.device)}, {shown(disk.filesystem)}"
    files = or_na(disk.wal_files, lambda count: plural(count, "file"))
    return [
        row(
            "wal_size",
            "pg_wal",
            Span(right(bytes_text(disk.wal_bytes), _NUMBER)),
            Span(f"  {files}", Tone.MUTED),
            value=or_na(disk.wal_bytes, str),
        ),
        _backlog(view, outlook),
        row(
            "free",
            "free",
            Span(right(bytes_text(disk.free_bytes), _NUMBER)),
            Span(f" of {bytes_text(disk.total_bytes)}", Tone.MUTED),
            Span(f"  {_signed(scarce, view)}{share:.0%}", scarce),
            value=str(disk.free_bytes),
        ),
        _growth(outlook),
        _full_in(view, outlook),
        row(
            "wal_directory",
            "where",
            Span(f"{place}  "),
            Span(fit_left(shown(disk.directory), max(8, room(view) - len(place) - 2)), Tone.MUTED),
            value=disk.directory,
        ),
        *missing_notes(disk.missing, view),
    ]


def render(view: View) -> Content:
    """pg_wal and its file system."""
    reading, outlook = view.snapshot.wal_disk, disk_outlook(view.snapshot, view.now)
    disk = reading.value
    summary: list[Span] = []
    if disk is None:
        labels = (("wal_size", "pg_wal"), ("free", "free"), ("full_in", "full in"))
        lines = [row(entry, label, Span(NOT_AVAILABLE, Tone.MUTED)) for entry, label in labels]
        lines.insert(1, _backlog(view, outlook))
        summary.append(Span(NOT_AVAILABLE, Tone.MUTED))
    else:
        lines = _rows(view, disk, outlook)
        summary.append(Span(f"{bytes_text(disk.wal_bytes)} · {bytes_text(disk.free_bytes)} free"))
        if outlook is not None and outlook.full_in_s is not None:
            tone = _urgency(outlook)
            summary.append(Span(f" · {_signed(tone, view)}full in {outlook.full_in_text}", tone))
    return Content(
        (stamp(reading, view.now, "host"),),
        (*notice(reading, view, "pg_wal on the host"), *aged(lines, reading, view.glyphs)),
        tuple(summary),
    )
