"""Setting archiving up: the steps, the plan of each, what was done, and the gate below."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.units import duration_text, plural
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.provision_run import SUMMARY, ProvisionRun, StepNews, StepsShown
from walconsole.ui.board.rows_pane import RowsPane
from walconsole.ui.board.timers import sure
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.provisioning import rows
from walconsole.ui.provisioning.gate_bar import GateBar
from walconsole.ui.provisioning.places import arrange
from walconsole.ui.provisioning.rows import EventLines
from walconsole.ui.provisioning.verdict import steps_verdict

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken
    from walconsole.ui.board.provision_run import ShownStep, StepRunner
    from walconsole.ui.provisioning.past_run import PastSteps


SPECS = (
    PaneSpec(1, "steps", "Steps"),
    PaneSpec(2, "plan", "Plan"),
    PaneSpec(3, "events", "Done"),
)
SOONEST_S = 0.1
"""News that comes closer together is drawn as one."""


_BEGIN = frozenset({"x", "r", "u"})
"""The keys that begin what cannot begin while something is under way."""


class ProvisionScreen(PanesScreen):
    """Shows `run`, which goes on without it. Looks at every step when it is opened for the first time.

    In the past it shows the last run that was begun by then, whoever began it; None: it was opened there.
    """

    BINDINGS: ClassVar = keys.bindings("provision")
    CSS_PATH = "provision.tcss"
    actions = keys.actions("provision")

    def __init__(self, session: DropletSession, glyphs: Glyphs, run: ProvisionRun | None) -> None:
        super().__init__(session, glyphs)
        self.run = ProvisionRun(_nothing_to_run) if run is None else run
        self._past: PastSteps | None = None
        self._only_past = run is None
        told = "reading what is kept" if session.in_past else "looking at the droplet; nothing is changed"
        self.verdict = VerdictLine(f"{session.title}: {told}")
        panes = [RowsPane(spec, glyphs) for spec in SPECS]
        self.board = Boxes(arrange, *panes)
        self.panes = self.board.panes
        self.gate = GateBar(self.run.answer, session.title)
        self.key_bar = KeyBar(self.hints(), session.footnote())
        self._events = EventLines(glyphs)
        self._following = True
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        """Verdict, panes, gate, keys."""
        yield self.verdict
        yield self.board
        yield self.gate
        yield self.key_bar

    def on_mount(self) -> None:
        """Show where it is; the first time, look."""
        self.session.show_to(self)
        self.panes["steps"].focus()
        self.run.changed = self._soon
        if self.session.in_past:
            self._to_past()
        elif not self.run.news and not self.run.busy:
            self.run.look()
        self._soon()
        self.set_interval(1.0, self._show_key_age)

    def on_unmount(self) -> None:
        """Nobody looks any more; the run goes on."""
        self.run.changed = lambda: None

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The dashboard's news are not shown here, but where in the past they are of."""
        message.stop()
        if self.session.in_past:
            self._to_past()

    def update_keys(self) -> None:
        """The footer; whoever came back to now sees what goes on."""
        if not self.session.in_past and (self._past is not None or self._only_past):
            self._past = None
            if self._only_past:
                self.dismiss(None)
                return
            self._following = True
            self._soon()
        super().update_keys()

    def _to_past(self) -> None:
        """Show what was kept of the moment where the session is."""
        travel, past = self.session.travel, self.session.past
        at = travel.screen.at if travel is not None and travel.screen is not None else None
        if past is None or at is None or (self._past is not None and self._past.at == at):
            return

        async def read() -> None:
            from walconsole.errors import RegisterError
            from walconsole.ui.provisioning.past_run import PastSteps

            try:
                runs = await past.runs(at)
            except RegisterError as error:
                self.session.notify(error.line(), "the past cannot be read", "error")
                runs = []
            found = await asyncio.to_thread(PastSteps, runs, at)
            if self.session.in_past:
                self._past, self._following = found, True
                self._soon()

        self.run_worker(read(), name="steps of the past", group="past steps", exclusive=True)

    def _soon(self) -> None:
        if self._due is None and self.is_attached:
            self._due = sure(self.set_timer(SOONEST_S, self._show_news))

    @property
    def shown(self) -> StepsShown:
        """What goes on, or what did at the moment of the past that is shown."""
        return self._past.run if self._past is not None else self.run

    def _show_news(self) -> None:
        self._due = None
        self.fill("steps")
        wanted = self.shown.current or self.shown.suggested
        if self._following and wanted:
            self._choose(wanted)
        self.fill("plan", "events")
        was_asking = self.gate.asking
        self.gate.show(None if self.session.in_past else self.run.question)
        if was_asking and not self.gate.asking:
            self.panes[self.board.focused_name].focus()
        self._show_key_age()
        self._show_verdict()
        super().update_keys()
        if self.session.in_past and self.run.question is not None:
            self.session.notify(f"{self.run.question.title} asks: h comes back to it", "now", "warning", 5)

    def notes_changed(self) -> None:
        """Keys that may be alive stand in the first line here too."""
        self._soon()

    def _show_key_age(self) -> None:
        """For how long a temporary key has been alive while the gate asks, and when it is taken away."""
        question = self.run.question
        if question is None or question.key_since is None:
            return
        age = self.session.seconds_since(question.key_since)
        left = -self.session.seconds_since(question.answer_by)
        self.gate.say(
            f"The temporary key {_alive(age)}; without an answer it is deleted"
            f" in {duration_text(max(0.0, left))}."
        )

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """Another step is looked at: that is followed no more, until it is the running one again."""
        message.stop()
        if message.pane is self.panes["steps"]:
            self._following = self._chosen in (self.shown.current, self.shown.suggested)
            for name in ("plan", "events"):
                self.panes[name].restart()
            self.fill("plan", "events")

    # What the panes show.

    @property
    def _chosen(self) -> str:
        row = self.panes["steps"].current
        return row.label if row is not None else ""

    def _choose(self, step_id: str) -> None:
        ids = [row.label for row in rows.step_rows(self.shown, self.glyphs)]
        if step_id in ids and self._chosen != step_id:
            self.panes["steps"].centre(ids.index(step_id))
            for name in ("plan", "events"):
                self.panes[name].restart()

    def _step(self) -> tuple[ShownStep, StepNews] | None:
        step = next((step for step in self.shown.steps if step.id == self._chosen), None)
        return (step, self.shown.news[step.id]) if step is not None else None

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        before = self.board.needs()
        for name in names:
            self._fill(name)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill(self, name: str) -> None:
        pane, chosen = self.panes[name], self._step()
        width = (pane.size.width or self.size.width or 80) - 1
        if name == "steps":
            title = "Steps" if self._past is None else self._past.title
            pane.show(rows.step_rows(self.shown, self.glyphs), title)
        elif chosen is None and self._chosen == SUMMARY:
            found = rows.summary_rows(self.shown, width, self.glyphs, past=self._past)
            pane.show(found if name == "plan" else (), "Summary" if name == "plan" else "Done")
        elif chosen is None:
            pane.show((), pane.spec.title)
        elif name == "plan":
            step, news = chosen
            failure = self.shown.failure if not self.shown.busy else None
            pane.show(rows.plan_rows(step, news, width, self.glyphs, told=failure), step.title)
        else:
            at_end = pane.cursor >= pane.rows - 1
            told = self._events.of(chosen[1], width)
            pane.show(told, "Done", cursor=len(told) - 1 if at_end and told else -1)

    def _show_verdict(self) -> None:
        silence = self._past.silence() if self._past is not None else ""
        chosen = self._step()
        below = chosen[1].error if chosen is not None else None
        sign, word, text, tone = steps_verdict(
            self.shown, self.session.title, self.glyphs, silence=silence, told_below=below
        )
        self.verdict.show(sign, word, text, tone.value, self.session.pause_note(self.session.clock.now()))

    def repaint_lines(self) -> None:
        """The verdict."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys; while steps are taken those that would be refused are not among them."""
        offered = keys.hints("provision", read_only=self.session.read_only, past=self.session.in_past)
        if self.session.in_past or (self.run.question is None and not self.run.changing):
            return offered
        left = tuple(hint for hint in offered if hint[0] not in _BEGIN)
        return (
            left
            if self.run.question is None
            else (("Esc", "no"), *(each for each in left if each[0] != "Esc"))
        )

    # What the operator does.

    def action_go(self) -> None:
        """Run the steps; each asks first."""
        if self.run.busy:
            self.app.notify("it is running already", markup=False, timeout=3)
            return
        self._following = True
        self.run.start()
        self._soon()

    def action_look(self) -> None:
        """Look at every step again."""
        if self.run.busy:
            self.app.notify("it is running, and looks at each step by itself", markup=False, timeout=3)
            return
        self.run.look()
        self._soon()

    def action_undo(self) -> None:
        """Take back what was changed; each step asks first."""
        if self.run.busy:
            self.app.notify("it is running: wait until it has ended", markup=False, timeout=3)
            return
        self._following = True
        self.run.undo()
        self._soon()

    def action_enter(self) -> None:
        """From the steps to the plan; there, over the whole screen."""
        if self.board.focused_name == "steps":
            self.action_jump("plan")
        else:
            self.action_maximise()

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, a question (that is a no), the screen."""
        if self.unfiltered():
            return
        if self.board.maximised:
            self.action_maximise()
        elif self.run.question is not None and not self.session.in_past:
            self.run.answer(False)
        else:
            self.dismiss(None)

    def action_copy_value(self) -> None:
        """The row under the cursor, or what is marked, to the clipboard."""
        self.copy_rows()

    def action_copy_commands(self) -> None:
        """The commands of the step under the cursor, to the clipboard."""
        chosen = self._step()
        plan = chosen[1].plan if chosen is not None else None
        commands = plan.commands if plan is not None else ()
        if not commands:
            self.app.notify("this step has no commands to copy", markup=False, timeout=3)
            return
        text = "\n".join(command.text for command in commands)
        self.app.copy_to_clipboard(text + "\n")
        self.app.notify(plural(len(commands), "command"), title="copied", markup=False, timeout=3)

    def action_export(self) -> None:
        """A transcript, to files that did not exist before."""
        from walconsole.ui.board.export import write_export
        from walconsole.ui.provisioning.transcript import transcript_of

        history, changes = tuple(self.shown.history), tuple(self.shown.changes)
        write_export(self.app, transcript_of(self.session.title, self.shown.steps, history, changes))

    def action_explain(self) -> None:
        """What the step is for, what it does, and the keys."""
        from walconsole.ui.dialogs.help import StepHelp

        chosen = self._step()
        title = chosen[0].title if chosen is not None else "Setting archiving up"
        text = chosen[0].explanation if chosen is not None else _ABOUT
        self.app.push_screen(StepHelp(title, text, self.actions))


async def _nothing_to_run(_gate: object, _tell: object) -> StepRunner:
    raise AssertionError("a screen of the past runs nothing")


def _alive(age_s: float) -> str:
    """For how long, in whole seconds; not for none."""
    return "has just been made" if age_s < 1.0 else f"is alive for {duration_text(age_s)}"


_ABOUT = (
    "Each step looks first whether it is done already. What is not shows its plan and asks before anything "
    "is changed; it may be run again at any time. The summary says what this session changed, and how it is "
    "undone."
)
