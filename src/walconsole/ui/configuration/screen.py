"""The configuration: which file wins, and which is never read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.layout import GAP, THREE_COLUMNS, TWO_COLUMNS, Box, Wish, stacked
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.configuration import notes
from walconsole.ui.configuration.picture import picture_of, same_picture
from walconsole.ui.configuration.view_state import ConfigurationViewState, Kind, Subject

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.configuration.picture import ConfigurationPicture


# -- Where the four panes stand: settings and files at the left, the chain and the file at the right.

PANES = ("settings", "files", "detail", "file")
_WIDEST_LEFT = 112
_FEW_ROWS = 3


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other, and those out of use fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        return stacked(width, height, PANES, _wishes(height, focused, needs), rest="file")
    left = min(_WIDEST_LEFT, width * 9 // 20 if width < THREE_COLUMNS else width * 11 // 20)
    files = min(1 + needs.get("files", 1), max(1 + _FEW_ROWS, height * 2 // 5))
    spare = height - 1 - max(_FEW_ROWS, needs.get("file", 1))
    detail = max(1 + _FEW_ROWS, min(1 + needs.get("detail", 1), max(height * 11 // 20, spare)))
    x, wide = left + GAP, width - left - GAP
    return {
        "settings": Box(0, 0, left, height - files),
        "files": Box(0, height - files, left, files),
        "detail": Box(x, 0, wide, detail),
        "file": Box(x, detail, wide, height - detail),
    }


def _wishes(height: int, focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """The list in use, what is known of its row; the other list keeps its title, the file has the rest."""
    used = "files" if focused == "files" else "settings"
    rest = height - 1
    share = rest // 3 if focused in (used, "detail") else rest // 5
    lines = max(1 + _FEW_ROWS, min(1 + needs.get(used, 1), share))
    rest -= lines
    share = rest // 3 if focused == "file" else rest * 2 // 3
    spare = rest - 1 - max(_FEW_ROWS, needs.get("file", 1))
    detail = max(1 + _FEW_ROWS, min(1 + needs.get("detail", 1), max(share, spare)))
    return [Wish(used, lines - 1), Wish("detail", detail - 1)]


_SIDEWAYS_CELLS = 8
SPECS = (
    PaneSpec(1, "settings", "Settings"),
    PaneSpec(2, "files", "Files"),
    PaneSpec(3, "detail", "Chain"),
    PaneSpec(4, "file", "File"),
)
_EXPLAINED = {"settings": "settings", "files": "config_files", "detail": "chain", "file": "config_file"}


class PictureMade(Message):
    """The picture of a newer snapshot is complete."""

    def __init__(self, picture: ConfigurationPicture | None) -> None:
        self.picture = picture
        super().__init__()


class ConfigurationScreen(PanesScreen):
    """Opens on the setting `name`, or on the first one. Follows every snapshot."""

    BINDINGS: ClassVar = keys.bindings("configuration")
    actions = keys.actions("configuration")

    def __init__(self, session: DropletSession, glyphs: Glyphs, name: str = "") -> None:
        super().__init__(session, glyphs)
        self.taken, self._setting = session.taken, name
        self.desk: ConfigurationViewState | None = None
        self._pictured: Snapshot | None = None
        self.verdict = VerdictLine(f"{session.title}: nothing was read yet")
        self.notice = VerdictLine("")
        panes = [RowsPane(spec, glyphs) for spec in SPECS]
        self.board = Boxes(arrange, *panes)
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())

    def compose(self) -> ComposeResult:
        """Verdict, notice, panes, keys."""
        yield self.verdict
        yield self.notice
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known, and ask for what is newer."""
        self.notice.display = False
        self.session.show_to(self)
        self.panes["settings"].focus()
        if self.taken is not None:
            self.on_snapshot_taken(self.taken)
        self.session.hurry(Snapshot.catalogue, Snapshot.files)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The verdict at once; the chains when the files or the server's settings are newer."""
        self.taken = message
        verdict = message.diagnosis.verdict
        note = self.session.pause_note(message.now)
        self.verdict.tell(self.glyphs.sign(verdict.level), verdict.level, verdict.text, note)
        if self._pictured is None or not same_picture(self._pictured, message.snapshot):
            self._pictured = message.snapshot
            self.run_worker(self._make_picture(message), group="picture", exclusive=True)
        else:
            self._show_notes()

    async def _make_picture(self, message: SnapshotTaken) -> None:
        """In a thread: a great tree takes its time."""
        picture = await asyncio.to_thread(picture_of, message.snapshot)
        self.post_message(PictureMade(picture))

    def on_picture_made(self, message: PictureMade) -> None:
        """Show it; without one, why there is none."""
        if message.picture is None:
            self.desk = None
        elif self.desk is None:
            self.desk = ConfigurationViewState(message.picture, self.glyphs, self._setting)
        else:
            self.desk.take(message.picture)
        self.fill("settings", "files", "detail", "file")
        self._show_notes()

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """The lists choose the subject, the detail chooses the line."""
        message.stop()
        self._follow(message.pane)

    def pane_entered(self, before: str) -> None:
        """A list that gets the focus chooses again."""
        if self.board.focused_name in ("settings", "files"):
            self._follow(self.pane)

    def _follow(self, pane: RowsPane) -> None:
        row, desk = pane.current, self.desk
        if row is None or desk is None:
            return
        if pane.spec.name == "settings":
            self.choose(Subject(Kind.SETTING, row.label))
        elif pane.spec.name == "files":
            self.choose(desk.subject_of(row))
        elif pane.spec.name == "detail" and row.spot is not None and row.spot != desk.spot:
            desk.spot = row.spot
            self.fill("file")

    def choose(self, subject: Subject) -> None:
        """Look at another thing."""
        if self.desk is not None and subject != self.desk.subject:
            self.desk.choose(subject)
            self.panes["detail"].restart()
            self.fill("detail", "file")

    # What the panes show.

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        before = self.board.needs()
        for name in names:
            self._fill(name)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill(self, name: str) -> None:
        desk, pane = self.desk, self.panes[name]
        width = pane.size.width or self.size.width or 80
        if desk is None or self.taken is None:
            pane.show(notes.nothing(self.taken, pane.spec.name), pane.spec.title)
            return
        if name == "settings":
            rows = desk.settings_rows(width)
            pane.show(rows, "Settings", cursor=self._chosen_row(desk))
        elif name == "files":
            pane.show(desk.files_rows(width), "Files", summary=notes.files(desk.picture, self.glyphs))
        elif name == "detail":
            pane.show(desk.detail_rows(self.taken.now, width), desk.detail_title())
        else:
            file_rows = desk.file_rows()
            line = desk.spot.line if desk.spot is not None else 1
            title = notes.file_title(desk, width)
            pane.show(file_rows or (), title, notes.file_note(desk), cursor=max(0, line - 1))

    def _chosen_row(self, desk: ConfigurationViewState) -> int:
        """The row of the setting that is looked at; -1 where the list has it no more."""
        if desk.last.kind is Kind.SETTING and desk.last.name in desk.names:
            return desk.names.index(desk.last.name)
        return -1

    def _show_notes(self) -> None:
        """Sources and ages in the titles, and what must be known of all of it under the verdict."""
        if self.taken is None:
            return
        desk = self.desk
        for name in ("settings", "files"):
            self.panes[name].note(notes.ages(self.taken, name, desk, self.glyphs))
        text, tone = notes.notice(desk.picture) if desk is not None else ("", Tone.MUTED)
        self.notice.display = bool(text)
        sign = self.glyphs.critical if tone is Tone.CRITICAL else self.glyphs.warning
        self.notice.show("", "", f"{sign} {text}" if text else "", tone.value)

    def repaint_lines(self) -> None:
        """Verdict and notice."""
        self.verdict.repaint()
        self.notice.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("configuration", read_only=self.session.read_only, past=self.session.in_past)

    # Where to look.

    def action_sideways(self, step: int) -> None:
        """Long lines of the file move sideways; elsewhere the pane beside is focused."""
        if self.pane is self.panes["file"]:
            self.pane.sideways(step * _SIDEWAYS_CELLS)
        else:
            self.action_next_pane(step)

    def action_enter(self) -> None:
        """From a list to the detail, from there to the file, and that over the whole screen."""
        name = self.board.focused_name
        if name == "file":
            self.action_maximise()
        else:
            self.action_jump("file" if name == "detail" else "detail")

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, an answer, a search, the screen."""
        desk = self.desk
        if self.unfiltered():
            return
        if self.board.maximised:
            self.action_maximise()
        elif desk is not None and desk.back():
            self.fill("detail", "file")
        elif desk is not None and desk.pattern:
            self.search("")
        else:
            self.dismiss(None)

    # What to ask.

    def action_find(self) -> None:
        """Filter the list while the pattern is typed; Esc brings back the one before.

        That of the settings has more to search in than it shows.
        """
        from walconsole.ui.dialogs.dialog import Prompt

        if self.board.focused_name != "settings":
            super().action_find()
            return
        if self.desk is None:
            return
        before = self.desk.pattern
        self.action_jump("settings")
        self.app.push_screen(
            Prompt("search:", before, self.search),
            lambda answer: self.search(before if answer is None else answer),
        )

    def search(self, pattern: str) -> None:
        """List the settings that match."""
        desk = self.desk
        if desk is None:
            return
        desk.pattern = pattern
        desk.list_again()
        self.fill("settings")
        self._follow(self.panes["settings"])
        self._show_notes()

    def action_all_settings(self) -> None:
        """All settings, or those about archiving."""
        if self.desk is not None:
            self.desk.everything = not self.desk.everything
            self.search(self.desk.pattern)

    def action_what_if(self) -> None:
        """Ask for name=value, and answer where to set it."""
        from walconsole.ui.dialogs.dialog import Prompt

        if self.desk is None:
            return
        name = self.desk.last.name if self.desk.last.kind is Kind.SETTING else ""
        self.app.push_screen(Prompt("set where?", f"{name} = " if name else ""), self._wished)

    def _wished(self, text: str | None) -> None:
        if text is None or self.desk is None:
            return
        try:
            self.desk.wish(text)
        except ValueError as error:
            self.app.notify(safe(str(error)), severity="warning", markup=False)
            return
        self.panes["detail"].restart()
        self.fill("detail", "file")
        self.action_jump("detail")

    def action_difference(self) -> None:
        """A dead file against what is in force; once more brings back what was there."""
        desk = self.desk
        if desk is None:
            return
        path = desk.dead_file()
        if desk.subject.kind is Kind.DIFFERENCE:
            desk.back()
        elif path is None:
            self.app.notify("no file was found that is never read", markup=False, timeout=4)
            return
        else:
            desk.choose(Subject(Kind.DIFFERENCE, path))
        self.panes["detail"].restart()
        self.fill("detail", "file")
        self.action_jump("detail")

    # What to take away.

    def action_copy_value(self) -> None:
        """path:line of the row under the cursor, or what is marked, to the clipboard."""
        if self.copy_marked():
            return
        row: Line | None = self.pane.current
        text = safe(row.value) or row.text.strip() if row is not None else ""
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(text, title="copied", markup=False, timeout=3)

    def action_export(self) -> None:
        """The listed chains, to files that did not exist before."""
        from walconsole.ui.board.export import write_export
        from walconsole.ui.configuration.export import export_chains

        if self.desk is None or self.taken is None:
            self.app.notify("nothing was read yet", markup=False, severity="warning")
            return
        write_export(self.app, export_chains(self.desk.picture, self.desk.names, self.taken))

    def action_explain(self) -> None:
        """What the pane in focus shows."""
        from walconsole.ui.dialogs.help import HelpScreen

        spec = self.pane.spec
        self.app.push_screen(HelpScreen(spec._replace(name=_EXPLAINED[spec.name]), self.actions))
