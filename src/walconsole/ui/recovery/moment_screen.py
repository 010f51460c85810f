"""Find the moment: what happened around a time, by the archived WAL, and where to go back to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.moments.asking import read_asked
from walconsole.domain.moments.by_target import with_target
from walconsole.domain.moments.targets import time_value
from walconsole.domain.recovery.recover_draft import draft_of
from walconsole.domain.redaction import safe
from walconsole.domain.standing.recovering import place_beside
from walconsole.droplet.names import RcloneNames
from walconsole.errors import WalconsoleError
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import Content, Span, Tone
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.latest_worker import run_latest
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane, TablePane
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.recovery import detail_rows, moment_rows
from walconsole.ui.recovery.layout import arrange_moments
from walconsole.ui.recovery.picture import picture_of

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.notifications import SeverityLevel

    from walconsole.domain.moments.events import Moment
    from walconsole.domain.recovery.by_hand import Commands
    from walconsole.observe.moments.finding import Progress
    from walconsole.observe.moments.search import MomentSearch
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

_STEP = 8
ASKS = "around when (UTC; 14:02 30min; Enter: the last 15 min):"
JUST_NOW_S = 900.0
"""What Enter alone asks for: who is woken knows that it was just now, and not the time in UTC."""
_NO_NAMES = RcloneNames({}, "")


class MomentScreen(PanesScreen):
    """Asks for a time at once where nothing was found yet; what was found last stays with the session."""

    BINDINGS: ClassVar = keys.bindings("moments")
    actions = keys.actions("moments")

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.taken = session.taken
        self.doing = self.problem = self.about = ""
        self.everything = self.keeping = False
        self.picture = moment_rows.picture_of(session.found_moments)
        self.verdict = VerdictLine(f"{session.title}: find the moment", most_when_low=2)
        self.table = TablePane(PaneSpec(2, "events", "Events"), glyphs)
        self.board = Boxes(
            arrange_moments,
            RowsPane(PaneSpec(1, "search", "Find the moment"), glyphs),
            self.table,
            RowsPane(PaneSpec(3, "answer", "Where to go back to"), glyphs),
        )
        self.board.focused_name = "events"
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())
        self._told = ""

    def compose(self) -> ComposeResult:
        """First line, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what was found last, else ask."""
        self.session.show_to(self)
        self.table.focus()
        self.show_all(restart=True)
        if self.session.found_moments is None:
            self.call_after_refresh(self.action_ask)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The commands follow what is in the archive; the events do not."""
        self.taken = message
        self._show_verdict()

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """What is told follows the cursor."""
        message.stop()
        if message.pane.spec.name == "events":
            self.fill("answer")

    # What the panes show.

    def show_all(self, *, restart: bool = False) -> None:
        """Everything anew; `restart`: with the cursor on the worst event."""
        self.picture = moment_rows.picture_of(
            self.session.found_moments,
            doing=self.doing,
            problem=self.problem,
            about=self.about,
            everything=self.everything,
            keeping=self.keeping,
        )
        if restart:
            self.table.restart()
        self._show_verdict()
        self.fill(*self.panes)
        found = self.picture.found
        worst = found.worst(self.picture.moments) if found is not None else None
        if restart and worst is not None:
            self.table.centre(self.picture.moments.index(worst))
            self.fill("answer")

    def _show_verdict(self) -> None:
        level, text = self.picture.verdict
        now = self.taken.now if self.taken is not None else 0.0
        self.verdict.tell(self.glyphs.sign(level), level, text, self.session.pause_note(now))

    @property
    def moment(self) -> Moment | None:
        """The event under the cursor."""
        moments = self.picture.moments
        return moments[min(self.table.cursor, len(moments) - 1)] if moments else None

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        before = self.board.needs()
        for name in names:
            pane = self.panes[name]
            width = (pane.size.width or self.size.width or 80) - 1
            if name == "search":
                rows = moment_rows.search_rows(self.picture, width, self.glyphs)
                pane.show(rows, "Find the moment", summary=rows[0].spans if rows else ())
            elif name == "events":
                self.table.head, events = moment_rows.event_rows(self.picture, width, self.glyphs)
                note = Span(moment_rows.events_note(self.picture), Tone.LABEL)
                self.table.show(events, "Events", (note,))
            else:
                self._fill_answer(pane, width)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill_answer(self, pane: RowsPane, width: int) -> None:
        moment, found = self.moment, self.picture.found
        title = "Just after it" if self.keeping else "Just before it"
        if moment is None or found is None:
            pane.show((), title)
            return
        answer = found.answer(moment, keeping=self.keeping)
        rows = moment_rows.answer_rows(answer, found.names, self.commands(), width)
        told = f"{moment.lsn} {self.keeping}"
        if told != self._told:
            self._told = told
            pane.restart()
        pane.show(rows, title, summary=rows[0].spans[1:])

    def commands(self) -> tuple[Commands, ...] | str:
        """Those that restore to the event under the cursor; or why there are none."""
        moment, found, taken = self.moment, self.picture.found, self.taken
        if moment is None or found is None or taken is None:
            return "nothing was read yet"
        picture = picture_of(taken.snapshot, taken.now)
        made = detail_rows.commands_before(picture, moment.lsn, self.session.rclone or _NO_NAMES)
        if isinstance(made, str):
            return made
        return with_target(made, found.answer(moment, keeping=self.keeping).targets[0])

    def repaint_lines(self) -> None:
        """The first line."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("moments", past=self.session.in_past)

    # What the operator does.

    def action_ask(self) -> None:
        """A time, and how far around it."""
        from walconsole.ui.dialogs.dialog import Prompt

        if self.session.searcher is None:
            self._say(
                "it is read-only, or not connected yet", "nothing can be brought to the droplet", "warning"
            )
            return
        before = ""
        if self.picture.found is not None:
            before = time_value(int(self.picture.found.around * 1_000_000))[:19]
        self.app.push_screen(Prompt(ASKS, before), self._asked)

    def _asked(self, text: str | None) -> None:
        searcher = self.session.searcher
        if text is None or searcher is None:
            return
        now = self.session.clock.now()
        try:
            around, within_s = read_asked(text, now) if text.strip() else (now, JUST_NOW_S)
        except ValueError as error:
            self._say(str(error), "that is no time", "warning")
            return
        search = searcher()
        run_latest(self, "search", partial(self._search, search, around, within_s))

    async def _search(self, search: MomentSearch, around: float, within_s: float) -> None:
        """Plan, gate, reading; cancelled with the screen, and then nothing stays on the droplet."""
        self.problem = ""
        try:
            self._do("looking what it takes")
            plan = await search.plan(around, within_s)
            self._do("waiting for your answer")
            if not await self.session.agree("Bring WAL to the droplet?", plan.lines(), "Bring and read it"):
                return
            self._do("bringing the segments")
            self.session.found_moments = await search.run(plan, self._progress)
        except WalconsoleError as error:
            self.problem = error.line()
        finally:
            self.doing = ""
            await search.rest()
            if self.is_mounted:
                self.show_all(restart=True)

    def _do(self, text: str) -> None:
        """What is under way; the events stay as they are."""
        self.doing = text
        self.picture = replace(self.picture, doing=text, problem=self.problem)
        self._show_verdict()
        self.fill("search")

    def _progress(self, progress: Progress) -> None:
        text = progress.said or f"{progress.records:,} records read"
        if progress.reached_us is not None:
            text += f", at {time_value(progress.reached_us)[:19]}Z"
        if text != self.doing:
            self._do(safe(text))

    def action_filter(self) -> None:
        """Applies while it is typed."""
        from walconsole.ui.dialogs.dialog import Prompt

        before = self.about

        def typed(text: str | None) -> None:
            self.about = before if text is None else text
            self.show_all(restart=True)

        self.app.push_screen(Prompt("events about:", before, typed), typed)

    def action_everything(self) -> None:
        """Inserts, checkpoints and the like, too, or not."""
        self.everything = not self.everything
        self.show_all(restart=True)

    def action_keep(self) -> None:
        """Targets with the event, or before it."""
        self.keeping = not self.keeping
        self.show_all()

    def action_recover(self) -> None:
        """Go back to just before the event under the cursor, or to just after it."""
        moment, found, taken = self.moment, self.picture.found, self.taken
        if moment is None or found is None or taken is None:
            self._say("no event was found yet", "nothing to go back from", "warning")
            return
        self.session.recover_draft = draft_of(
            found.answer(moment, keeping=self.keeping), found, place_beside(taken.snapshot)
        )
        self.session.front.open_recover(self.session)

    def action_enter(self) -> None:
        """From the list to what is told of the event; that over the whole screen."""
        if self.board.focused_name == "answer":
            self.action_maximise()
        else:
            self.action_jump("answer")

    def action_leave(self) -> None:
        """Back, one step at a time."""
        if self.board.maximised:
            self.action_maximise()
        elif self.board.focused_name == "answer":
            self.action_jump("events")
        else:
            self.dismiss(None)

    def action_sideways(self, step: int) -> None:
        """Along a command that is longer than its pane; elsewhere the pane beside."""
        if self.board.focused_name == "answer":
            self.pane.sideways(step * _STEP)
        else:
            self.action_next_pane(step)

    def action_copy_commands(self) -> None:
        """All of them, to the clipboard."""
        commands = self.commands()
        if isinstance(commands, str):
            self._say(safe(commands), "nothing was copied", "warning")
            return
        self.app.copy_to_clipboard(f"{detail_rows.text_of(commands)}\n")
        self._say("the commands that restore to it", "copied")

    def action_copy_value(self) -> None:
        """The value of the line under the cursor, of a command its paragraph, to the clipboard."""
        row = self.pane.current
        text = "\n".join(safe(line) for line in row.value.split("\n")) if row is not None else ""
        if text:
            self.app.copy_to_clipboard(text)
            self._say(text.splitlines()[0], "copied")

    def action_export(self) -> None:
        """The events that are listed, to files that did not exist before."""
        from walconsole.ui.board.export import export_pane, write_export

        found, taken = self.picture.found, self.taken
        if found is None or taken is None:
            self._say("nothing was read yet", "nothing was exported", "warning")
            return
        lines = (
            *moment_rows.search_rows(self.picture, 120, self.glyphs),
            *moment_rows.event_rows(self.picture, 200, self.glyphs)[1],
        )
        cells = (
            moment_rows.TITLES,
            *(moment_rows.cells_of(each, found.names) for each in self.picture.moments),
        )
        content = Content((), lines, table=cells)
        write_export(self.app, export_pane(PaneSpec(0, "moments", "Find the moment"), content, taken))

    def _say(self, text: str, title: str, severity: SeverityLevel = "information") -> None:
        self.app.notify(text, title=title, severity=severity, markup=False, timeout=5)

    def action_explain(self) -> None:
        """What the pane in focus shows."""
        from walconsole.ui.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen(self.pane.spec, self.actions))
