"""Bucket: what the primary and the DR copy of the archive hold, side by side."""

from collections.abc import Callable, Iterator

from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot
from walconsole.domain.profile import is_folder
from walconsole.domain.standing.archiver import state
from walconsole.domain.standing.backup_runs import RunningBackup, backup_runs
from walconsole.domain.standing.copies import dr_lacking, gaps_told, lacks_too_much, stored_age
from walconsole.domain.standing.exposure import agreement
from walconsole.domain.standing.folders import folder_at
from walconsole.domain.standing.unreachable import LINK_CODES, SHELL_CODES
from walconsole.domain.store.answers import UNREACHABLE
from walconsole.domain.units import age_text, bytes_text, count_text, plural, whole_duration_text
from walconsole.ui.board.content import Content, Line, Span, Tone, View
from walconsole.ui.board.progress import bar_before, how_far
from walconsole.ui.board.typeset import (
    GUTTER,
    LABEL_WIDTH,
    NOT_AVAILABLE,
    dead_word,
    fit,
    fit_middle,
    notice,
    pad,
    room,
    row,
    shown,
    stamp,
)

Cell = tuple[str, str, Tone]
"""What is shown, what is copied, and its tone."""

_SIDE_BY_SIDE = 52


_BY_CHOICE = "none, by choice"
"""No second copy is wanted."""


def _state(reading: Reading[BucketFacts], view: View) -> Cell:
    """Exists, or in a word why not; the whole reason stands below the table."""
    signs = view.glyphs
    if reading.problem is not None:
        word = dead_word(reading)
        if reading.problem.code in LINK_CODES | SHELL_CODES:
            word = "no key yet" if reading.value is None else "no key now"
        elif word == "unread":
            code = reading.problem.code
            word = "no answer" if code in ("", UNREACHABLE) else code
        stale = f"{signs.stale} stale, " if reading.freshness is Freshness.STALE else f"{signs.critical} "
        return stale + shown(word), shown(word), Tone.CRITICAL
    if reading.slot is Snapshot.dr and not view.snapshot.told.second_copy:
        return _BY_CHOICE, _BY_CHOICE, Tone.MUTED
    if reading.value is None:
        return f"{signs.unknown} not read yet", "not read yet", Tone.UNKNOWN
    return (
        (f"{signs.ok} exists", "exists", Tone.OK)
        if reading.value.complete
        else (f"{signs.ok} exists, sweeping", "exists", Tone.OK)
    )


def _plain(text: str) -> Cell:
    return text, text, Tone.TEXT


def _newest(bucket: BucketFacts) -> Cell:
    name = bucket.newest_segment
    return ("none", "", Tone.MUTED) if name is None else (shown(name), name, Tone.STRONG)


def _newest_age(bucket: BucketFacts, now: float) -> Cell:
    if bucket.newest_at is None:
        return NOT_AVAILABLE, NOT_AVAILABLE, Tone.MUTED
    return _plain(age_text(stored_age(bucket, bucket.newest_at, now)))


def _agreement(view: View) -> Cell:
    """Whether the primary bucket holds what PostgreSQL says it archived."""
    archiver, server = view.snapshot.archiver.value, view.snapshot.server.value
    if archiver is None or server is None:
        return NOT_AVAILABLE, "n/a: pg_stat_archiver was not read", Tone.MUTED
    answer = agreement(archiver, server, view.snapshot)
    if answer.ok is None:
        return f"{view.glyphs.unknown} unknown", answer.text, Tone.UNKNOWN
    if answer.ok:
        return f"{view.glyphs.ok} agrees", answer.text, Tone.OK
    short = f"lacks {plural(answer.behind, 'segment')}" if answer.behind else "lacks it"
    return f"{view.glyphs.critical} {short}", answer.text, Tone.CRITICAL


def _dr_agreement(view: View) -> Cell:
    """What the DR copy lacks of the primary."""
    found = dr_lacking(view.snapshot)
    if found is None:
        return NOT_AVAILABLE, "n/a: one bucket was not read, or holds no WAL", Tone.MUTED
    if not found.segments:
        return f"{view.glyphs.ok} lacks nothing", "lacks nothing that the primary holds", Tone.OK
    if lacks_too_much(view.snapshot, view.now) is None:
        text = f"{plural(found.segments, 'segment')} behind"
        return f"{view.glyphs.ok} {text}", text, Tone.OK
    text = f"lacks {plural(found.segments, 'segment')}"
    return f"{view.glyphs.warning} {text}", text, Tone.WARNING


