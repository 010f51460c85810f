"""The coverage strip: a row of cells for each timeline, base backups above it, the cursor below it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.archive.coverage import Cover
from walconsole.domain.profile import BucketRole
from walconsole.domain.units import plural
from walconsole.domain.wal import Segment, format_lsn
from walconsole.ui.archive.table import span_text
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, clock_text, fit, pad

if TYPE_CHECKING:
    from walconsole.domain.archive.coverage import Cell
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.glyphs import Glyphs

STRIP = "strip"
"""The entry of the rows that are a timeline's."""
_TL = "tl "
_MARGIN = 1
_TONES = {
    Cover.MISSING: Tone.CRITICAL,
    Cover.ACCEPTED: Tone.LABEL,
    Cover.DR_ONLY: Tone.WARNING,
    Cover.PRIMARY_ONLY: Tone.WARNING,
    Cover.BOTH: Tone.LABEL,
    Cover.NOTHING: Tone.MUTED,
}
"""What is well has no colour: a year of it would outshine the one segment that is missing."""


def prefix_width(desk: ArchiveViewState) -> int:
    """Cells before the first cell of a strip."""
    digits = max((len(str(timeline)) for timeline in desk.picture.timelines), default=1)
    return GUTTER + len(_TL) + digits + 1


def strip_width(desk: ArchiveViewState, width: int) -> int:
    """Cells that a strip has in a pane of `width` cells, the last of which is the scroll bar's."""
    return max(1, width - prefix_width(desk) - _MARGIN)


