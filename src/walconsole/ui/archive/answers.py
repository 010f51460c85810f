"""The archive's answers: is every segment there, would it replay, is the copy complete, what does it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.facts.snapshot import Freshness
from walconsole.ui.archive import lag_rows as distance
from walconsole.ui.archive import listings, replay, storage
from walconsole.ui.archive.table import Table
from walconsole.ui.board.content import View
from walconsole.ui.board.typeset import aged, notice

if TYPE_CHECKING:
    from walconsole.ui.archive.table import KnownArchive
    from walconsole.ui.board.content import Line
    from walconsole.ui.board.messages import SnapshotTaken


def rows(known: KnownArchive, taken: SnapshotTaken) -> tuple[Line, ...]:
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
        distance.rows(table)
    storage.rows(table)
    listings.rows(table)
    lines = table.lines()
    stale = next((one for one in (snapshot.primary, snapshot.dr) if one.value is known.picture.main), None)
    if stale is not None and stale.freshness is Freshness.STALE:
        return (*wrong, *aged(lines, stale, known.glyphs))
    return (*wrong, *lines)
