"""Titles, ages and summaries: what stands around the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.facts.snapshot import Freshness
from walconsole.domain.profile import BucketRole
from walconsole.domain.units import count_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.archive.listings import progress_text
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, shown, stamp, stamp_spans, wrapped

if TYPE_CHECKING:
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.domain.facts.snapshot import Reading
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

_TITLE_CELLS = 70
_NAMES = {BucketRole.PRIMARY: "Primary", BucketRole.DR: "DR"}


def reading_of(taken: SnapshotTaken, role: BucketRole) -> Reading[BucketFacts]:
    """A bucket's reading."""
    return taken.snapshot.primary if role is BucketRole.PRIMARY else taken.snapshot.dr


def ages(taken: SnapshotTaken, glyphs: Glyphs, *roles: BucketRole) -> tuple[Span, ...]:
    """Sources and ages, of both buckets where none is named."""
    stamps = [
        stamp(reading_of(taken, role), taken.now, _NAMES[role]) for role in (roles or tuple(BucketRole))
    ]
    return stamp_spans(stamps, _TITLE_CELLS, glyphs)


def coverage_title(desk: ArchiveViewState) -> str:
    """What is covered: all of it, or the part that is zoomed into."""
    if not desk.depth:
        return "Coverage"
    (first, last), size = desk.cells.span, desk.picture.segment_bytes
    part = f"{format_lsn(first * size)} to {format_lsn((last + 1) * size)}"
    return f"Coverage: {part}, {plural(last - first + 1, 'segment')} (zoomed x{desk.depth})"


def answers_summary(desk: ArchiveViewState, glyphs: Glyphs) -> tuple[Span, ...]:
    """What stands for the answers while they are folded."""
    main = desk.picture.main
    if main is None:
        return (Span("not read", Tone.MUTED),)
    if not main.complete:
        return (Span("being listed", Tone.MUTED),)
    spans = [Span(f"{count_text(main.segments)} segments  ", Tone.LABEL)]
    if main.gap_count:
        text = (
            f"{glyphs.critical} {plural(main.gap_count, 'gap')}, {count_text(main.missing_segments)} missing"
        )
        return (*spans, Span(text, Tone.CRITICAL))
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


def no_keys(taken: SnapshotTaken | None, role: BucketRole, width: int, *, observed: bool) -> tuple[Line, ...]:
    """Why there are no keys to show."""
    return tuple(
        Line((Span(" " * GUTTER + part, tone),), "key")
        for text, tone in _why_no_keys(taken, role, observed=observed)
        for part in wrapped(text, width - GUTTER - 1)
    )


def _why_no_keys(taken: SnapshotTaken | None, role: BucketRole, *, observed: bool) -> list[tuple[str, Tone]]:
    reading = reading_of(taken, role) if taken is not None else None
    facts = reading.value if reading is not None else None
    if reading is not None and reading.problem is not None and facts is None:
        said = [(f"{NOT_AVAILABLE}: {shown(reading.problem.why)}", Tone.WARNING)]
        return [*said, (shown(reading.problem.remedy), Tone.TEXT)] if reading.problem.remedy else said
    if facts is None or not observed:
        return [("not read yet", Tone.MUTED)]
    if not facts.complete:
        done = f": {progress_text(facts.progress)}" if facts.progress is not None else ""
        return [(f"being listed{done}", Tone.MUTED)]
    return [("the bucket holds no object", Tone.MUTED)]


def nothing_covered(taken: SnapshotTaken | None, role: BucketRole, width: int) -> tuple[Line, ...]:
    """Why there is no strip."""
    reading = reading_of(taken, role) if taken is not None else None
    facts = reading.value if reading is not None else None
    if facts is not None and facts.complete:
        text = "the bucket holds no WAL segment"
        return (Line((Span(" " * GUTTER + text, Tone.WARNING),), "strip"),)
    return no_keys(taken, role, width, observed=True)