def _objects(bucket: BucketFacts, _: View) -> Cell:
    text = f"{count_text(bucket.objects)}, {bytes_text(bucket.stored_bytes)}"
    return text, f"{bucket.objects} objects, {bucket.stored_bytes} bytes", Tone.TEXT


def _segments(bucket: BucketFacts, view: View) -> Cell:
    lost = bucket.missing_segments
    if not bucket.complete:
        text = f"{count_text(bucket.segments)} so far"
        return text, text, Tone.TEXT
    if not lost:
        known = len(bucket.accepted_gaps)
        text = f"{count_text(bucket.segments)}, {f'{known} accepted' if known else 'no gap'}"
        gone = bucket.continuity.accepted_segments if bucket.continuity is not None else 0
        whole = f"{bucket.segments}, {plural(gone, 'segment')} missing in accepted gaps" if gone else text
        return text, whole, Tone.TEXT
    said = gaps_told(view.snapshot, bucket, view.now)
    if said is not None and not said[1]:
        text = f"{count_text(bucket.segments)}, {count_text(lost)} to come"
        return text, f"{bucket.segments}, {said[0]}", Tone.TEXT
    text = f"{count_text(bucket.segments)}, {count_text(lost)} missing"
    whole = f"{bucket.segments}, {plural(lost, 'segment')} missing in {plural(bucket.gap_count, 'gap')}"
    return f"{view.glyphs.critical} {text}", whole, Tone.CRITICAL


def _reach(bucket: BucketFacts, view: View) -> Cell:
    """How far back the unbroken run that ends at the newest segment goes."""
    run = bucket.continuity.run if bucket.continuity is not None else None
    if run is None or bucket.holding is None or not bucket.complete:
        return NOT_AVAILABLE, NOT_AVAILABLE, Tone.MUTED
    name = run.oldest.name(bucket.holding.segment_bytes)
    since = bucket.holding.times.about(run.oldest.timeline, run.oldest.number)
    if since is None:
        return shown(name), name, Tone.TEXT
    age = whole_duration_text(stored_age(bucket, since, view.now))
    return age, f"{age}, back to {name}", Tone.TEXT


def _room(bucket: BucketFacts, view: View) -> Cell:
    """What is free on a folder's file system, and whose the folder is."""
    folder = folder_at(view.snapshot, bucket.bucket)
    if folder is None or folder.free_bytes is None:
        return NOT_AVAILABLE, folder.why if folder is not None else NOT_AVAILABLE, Tone.MUTED
    inodes = "" if folder.free_inodes is None else f", {count_text(folder.free_inodes)} inodes"
    text = f"{bytes_text(folder.free_bytes)}{inodes} free"
    return text, f"{text} on {folder.mount_point}; {folder.owner} {folder.mode}", Tone.TEXT


_ROWS: tuple[tuple[str, str, Callable[[BucketFacts, View], Cell]], ...] = (
    ("objects", "objects", _objects),
    ("segments", "segments", _segments),
    ("reach", "unbroken", _reach),
    ("newest", "newest", lambda bucket, _: _newest(bucket)),
    ("newest_age", "its age", lambda bucket, view: _newest_age(bucket, view.now)),
    ("bucket_key", "key", lambda bucket, _: _plain(shown(bucket.key_hint))),
)


def _cells(reading: Reading[BucketFacts], view: View, agrees: Cell) -> list[tuple[str, str, Cell]]:
    bucket = reading.value
    where = shown(bucket.bucket) if bucket else NOT_AVAILABLE
    cells = [("bucket", "bucket", _plain(where)), ("bucket_state", "state", _state(reading, view))]
    for entry, label, cell in _ROWS:
        blank: Cell = (NOT_AVAILABLE, NOT_AVAILABLE, Tone.MUTED)
        if entry == "bucket_key" and bucket is not None and is_folder(bucket.bucket):
            label, cell = "room", _room
        cells.append((entry, label, cell(bucket, view) if bucket else blank))
    cells.insert(7, ("agreement", "last archived", agrees))
    if reading.freshness is Freshness.STALE:
        return [cell if cell[0] == "bucket_state" else _muted(cell) for cell in cells]
    return cells


