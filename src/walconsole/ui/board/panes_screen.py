"""What the screens of panes have in common: a board, a pane in focus, moving among rows and panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from walconsole.domain.redaction import safe
from walconsole.ui.board.left_once import LeftOnce
from walconsole.ui.board.whole_lines import WholeLines

if TYPE_CHECKING:
    from walconsole.ui.board.boxes import Boxes
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.key_bar import KeyBar
    from walconsole.ui.board.rows_pane import RowsPane


class BoardScreen(WholeLines, LeftOnce, Screen[None]):
    """`panes` lie on `board`, in the order of their keys."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = "BoardScreen { layout: vertical; overflow: hidden; }"
    board: Boxes
    panes: dict[str, RowsPane]
    key_bar: KeyBar

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs

    # What each has of its own. No message's handler: Textual calls those of every class.

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        raise NotImplementedError

    def repaint_lines(self) -> None:
        """Draw what stands above the panes again."""
        raise NotImplementedError

    def action_enter(self) -> None:
        """Go on from what is under the cursor."""
        raise NotImplementedError

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        raise NotImplementedError

    def pane_entered(self, before: str) -> None:
        """The focus came from the pane `before`; the one that has it has its room next."""

    # What they have in common.

    def on_descendant_focus(self) -> None:
        """Give the pane in focus its room."""
        name, before = self.focused.id if self.focused is not None else None, self.board.focused_name
        if name in self.panes and name != before:
            self.board.focused_name = name
            self.pane_entered(before)
            self.board.rearrange()

    def on_rows_pane_resized(self, message: RowsPane.Resized) -> None:
        """Set the rows for another width."""
        message.stop()
        self.fill(message.pane.spec.name)

    @property
    def pane(self) -> RowsPane:
        """The pane in focus."""
        return self.panes[self.board.focused_name]

    def repaint(self) -> None:
        """Draw everything again: the theme changed."""
        self.repaint_lines()
        for pane in self.panes.values():
            pane.refresh()
        self.key_bar.refresh()

    def on_pane_toggled(self) -> None:
        """A double click."""
        self.action_enter()

    def action_jump(self, name: str) -> None:
        """Focus a pane; a maximised one gives way to it."""
        self.panes[name].focus()

    def action_next_pane(self, step: int) -> None:
        """The next pane in the order of their keys."""
        names = list(self.panes)
        self.action_jump(names[(names.index(self.board.focused_name) + step) % len(names)])

    def action_move(self, rows: int) -> None:
        """The cursor, by lines."""
        self.pane.move(rows)

    def action_page(self, pages: int) -> None:
        """Cursor and view, by pages."""
        self.pane.move(pages * max(1, self.pane.page - 1))

    def action_ends(self, end: int) -> None:
        """The first or the last line."""
        self.pane.go_to(self.pane.rows - 1 if end else 0)

    # Finding, marking, copying.

    def unfiltered(self) -> bool:
        """End marking, else the filter, of the pane in focus; False where there was neither."""
        pane = self.pane
        if pane.mark is not None:
            pane.toggle_mark()
        elif pane.pattern:
            pane.filter("")
        else:
            return False
        return True

    def action_mark(self) -> None:
        """Begin to mark lines, or mark none any more."""
        self.pane.toggle_mark()

    def copy_marked(self) -> bool:
        """Copy the marked lines, where there are any."""
        from walconsole.ui.board.clipboard import copy_marked

        return copy_marked(self.app, self.pane)

    def copy_rows(self) -> None:
        """Copy what is marked, else the row under the cursor."""
        row = self.pane.current
        if self.copy_marked() or row is None:
            return
        text = safe(row.value) or row.text.strip()
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(text, title="copied", markup=False, timeout=3)

    def action_maximise(self) -> None:
        """Give the pane in focus all the room, or take it back."""
        self.board.maximised = not self.board.maximised
        self.board.rearrange()


class PanesScreen(BoardScreen):
    """Covers its session's dashboard and follows every snapshot."""

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self.session = session

    def on_unmount(self) -> None:
        """No more snapshots."""
        self.session.show_no_more_to(self)

    def notes_changed(self) -> None:
        """What stands before the verdict is another: the next snapshot draws it."""

    def update_keys(self) -> None:
        """The footer."""
        self.key_bar.show(self.hints(), self.session.footnote())

    # Where one pane tells of the row under the cursor of the others.

    def enter_detail(self) -> None:
        """From a row to what is told of it; that over the whole screen."""
        if self.board.focused_name == "detail":
            self.action_maximise()
        else:
            self.action_jump("detail")

    def leave_detail(self, subject: str) -> None:
        """Back, one step at a time: marks, a filter, a maximised pane, the details, the screen."""
        if self.unfiltered():
            return
        if self.board.maximised:
            self.action_maximise()
        elif self.board.focused_name == "detail":
            self.action_jump(subject)
        else:
            self.dismiss(None)

    def action_find(self) -> None:
        """Filter the list in focus while it is typed; Esc brings back the filter before."""
        self.session.front.ask_filter(self.pane)
