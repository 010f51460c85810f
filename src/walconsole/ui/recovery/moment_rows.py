"""What the screen that finds a moment shows: what was asked and read, the events, what is told of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.moments.collecting import weight
from walconsole.domain.moments.events import Kind
from walconsole.domain.moments.names import judged_kind
from walconsole.domain.moments.words import (
    about_text,
    answer_lines,
    covers_text,
    rows_text,
    size_text,
    time_text,
    what_text,
)
from walconsole.domain.records import record
from walconsole.domain.standing.model import Level
from walconsole.domain.units import count_text, duration_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, fit, pad, right, shown, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from walconsole.domain.moments.events import Moment
    from walconsole.domain.moments.found import Answer, FoundMoments
    from walconsole.domain.moments.names import Names
    from walconsole.domain.recovery.by_hand import Commands
    from walconsole.ui.board.glyphs import Glyphs

ASKED, READ, NOTE, DOING, EVENT, TOLD, COMMAND = (
    "asked", "read", "note", "doing", "event_row", "told", "command",
)  # fmt: skip
"""The entries of the rows."""
NO_COMMANDS = "no_commands"
LABEL = 13
MOST_SHOWN = 1_000
HOW = "T asks for a time (UTC), such as 14:02 or 2026-11-29 14:02 30min: what happened around it is then read"


@record
class MomentPicture:
    """`doing` says what is under way, `problem` why there is nothing; both empty where neither is. `about`
    filters, `everything` lists inserts and the like, too; `keeping`: targets with the event instead of before
    it. `left_out` lesser events of those that the filter leaves are not among `moments`.
    """

    found: FoundMoments | None
    moments: tuple[Moment, ...] = ()
    doing: str = ""
    problem: str = ""
    about: str = ""
    everything: bool = False
    keeping: bool = False
    left_out: int = 0

    @property
    def verdict(self) -> tuple[Level, str]:
        """The first line."""
        if self.doing:
            return Level.UNKNOWN, f"find the moment: {self.doing}"
        if self.problem:
            return Level.CRITICAL, f"find the moment: {self.problem}"
        if self.found is None:
            return Level.UNKNOWN, "find the moment: no time was asked for yet (T asks)"
        worst = self.found.worst(self.moments)
        if worst is None:
            return (
                Level.OK,
                f"{plural(len(self.moments), 'event')} in that time, none of which takes anything away",
            )
        told = f"{what_text(worst, self.found.names)}: {about_text(worst, self.found.names)}"
        return Level.WARNING, f"{told}, {time_text(worst)}Z"


def picture_of(
    found: FoundMoments | None,
    *,
    doing: str = "",
    problem: str = "",
    about: str = "",
    everything: bool = False,
    keeping: bool = False,
) -> MomentPicture:
    """With the events that the filter leaves, of too many the MOST_SHOWN that are most worth listing."""
    every = found.moments(about, everything=everything) if found is not None else ()
    moments = every
    if len(every) > MOST_SHOWN:
        worth = sorted(range(len(every)), key=lambda place: -weight(every[place]))
        moments = tuple(every[place] for place in sorted(worth[:MOST_SHOWN]))
    left_out = len(every) - len(moments)
    return MomentPicture(found, moments, doing, problem, about, everything, keeping, left_out)


# -- What was asked, and read.


def search_rows(picture: MomentPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The rows of the first pane."""
    lines: list[Line] = []
    if picture.doing:
        lines += _labelled(DOING, "now", picture.doing, width, Tone.STRONG)
    if picture.problem:
        lines += _labelled(DOING, "not found", f"{glyphs.critical} {picture.problem}", width, Tone.CRITICAL)
    found = picture.found
    if found is None:
        return tuple(lines) if picture.doing else (*lines, *_labelled(ASKED, "to do", HOW, width))
    around = f"{datetime.fromtimestamp(found.around, UTC):%Y-%m-%d %H:%M:%S}Z"
    listed = "all events" if picture.everything else "what takes away or changes definitions"
    listed = f"events about {shown(picture.about)}" if picture.about else listed
    asked = f"{around}, {duration_text(found.within_s)} before and after; {listed}"
    lines += _labelled(ASKED, "asked", asked, width)
    lines += _labelled(READ, "read", covers_text(found), width)
    for note in found.doubts:
        lines += _labelled(NOTE, "note", f"{glyphs.warning} {note}", width, Tone.WARNING)
    return tuple(lines)


# -- The events.


@record
class _Column:
    """`rank`: the higher, the sooner it goes where there is no room. `number`: it lines up at its right."""

    title: str
    rank: int
    most: int
    number: bool = False


_COLUMNS = (
    _Column("time (UTC)", 0, 28),
    _Column("what", 1, 22),
    _Column("rows", 2, 24, number=True),
    _Column("WAL", 4, 9, number=True),
    _Column("xid", 5, 10, number=True),
    _Column("LSN", 3, 17, number=True),
    _Column("relation", 0, 200),
)
TITLES = tuple(column.title for column in _COLUMNS)
_GAP, _SIGN, _LEAST_LAST = 2, 2, 20
_TONES = {
    Kind.DATABASE_DROPPED: Tone.CRITICAL,
    Kind.DROPPED: Tone.CRITICAL,
    Kind.TRUNCATED: Tone.CRITICAL,
    Kind.DELETED: Tone.WARNING,
    Kind.UPDATED: Tone.WARNING,
    Kind.REWRITTEN: Tone.WARNING,
    Kind.RESTORE_POINT: Tone.OK,
}


