"""From what is looked at to a pane's rows and title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.facts.snapshot import Freshness
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.standing.copies import archive_verdict, dr_verdict
from walconsole.ui.archive import coverage, listings, notes, replay, storage
from walconsole.ui.archive import lag_rows as distance
from walconsole.ui.archive.table import KnownArchive, Table
from walconsole.ui.board.content import TONE_OF_LEVEL, View
from walconsole.ui.board.typeset import aged, notice
from walconsole.ui.board.verdict import VerdictLine

if TYPE_CHECKING:
    from walconsole.domain.archive.cost import Price
    from walconsole.domain.standing.model import Verdict
    from walconsole.ui.archive.subject import Told
    from walconsole.ui.archive.table import KnownArchive
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.content import Line
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.board.rows_pane import RowsPane

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
        distance.rows(table)
    storage.rows(table)
    listings.rows(table)
    lines = table.lines()
    stale = next((one for one in (snapshot.primary, snapshot.dr) if one.value is known.picture.main), None)
    if stale is not None and stale.freshness is Freshness.STALE:
        return (*wrong, *aged(lines, stale, known.glyphs))
    return (*wrong, *lines)


def fill_coverage(
    pane: RowsPane, desk: ArchiveViewState, taken: SnapshotTaken, width: int, glyphs: Glyphs
) -> None:
    """The strip, with the cursor's timeline in view; or why there is none."""
    ages = notes.ages(taken, glyphs)
    if desk.empty:
        pane.show(notes.nothing_covered(taken, BucketRole.PRIMARY, width), "Coverage", ages)
        return
    rows = coverage.rows(desk, taken.now, width, glyphs)
    row = coverage.row_of(rows, desk.at.timeline)
    pane.show(rows, notes.coverage_title(desk), ages, cursor=row)


def fill_answers(
    pane: RowsPane, desk: ArchiveViewState, taken: SnapshotTaken, price: Price, width: int, glyphs: Glyphs
) -> None:
    """The table of what is known."""
    known = KnownArchive(desk.picture, taken.snapshot, taken.now, width, glyphs, desk.measured, price)
    summary = notes.answers_summary(desk, glyphs)
    pane.show(answer_rows(known, taken), "Archive", notes.ages(taken, glyphs), summary=summary)


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
