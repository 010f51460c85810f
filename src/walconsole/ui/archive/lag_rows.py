"""How far the copies are behind: the newest segment, the server's write position, the copy in DR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.copies import DR_PATIENCE_S, DR_PATIENCE_SEGMENTS, lacking_since
from walconsole.domain.units import age_text, bytes_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.ui.board.content import Tone
from walconsole.ui.board.typeset import shown

if TYPE_CHECKING:
    from walconsole.domain.archive.comparison import Lacking
    from walconsole.domain.facts.observed import BucketFacts
    from walconsole.ui.archive.table import Table


def rows(table: Table) -> None:
    """The newest segment, and what is not where it should be yet."""
    main = table.known.picture.main
    if main is not None and main.holding is not None:
        _newest(table, main)
        _lag(table, main)
    _dr_lag(table)


def _newest(table: Table, main: BucketFacts) -> None:
    if main.newest_segment is None:
        table.row("newest", "newest", "no segment is stored", Tone.WARNING)
        return
    name = shown(main.newest_segment)
    table.row("newest", "newest", f"{name}, {table.known.since(main.newest_at)}", Tone.STRONG, copied=name)


def _lag(table: Table, main: BucketFacts) -> None:
    """Against the position that the server writes at; that one is read a little later."""
    snapshot = table.known.snapshot
    archiver, server = snapshot.archiver.value, snapshot.server.value
    newest = main.holding.newest if main.holding is not None else None
    if main.role is not BucketRole.PRIMARY:
        table.unknown("lag", "lag", "the primary bucket was not read")
    elif archiver is None or server is None:
        table.unknown("lag", "lag", "the server's write position was not read")
    elif newest is None or not main.complete:
        table.unknown("lag", "lag", "no segment is stored" if main.complete else "still being listed")
    elif newest.timeline != server.timeline:
        text = f"the server is on timeline {server.timeline}, the newest segment on {newest.timeline}"
        table.row("lag", "lag", text, Tone.WARNING)
    else:
        size = server.segment_bytes
        behind = archiver.lsn - newest.next().start_lsn(size)
        where = f"the write position, {format_lsn(archiver.lsn)}"
        if behind < 0:
            table.row("lag", "lag", f"none: the newest segment ends beyond {where}")
        else:
            text = f"{plural(behind // size, 'whole segment')}, {bytes_text(behind)} behind {where}"
            table.row("lag", "lag", text)


def _dr_lag(table: Table) -> None:
    known, lack = table.known, table.known.picture.lacking
    if lack is None:
        table.unknown("dr_lag", "DR lag", _why_not_compared(table))
    elif not lack.segments:
        table.row("dr_lag", "DR lag", "none: DR lacks nothing that the primary holds", Tone.OK)
    else:
        size = known.picture.segment_bytes
        oldest = lack.oldest.name(size) if lack.oldest is not None else ""
        stored = lacking_since(known.snapshot, lack, known.now)
        text = f"{plural(lack.segments, 'segment')}, {bytes_text(lack.bytes)}"
        text += f", the oldest {oldest}" if oldest else ""
        text += f", stored {age_text(stored)}" if stored is not None else ""
        table.row("dr_lag", "DR lag", text, _patience(lack, stored), copied=oldest)


def _patience(lack: Lacking, stored: float | None) -> Tone:
    """As the verdict has it: a copy that follows by a schedule is behind for a while."""
    late = stored is None or stored >= DR_PATIENCE_S
    return Tone.WARNING if lack.segments > DR_PATIENCE_SEGMENTS and late else Tone.TEXT


def _why_not_compared(table: Table) -> str:
    for role, facts in (
        (BucketRole.PRIMARY, table.known.picture.primary),
        (BucketRole.DR, table.known.picture.dr),
    ):
        name = "the DR bucket" if role is BucketRole.DR else "the primary bucket"
        if facts is None:
            return f"{name} was not read"
        if not facts.complete:
            return f"{name} is still being listed"
        if facts.holding is None:
            return f"{name} holds no WAL"
    return "both were not read"