class Signs:
    """What a cell looks like, as far as it is known which copy holds what."""

    def __init__(self, desk: ArchiveViewState, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        picture = desk.picture
        timeline = next(iter(picture.timelines), 1)
        self.alone = [role for role in BucketRole if picture.runs(role, timeline) is None]
        """Copies of which nothing is known: what the other holds is all that can be said."""
        self.partial = picture.first_listing

    def of(self, cover: Cover) -> tuple[str, Tone]:
        """Sign and tone."""
        signs, tone = self.glyphs, _TONES[cover]
        if self.alone and cover in (Cover.PRIMARY_ONLY, Cover.DR_ONLY):
            return signs.both, Tone.LABEL
        if self.partial and cover is Cover.MISSING:
            return signs.outside, Tone.MUTED
        sign = {
            Cover.MISSING: signs.critical,
            Cover.ACCEPTED: signs.accepted,
            Cover.DR_ONLY: signs.dr_only,
            Cover.PRIMARY_ONLY: signs.primary_only,
            Cover.BOTH: signs.both,
            Cover.NOTHING: signs.outside,
        }[cover]
        return sign, tone

    def word(self, cover: Cover) -> str:
        """What the sign stands for, in the legend."""
        if self.alone and cover in (Cover.PRIMARY_ONLY, Cover.DR_ONLY):
            other = " and ".join("primary" if role is BucketRole.PRIMARY else "DR" for role in self.alone)
            return f"stored ({other} n/a)"
        if self.partial and cover is Cover.MISSING:
            return "not listed yet"
        return {
            Cover.MISSING: "missing",
            Cover.ACCEPTED: "accepted as lost",
            Cover.DR_ONLY: "DR only",
            Cover.PRIMARY_ONLY: "primary only",
            Cover.BOTH: "in both",
            Cover.NOTHING: "outside",
        }[cover]


def rows(desk: ArchiveViewState, now: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The rows of the pane."""
    desk.resize(strip_width(desk, width))
    signs = Signs(desk, glyphs)
    lines: list[Line] = []
    for timeline in desk.picture.timelines:
        lines += _timeline(desk, timeline, width, signs)
    return (*lines, _axis(desk, now, width, signs), _legend(desk, width, signs))


def row_of(lines: tuple[Line, ...], timeline: int) -> int:
    """The row of a timeline's strip."""
    label = str(timeline)
    return next((at for at, line in enumerate(lines) if line.entry == STRIP and line.label == label), 0)


def _timeline(desk: ArchiveViewState, timeline: int, width: int, signs: Signs) -> list[Line]:
    cells = desk.cells.of(timeline)
    before = " " * prefix_width(desk)
    lines = []
    if any(cell.backups for cell in cells):
        marks = "".join(signs.glyphs.backup if cell.backups else " " for cell in cells)
        lines.append(Line((Span(before + marks, Tone.STRONG),), "backup_mark"))
    here = timeline == desk.at.timeline
    head = Span(pad(f"{' ' * GUTTER}{_TL}{timeline}", len(before)), Tone.STRONG if here else Tone.LABEL)
    value = stretch_text(desk) if here else f"timeline {timeline}"
    lines.append(Line((head, *_strip(cells, signs)), STRIP, str(timeline), value))
    if here:
        lines.append(_caret(desk, width, signs))
    return lines


def _strip(cells: tuple[Cell, ...], signs: Signs) -> list[Span]:
    spans = []
    for cover, same in groupby(cells, key=lambda cell: cell.cover):
        sign, tone = signs.of(cover)
        spans.append(Span(sign * len(list(same)), tone))
    return spans


def _caret(desk: ArchiveViewState, width: int, signs: Signs) -> Line:
    """Where the cursor is, and as much as there is room for of what is there, at that side which has more."""
    column = prefix_width(desk) + desk.cells.index(desk.at.timeline, desk.at.number)
    room_right, room_left = width - column - 2 - _MARGIN, column - 1 - GUTTER
    caret, room = Span(signs.glyphs.caret, Tone.STRONG), max(room_right, room_left)
    said = cell_texts(desk, signs)
    spans = next((spans for spans in said if _size(spans) <= room), said[-1])
    if _size(spans) <= room_right or room_right >= room_left:
        return Line((Span(" " * column), caret, Span(" "), *_cut(spans, room_right, signs)), "cell")
    left = _cut(spans, room_left, signs)
    return Line((Span(" " * (column - 1 - _size(left))), *left, Span(" "), caret), "cell")


def _size(spans: tuple[Span, ...]) -> int:
    return sum(cell_len(span.text) for span in spans)


def _cut(spans: tuple[Span, ...], room: int, signs: Signs) -> tuple[Span, ...]:
    kept = []
    for span in spans:
        text = fit(span.text, max(0, room), signs.glyphs.more)
        room -= cell_len(text)
        kept.append(Span(text, span.tone))
        if text != span.text:
            break
    return tuple(kept)


def cell_texts(desk: ArchiveViewState, signs: Signs) -> tuple[tuple[Span, ...], ...]:
    """The cell under the cursor in a line, the longest first: what it is, which segments, base backups."""
    cell = desk.cell
    count, (sign, tone) = cell.last - cell.first + 1, signs.of(cell.cover)
    word = signs.word(cell.cover)
    if cell.cover in (Cover.MISSING, Cover.ACCEPTED) and not signs.partial:
        word = f"{cell.missing:,} {word}"
    size = desk.picture.segment_bytes
    first, last = (Segment(desk.at.timeline, number).name(size) for number in (cell.first, cell.last))
    head = Span(f"{sign} {word}", tone)
    many = f", {plural(count, 'segment')}" if count > 1 else ""
    backups = f", {plural(cell.backups, 'base backup')}" if cell.backups else ""
    texts = (f"{span_text(first, last)}{many}{backups}", f"{first}{many}{backups}", f"{first}{many}", first)
    return (*((head, Span(f"  {text}")) for text in texts), (head,))


def stretch_text(desk: ArchiveViewState) -> str:
    """What `y` copies: the gap under the cursor, else the cell."""
    size, gap = desk.picture.segment_bytes, desk.gap
    first, last = (gap.first, gap.last) if gap is not None else (desk.cell.first, desk.cell.last)
    names = [Segment(desk.at.timeline, number).name(size) for number in (first, last)]
    return names[0] if first == last else " to ".join(names)


def _axis(desk: ArchiveViewState, now: float, width: int, signs: Signs) -> Line:
    """The LSNs at both ends, and when their segments were stored where that is known."""
    size, (first, last) = desk.picture.segment_bytes, desk.cells.span
    before = prefix_width(desk)
    left = f"{format_lsn(first * size)}{_stored(desk, first, now)}"
    right = f"{_stored(desk, last, now).strip()} {format_lsn((last + 1) * size)}".strip()
    cells = min(desk.cells.width, last - first + 1)
    room = min(width - before - _MARGIN, max(cells, cell_len(left) + cell_len(right) + 2))
    blank = max(2, room - cell_len(left) - cell_len(right))
    spans = Span(" " * before), Span(f"{left}{' ' * blank}{right}", Tone.LABEL)
    return Line(_cut(spans, width - _MARGIN, signs), "axis")


def _stored(desk: ArchiveViewState, number: int, now: float) -> str:
    main = desk.picture.main
    times = main.holding.times if main is not None and main.holding is not None else None
    at = times.about(desk.at.timeline, number) if times is not None else None
    return f"  {clock_text(at, now)}" if at is not None else ""


def _legend(desk: ArchiveViewState, width: int, signs: Signs) -> Line:
    """The signs that are seen, in the order in which they matter."""
    seen: set[Cover] = set()
    backups = False
    for timeline in desk.picture.timelines:
        cells = desk.cells.of(timeline)
        seen |= {cell.cover for cell in cells}
        backups = backups or any(cell.backups for cell in cells)
    said: dict[tuple[str, str], Tone] = {}
    for cover in Cover:
        if cover in seen:
            sign, tone = signs.of(cover)
            said.setdefault((sign, signs.word(cover)), tone)
    spans = [Span(" " * prefix_width(desk))]
    for (sign, word), tone in said.items():
        spans += [Span(f"{sign} ", tone), Span(f"{word}   ", Tone.MUTED)]
    if backups:
        spans += [Span(f"{signs.glyphs.backup} ", Tone.STRONG), Span("base backup", Tone.MUTED)]
    return Line(_cut(tuple(spans), width - _MARGIN, signs), STRIP)
