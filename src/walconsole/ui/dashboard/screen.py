"""The first screen of a droplet's session: verdict, panes, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.reactive import Reactive
from textual.screen import Screen

from walconsole.ui.board import keys
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.messages import NeedChanged, PaneToggled, SettingChosen, SnapshotTaken
from walconsole.ui.board.verdict import VerdictLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from walconsole.domain.facts.log_line import LogLine
    from walconsole.ui.board.boxes import Board
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.pane import Pane
    from walconsole.ui.dashboard.fact_pane import FactPane
    from walconsole.ui.dashboard.log_pane import LogPane

_SIDEWAYS_CELLS = 8


class Dashboard(Screen[None]):
    """Shows every `SnapshotTaken`, and acts on the pane in focus."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = "Dashboard { layout: vertical; overflow: hidden; }"
    BINDINGS: ClassVar = keys.bindings("dashboard")

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual's own draws the whole screen anew at each change; the two panes concerned draw themselves."""
    board: Board
    log_pane: LogPane
    fact_panes: list[FactPane]

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__()
        self.session, self.glyphs = session, glyphs
        session.home = self
        self.taken: SnapshotTaken | None = None
        self.unfolded = False
        self.verdict = VerdictLine(f"{session.title}: connecting")
        self.key_bar = KeyBar(self._hints("findings"), session.footnote())

    def _hints(self, pane: str) -> tuple[tuple[str, str], ...]:
        return keys.hints("dashboard", pane, read_only=self.session.read_only, past=self.session.in_past)

    def compose(self) -> ComposeResult:
        """The verdict and the keys: all of the first frame."""
        yield self.verdict
        yield self.key_bar

    async def unfold(self) -> None:
        """Put up the board with its panes, once the first frame is out and unless the console was left."""
        if not self.is_attached:
            return
        from walconsole.ui.board.boxes import Board
        from walconsole.ui.board.catalogue import PANES
        from walconsole.ui.dashboard.fact_pane import FactPane
        from walconsole.ui.dashboard.log_pane import LogPane

        self.log_pane = LogPane(PANES[-1], self.glyphs)
        self.fact_panes = [FactPane(spec, self.glyphs) for spec in PANES[:-1]]
        self.board = Board(*self.fact_panes, self.log_pane)
        await self.mount(self.board, after=self.verdict)
        self.unfolded = True
        self.board.panes["findings"].focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be asked of panes that are not there yet."""
        return self.unfolded and super().check_action(action, parameters)

    @property
    def pane(self) -> Pane:
        """The pane in focus."""
        return self.board.panes[self.board.focused_name]

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Draw it everywhere."""
        from walconsole.ui.board.content import View

        self.taken = message
        verdict = message.diagnosis.verdict
        note = self.session.pause_note(message.now)
        self.verdict.tell(self.glyphs.sign(verdict.level), verdict.level, verdict.text, note)
        width = self.size.width or 80
        view = View(message.snapshot, message.diagnosis, message.now, width, self.glyphs, message.remembered)
        for pane in self.fact_panes:
            pane.show(view)
        self.log_pane.begin()

    def show_status(self, text: str) -> None:
        """What is being done before there is a snapshot."""
        if self.taken is None:
            self.verdict.show("", "", text, "label", self.session.key_note)

    def notes_changed(self) -> None:
        """What stands before the verdict is another, also before there is a snapshot."""
        if self.unfolded:
            self.show_status(self.verdict.text)

    def extend_log(self, lines: Sequence[LogLine]) -> None:
        """More log lines."""
        self.log_pane.extend(lines)

    def show_past_log(self, lines: Sequence[LogLine] | None) -> None:
        """The log as it was; None: as it is."""
        self.log_pane.show_instead(lines)

    def on_need_changed(self, message: NeedChanged) -> None:
        """A pane's content grew or shrank."""
        message.stop()
        self.board.rearrange()

    def on_pane_toggled(self, message: PaneToggled) -> None:
        """A double click."""
        message.stop()
        self.action_maximise()

    def on_descendant_focus(self) -> None:
        """Open the pane in focus where panes fold; the keys follow it."""
        name = self.focused.id if self.focused is not None else None
        if name in self.board.panes and name != self.board.focused_name:
            self.board.focused_name = name
            self.board.rearrange()
            self.update_keys()

    def on_verdict_line_chosen(self) -> None:
        """The verdict leads to triage."""
        self.action_triage()

    def on_setting_chosen(self, message: SettingChosen) -> None:
        """Open the configuration on that setting."""
        message.stop()
        self.session.front.open_configuration(self.session, message.name)

    def action_triage(self) -> None:
        """The cause, its proof, how to mend it."""
        self.session.front.open_triage(self.session)

    def action_configuration(self) -> None:
        """Which file wins, and which is never read."""
        self.session.front.open_configuration(self.session, "")

    def action_recovery(self) -> None:
        """To which moments a restore can go."""
        self.session.front.open_recovery(self.session)

    def action_archive(self) -> None:
        """What the buckets really hold."""
        self.session.front.open_archive(self.session, "")

    def update_keys(self) -> None:
        """The footer for the pane in focus."""
        if not self.unfolded:
            return
        self.key_bar.show(self._hints(self.board.focused_name), self.session.footnote())

    def repaint(self) -> None:
        """Draw everything again: the theme changed."""
        if not self.unfolded:
            return
        self.verdict.repaint()
        for pane in self.board.panes.values():
            pane.refresh()
        self.key_bar.refresh()

    # Where to look.

    def action_jump(self, name: str) -> None:
        """Focus a pane; a maximised one gives way to it."""
        self.board.panes[name].focus()

    def action_next_pane(self, step: int) -> None:
        """The next pane in the order of their keys."""
        names = list(self.board.panes)
        self.action_jump(names[(names.index(self.board.focused_name) + step) % len(names)])

    def action_maximise(self) -> None:
        """Give the pane in focus the whole board, or take it back."""
        self.board.maximised = not self.board.maximised
        self.board.rearrange()

    def action_restore(self) -> None:
        """End marking lines, else a maximised pane; else back to where it was opened from."""
        if self.pane.mark is not None:
            self.pane.toggle_mark()
        elif self.board.maximised:
            self.action_maximise()
        else:
            self.session.front.leave_dashboard(self.session)

    def action_move(self, rows: int) -> None:
        """The cursor, by lines."""
        self.pane.move(rows)

    def action_page(self, pages: int) -> None:
        """The view, by pages."""
        self.pane.scroll_rows(pages * max(1, self.pane.page - 1))

    def action_ends(self, end: int) -> None:
        """The first or the last line."""
        self.pane.go_to(self.pane.rows - 1 if end else 0)

    def action_sideways(self, step: int) -> None:
        """Long log lines move sideways; elsewhere the pane beside is focused."""
        if self.pane is self.log_pane:
            self.pane.sideways(step * _SIDEWAYS_CELLS)
            return
        here = self.pane.region
        beside = [
            pane
            for pane in self.board.panes.values()
            if pane.region.height
            and (pane.region.x > here.x if step > 0 else pane.region.x < here.x)
            and pane is not self.log_pane
        ]
        if beside:
            nearest = min(beside, key=lambda pane: (abs(pane.region.x - here.x), abs(pane.region.y - here.y)))
            nearest.focus()

    def action_enter(self) -> None:
        """Where the line leads; from the buckets to the archive; else maximise."""
        line = self.pane.line(self.pane.cursor) if self.pane.rows else None
        if line is not None and line.link is not None and line.link.setting:
            self.post_message(SettingChosen(line.link.setting))
        elif self.pane.spec.name == "bucket":
            self.action_archive()
        elif line is not None and line.link is not None and line.link.pane == "bucket":
            self.session.front.open_archive(self.session, line.link.role)
        elif line is None or line.link is None or line.link.pane == self.pane.spec.name:
            self.action_maximise()
        else:
            self.action_jump(line.link.pane)

    # What to take away.

    def action_copy_value(self) -> None:
        """The cursor's line, to the clipboard."""
        from walconsole.domain.redaction import safe
        from walconsole.ui.board.clipboard import copy_marked

        if not self.pane.rows or copy_marked(self.app, self.pane):
            return
        line = self.pane.line(self.pane.cursor)
        text = safe(line.value) or line.text.strip()
        self.app.copy_to_clipboard(text)
        self.app.notify(text, title="copied", markup=False, timeout=3)

    def action_mark(self) -> None:
        """Begin to mark lines, or mark none any more."""
        if self.pane is self.log_pane and self.log_pane.following:
            self.log_pane.toggle_follow()
        self.pane.toggle_mark()

    def action_export(self) -> None:
        """The pane in focus, to a file that did not exist before."""
        from walconsole.ui.board.export import export_log, export_pane, write_export

        if self.taken is None:
            self.app.notify("nothing was read yet", markup=False, severity="warning")
            return
        if self.pane is self.log_pane:
            job = export_log(self.log_pane.lines(), self.taken)
        else:
            pane = cast("FactPane", self.pane)
            job = export_pane(pane.spec, pane.content, self.taken)
        write_export(self.app, job)

    def action_explain(self) -> None:
        """What each number of the pane means."""
        from walconsole.ui.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen(self.pane.spec))

    # The log.

    def action_filter(self) -> None:
        """Ask for a pattern, and apply it while it is typed."""
        self.action_jump("log")
        self.session.front.ask_filter(self.log_pane)

    def action_hold_log(self) -> None:
        """Hold new lines back, or let them in."""
        self.log_pane.toggle_pause()

    def action_follow(self) -> None:
        """Stay at the newest line, or not."""
        self.log_pane.toggle_follow()

    def action_wrap(self) -> None:
        """Set the log's lines over as many rows as they need, or cut them."""
        self.log_pane.toggle_wrap()

    def action_all_lines(self) -> None:
        """All lines, or those about archiving."""
        self.log_pane.toggle_all()
