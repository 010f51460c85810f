"""What each pane shows of what is looked at: its rows, its title, its age, its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.facts.snapshot import Freshness, Reading
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.standing.copies import NO_SECOND_COPY, archive_verdict, dr_verdict, gaps_told
from walconsole.domain.units import bytes_text, count_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.archive import coverage, replay
from walconsole.ui.archive.bucket_rows import lag_rows, listing_rows, progress_text, storage_rows
from walconsole.ui.archive.table import KnownArchive, Table
from walconsole.ui.board.content import TONE_OF_LEVEL, Line, Span, Tone, View
from walconsole.ui.board.typeset import (
    GUTTER,
    NOT_AVAILABLE,
    aged,
    dead_word,
    notice,
    shown,
    stamp,
    stamp_spans,
    wrapped,
)
from walconsole.ui.board.verdict import VerdictLine

if TYPE_CHECKING:
    from walconsole.domain.archive.cost import Price
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.standing.model import Verdict
    from walconsole.ui.archive.subject import Told
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.board.rows_pane import RowsPane


_TITLE_CELLS = 70
_NAMES = {BucketRole.PRIMARY: "Primary", BucketRole.DR: "DR"}


def reading_of(taken: SnapshotTaken, role: BucketRole) -> Reading[BucketFacts]:
    """A bucket's reading."""
    return taken.snapshot.primary if role is BucketRole.PRIMARY else taken.snapshot.dr


def ages(taken: SnapshotTaken, glyphs: Glyphs, *roles: BucketRole) -> tuple[Span, ...]:
    """Sources and ages, of both buckets where none is named."""
    there = tuple(BucketRole)[: len(taken.snapshot.copies)]
    stamps = [stamp(reading_of(taken, role), taken.now, _NAMES[role]) for role in (roles or there)]
    return stamp_spans(stamps, _TITLE_CELLS, glyphs)


def coverage_title(desk: ArchiveViewState) -> str:
    """What is covered: all of it, or the part that is zoomed into."""
    if not desk.depth:
        return "Coverage"
    (first, last), size = desk.cells.span, desk.picture.segment_bytes
    part = f"{format_lsn(first * size)} to {format_lsn((last + 1) * size)}"
    return f"Coverage: {part}, {plural(last - first + 1, 'segment')} (zoomed x{desk.depth})"


def answers_summary(desk: ArchiveViewState, taken: SnapshotTaken, glyphs: Glyphs) -> tuple[Span, ...]:
    """What stands for the answers while they are folded."""
    main = desk.picture.main
    if main is None:
        return (Span("not read", Tone.MUTED),)
    if not main.complete:
        return (Span("being listed", Tone.MUTED),)
    spans = [Span(f"{count_text(main.segments)} segments  ", Tone.LABEL)]
    missing = gaps_told(taken.snapshot, main, taken.now)
    if missing is not None:
        text, is_fault = missing
        return (*spans, Span(f"{glyphs.critical} {text}", Tone.CRITICAL) if is_fault else Span(text))
    return (*spans, Span(f"{glyphs.ok} no open gap", Tone.OK))


def keys_title(role: BucketRole, facts: BucketFacts | None) -> str:
    """Whose keys."""
    return f"{_NAMES[role]} keys: {shown(facts.bucket)}" if facts is not None else f"{_NAMES[role]} keys"


def keys_note(
    taken: SnapshotTaken, role: BucketRole, row: int, total: int, glyphs: Glyphs
) -> tuple[Span, ...]:
    """Which of how many, and how old the listing is."""
    place = (Span(f"{row + 1:,} of {total:,}  ", Tone.LABEL),) if total else ()
    reading = reading_of(taken, role)
    if reading.freshness is Freshness.OK:
        reading_stamp = stamp(reading, taken.now, "")
        return (*place, *stamp_spans((reading_stamp,), 24, glyphs))
    return (*place, *ages(taken, glyphs, role))


def keys_summary(facts: BucketFacts | None, total: int) -> tuple[Span, ...]:
    """What stands for the keys while they are folded."""
    if facts is None:
        return (Span("not read", Tone.MUTED),)
    newest = f", newest {shown(facts.newest_segment)}" if facts.newest_segment else ""
    return (Span(f"{plural(total or facts.objects, 'key')}{newest}", Tone.LABEL),)


def no_keys(
    taken: SnapshotTaken | None, role: BucketRole, width: int, *, observed: bool, past: bool = False
) -> tuple[Line, ...]:
    """Why there are no keys to show; `past`: what is kept of them, and what is not."""
    return tuple(
        Line((Span(" " * GUTTER + part, tone),), "key")
        for text, tone in _why_no_keys(taken, role, observed=observed, past=past)
        for part in wrapped(text, width - GUTTER - 1)
    )


