"""What the pane of details tells of: a gap, a cell of the coverage, or an object of a bucket."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from walconsole.domain.archive.coverage import Cell, Cover
from walconsole.domain.profile import BucketRole
from walconsole.domain.units import age_text, bytes_text, count_text, plural
from walconsole.domain.wal import Segment, format_lsn
from walconsole.ui.archive.coverage import Signs, cell_texts, stretch_text
from walconsole.ui.archive.details import lsn_range, object_rows
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, clock_text, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from walconsole.domain.archive.gaps import Gap
    from walconsole.domain.archive.holding import Holding
    from walconsole.ui.archive.bucket_view import BucketView
    from walconsole.ui.archive.stored_key import Copies
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

# -- What is under the coverage cursor, in full: a gap, or a cell of the strip.

_OTHER = {BucketRole.PRIMARY: "DR", BucketRole.DR: "the primary bucket"}
_TONES = {
    Cover.MISSING: Tone.CRITICAL,
    Cover.ACCEPTED: Tone.LABEL,
    Cover.DR_ONLY: Tone.WARNING,
    Cover.PRIMARY_ONLY: Tone.WARNING,
    Cover.BOTH: Tone.OK,
    Cover.NOTHING: Tone.MUTED,
}


def gap_rows(
    gap: Gap, copies: Copies, wal_directory: str | None, *, now: float, width: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """Rows about a gap of `copies.own`: what is lost, since when, and what to do.

    `wal_directory` is the server's pg_wal, None where it is not known.
    """
    page = Page(width, glyphs)
    size = copies.segment_bytes
    first, last = Segment.parse(gap.first, size), Segment.parse(gap.last, size)
    tone, sign = (Tone.LABEL, "") if gap.accepted else (Tone.CRITICAL, f"{glyphs.critical} ")
    lost = bytes_text(gap.segments * size)
    page.fact("missing", f"{sign}{plural(gap.segments, 'segment')}, {lost} of WAL", tone)
    page.fact("first", gap.first, Tone.STRONG)
    page.fact("last", gap.last, Tone.STRONG)
    page.fact("LSNs", lsn_range(first.number, last.number, size))
    switch = ", where a timeline was left or begun" if gap.at_switch else ""
    page.fact("timeline", f"{gap.timeline}{switch}")
    page.fact("since", _age(gap, copies, now), Tone.TEXT if gap.until_at is not None else Tone.MUTED)
    elsewhere = _elsewhere(page, gap, first, last, copies)
    reached = format_lsn(first.start_lsn(size))
    page.paragraph(f"A restore from a base backup before it ends at {reached}.")
    if gap.accepted is not None:
        _accepted(page, gap, now)
    else:
        _remedies(page, gap, wal_directory, _OTHER[copies.role], all_elsewhere=elsewhere == gap.segments)
    return tuple(page)


def _age(gap: Gap, copies: Copies, now: float) -> str:
    if gap.until_at is None:
        return f"{NOT_AVAILABLE}: when the segment after it was stored is not known"
    at, age = clock_text(gap.until_at, now), age_text(copies.age_s(gap.until_at, now))
    return f"{at} at the latest, {age}: the segment after it was stored then"


def _elsewhere(page: Page, gap: Gap, first: Segment, last: Segment, copies: Copies) -> int | None:
    """How many of them the other copy has; None where it is not known."""
    other = copies.other.holding if copies.other is not None else None
    label = f"in {_OTHER[copies.role].removeprefix('the ').removesuffix(' bucket')}"
    if other is None:
        page.fact(label, f"{NOT_AVAILABLE}: the other bucket was not read", Tone.MUTED)
        return None
    runs = other.timelines.get(first.timeline)
    count = runs.count_between(first.number, last.number) if runs is not None else 0
    tone = Tone.OK if count == gap.segments else Tone.WARNING if count else Tone.TEXT
    page.fact(label, f"{count_text(count)} of {count_text(gap.segments)} are there", tone)
    return count


def _accepted(page: Page, gap: Gap, now: float) -> None:
    accepted = gap.accepted
    if accepted is None:
        return
    page.heading("accepted as lost: it does not alarm")
    page.fact("reason", shown(accepted.reason))
    by = f" by {shown(accepted.by)}" if accepted.by else ""
    page.fact("accepted", f"{clock_text(accepted.accepted_at, now)}{by}")
    page.paragraph("`A` withdraws that: then it alarms again.", Tone.LABEL)


def _remedies(page: Page, gap: Gap, wal_directory: str | None, other: str, *, all_elsewhere: bool) -> None:
    """In the order in which to try them."""
    page.heading("what to do:")
    arrow = f"{page.glyphs.arrow} "
    if all_elsewhere:
        page.paragraph(f"{other} has all of them: `f` copies them over, and the gap closes.", lead=arrow)
    else:
        page.paragraph(
            "`f` brings back what the other copy, pg_wal or another folder of WAL still holds.", lead=arrow
        )
    folder = wal_directory or "PGDATA/pg_wal"
    path = shlex.quote(f"{folder.rstrip('/')}/{gap.first}")
    ready = shlex.quote(f"{folder.rstrip('/')}/archive_status/{gap.first}.ready")
    page.paragraph("Whether the server still has them is not known here. Look on the droplet:", lead=arrow)
    page.paragraph(shown(f"sudo ls -l {path}"), Tone.STRONG, lead="  ")
    page.paragraph("What is still there is archived again once it has a .ready file:", lead=arrow)
    page.paragraph(shown(f"sudo -u postgres touch {ready}"), Tone.STRONG, lead="  ")
    page.paragraph(
        "What is found nowhere is lost: take a new base backup, which makes later recovery possible again, "
        "then accept the gap with `A`.",
        lead=arrow,
    )


def cell_rows(
    cell: Cell,
    timeline: int,
    segment_bytes: int,
    primary: Holding | None,
    dr: Holding | None,
    *,
    width: int,
    glyphs: Glyphs,
) -> tuple[Line, ...]:
    """Rows about one cell of the coverage strip: its range, and how much of it each copy holds."""
    page = Page(width, glyphs)
    count = cell.last - cell.first + 1
    page.fact("cell", _cover_text(cell, glyphs), _TONES[cell.cover])
    page.fact("timeline", str(timeline))
    page.fact("first", Segment(timeline, cell.first).name(segment_bytes), Tone.STRONG)
    if count > 1:
        page.fact("last", Segment(timeline, cell.last).name(segment_bytes), Tone.STRONG)
    page.fact("LSNs", lsn_range(cell.first, cell.last, segment_bytes))
    page.fact("segments", count_text(count))
    for label, holding in (("in primary", primary), ("in DR", dr)):
        if holding is None:
            page.fact(label, f"{NOT_AVAILABLE}: its bucket was not read", Tone.MUTED)
            continue
        runs = holding.timelines.get(timeline)
        page.fact(label, count_text(runs.count_between(cell.first, cell.last) if runs is not None else 0))
    sign = f"{glyphs.critical} " if cell.cover is Cover.MISSING else ""
    page.fact("in neither", f"{sign}{count_text(cell.missing)}", Tone.CRITICAL if sign else Tone.TEXT)
    page.fact(
        "backups",
        f"{plural(cell.backups, 'base backup')} began in it" if cell.backups else "none began in it",
    )
    page.paragraph("Enter goes to its key." if count == 1 else "Enter shows its parts.", Tone.LABEL)
    return tuple(page)


def _cover_text(cell: Cell, glyphs: Glyphs) -> str:
    sign = {Tone.CRITICAL: glyphs.critical, Tone.WARNING: glyphs.warning, Tone.OK: glyphs.ok}.get(
        _TONES[cell.cover]
    )
    text = cell.cover.value
    if cell.cover is Cover.MISSING and cell.missing <= cell.last - cell.first:
        text = f"some are {text}"
    return f"{sign} {text}" if sign else text


class Told(NamedTuple):
    """A title, rows, and a line that stands for them while they are folded."""

    title: str
    rows: tuple[Line, ...]
    summary: tuple[Span, ...] = ()


NOTHING = Told("Object", (Line((Span("  nothing is under the cursor yet", Tone.MUTED),), "detail"),))


def of_object(view: BucketView, taken: SnapshotTaken, width: int, glyphs: Glyphs) -> Told:
    """The object under the cursor of a pane of keys."""
    stored = view.stored
    if stored is None:
        return NOTHING
    server = taken.snapshot.server.value
    rows = object_rows(stored, view.looked, view.copies, server, now=taken.now, width=width, glyphs=glyphs)
    return Told("Object", rows, (Span(shown(stored.key), Tone.LABEL),))


def of_stretch(
    desk: ArchiveViewState,
    views: Mapping[BucketRole, BucketView],
    taken: SnapshotTaken,
    width: int,
    glyphs: Glyphs,
) -> Told:
    """The gap under the cursor of the coverage, else its cell."""
    if desk.empty:
        return NOTHING
    cell, gaps, signs = desk.cell, desk.gaps_here, Signs(desk, glyphs)
    told = _cell(desk, signs, width)
    if not gaps:
        return Told("Cell", told, cell_texts(desk, signs)[0])
    gap = gaps[0]
    disk = taken.snapshot.wal_disk.value
    rows = gap_rows(
        gap.gap,
        views[gap.role].copies,
        disk.directory if disk is not None else None,
        now=taken.now,
        width=width,
        glyphs=glyphs,
    )
    if (gap.first, gap.last) != (cell.first, cell.last):
        more = f", with {plural(len(gaps) - 1, 'more gap')}" if len(gaps) > 1 else ""
        head = Line((Span(" " * GUTTER + f"the cell that it lies in{more}:", Tone.LABEL),), "detail")
        rows = (*rows, Line((Span(""),), "detail"), head, *told)
    tone = Tone.LABEL if gap.is_accepted else Tone.CRITICAL
    sign = glyphs.accepted if gap.is_accepted else glyphs.critical
    return Told("Gap", rows, (Span(f"{sign} {stretch_text(desk)}", tone),))


def _cell(desk: ArchiveViewState, signs: Signs, width: int) -> tuple[Line, ...]:
    """Its range and counts; of a copy that is not known nothing is told, and so neither what it lacks."""
    picture, cell = desk.picture, desk.cell
    holdings = [
        facts.holding
        if facts is not None and picture.runs(facts.role, desk.at.timeline) is not None
        else None
        for facts in (picture.primary, picture.dr)
    ]
    size = picture.segment_bytes
    rows = cell_rows(cell, desk.at.timeline, size, *holdings, width=width, glyphs=signs.glyphs)
    if not signs.alone and not signs.partial:
        return rows
    page = Page(width, signs.glyphs)
    sign, tone = signs.of(cell.cover)
    page.fact("cell", f"{sign} {signs.word(cell.cover)}", tone)
    return (*page, *rows[1:])
