"""Recover: what happened, to where, in which place, what it takes; the steps, the choices at the pause."""

from __future__ import annotations

from dataclasses import replace
from shlex import join
from typing import TYPE_CHECKING, ClassVar

from walconsole.domain.recovery.recover_asked import HOW, read_aim, wish_words
from walconsole.domain.recovery.recover_draft import RecoverDraft
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryTarget,
    is_earlier,
    read_into,
)
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Fix
from walconsole.domain.standing.recovering import foreseen, place_beside
from walconsole.errors import WalconsoleError
from walconsole.ui.board import keys
from walconsole.ui.board.boxes import Boxes
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import TONE_OF_LEVEL, Span, Tone
from walconsole.ui.board.key_bar import KeyBar
from walconsole.ui.board.latest_worker import run_latest
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.board.rows_pane import RowsPane
from walconsole.ui.board.verdict import VerdictLine
from walconsole.ui.recovery import recover_rows
from walconsole.ui.recovery.layout import arrange_recover
from walconsole.ui.recovery.recover_rows import RecoverPicture

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.notifications import SeverityLevel

    from walconsole.domain.recovery.recover_state import RecoveryState
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.messages import SnapshotTaken

RECOVER, ONWARDS, FURTHER, BACK, LOOK, DUMP = (
    "recover", "recover-onwards", "recover-further", "recover-give-up", "recover-look", "recover-dump",
)  # fmt: skip
"""What this screen asks for of the steps (provision/fixes/catalogue.py); the wish is their subject."""

_OF_CHOICE = frozenset({"Enter", "I", "M"})
"""The keys that choose: nothing is chosen any more while a recovery goes on."""
_OF_PAUSED = frozenset({"P", "e", "T"})
"""Those of a copy that is paused at its target."""
_OF_OPEN = frozenset({"P", "e", "u"})
"""Those that nothing is there for before one was begun."""


