"""From what is looked at to a pane's rows and title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.profile import BucketRole
from walconsole.ui.archive import answers, coverage, notes
from walconsole.ui.archive.table import Known

if TYPE_CHECKING:
    from walconsole.domain.archive.cost import Price
    from walconsole.ui.archive.desk import Desk
    from walconsole.ui.archive.subject import Told
    from walconsole.ui.glyphs import Glyphs
    from walconsole.ui.messages import SnapshotTaken
    from walconsole.ui.widgets.rows_pane import RowsPane


def fill_coverage(pane: RowsPane, desk: Desk, taken: SnapshotTaken, width: int, glyphs: Glyphs) -> None:
    """The strip, with the cursor's timeline in view; or why there is none."""
    ages = notes.ages(taken, glyphs)
    if desk.empty:
        pane.show(notes.nothing_covered(taken, BucketRole.PRIMARY, width), "Coverage", ages)
        return
    rows = coverage.rows(desk, taken.now, width, glyphs)
    row = coverage.row_of(rows, desk.at.timeline)
    pane.show(rows, notes.coverage_title(desk), ages, cursor=row)


def fill_answers(
    pane: RowsPane, desk: Desk, taken: SnapshotTaken, price: Price, width: int, glyphs: Glyphs
) -> None:
    """The table of what is known."""
    known = Known(desk.picture, taken.snapshot, taken.now, width, glyphs, desk.measured, price)
    summary = notes.answers_summary(desk, glyphs)
    pane.show(answers.rows(known, taken), "Archive", notes.ages(taken, glyphs), summary=summary)


def fill_object(pane: RowsPane, told: Told) -> None:
    """What is told of the thing under the cursor."""
    pane.show(told.rows, told.title, summary=told.summary)