def _why_no_keys(
    taken: SnapshotTaken | None, role: BucketRole, *, observed: bool, past: bool
) -> list[tuple[str, Tone]]:
    reading = reading_of(taken, role) if taken is not None else None
    facts = reading.value if reading is not None else None
    if reading is not None and reading.problem is not None and facts is None:
        return [(f"{NOT_AVAILABLE}: {dead_word(reading)}, see Archive", Tone.WARNING)]
    if role is BucketRole.DR and taken is not None and not taken.snapshot.told.second_copy:
        return [(NO_SECOND_COPY, Tone.MUTED)]
    if facts is not None and past:
        return _kept_of_keys(facts)
    if facts is None or not observed:
        return [("not read yet", Tone.MUTED)]
    if not facts.complete:
        done = f": {progress_text(facts.progress)}" if facts.progress is not None else ""
        return [(f"being listed{done}", Tone.MUTED)]
    return [("the bucket holds no object", Tone.MUTED)]


def _kept_of_keys(facts: BucketFacts) -> list[tuple[str, Tone]]:
    """Of a moment of the past: the store has no keys of then to ask for, the index has what follows."""
    newest = f", the newest {shown(facts.newest_segment)}" if facts.newest_segment else ""
    listed = "" if facts.complete else ", as far as it was listed"
    held = f"{plural(facts.objects, 'object')}, {bytes_text(facts.stored_bytes)}"
    return [
        (f"then it held {held}: {plural(facts.segments, 'segment')}{newest}{listed}", Tone.TEXT),
        (
            "Kept of the past are the index of segments (coverage and gaps), base backups, drills and these "
            "numbers. Keys one by one, with their sizes, times and heads, are not: they are read from the "
            "store, which holds what is there now. h comes back to it.",
            Tone.MUTED,
        ),
    ]


def nothing_covered(taken: SnapshotTaken | None, role: BucketRole, width: int) -> tuple[Line, ...]:
    """Why there is no strip."""
    reading = reading_of(taken, role) if taken is not None else None
    facts = reading.value if reading is not None else None
    if facts is not None and facts.complete:
        text = "the bucket holds no WAL segment"
        return (Line((Span(" " * GUTTER + text, Tone.WARNING),), "strip"),)
    return no_keys(taken, role, width, observed=True)


# -- What the pane of answers shows.


def answer_rows(known: KnownArchive, taken: SnapshotTaken) -> tuple[Line, ...]:
    """What is wrong with a bucket's reading, then every answer; dimmed where they are no longer current."""
    view = View(taken.snapshot, taken.diagnosis, taken.now, known.width, known.glyphs)
    snapshot = taken.snapshot
    wrong = [
        line
        for reading, what in ((snapshot.primary, "primary"), (snapshot.dr, "DR"))
        for line in notice(reading, view, what)
    ]
    table = Table(known)
    replay.rows(table)
    if known.copies:
        lag_rows(table)
    storage_rows(table)
    listing_rows(table)
    lines = table.lines()
    stale = next((one for one in (snapshot.primary, snapshot.dr) if one.value is known.picture.main), None)
    if stale is not None and stale.freshness is Freshness.STALE:
        return (*wrong, *aged(lines, stale, known.glyphs))
    return (*wrong, *lines)


def fill_coverage(
    pane: RowsPane, desk: ArchiveViewState, taken: SnapshotTaken, width: int, glyphs: Glyphs
) -> None:
    """The strip, with the cursor's timeline in view; or why there is none."""
    read = ages(taken, glyphs)
    if desk.empty:
        pane.show(nothing_covered(taken, BucketRole.PRIMARY, width), "Coverage", read)
        return
    rows = coverage.rows(desk, taken.now, width, glyphs)
    row = coverage.row_of(rows, desk.at.timeline)
    pane.show(rows, coverage_title(desk), read, cursor=row)


def fill_answers(
    pane: RowsPane, desk: ArchiveViewState, taken: SnapshotTaken, price: Price, width: int, glyphs: Glyphs
) -> None:
    """The table of what is known."""
    known = KnownArchive(desk.picture, taken.snapshot, taken.now, width, glyphs, desk.measured, price)
    summary = answers_summary(desk, taken, glyphs)
    pane.show(answer_rows(known, taken), "Archive", ages(taken, glyphs), summary=summary)


def fill_object(pane: RowsPane, told: Told) -> None:
    """What is told of the thing under the cursor."""
    pane.show(told.rows, told.title, summary=told.summary)


# -- The lines above the panes: what each copy is worth, and what is being done at length.


class Verdicts:
    """A line for the archive, one for its copy, and one for a job."""

    def __init__(self, title: str, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self.archive = VerdictLine(f"{title}: nothing was read yet", most_when_low=2)
        self.dr, self.job = VerdictLine("", most_when_low=1), VerdictLine("", most_when_low=1)

    def show(self, taken: SnapshotTaken, note: str) -> None:
        """What the snapshot says; `note` (paused) stands before it."""
        self._show(self.archive, archive_verdict(taken.snapshot, taken.now), note)
        self._show(self.dr, dr_verdict(taken.snapshot, taken.now), "")

    def _show(self, line: VerdictLine, verdict: Verdict, note: str) -> None:
        level = verdict.level
        line.show(self._glyphs.sign(level), level.value, safe(verdict.text), TONE_OF_LEVEL[level].value, note)

    def show_job(self, text: str) -> None:
        """What is being done; an empty text takes the line away."""
        self.job.display = bool(text)
        self.job.show("", "", safe(text), "label")

    def repaint(self) -> None:
        """The theme changed."""
        for line in (self.archive, self.dr, self.job):
            line.repaint()
