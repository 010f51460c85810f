"""The base backups as a table, the newest first; columns that have no room stand in the details alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Completeness, Writer
from walconsole.domain.recovery.held import StopKind
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.units import bytes_text, duration_text
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit, or_na, pad, right, shown
from walconsole.ui.recovery.picture import NAMES, age_order, made_when, window_of

if TYPE_CHECKING:
    from walconsole.domain.recovery.backups import BaseBackup
    from walconsole.domain.recovery.recoverability import BackupReach
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.recovery.picture import RecoveryPicture

BACKUP = "backup_row"
"""The entry of the rows."""
_GAP, _SIGN = 2, 2
_LEAST_LAST = 24
"""Cells for the last column, below which another one is left out."""


_SHORT = {StopKind.SEGMENT_MISSING: "hole", StopKind.SEGMENT_DAMAGED: "damaged"}


@record
class _Column:
    """`rank`: the higher, the sooner it goes where there is no room. `number`: it lines up at its right."""

    title: str
    rank: int
    number: bool = False


_COLUMNS = (
    _Column("when", 0),
    _Column("kind", 1),
    _Column("size", 5, number=True),
    _Column("took", 6, number=True),
    _Column("start LSN", 7, number=True),
    _Column("copies", 2),
    _Column("verified", 4),
    _Column("WAL needed", 3, number=True),
    _Column("restorable to", 0),
)
TITLES = tuple(column.title for column in _COLUMNS)


def cells_of(picture: RecoveryPicture, reach: BackupReach) -> tuple[str, ...]:
    """One for each of TITLES."""
    backup = reach.held.backup
    took = None
    if backup.started is not None and backup.stopped is not None:
        took = max(0.0, backup.stopped - backup.started)
    return (
        when_text(backup),
        kind_text(backup),
        or_na(backup.stored_bytes, bytes_text),
        or_na(took, duration_text),
        or_na(backup.start_lsn, format_lsn),
        copies_text(reach),
        verified_text(backup),
        or_na(replay_bytes(picture, reach), bytes_text),
        to_text(picture, reach),
    )


def when_text(backup: BaseBackup) -> str:
    """When it stopped, else when it was begun: a restore goes to no moment before its stop."""
    at = made_when(backup)
    return NOT_AVAILABLE if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%MZ}"


def kind_text(backup: BaseBackup) -> str:
    """Full or incremental, and whose it is where it is not the installed script's."""
    kind = "incr" if backup.is_incremental else "full"
    kind = NOT_AVAILABLE if backup.start_lsn is None else kind
    if backup.writer is Writer.LABEL:
        return "label"
    return kind if backup.writer is Writer.OURS else f"{kind} {backup.writer.value}"


def copies_text(reach: BackupReach) -> str:
    """In which copies it is complete."""
    roles = reach.held.complete_in
    if len(roles) > 1:
        return "both"
    return NAMES[roles[0]] if roles else "none"


def verified_text(backup: BaseBackup) -> str:
    """Whether what was stored was read back and found right."""
    return or_na(backup.verified, lambda verified: "yes" if verified else "no")


def replay_bytes(picture: RecoveryPicture, reach: BackupReach) -> int | None:
    """The WAL that a restore from it replays to its window's end; None where it is of no use."""
    found = picture.together
    window = window_of(found, reach) if found is not None else None
    start = reach.held.backup.start_lsn
    return None if window is None or start is None else max(0, window.until_lsn - start)


def to_text(picture: RecoveryPicture, reach: BackupReach, *, whole: bool = False) -> str:
    """The last moment to which it leads, and what is in the way: what kind of thing, or the `whole` of it."""
    why = ""
    if reach.stop is not None:
        why = shown(reach.stop.text) if whole else _SHORT.get(reach.stop.kind, reach.stop.kind.value)
    found = picture.together
    window = window_of(found, reach) if found is not None else None
    if window is None:
        return "its WAL is missing" if not whole and why == _SHORT[StopKind.SEGMENT_MISSING] else why
    end = format_lsn(window.until_lsn) if window.until is None else moment_text(window.until, picture.now)
    return f"{end}: {why}" if why else end


def state_of(picture: RecoveryPicture, reach: BackupReach, glyphs: Glyphs) -> tuple[str, Tone]:
    """The sign before a row: whether it leads to the newest WAL, a part of the way, or nowhere.

    One of no use alarms where no newer one is of use.
    """
    if reach.usable:
        return (glyphs.ok, Tone.OK) if reach.stop is None else (glyphs.warning, Tone.WARNING)
    if reach.stop is not None and reach.stop.kind in (StopKind.NOT_KNOWN, StopKind.HISTORY_UNREAD):
        return glyphs.unknown, Tone.UNKNOWN
    newest = next((each for each in picture.reaches if each.usable), None)
    if newest is not None and age_order(newest) < age_order(reach):
        return glyphs.critical, Tone.MUTED
    whole = reach.held.backup.completeness is Completeness.COMPLETE
    return glyphs.critical, Tone.CRITICAL if whole else Tone.WARNING


def rows(picture: RecoveryPicture, width: int, glyphs: Glyphs) -> tuple[str, tuple[Line, ...]]:
    """The names of the columns, and a row for each base backup: its label is `key_of` it."""
    table = [(reach, cells_of(picture, reach)) for reach in picture.reaches]
    wide = [max(map(cell_len, column)) for column in zip(TITLES, *(cells for _, cells in table), strict=True)]
    kept = _kept(wide, width)
    head = " " * (GUTTER + _SIGN) + _set(TITLES, kept, wide, width, glyphs)
    lines = []
    for reach, cells in table:
        sign, tone = state_of(picture, reach, glyphs)
        text = _set(cells, kept, wide, width, glyphs)
        said = ", ".join(f"{title} {cell}" for title, cell in zip(TITLES, cells, strict=True))
        ink = Tone.TEXT if reach.usable else Tone.MUTED
        spans = Span(" " * GUTTER + pad(sign, _SIGN), tone), Span(text, ink)
        lines.append(Line(spans, BACKUP, key_of(reach), said))
    return head, tuple(lines)


def key_of(reach: BackupReach) -> str:
    """What tells one base backup from another, look after look."""
    backup = reach.held.backup
    return f"{backup.writer.value}/{backup.place}{backup.id}/{backup.start_lsn}"


def _kept(wide: list[int], width: int) -> tuple[int, ...]:
    """The columns that there is room for, by number; the first and the last always."""
    kept = list(range(len(_COLUMNS)))
    room = width - GUTTER - _SIGN - 1

    def needed() -> int:
        return sum(wide[at] + _GAP for at in kept[:-1]) + min(wide[-1], _LEAST_LAST)

    while needed() > room and len(kept) > 2:
        kept.remove(max(kept, key=lambda at: _COLUMNS[at].rank))
    return tuple(kept)


def _set(cells: tuple[str, ...], kept: tuple[int, ...], wide: list[int], width: int, glyphs: Glyphs) -> str:
    text = ""
    for at in kept[:-1]:
        cell = right(cells[at], wide[at]) if _COLUMNS[at].number else pad(cells[at], wide[at])
        text += cell + " " * _GAP
    return text + fit(cells[kept[-1]], width - GUTTER - _SIGN - 1 - cell_len(text), glyphs.more)