class RecoverScreen(PanesScreen):
    """The draft stays with the session; where a recovery stands is read whenever the screen is seen."""

    BINDINGS: ClassVar = keys.bindings("recover")
    actions = keys.actions("recover")

    def __init__(self, session: DropletSession, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.taken = session.taken
        self.state: RecoveryState | None = None
        self.unread = "not read yet"
        self.picture: RecoverPicture | None = None
        self.verdict = VerdictLine(f"{session.title}: recover", most_when_low=3)
        self.board = Boxes(
            arrange_recover,
            RowsPane(PaneSpec(1, "aim", "What, and where to"), glyphs),
            RowsPane(PaneSpec(2, "forecast", "What it takes"), glyphs),
            RowsPane(PaneSpec(3, "way", "The way"), glyphs),
        )
        self.board.focused_name = "aim"
        self.panes = self.board.panes
        self.key_bar = KeyBar(self.hints(), session.footnote())

    def compose(self) -> ComposeResult:
        """First line, panes, keys."""
        yield self.verdict
        yield self.board
        yield self.key_bar

    def on_mount(self) -> None:
        """Show what is known."""
        self.session.show_to(self)
        self.panes["aim"].focus()
        self.show_all()

    def on_screen_resume(self) -> None:
        """Steps may have been run since it was seen."""
        self.action_look()

    # What happened.

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """The forecast follows the archive."""
        message.stop()
        self.taken = message
        self.show_all()

    # What the panes show.

    @property
    def draft(self) -> RecoverDraft:
        """What was chosen so far; at first all that is archived, beside the old cluster."""
        draft = self.session.recover_draft
        if draft is not None:
            return draft
        place = place_beside(self.taken.snapshot) if self.taken is not None else IN_PLACE
        return RecoverDraft(RecoveryWish(RecoveryTarget(RecoverTo.LATEST), place))

    def _choose(self, draft: RecoverDraft) -> None:
        self.session.recover_draft = draft
        self.show_all()

    def show_all(self) -> None:
        """Everything anew."""
        draft, taken = self.draft, self.taken
        seen = None
        going = self.state if self.state is not None and self.state.is_open else None
        if going is not None:
            draft = replace(draft, wish=self._wish_of(going))
        if taken is not None:
            at = Assessment(taken.snapshot, taken.now)
            seen = foreseen(at, draft.wish, lsn=draft.lsn, last_commit=draft.last_commit)
        name = taken.snapshot.profile_name if taken is not None else self.session.title
        self.picture = RecoverPicture(name, draft, seen, self.state, self.unread)
        level, word, text = self.picture.verdict
        sign, tone = self.glyphs.sign(level), TONE_OF_LEVEL[level].value
        now = taken.now if taken is not None else 0.0
        self.verdict.show(sign, word, safe(text), tone, self.session.pause_note(now))
        self.update_keys()
        self.fill(*self.panes)

    def fill(self, *names: str) -> None:
        """Set the rows of these panes anew, for their widths."""
        picture = self.picture
        if picture is None:
            return
        before = self.board.needs()
        for name in names:
            pane = self.panes[name]
            width = (pane.size.width or self.size.width or 80) - 1
            if name == "aim":
                note = () if picture.open else (Span("Enter changes a line", Tone.LABEL),)
                pane.show(recover_rows.aim_rows(picture, width, self.glyphs), "What, and where to", note)
            elif name == "forecast":
                pane.show(recover_rows.forecast_rows(picture, width, self.glyphs), "What it takes")
            else:
                title = "What can be done now" if picture.open else "The way"
                pane.show(recover_rows.way_rows(picture, width), title)
        if self.board.needs() != before:
            self.board.rearrange()

    def repaint_lines(self) -> None:
        """The first line."""
        self.verdict.repaint()

    def hints(self) -> tuple[tuple[str, str], ...]:
        """The footer's keys, without those that have nothing to do as it stands."""
        going = self.picture.open if self.picture is not None else None
        idle = _OF_OPEN if going is None else _OF_CHOICE if going.readable else _OF_CHOICE | _OF_PAUSED
        every = keys.hints("recover", read_only=self.session.read_only, past=self.session.in_past)
        return tuple(hint for hint in every if hint[0] not in idle)

    # Where a recovery stands.

    def action_look(self) -> None:
        """Read it anew from the droplet."""
        run_latest(self, "recovery", self._read_state)

    async def _read_state(self) -> None:
        read = self.session.recovery_state
        if read is None:
            self.unread = "read-only, or not connected yet: whether a recovery goes on there is not known"
        else:
            try:
                self.state, self.unread = await read(), ""
            except WalconsoleError as error:
                self.state, self.unread = None, f"whether a recovery goes on there is not known: {error.why}"
        if self.is_mounted:
            self.show_all()

    # What the operator chooses.

    def action_enter(self) -> None:
        """Choose what is under the cursor anew; elsewhere the pane over the whole screen."""
        row = self.panes["aim"].current if self.board.focused_name == "aim" else None
        going = self.picture is not None and self.picture.open is not None
        if row is None or going:
            self.action_maximise()
        elif row.entry == recover_rows.TARGET:
            self._ask_target()
        elif row.entry == recover_rows.WHERE:
            self._ask_where()
        elif row.entry == recover_rows.HAPPENED:
            self.action_moments()
        else:
            self.action_look()

    def _ask_target(self) -> None:
        from walconsole.ui.dialogs.dialog import Choice

        offered = [each for each, _ in self.draft.offered] + [RecoveryTarget(RecoverTo.LATEST)]
        options = [*(f"{each.how}: {why}" for each, why in self.draft.offered), offered[-1].how]

        def chosen(number: int | None) -> None:
            if number is None:
                return
            if number == len(offered):
                self.action_ask()
            else:
                self._aim(offered[number])

        self.app.push_screen(Choice("Recover to", [*options, f"another: {HOW}"]), chosen)

    def _aim(self, target: RecoveryTarget) -> None:
        draft = self.draft
        chosen = replace(draft, wish=replace(draft.wish, target=target))
        self._choose(chosen if chosen.is_offered else replace(chosen, lsn=None))

    def action_ask(self) -> None:
        """A target as it is typed; where a recovery is paused, a later one."""
        from walconsole.ui.dialogs.dialog import Prompt

        self.app.push_screen(Prompt(f"to ({HOW}):"), self._asked)

    def _asked(self, text: str | None) -> None:
        if not text:
            return
        try:
            target = read_aim(text, self.session.clock.now())
        except ValueError as error:
            self._say(str(error), "that is no target", "warning")
            return
        going = self.picture.open if self.picture is not None else None
        if going is None:
            self._aim(target)
        elif going.target is not None and is_earlier(target, going.target):
            self._say("what was replayed is not taken back: give up, and begin anew", "earlier", "warning")
        else:
            self._open(FURTHER, RecoveryWish(target, going.place, going.backup))

    def _ask_where(self) -> None:
        from walconsole.ui.dialogs.dialog import Choice, Prompt

        beside = place_beside(self.taken.snapshot) if self.taken is not None else IN_PLACE
        options = [f"{beside.text}, beside the old one: nothing of that is touched"]
        options.append("another place: VERSION/NAME, or a data directory's /PATH")
        if not beside.in_place:
            options.append(f"{IN_PLACE.text}: its files are moved aside")

        def named(text: str | None) -> None:
            try:
                if text:
                    self._choose(replace(self.draft, wish=replace(self.draft.wish, place=read_into(text))))
            except ValueError as error:
                self._say(str(error), "that is no name", "warning")

        def chosen(number: int | None) -> None:
            if number == 1:
                self.app.push_screen(Prompt("into (VERSION/NAME or /PATH):", beside.name), named)
            elif number is not None:
                place = IN_PLACE if number else beside
                self._choose(replace(self.draft, wish=replace(self.draft.wish, place=place)))

        self.app.push_screen(Choice("Recover into", options), chosen)

    def action_keep(self) -> None:
        """Stop before what stands at the target, or after it."""
        target = self.draft.wish.target
        if self.picture is not None and self.picture.open is not None:
            self._say("a recovery goes on there, and its target stands", "not done", "warning")
        elif target.inclusive is None:
            self._say(f"{target.how}: nothing stands there to stop before or after", "not done", "warning")
        else:
            self._aim(replace(target, inclusive=not target.inclusive))

    # What the operator does.

    def action_go(self) -> None:
        """Begin it, go on where it was, or open what is paused: the steps, each asks first."""
        picture = self.picture
        if picture is None:
            return
        going = picture.open
        if going is not None:
            self._open(ONWARDS if going.readable or going.opening else RECOVER, picture.draft.wish)
        elif picture.refusals:
            self._say(safe(picture.refusals[0][1]), "it cannot be made so", "warning")
        else:
            self._open(RECOVER, picture.draft.wish)

    def action_undo(self) -> None:
        """Give up the recovery that stands open: asks first."""
        going = self.picture.open if self.picture is not None else None
        if going is None:
            self._say("no recovery goes on there, as far as was read", "nothing to give up", "warning")
        else:
            self._open(BACK, self._wish_of(going))

    def action_dig(self) -> None:
        """A read-only question to the paused server, under timeouts."""
        from walconsole.ui.dialogs.dialog import Prompt

        going = self.picture.open if self.picture is not None else None
        if going is None or not going.readable:
            self._say("it can be read while it is paused", "nothing to look into", "warning")
            return

        def asked(sql: str | None) -> None:
            if sql and sql.strip():
                self._open(LOOK, replace(self._wish_of(going), looks=(sql.strip(),)))

        label = "read-only SQL, ended by lock_timeout and statement_timeout:"
        self.app.push_screen(Prompt(label, "select count(*) from "), asked)

    def action_export(self) -> None:
        """One table or one database of the paused copy, into a file beside it: most of the time all that is
        needed.
        """
        from walconsole.ui.dialogs.dialog import Prompt

        going = self.picture.open if self.picture is not None else None
        if going is None or not going.readable:
            self._say("it can be dumped from while it is paused", "nothing to dump", "warning")
            return

        def asked(text: str | None) -> None:
            chosen = self.draft.part if text is not None and not text.strip() else text or ""
            database, slash, table = chosen.strip().rpartition("/")
            if table or slash:
                tables = (table,) if table else ()
                self._open(DUMP, replace(self._wish_of(going), tables=tables, database=database))

        offered = f"; Enter: {self.draft.part}" if self.draft.part else ""
        self.app.push_screen(Prompt(f"dump (TABLE, DATABASE/TABLE, DATABASE/{offered}):"), asked)

    def _wish_of(self, going: RecoveryState) -> RecoveryWish:
        """What that recovery was asked for."""
        return RecoveryWish(going.target or self.draft.wish.target, going.place, going.backup)

    def _open(self, step: str, wish: RecoveryWish) -> None:
        self.session.open_fix(Fix("a recovery", step=step, subject=join(wish_words(wish))))

    def action_moments(self) -> None:
        """What happened when: the event chosen there comes back here."""
        self.session.front.open_moments(self.session)

    def action_leave(self) -> None:
        """Back, one step at a time."""
        if self.board.maximised:
            self.action_maximise()
        elif self.board.focused_name != "aim":
            self.action_jump("aim")
        else:
            self.dismiss(None)

    def action_copy_commands(self) -> None:
        """The command that does the same without a screen."""
        if self.picture is not None:
            command = recover_rows.command_of(self.picture)
            self.app.copy_to_clipboard(f"{command}\n")
            self._say(safe(command), "copied")

    def action_copy_value(self) -> None:
        """The line under the cursor."""
        self.copy_rows()

    def _say(self, text: str, title: str, severity: SeverityLevel = "information") -> None:
        self.app.notify(text, title=title, severity=severity, markup=False, timeout=5)

    def action_explain(self) -> None:
        """What the pane in focus shows."""
        from walconsole.ui.dialogs.help import HelpScreen

        self.app.push_screen(HelpScreen(self.pane.spec, self.actions))
