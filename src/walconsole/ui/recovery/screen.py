"""Recovery: to which moments a restore can go, from which base backup, and how by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Fix
from walconsole.droplet.names import RcloneNames
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import Content, Span, Tone, View
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane, TablePane
from walconsole.ui.board.typeset import aged, notice, stamp, stamp_spans
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.recovery import backup_table, detail_rows, window_rows
from walconsole.ui.recovery.layout import arrange
from walconsole.ui.recovery.picture import NAMES, TOGETHER, picture_of, points_of

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.notifications import SeverityLevel

    from walconsole.domain.recovery.recoverability import BackupReach
    from walconsole.ui.board.content import Line
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.recovery.picture import RecoveryPicture

_EXPLAINED = {"detail": "base_backup"}
_STEP = 8
"""Cells that a long command moves at once."""
_AGES = 70
_NO_NAMES = RcloneNames({}, "")


class RecoveryScreen(PanesScreen):
    """Opens on the newest base backup. Follows every snapshot."""

    BINDINGS: ClassVar = keys.bindings("recovery")
    actions = keys.actions("recovery")

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.taken = session.taken
        self.picture: RecoveryPicture | None = None
        self.verdict = VerdictLine(f"{session.title}: nothing was read yet", most_when_low=2)
        self.table = TablePane(PaneSpec(2, "backups", "Base backups"), glyphs)
        self.board = Boxes(
            arrange,
            RowsPane(PaneSpec(1, "window", "Window"), glyphs),
            self.table,
            RowsPane(PaneSpec(3, "detail", "Base backup"), glyphs),
        )
        self.board.focused_name = "backups"
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())
        self._subject = "backups"
        """The pane whose line the details are about."""
        self._told = ""

    def compose(self) -> ComposeResult:
        """Verdict, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known, and ask for what is newer."""
        self.session.show_to(self)
        self.table.focus()
        if self.taken is not None:
            self.on_snapshot_taken(self.taken)
        self.session.hurry(Snapshot.primary, Snapshot.dr)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Everything anew: what it follows from is computed once a listing."""
        self.taken = message
        points = points_of(self.session.found_moments)
        self.picture = replace(picture_of(message.snapshot, message.now), points=points)
        verdict, note = self.picture.verdict, self.session.pause_note(message.now)
        self.verdict.tell(self.glyphs.sign(verdict.level), verdict.level, verdict.text, note)
        self.fill(*self.panes)

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """The details follow the cursor."""
        message.stop()
        if message.pane.spec.name == self._subject:
            self.fill("detail")

    def pane_entered(self, before: str) -> None:
        """The details are about what was in focus before them."""
        if self.board.focused_name != "detail":
            self._subject = self.board.focused_name
            self.fill("detail")

    # What the panes show.

    @property
    def reach(self) -> BackupReach | None:
        """The base backup under the cursor; the newest one before there is a cursor."""
        reaches = self.picture.reaches if self.picture is not None else ()
        return reaches[min(self.table.row, len(reaches) - 1)] if reaches else None

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        if self.taken is None or self.picture is None:
            return
        before = self.board.needs()
        for name in names:
            self._fill(name, self.taken, self.picture)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill(self, name: str, taken: SnapshotTaken, picture: RecoveryPicture) -> None:
        pane = self.panes[name]
        width = (pane.size.width or self.size.width or 80) - 1
        if name == "window":
            rows = self._aged(window_rows.rows(picture, width, self.glyphs), taken)
            pane.show((*self._notices(taken, width), *rows), "Window", self._ages(taken))
        elif name == "backups":
            self.table.head, rows = backup_table.rows(picture, width, self.glyphs)
            note = f"{len(rows)}, the newest first" if rows else "none was found"
            if picture.together is None:
                note = "not read" if taken.snapshot.primary.problem is not None else "not read yet"
            cursor = -1 if self.table.rows else self._newest_usable(picture)
            self.table.show(self._aged(rows, taken), "Base backups", (Span(note, Tone.LABEL),), cursor=cursor)
        else:
            self._fill_detail(pane, picture, width)

    @staticmethod
    def _newest_usable(picture: RecoveryPicture) -> int:
        """Its row; the first one where none is of use."""
        return next((row for row, reach in enumerate(picture.reaches) if reach.usable), 0)

    def _fill_detail(self, pane: RowsPane, picture: RecoveryPicture, width: int) -> None:
        """What is told of the copy or of the base backup that the cursor chose."""
        reach, found = self.reach, dict(picture.subjects)
        row = self.panes["window"].current
        name = row.label if row is not None and row.label in found else TOGETHER
        rows: tuple[Line, ...] = ()
        title, told = "Base backup", ""
        if self._subject == "backups" and reach is not None:
            title, told = f"Base backup {safe(reach.held.backup.id)}", backup_table.key_of(reach)
            names = self.session.rclone or _NO_NAMES
            rows = detail_rows.backup_rows(picture, reach, names, width, self.glyphs)
        elif name in found:
            title, told = f"Windows: {name}", name
            rows = detail_rows.subject_rows(picture, name, found[name], width, self.glyphs)
        if told != self._told:
            self._told = told
            pane.restart()
        pane.show(rows, title, summary=rows[0].spans[1:] if rows else ())

    def _ages(self, taken: SnapshotTaken) -> tuple[Span, ...]:
        readings = tuple(zip(taken.snapshot.copies, (NAMES[role] for role in BucketRole), strict=False))
        return stamp_spans([stamp(one, taken.now, name) for one, name in readings], _AGES, self.glyphs)

    def _notices(self, taken: SnapshotTaken, width: int) -> tuple[Line, ...]:
        """Why a copy is not read."""
        view = View(taken.snapshot, taken.diagnosis, taken.now, width, self.glyphs)
        readings = ((taken.snapshot.primary, "primary"), (taken.snapshot.dr, "DR"))
        return tuple(line for reading, what in readings for line in notice(reading, view, what))

    def _aged(self, rows: tuple[Line, ...], taken: SnapshotTaken) -> tuple[Line, ...]:
        """Dimmed where nothing of it is current any more."""
        readings = taken.snapshot.copies
        if all(reading.problem is not None for reading in readings):
            return tuple(aged(rows, readings[0], self.glyphs))
        return rows

    def repaint_lines(self) -> None:
        """The verdict."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("recovery", read_only=self.session.read_only, past=self.session.in_past)

    # What the operator does.

    def action_enter(self) -> None:
        """From the window and from a base backup to what is told of it; that over the whole screen."""
        self.enter_detail()

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, from the details to what they are about, the screen."""
        self.leave_detail(self._subject)

    def action_sideways(self, step: int) -> None:
        """Along a command that is longer than its pane; elsewhere the pane beside."""
        if self.board.focused_name == "detail":
            self.pane.sideways(step * _STEP)
        else:
            self.action_next_pane(step)

    def action_archive(self) -> None:
        """What the buckets really hold."""
        self.session.front.open_archive(self.session, "")

    def action_moments(self) -> None:
        """What happened when, and where to go back to."""
        self.session.front.open_moments(self.session)

    def action_recover(self) -> None:
        """To where, in which place, and the steps."""
        self.session.front.open_recover(self.session)

    def action_expire(self) -> None:
        """What retention deletes: looked at, shown, asked about."""
        self.session.open_fix(Fix("retention", step="expire"))

    def action_drill(self) -> None:
        """A restore is tried beside the server: looked at, shown, asked about, followed."""
        self.session.open_fix(Fix("a restore drill", step="drill"))

    def action_end_backup(self) -> None:
        """The step that ends the base backup under the cursor, else the first that runs: it asks first."""
        runs = self.picture.runs if self.picture is not None else None
        if runs is None or not runs.running:
            blind = runs is None or runs.blind
            why = "; ".join(runs.unseen) if runs is not None and blind else ""
            text = (
                f"not known whether one is running: {why or 'nothing was read yet'}" if blind else "none runs"
            )
            self._say(safe(text), "there is no base backup to end", "warning")
            return
        row = self.panes["window"].current
        named = [each.subject for each in runs.running]
        subject = row.label if row is not None and row.label in named else named[0]
        self.session.open_fix(Fix("end the base backup that runs", step="end-backup", subject=subject))

    def action_copy_commands(self) -> None:
        """All commands that restore the base backup under the cursor, to the clipboard."""
        if self.picture is None or self.reach is None:
            self._say("there is no base backup to restore from", "nothing was copied", "warning")
            return
        commands = detail_rows.commands_of(self.picture, self.reach, self.session.rclone or _NO_NAMES)
        if isinstance(commands, str):
            self._say(safe(commands), "nothing was copied", "warning")
            return
        self.app.copy_to_clipboard(f"{detail_rows.text_of(commands)}\n")
        self._say(f"restore {safe(self.reach.held.backup.id)} by hand", "copied")

    def action_copy_value(self) -> None:
        """The value of the line under the cursor, of a command its paragraph, or what is marked."""
        if self.copy_marked():
            return
        row = self.pane.current
        text = "\n".join(safe(line) for line in row.value.split("\n")) if row is not None else ""
        text = text or (row.text.strip() if row is not None else "")
        if text:
            self.app.copy_to_clipboard(text)
            self._say(text.splitlines()[0], "copied")

    def action_export(self) -> None:
        """Windows and base backups, to files that did not exist before."""
        from walconsole.ui.board.export import export_pane, write_export

        picture, taken = self.picture, self.taken
        if picture is None or taken is None:
            self._say("nothing was read yet", "nothing was exported", "warning")
            return
        lines = (
            *window_rows.rows(picture, 120, self.glyphs),
            *backup_table.rows(picture, 200, self.glyphs)[1],
        )
        cells = (backup_table.TITLES, *(backup_table.cells_of(picture, each) for each in picture.reaches))
        write_export(
            self.app, export_pane(PaneSpec(0, "recovery", "Recovery"), Content((), lines, table=cells), taken)
        )

    def _say(self, text: str, title: str, severity: SeverityLevel = "information") -> None:
        self.app.notify(text, title=title, severity=severity, markup=False, timeout=5)

    def action_explain(self) -> None:
        """What the pane in focus shows."""
        from walconsole.ui.dialogs.help import HelpScreen

        spec = self.pane.spec
        name = _EXPLAINED.get(spec.name, spec.name)
        self.app.push_screen(HelpScreen(spec._replace(name=name), self.actions))