def cells_of(moment: Moment, names: Names) -> tuple[str, ...]:
    """One for each of TITLES."""
    return (
        time_text(moment),
        what_text(moment, names),
        rows_text(moment),
        size_text(moment),
        "" if moment.xid is None else str(moment.xid),
        format_lsn(moment.lsn),
        about_text(moment, names),
    )


def sign_of(moment: Moment, names: Names, glyphs: Glyphs) -> tuple[str, Tone]:
    """The sign before a row: what takes everything of a table away, some rows, nothing; a mark."""
    tone = _TONES.get(judged_kind(moment, names), Tone.MUTED)
    signs = {Tone.CRITICAL: glyphs.critical, Tone.WARNING: glyphs.warning, Tone.OK: glyphs.ok}
    return signs.get(tone, glyphs.dot), tone


def event_rows(picture: MomentPicture, width: int, glyphs: Glyphs) -> tuple[str, tuple[Line, ...]]:
    """The names of the columns, and a row for each event: its label is its place in the WAL."""
    if picture.found is None:
        return "", ()
    names = picture.found.names
    table = [(moment, cells_of(moment, names)) for moment in picture.moments]
    columns = zip(TITLES, *(cells for _, cells in table), strict=True)
    wide = [
        min(max(map(cell_len, cells)), column.most) for cells, column in zip(columns, _COLUMNS, strict=True)
    ]
    kept = _kept(wide, width)
    head = " " * (GUTTER + _SIGN) + _set(TITLES, kept, wide, width, glyphs)
    lines = []
    for moment, cells in table:
        sign, tone = sign_of(moment, names, glyphs)
        spans = Span(" " * GUTTER + pad(sign, _SIGN), tone), Span(_set(cells, kept, wide, width, glyphs))
        said = ", ".join(f"{title} {cell}" for title, cell in zip(TITLES, cells, strict=True) if cell)
        lines.append(Line(spans, EVENT, format_lsn(moment.lsn), said))
    return head, tuple(lines)


def _kept(wide: list[int], width: int) -> tuple[int, ...]:
    """The columns that there is room for, by number; the first and the last always."""
    kept = list(range(len(_COLUMNS)))
    room = width - GUTTER - _SIGN - 1

    def needed() -> int:
        return sum(wide[at] + _GAP for at in kept[:-1]) + min(wide[-1], _LEAST_LAST)

    while needed() > room and len(kept) > 2:
        kept.remove(max(kept, key=lambda at: _COLUMNS[at].rank))
    return tuple(kept)


def _set(cells: Sequence[str], kept: tuple[int, ...], wide: list[int], width: int, glyphs: Glyphs) -> str:
    text = ""
    for at in kept[:-1]:
        cell = fit(cells[at], wide[at], glyphs.more)
        text += (right(cell, wide[at]) if _COLUMNS[at].number else pad(cell, wide[at])) + " " * _GAP
    return text + fit(cells[kept[-1]], width - GUTTER - _SIGN - 1 - cell_len(text), glyphs.more)


def events_note(picture: MomentPicture) -> str:
    """Beside the title."""
    if picture.found is None:
        return "nothing was read yet"
    many = count_text(len(picture.moments))
    of = f" of {count_text(len(picture.moments) + picture.left_out)}, the worst" if picture.left_out else ""
    return f"{many}{of}, the oldest first"


# -- What is told of one.


def answer_rows(
    answer: Answer, names: Names, commands: tuple[Commands, ...] | str, width: int
) -> tuple[Line, ...]:
    """Target and loss, then the exact commands; or why there are none."""
    lines: list[Line] = []
    for label, text in answer_lines(answer, names):
        tone = Tone.STRONG if label == "use" else Tone.WARNING if label in ("not", "loses") else Tone.TEXT
        lines += _labelled(TOLD, label, text, width, tone)
    if isinstance(commands, str):
        return (*lines, *_labelled(NO_COMMANDS, "by hand", commands, width, Tone.MUTED))
    lines.append(Line((Span(""),)))
    return (*lines, *_command_lines(commands))


def _command_lines(commands: tuple[Commands, ...]) -> Iterator[Line]:
    for number, paragraph in enumerate(commands, 1):
        title = shown(f"# {number}. {paragraph.title}")
        whole = "\n".join((f"# {paragraph.title}", *paragraph.lines))
        yield Line((Span(f"{' ' * GUTTER}{title}", Tone.MUTED),), COMMAND, str(number), whole)
        for line in paragraph.lines:
            yield Line((Span(f"{' ' * GUTTER}{shown(line)}"),), COMMAND, str(number), whole)


def _labelled(entry: str, label: str, text: str, width: int, tone: Tone = Tone.TEXT) -> Iterator[Line]:
    """A value on as many lines as it needs."""
    for index, part in enumerate(wrapped(shown(text), width - GUTTER - LABEL - 1)):
        head = Span(" " * GUTTER + pad("" if index else label, LABEL), Tone.LABEL)
        yield Line((head, Span(part, tone)), entry, label, text)
