"""Every command that the console ran, here and there: exit status, time, machine.

It asks nothing of the droplet, and so is there while it cannot be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.redaction import safe
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import Span, Tone
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.layout import TWO_COLUMNS, Box, Wish, stacked
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane, TablePane
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.commands import rows as command_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from walconsole.command_register import CommandEntry
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

PANES = ("commands", "detail")
EVERY_S = 1.0
_STEP = 8
_FEW_ROWS = 6


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """The list above what is under its cursor; where it is low only one of them."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS and height < 4 * _FEW_ROWS:
        other = 2 if focused == "detail" else _FEW_ROWS
        first = height - other if focused == "commands" else other + 2
        return {"commands": Box(0, 0, width, first), "detail": Box(0, first, width, height - first)}
    wishes = [Wish("commands", height // 2), Wish("detail", needs.get("detail", 1))]
    return stacked(width, height, PANES, wishes, rest=focused)


class CommandsScreen(PanesScreen):
    """Looks at the session's register once a second."""

    BINDINGS: ClassVar = keys.bindings("commands")
    actions = keys.actions("commands")

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.verdict = VerdictLine(f"{session.title}: commands that were run")
        self.table = TablePane(PaneSpec(1, "commands", "Commands"), glyphs)
        self.board = Boxes(arrange, self.table, RowsPane(PaneSpec(2, "detail", "Command"), glyphs))
        self.board.focused_name = "commands"
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())
        self._entries: tuple[CommandEntry, ...] = ()
        self._chosen: tuple[object, ...] = ()
        self._all = True

    def compose(self) -> ComposeResult:
        """What it is, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what was run, and what is run from now on."""
        self.session.show_to(self)
        self.table.focus()
        self._look()
        self.set_interval(EVERY_S, self._look)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The dashboard's news are not shown here."""
        message.stop()

    def _look(self) -> None:
        """As the register is now; the cursor stays on its command, unless it is on the first.

        While lines are marked they stay where they are.
        """
        if any(pane.mark is not None for pane in self.panes.values()):
            return
        chosen = self.entry if self.table.row or self.board.focused_name == "detail" else None
        found = self.session.commands.entries()
        self._entries = tuple(entry for entry in found if self._all or entry.failed)
        text = command_rows.told_of(found)
        forgotten = self.session.commands.forgotten
        text += f"; {forgotten:,} older ones were dropped" if forgotten else ""
        self.verdict.show("", "", safe(f"{self.session.title}: {text}"), Tone.TEXT.value, "")
        self._fill_table()
        if chosen is not None:
            wanted = _of(chosen)
            row = next((n for n, entry in enumerate(self._entries) if _of(entry) == wanted), None)
            if row is not None and row != self.table.row:
                self.table.centre(row)
        self._fill_detail()

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """All of the one under the cursor."""
        message.stop()
        if message.pane is self.table:
            self._fill_detail()

    # What the panes show.

    @property
    def entry(self) -> CommandEntry | None:
        """The one under the cursor."""
        return (
            self._entries[self.table.row] if self.table.row < len(self._entries) and self.table.rows else None
        )

    def fill(self, *names: str) -> None:
        """Both: the one under the cursor is told below the list."""
        self._fill_table()
        self._fill_detail()

    def _fill_table(self) -> None:
        width = self.table.size.width or self.size.width or 80
        self.table.head, found = command_rows.rows(
            self._entries, self.session.clock.now(), width - 1, self.glyphs
        )
        note = "the newest first" if self._all else "those that did not end with 0"
        self.table.show(found, "Commands", (Span(note, Tone.LABEL),))

    def _fill_detail(self) -> None:
        pane, entry = self.panes["detail"], self.entry
        width = (pane.size.width or self.size.width or 80) - 1
        chosen = _of(entry) if entry is not None else ()
        if chosen != self._chosen:
            self._chosen = chosen
            pane.restart()
        now = self.session.clock.now()
        lines = command_rows.detail(entry, now, width, self.glyphs) if entry is not None else ()
        pane.show(lines, "Command", summary=lines[0].spans[1:] if lines else ())

    def repaint_lines(self) -> None:
        """What it is."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("commands", past=self.session.in_past)

    # What the operator does.

    def action_enter(self) -> None:
        """From the list to the whole command; that over the whole screen."""
        self.enter_detail()

    def action_leave(self) -> None:
        """Back, one step at a time: marks, a filter, a maximised pane, the whole command, the screen."""
        self.leave_detail("commands")

    def action_sideways(self, step: int) -> None:
        """Along lines that are longer than the pane."""
        self.pane.sideways(step * _STEP)

    def action_all_commands(self) -> None:
        """All, or those that did not end with 0."""
        self._all = not self._all
        self.table.go_to(0)
        self._look()

    def action_copy_value(self) -> None:
        """What is marked, else the row under the cursor: of the list the command."""
        if self.board.focused_name == "commands" and self.table.mark is None:
            self.action_copy_commands()
        else:
            self.copy_rows()

    def action_copy_commands(self) -> None:
        """The whole command under the list's cursor."""
        entry = self.entry
        if entry is None:
            self.app.notify("nothing was run yet", markup=False, timeout=3)
            return
        self.app.copy_to_clipboard(f"{entry.text}\n")
        self.app.notify(entry.line, title="copied", markup=False, timeout=3)

    def action_export(self) -> None:
        """The list, to files that did not exist before."""
        from walconsole.ui.board.export import write_export
        from walconsole.ui.commands.export import export_commands

        write_export(self.app, export_commands(self._entries, self.session.clock.now()))

    def action_explain(self) -> None:
        """What the list is, and the keys."""
        from walconsole.ui.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen(self.pane.spec._replace(name="commands"), self.actions))


def _of(entry: CommandEntry) -> tuple[object, ...]:
    """What stays the same of an entry while its count grows."""
    return entry.kind, entry.where, entry.text, entry.status, entry.problem