def _muted(cell: tuple[str, str, Cell]) -> tuple[str, str, Cell]:
    entry, label, (text, value, _) = cell
    return entry, label, (text, value, Tone.MUTED)


def _pair(entry: str, label: str, left: Cell, right: Cell, width: int, more: str) -> Line:
    cut = fit_middle if entry == "newest" else fit
    spans = [
        Span(pad(cut(left[0], width - 1, more), width), left[2]),
        Span(cut(right[0], width - 1, more), right[2]),
    ]
    return row(entry, label, *spans, value=f"{left[1]}\t{right[1]}")


def _both(view: View, primary: list[tuple[str, str, Cell]], dr: list[tuple[str, str, Cell]]) -> list[Line]:
    if not view.snapshot.told.second_copy:
        return [*_stacked("primary", primary, view), row("copies", "DR", Span(_BY_CHOICE, Tone.MUTED))]
    if view.width < _SIDE_BY_SIDE:
        return [*_stacked("primary", primary, view), *_stacked("DR", dr, view)]
    width = min(28, (view.width - GUTTER - LABEL_WIDTH - 1) // 2)
    head = row("copies", "", Span(pad("primary", width), Tone.LABEL), Span("DR", Tone.LABEL))
    rows = [
        _pair(entry, label, left, right, width, view.glyphs.more)
        for (entry, label, left), (_, _, right) in zip(primary, dr, strict=True)
    ]
    return [head, *rows]


def _stacked(name: str, cells: list[tuple[str, str, Cell]], view: View) -> list[Line]:
    head = Line((Span(f"  {name}", Tone.LABEL),), "copies")
    space = view.width - GUTTER - LABEL_WIDTH
    rows = [
        row(
            entry,
            label,
            Span((fit_middle if entry == "newest" else fit)(text, space, view.glyphs.more), tone),
            value=value,
        )
        for entry, label, (text, value, tone) in cells
    ]
    return [head, *rows]


def _running(view: View) -> tuple[RunningBackup, ...]:
    return backup_runs(view.snapshot, state(view.snapshot, view.now), view.now).running


def _runs(view: View) -> Iterator[Line]:
    """A base backup that is being taken; nothing while none is."""
    for backup in _running(view):
        named = shown(f"{backup.who} {backup.id}".strip())
        far = how_far(backup, view.now)
        text = f"{far or shown(backup.phase)}; {named}"
        drawn = bar_before(far, backup.share, room(view), view.glyphs)
        space = room(view) - sum(len(span.text) for span in drawn)
        tone = Tone.WARNING if backup.stuck else Tone.TEXT
        text = f"{shown(backup.stuck)}; {text}" if backup.stuck else text
        yield row(
            "runs_now", "base backup", *drawn, Span(fit(text, space, view.glyphs.more), tone), value=text
        )


def _summary(view: View) -> tuple[Span, ...]:
    spans: list[Span] = []
    for backup in _running(view)[:1]:
        share = "runs" if backup.share is None else f"{backup.share:.0%}"
        tone = Tone.WARNING if backup.stuck else Tone.TEXT
        spans.append(Span(f"base backup {share}", tone))
    for name, reading in (("primary", view.snapshot.primary), ("DR", view.snapshot.dr)):
        text, _, tone = _state(reading, view)
        if reading.problem is None and reading.value is not None:
            text += f", {plural(reading.value.segments, 'segment')}"
        spans += [Span(f"{' · ' if spans else ''}{name} "), Span(text, tone)]
    return tuple(spans)


def render(view: View) -> Content:
    """Both copies, then what is wrong with either in full."""
    primary, dr = view.snapshot.primary, view.snapshot.dr
    copies = view.snapshot.copies
    left = _cells(primary, view, _agreement(view))
    right = _cells(dr, view, _dr_agreement(view))
    return Content(
        tuple(stamp(copy, view.now, name) for copy, name in zip(copies, ("primary", "DR"), strict=False)),
        (*notice(primary, view, "primary"), *notice(dr, view, "DR"), *_runs(view), *_both(view, left, right)),
        _summary(view),
        (
            ("fact", "primary", "DR"),
            *((label, a[1], b[1]) for (_, label, a), (_, _, b) in zip(left, right, strict=True)),
        ),
    )
