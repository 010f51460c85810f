"""Triage: the cause, its proof, how to mend it, and watching it heal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.time_line import remembered_events
from walconsole.domain.redaction import safe
from walconsole.domain.standing.event_times import events
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.layout import GAP, TWO_COLUMNS, Box, Wish, stacked
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.triage import times
from walconsole.ui.triage.rows import evidence_rows, key_of, log_rows, remedy_rows, story_rows

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from walconsole.domain.standing.model import Finding, Fix
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken


# -- Where the panes stand: the story left, its evidence right, the fix and the time line below, then the log.

PANES = ("story", "evidence", "remedy", "times", "log")
_WIDEST_LEFT = 92
_FEW_ROWS = 3
_KEPT = {"remedy": 5, "story": 3}
"""Rows that stay whatever pane is in use: what to do is never folded to a title."""
_ROWS_WITH_LOG, _LEAST_LOG = 40, 5
"""A screen lower than that has the log only while it is in use."""


def arrange(
    width: int, height: int, focused: str, needs: Mapping[str, int], *, maximised: bool = False
) -> dict[str, Box]:
    """A box for every pane. Below 100 columns they stand on each other, and those out of use fold."""
    if maximised or height < 2 * len(PANES):
        return {focused: Box(0, 0, width, height)}
    if width < TWO_COLUMNS:
        with_log = focused == "log" or height >= _ROWS_WITH_LOG
        names = PANES if with_log else PANES[:-1]
        return stacked(width, height, names, _wishes(names, focused, needs), rest=focused)
    left = min(_WIDEST_LEFT, width * 9 // 20)
    x, wide = left + GAP, width - left - GAP
    log = height // 3 if focused == "log" else 0
    lower = min(max(needs.get("remedy", 1), needs.get("times", 1)) + 1, (height - log) * 9 // 20)
    wanted = max(needs.get("story", 1), needs.get("evidence", 1)) + 2
    upper = max(1 + _FEW_ROWS, min(wanted, height - log - lower))
    log = max(log, min(needs.get("log", 1) + 1, height - upper - lower))
    log = log if log > _LEAST_LOG else 0
    lower = height - log - upper
    below = {"log": Box(0, height - log, width, log)} if log else {}
    return below | {
        "story": Box(0, 0, left, upper),
        "evidence": Box(x, 0, wide, upper),
        "remedy": Box(0, upper, left, lower),
        "times": Box(x, upper, wide, lower),
    }


def _wishes(names: Sequence[str], focused: str, needs: Mapping[str, int]) -> list[Wish]:
    """Story and what to do keep a few rows; the pane in use gets what it wants, the others what is left."""
    wanted = {name: needs.get(name, 1) for name in names}
    few = {name: min(_FEW_ROWS, rows) for name, rows in wanted.items()}
    kept = [name for name in ("remedy", "story") if name != focused]
    first = Wish(focused, min(wanted[focused], _FEW_ROWS))
    always = [Wish(name, min(wanted[name], _KEPT[name])) for name in kept]
    others = [Wish(name, wanted[name], few[name]) for name in names if name != focused]
    return [first, *always, Wish(focused, wanted[focused]), *others]


SPECS = (
    PaneSpec(1, "story", "Story"),
    PaneSpec(2, "evidence", "Evidence"),
    PaneSpec(3, "remedy", "What to do"),
    PaneSpec(4, "times", "Time line"),
    PaneSpec(5, "log", "Log"),
)
_HURRIED = (Snapshot.log, Snapshot.command, Snapshot.production, Snapshot.retention, Snapshot.archiver)


class TriageScreen(PanesScreen):
    """Opens on the worst story. Follows every snapshot."""

    BINDINGS: ClassVar = keys.bindings("triage")
    actions = keys.actions("triage")

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.taken = session.taken
        self.verdict = VerdictLine(f"{session.title}: nothing was read yet")
        panes = [RowsPane(spec, glyphs) for spec in SPECS]
        self.board = Boxes(arrange, *panes)
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())
        self._chosen, self._span = "", -1

    def compose(self) -> ComposeResult:
        """Verdict, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known, and ask for what is newer."""
        self.session.show_to(self)
        self.panes["story"].focus()
        if self.taken is not None:
            self.on_snapshot_taken(self.taken)
        self.session.hurry(*_HURRIED)

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Everything anew: the rows are few."""
        self.taken = message
        verdict = message.diagnosis.verdict
        note = self.session.pause_note(message.now)
        self.verdict.tell(self.glyphs.sign(verdict.level), verdict.level, verdict.text, note)
        self.fill(*self.panes)

    def on_rows_pane_cursor_moved(self, message: RowsPane.CursorMoved) -> None:
        """The story chooses whose evidence is shown."""
        message.stop()
        row = message.pane.current
        if message.pane is self.panes["story"] and row is not None and row.label != self._chosen:
            self._chosen = row.label
            for name in ("evidence", "remedy"):
                self.panes[name].restart()
            self.fill("evidence", "remedy")

    # What the panes show.

    @property
    def finding(self) -> Finding | None:
        """The one that is looked at: the chosen, else the worst story's cause."""
        if self.taken is None or not self.taken.diagnosis.stories:
            return None
        findings = self.taken.diagnosis.findings
        chosen = next((each for each in findings if key_of(each) == self._chosen), None)
        return chosen or self.taken.diagnosis.stories[0].root

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        if self.taken is None:
            return
        before = self.board.needs()
        for name in names:
            self._fill(name, self.taken)
        if self.board.needs() != before:
            self.board.rearrange()

    def _fill(self, name: str, taken: SnapshotTaken) -> None:
        pane = self.panes[name]
        width = (pane.size.width or self.size.width or 80) - 1
        if name == "story":
            known = taken.diagnosis, taken.snapshot, taken.now
            rows = story_rows(*known, width, self.glyphs, taken.remembered)
            pane.show(rows, "Story")
        elif name == "evidence":
            finding = self.finding
            title = "Evidence" if finding is None else f"Evidence: {finding.rule}"
            pane.show(evidence_rows(finding, taken.now, width, self.glyphs), title)
        elif name == "remedy":
            may_change = not self.session.read_only
            rows = remedy_rows(
                self.finding, taken.snapshot, taken.now, width, self.glyphs, may_change=may_change
            )
            pane.show(rows, "What to do")
        elif name == "log":
            told = taken.snapshot.log.value
            pane.show(
                log_rows(told, taken.now, width), "Log" if told is None else f"Log: {safe(told.source)}"
            )
        else:
            log = taken.remembered
            happened = events(taken.snapshot, remembered=remembered_events(log) if log is not None else ())
            if self._span < 0:
                self._span = times.first_span(happened, taken.now)
            span_s = times.SPANS_S[self._span]
            pane.show(times.rows(happened, taken.now, span_s, width, self.glyphs), "Time line")

    def repaint_lines(self) -> None:
        """The verdict."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys."""
        return keys.hints("triage", read_only=self.session.read_only, past=self.session.in_past)

    # What the operator does.

    def action_enter(self) -> None:
        """From the story to its evidence, on to what to do, to doing it; time line and log are maximised."""
        name = self.board.focused_name
        if name == "remedy":
            self.action_fix()
        elif name in ("times", "log"):
            self.action_maximise()
        else:
            self.action_jump("evidence" if name == "story" else "remedy")

    def action_leave(self) -> None:
        """Back, one step at a time: a maximised pane, the screen."""
        if self.unfiltered():
            return
        if self.board.maximised:
            self.action_maximise()
        else:
            self.dismiss(None)

    def action_next_story(self, step: int) -> None:
        """The cause of the next story, or of the one before, under the cursor."""
        taken, pane = self.taken, self.panes["story"]
        if taken is None:
            return
        roots = [key_of(story.root) for story in taken.diagnosis.stories]
        first = {row.label: number for number, row in reversed(list(enumerate(pane.all_rows)))}
        places = [first[root] for root in roots if root in first]
        here = pane.row
        begin = max((place for place in places if place <= here), default=0)
        beyond = [place for place in places if (place > here if step > 0 else place < begin)]
        self.action_jump("story")
        if beyond:
            pane.centre(beyond[0] if step > 0 else beyond[-1])
            pane.post_message(RowsPane.CursorMoved(pane))

    def action_sideways(self, step: int) -> None:
        """The pane beside."""
        self.action_next_pane(step)

    def action_span(self, step: int) -> None:
        """A longer or a shorter time line."""
        self._span = times.spans(step, max(0, self._span))
        self.fill("times")

    def _offered(self) -> Fix | None:
        """The fix under the cursor, else the first that a step does, else the first."""
        finding = self.finding
        if finding is None or not finding.fixes:
            return None
        row = self.panes["remedy"].current if self.board.focused_name == "remedy" else None
        if row is not None and row.label.isdigit() and int(row.label) < len(finding.fixes):
            return finding.fixes[int(row.label)]
        return next((fix for fix in finding.fixes if fix.step), finding.fixes[0])

    def action_fix(self) -> None:
        """The steps that do it, on their own screen: each looks, shows its plan, asks, does and verifies."""
        fix = self._offered()
        if fix is None:
            self.app.notify("there is nothing to mend here", markup=False, timeout=3)
        elif not fix.step:
            self.app.notify("this is not for a program to do: Y copies the commands", markup=False, timeout=5)
        else:
            self.session.open_fix(fix)

    def action_dig(self) -> None:
        """The probes that are not made all the time; those that write ask first."""
        from walconsole.domain.standing.model import Fix

        self.session.open_fix(Fix("dig deeper", step="probes"))

    def action_copy_value(self) -> None:
        """What is marked, else of a fix its commands, else the line under the cursor, to the clipboard."""
        if (
            self.board.focused_name not in ("remedy", "story")
            or self.pane.mark is not None
            or not self._copy_commands()
        ):
            self.copy_rows()

    def action_copy_commands(self) -> None:
        """A fix's commands, to the clipboard."""
        if not self._copy_commands():
            self.app.notify("there are no commands to copy here", markup=False, timeout=3)

    def _copy_commands(self) -> bool:
        fix = self._offered()
        text = (
            "\n".join(safe(line) for command in fix.commands for line in command.split("\n")) if fix else ""
        )
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(text.splitlines()[0], title="copied", markup=False, timeout=3)
        return bool(text)

    def action_go_there(self) -> None:
        """The screen that the finding belongs to."""
        finding = self.finding
        if finding is None:
            return
        if finding.setting or finding.slot in (Snapshot.files, Snapshot.settings):
            self.session.front.open_configuration(self.session, finding.setting or "")
        elif finding.slot in (Snapshot.primary, Snapshot.dr, Snapshot.compared, Snapshot.policy):
            self.session.front.open_archive(self.session, finding.slot.name)
        else:
            self.action_leave()

    def action_export(self) -> None:
        """The incident report, the screen as it is, and a recording, to files that did not exist before."""
        import json

        from walconsole.report.incident import report_document, report_markdown
        from walconsole.ui.board.export import stem_of

        taken = self.taken
        if taken is None:
            self.app.notify("nothing was read yet", markup=False, severity="warning")
            return
        name = taken.snapshot.profile_name
        known = name, taken.snapshot, taken.diagnosis, taken.now, taken.remembered
        markdown = "\n".join(report_markdown(*known)) + "\n"
        document = report_document(*known)
        texts = (
            ("md", markdown),
            ("json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"),
            ("svg", self.app.export_screenshot(title=f"walconsole {name}")),
        )
        self.run_worker(self._export(stem_of("incident", taken), texts), name="export", group="export")

    async def _export(self, stem: str, texts: tuple[tuple[str, str], ...]) -> None:
        """With a recording of the incident, where its screens were kept."""
        from walconsole.ui.board.export import Export, write_export
        from walconsole.ui.triage.recording import incident_recording

        recording = await incident_recording(self.session) if self.session.past is not None else ""
        kept = (("walrec", recording),) if recording else ()
        write_export(self.app, Export(stem, (*texts, *kept)))

    def action_explain(self) -> None:
        """The page of the failure mode under the cursor, and the keys."""
        from walconsole.domain.failures import MODES
        from walconsole.ui.dialogs.help import PageHelp

        finding, row = self.finding, self.panes["story"].current
        rule = finding.rule if finding is not None else (row.label if row is not None else "")
        self.app.push_screen(PageHelp(MODES.get(rule), self.actions))
