"""Going somewhere: coverage and keys of both buckets move together, the keys as soon as they are fetched."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from walconsole.domain.wal import Segment
from walconsole.errors import WalconsoleError
from walconsole.ui.archive import coverage
from walconsole.ui.archive.jump import parse_target
from walconsole.ui.board.latest_worker import run_latest
from walconsole.ui.board.typeset import shown

if TYPE_CHECKING:
    from walconsole.domain.archive.listing import StoredObject
    from walconsole.domain.profile import BucketRole
    from walconsole.ui.archive.bucket_view import BucketView
    from walconsole.ui.archive.screen import ArchiveScreen
    from walconsole.ui.archive.view_state import ArchiveViewState
    from walconsole.ui.board.content import Line


class Navigation:
    """Moves what one archive screen looks at."""

    def __init__(self, screen: ArchiveScreen) -> None:
        self.screen = screen

    def go_to(self, target: Segment | float) -> None:
        """To a segment, or to what was stored at a time (seconds since the epoch)."""
        screen, desk = self.screen, self.screen.desk
        if desk is None:
            return
        segment = target if isinstance(target, Segment) else _segment_at(desk, target)
        if segment is not None:
            desk.go_to(segment)
            screen.fill("coverage", "object")
        for view in screen.views.values():
            run_latest(screen, f"find in {view.role.value}", partial(self._find, view, target))

    async def _find(self, view: BucketView, target: Segment | float) -> None:
        try:
            found = await view.find(target)
        except WalconsoleError as error:
            self.screen.app.notify(shown(error.line()), severity="warning", markup=False)
            return
        if found and self.screen.taken is not None:
            view.show(self.screen.taken)
            self.screen.fill("object")

    def next_gap(self, role: BucketRole | None) -> None:
        """To the gap after the cursor, of one bucket alone where `role` is given."""
        gap = self.screen.desk.next_gap(role) if self.screen.desk is not None else None
        if gap is None:
            self.screen.app.notify("no gap is known", markup=False, timeout=4)
        else:
            self.go_to(Segment(gap.timeline, gap.first))

    def to_gap_of(self, row: Line | None) -> bool:
        """To the gap that a row of the answers is about; False where it is about none."""
        desk = self.screen.desk
        if row is None or desk is None or row.entry not in ("gap", "accepted_gap"):
            return False
        first = row.value.partition(" ")[0]
        gap = next((gap for gap in desk.picture.gaps if shown(gap.gap.first) == first), None)
        if gap is not None:
            self.go_to(Segment(gap.timeline, gap.first))
        return gap is not None

    def choose_cell(self, row: int, column: int) -> None:
        """To the cell at a place of the coverage's pane, where there is one."""
        desk, pane = self.screen.desk, self.screen.coverage
        if desk is None or row >= pane.rows:
            return
        line = pane.line(row)
        if line.entry == coverage.STRIP and line.label:
            desk.choose(int(line.label), column - coverage.prefix_width(desk))
            self.screen.fill("coverage", "object")

    def look_at_object(self, view: BucketView) -> None:
        """To the details of the object under the cursor of a bucket's keys, and read its head."""
        stored = view.stored
        if stored is not None:
            run_latest(self.screen, "head", partial(self._read_head, view, stored))
            self.screen.action_jump("object")

    async def _read_head(self, view: BucketView, stored: StoredObject) -> None:
        await view.read_head(stored)
        self.screen.fill("object")

    def ask(self) -> None:
        """Ask for a segment, an LSN or a time."""
        from walconsole.ui.dialogs.dialog import Prompt

        if self.screen.desk is not None:
            self.screen.app.push_screen(Prompt("go to (segment, LSN, time):"), self._answered)

    def _answered(self, text: str | None) -> None:
        desk, taken = self.screen.desk, self.screen.taken
        if not text or desk is None or taken is None:
            return
        size = desk.picture.segment_bytes
        try:
            target = parse_target(text, taken.now, size, desk.at.timeline, desk.at)
        except ValueError as error:
            self.screen.app.notify(shown(str(error)), severity="warning", markup=False)
            return
        self.go_to(target)


def _segment_at(desk: ArchiveViewState, at: float) -> Segment | None:
    main = desk.picture.main
    return main.holding.times.segment_near(at) if main is not None and main.holding is not None else None
