"""What the pane of details tells of: a gap, a cell of the coverage, or an object of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from walconsole.domain.units import plural
from walconsole.ui.archive.coverage import Signs, cell_texts, stretch_text
from walconsole.ui.archive.details import object_rows
from walconsole.ui.archive.stretch_details import cell_rows, gap_rows
from walconsole.ui.configuration.rows import Page
from walconsole.ui.panes.model import Line, Span, Tone
from walconsole.ui.panes.typeset import GUTTER, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from walconsole.domain.profile import BucketRole
    from walconsole.ui.archive.bucket_view import BucketView
    from walconsole.ui.archive.desk import Desk
    from walconsole.ui.glyphs import Glyphs
    from walconsole.ui.messages import SnapshotTaken


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
    desk: Desk,
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


def _cell(desk: Desk, signs: Signs, width: int) -> tuple[Line, ...]:
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
