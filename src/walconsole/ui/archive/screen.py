"""The archive: what the buckets really hold."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.archive.cost import Price
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.ui.archive import pane_contents, subject
from walconsole.ui.archive.archive_actions import ArchiveActions
from walconsole.ui.archive.bucket_view import BucketView
from walconsole.ui.archive.navigation import Navigation
from walconsole.ui.archive.pane_contents import Verdicts, fill_answers, fill_coverage, fill_object
from walconsole.ui.archive.panes import KEYS, CoveragePane, KeysPane, arrange
from walconsole.ui.archive.picture import picture_of, same_picture
from walconsole.ui.archive.view_state import ArchiveViewState
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.latest_worker import run_latest
from walconsole.ui.board.layout import Box, columns_for
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from walconsole.domain.archive.growth import Compressibility
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

_EXPLAINED = {"answers": "archive", "primary": "keys", "dr": "keys"}


class ArchiveScreen(PanesScreen):
    """Opens on the newest gap that alarms, else on the newest segment. Follows every snapshot.

    `role` is the bucket whose keys are shown where there is room for one.
    """

    BINDINGS: ClassVar = keys.bindings("archive")
    actions = keys.actions("archive")

    def __init__(
        self,
        session: DropletSession,
        glyphs: Glyphs,
        role: BucketRole = BucketRole.PRIMARY,
    ) -> None:
        super().__init__(session, glyphs)
        self.taken, self.role, self.price = session.taken, role, session.price or Price()
        self.desk: ArchiveViewState | None = None
        self.errands, self.journeys = ArchiveActions(self), Navigation(self)
        self._pictured: Snapshot | None = None
        self._subject, self._came_from = "coverage", "coverage"
        self.verdicts = Verdicts(session.title, glyphs)
        key_panes = {
            BucketRole.PRIMARY: KeysPane(PaneSpec(3, "primary", "Primary keys"), glyphs),
            BucketRole.DR: KeysPane(PaneSpec(4, "dr", "DR keys"), glyphs),
        }
        self.coverage = CoveragePane(PaneSpec(1, "coverage", "Coverage"), glyphs)
        self.board = Boxes(
            self._arrange,
            self.coverage,
            RowsPane(PaneSpec(2, "answers", "Archive"), glyphs),
            *key_panes.values(),
            RowsPane(PaneSpec(5, "object", "Object"), glyphs),
        )
        self.panes = self.board.panes
        self.views = {one: BucketView(one, pane, glyphs) for one, pane in key_panes.items()}
        self.key_bar = KeyBar(self.hints(), session.footnote())

    def compose(self) -> ComposeResult:
        """Verdicts, what is being done, panes, keys."""
        yield self.verdicts.archive
        yield self.verdicts.dr
        yield self.verdicts.job
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known, and ask for what is newer."""
        self.verdicts.show_job("")
        self.session.show_to(self)
        self.coverage.focus()
        if self.taken is not None:
            self.on_snapshot_taken(self.taken)
        self.session.hurry(Snapshot.primary, Snapshot.dr)

    def _arrange(
        self, width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
    ) -> dict[str, Box]:
        return arrange(width, height, focused, needs, maximised=maximised, bucket=self.role.value)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The verdicts at once; the rest when a bucket was listed since, else only what ages."""
        self.taken = message
        self.verdicts.show(message, self.session.pause_note(message.now))
        if self._pictured is None or not same_picture(self._pictured, message.snapshot):
            self._pictured = message.snapshot
            run_latest(self, "picture", partial(self._make_picture, message))
        elif self.desk is not None:
            self._fill_aging(message)

    async def _make_picture(self, message: SnapshotTaken) -> None:
        """In a thread: a great archive with many gaps takes its time."""
        picture = await asyncio.to_thread(picture_of, message.snapshot, message.now)
        empty = self.desk is None or self.desk.empty
        if self.desk is None:
            self.desk = ArchiveViewState(picture)
        else:
            self.desk.take(picture)
        self._fill_all()
        if empty and not self.desk.empty:
            self.journeys.go_to(self.desk.at)

    def _fill_all(self) -> None:
        """Everything anew, for what is known now."""
        self.fill("coverage")
        if self.taken is not None:
            self._fill_aging(self.taken)

    def _fill_aging(self, taken: SnapshotTaken) -> None:
        """What reads differently every second; the strip does not."""
        if self.desk is None:
            return
        past = self.session.in_past
        for role, view in self.views.items():
            view.take(self.session.bucket_reader(role), self.desk.picture, taken, past=past)
        self.coverage.note(pane_contents.ages(taken, self.glyphs))
        self.fill("answers", "object")

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """The details follow the cursor."""
        message.stop()
        name = message.pane.spec.name
        if name in KEYS and self.taken is not None:
            self.views[BucketRole(name)].moved(self.taken)
        if name == self._subject:
            self.fill("object")

    def on_keys_pane_scrolled(self, message: KeysPane.Scrolled) -> None:
        """Fetch what came into view."""
        message.stop()
        view = self.views[BucketRole(message.pane.spec.name)]
        if view.needs:
            run_latest(self, f"keys of {view.role.value}", partial(self._fetch, view))

    async def _fetch(self, view: BucketView) -> None:
        """Until everything in view is there, or cannot be."""
        while await view.fetch_next():
            view.pane.refresh()
            if self.taken is not None:
                view.annotate(self.taken)
            if self._subject == view.role.value:
                self.fill("object")

    def on_coverage_pane_cell_clicked(self, message: CoveragePane.CellClicked) -> None:
        """The mouse chose a cell of a timeline."""
        message.stop()
        self.journeys.choose_cell(message.row, message.x)

    def pane_entered(self, before: str) -> None:
        """The details are about what is in focus."""
        name, self._came_from = self.board.focused_name, before
        if name in KEYS:
            self.role = BucketRole(name)
        if name in (*KEYS, "coverage") and name != self._subject:
            self._subject = name
            self.panes["object"].restart()
            self.fill("object")

    # What the panes show.

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        if self.taken is None:
            return
        before = self.board.needs()
        for name in names:
            if name in KEYS:
                self.views[BucketRole(name)].show(self.taken)
            elif self.desk is not None:
                self._fill(name, self.desk, self.taken)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill(self, name: str, desk: ArchiveViewState, taken: SnapshotTaken) -> None:
        pane = self.panes[name]
        width = pane.size.width or self.size.width or 80
        if name == "coverage":
            fill_coverage(pane, desk, taken, width, self.glyphs)
        elif name == "answers":
            fill_answers(pane, desk, taken, self.price, width, self.glyphs)
        elif self._subject == "coverage":
            fill_object(pane, subject.of_stretch(desk, self.views, taken, width, self.glyphs))
        else:
            view = self.views[BucketRole(self._subject)]
            fill_object(pane, subject.of_object(view, taken, width, self.glyphs))

    def show_measured(self, measured: Compressibility | str) -> None:
        """What zstd made of samples, or why that is not known."""
        if self.desk is not None:
            self.desk.measured = measured
            self.fill("answers")

    def show_job(self, text: str) -> None:
        """What is being done at length; nothing when it is done."""
        if self.is_attached:
            self.verdicts.show_job(text)

    def repaint_lines(self) -> None:
        """Both verdicts, and what is being done."""
        self.verdicts.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("archive", read_only=self.session.read_only, past=self.session.in_past)

    # Where to look.

    def action_switch_bucket(self) -> None:
        """The keys of the other bucket: in the place of these where there is room for one, else in focus."""
        self.role = BucketRole.DR if self.role is BucketRole.PRIMARY else BucketRole.PRIMARY
        if self.board.focused_name in KEYS or columns_for(self.size.width) != 2:
            self.action_jump(self.role.value)
        else:
            self.board.rearrange()

    @property
    def _covering(self) -> ArchiveViewState | None:
        """The desk while the coverage is in focus and there is something to move over."""
        desk = self.desk
        return None if self.pane is not self.coverage or desk is None or desk.empty else desk

    def action_move(self, rows: int) -> None:
        """The cursor, by lines; in the coverage by timelines."""
        desk = self._covering
        if desk is None:
            super().action_move(rows)
        elif desk.step_timeline(rows):
            self.fill("coverage", "object")

    def action_page(self, pages: int) -> None:
        """Cursor and view, by pages; the coverage, which has none, by timelines."""
        if self._covering:
            self.action_move(pages)
        else:
            super().action_page(pages)

    def action_ends(self, end: int) -> None:
        """The first or the last line; in the coverage the first or the last cell that holds anything."""
        desk = self._covering
        if desk is None:
            super().action_ends(end)
        else:
            desk.ends(end)
            self.fill("coverage", "object")

    def action_sideways(self, step: int) -> None:
        """The next cell of the coverage; elsewhere the pane beside."""
        desk = self._covering
        if desk is None:
            self.action_next_pane(step)
        else:
            desk.step(step)
            self.fill("coverage", "object")

    def action_enter(self) -> None:
        """Into the cell, from a segment to its key, from a key to the object, from a gap to its place."""
        desk, name = self._covering, self.board.focused_name
        if desk is not None and desk.zoom_in():
            self.fill("coverage", "object")
        elif desk is not None:
            self.journeys.go_to(desk.at)
            self.action_jump(self.role.value)
        elif name in KEYS:
            self.journeys.look_at_object(self.views[BucketRole(name)])
        elif name == "answers" and self.journeys.to_gap_of(self.pane.current):
            self.action_jump("coverage")
        else:
            self.action_maximise()

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, a zoom, from the object to its key, the screen."""
        if self.unfiltered():
            return
        if self.board.maximised:
            self.action_maximise()
        elif self.board.focused_name == "object" and self._came_from != "object":
            self.action_jump(self._came_from)
        elif self.desk is not None and self.desk.zoom_out():
            self.fill("coverage", "object")
        else:
            self.dismiss(None)

    def action_next_gap(self) -> None:
        """The next gap, in the coverage and in the keys; of one bucket's where its keys are in focus."""
        name = self.board.focused_name
        self.journeys.next_gap(BucketRole(name) if name in KEYS else None)

    def action_find(self) -> None:
        """Ask for a segment, an LSN or a time, and go there; lists that are known whole are filtered."""
        if self.board.focused_name in (*KEYS, "coverage"):
            self.journeys.ask()
        else:
            super().action_find()

    # What to do, and what to take away.

    def action_fix(self) -> None:
        """All gaps of both copies by one plan: the screen of steps looks, shows it, asks, does, verifies."""
        from walconsole.domain.standing.mending import mend_all

        if self.taken is not None:
            self.session.open_fix(mend_all(self.taken.snapshot))

    def action_accept(self) -> None:
        """Accept the gap under the cursor, or take that back."""
        self.errands.accept(self.desk.gap if self.desk is not None else None)

    def action_measure(self) -> None:
        """What zstd would make of it."""
        self.errands.measure()

    def action_export(self) -> None:
        """Gaps, index or a listing, to files that did not exist before."""
        self.errands.export()

    def action_copy_value(self) -> None:
        """The name, the key or the value under the cursor, or what is marked, to the clipboard."""
        if self.copy_marked():
            return
        row = self.pane.current
        text = safe(row.value) or row.text.strip() if row is not None else ""
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(text, title="copied", markup=False, timeout=3)

    def action_explain(self) -> None:
        """What the pane in focus shows."""
        from walconsole.ui.dialogs.help import HelpScreen

        spec = self.pane.spec
        name = _EXPLAINED.get(spec.name, spec.name)
        self.app.push_screen(HelpScreen(spec._replace(name=name), self.actions))
