"""The console: it paints first, then connects; it renders snapshots and fetches nothing.

What it knows of a droplet is in that one's session. Nothing beyond Textual and the dashboard is imported, and
nothing is read, before the first frame is out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from walconsole.ui.board.keys import app_bindings
from walconsole.ui.board.travel_keys import TravelKeys
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.themed_app import ThemedApp

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.notifications import SeverityLevel
    from textual.screen import Screen
    from textual.theme import Theme
    from textual.worker import Worker

    from walconsole.domain.standing.model import Verdict
    from walconsole.errors import WalconsoleError
    from walconsole.ui.board.command_line import Understood
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.front import Filtered, Traveller
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.provision_run import ProvisionRun
    from walconsole.ui.board.theming import ThemeShelf
    from walconsole.ui.palette import ConsoleCommands
    from walconsole.ui.questions import Questions


MOST_ALERT = 200
"""Characters of a notification: a desktop shows no more, and some terminals take no more."""


def _commands() -> type[ConsoleCommands]:
    from walconsole.ui.palette import ConsoleCommands

    return ConsoleCommands


_TOAST_CELLS, _TOAST_FRAME = 60, 2
"""How wide a toast is; the rows of its title and of what parts it from the next."""


class WalconsoleApp(TravelKeys, ThemedApp):
    """Droplets' sessions, of which one is `current`: its screens are seen, and the keys concern it.

    `failure` is set when it ended because the only session could never have worked. `theme` and `shelf` as
    for `ThemedApp`. `glyphs` None: by what the terminal's encoding can show. `alerts` are how the terminal
    tells that the verdict got worse: `bell`, `osc9`.
    """

    CSS = """
    CommandPalette > Vertical { width: 80; max-width: 100%; }
    CommandPalette SearchIcon { display: none; }
    Toast { width: 60; max-width: 80%; padding: 0 1; background: $surface; border-left: outer $primary; }
    Toast.-warning { border-left: outer $warning; }
    Toast.-error { border-left: outer $error; }
    """
    ENABLE_COMMAND_PALETTE = True
    DEFAULT_MODE: ClassVar[str] = "droplet 1"
    """Each session is a mode: a stack of screens of its own, which stays as it is while another is seen."""
    COMMANDS: ClassVar = {_commands}
    BINDINGS: ClassVar = app_bindings()

    def __init__(
        self,
        session: DropletSession | None,
        *,
        theme: str | None = None,
        shelf: ThemeShelf | None = None,
        glyphs: Glyphs | None = None,
        alerts: tuple[str, ...] = (),
    ) -> None:
        super().__init__(theme, shelf)
        self.failure: WalconsoleError | None = None
        self._glyphs, self._alerts = glyphs, alerts
        self._leaving: Screen[bool] | None = None
        self._saying: set[tuple[str, str]] = set()
        self.sessions: dict[str, DropletSession] = {}
        self._observations: dict[str, Worker[None]] = {}
        self._numbered = 1
        if session is not None:
            self.sessions[self.DEFAULT_MODE] = session
            session.front = self

    @property
    def glyphs(self) -> Glyphs:
        """The signs that all screens draw with."""
        if self._glyphs is None:
            from walconsole.ui.board.glyphs import ASCII, UNICODE

            encoding = (self.console.encoding or "utf-8").lower()
            self._glyphs = UNICODE if encoding.startswith("utf") else ASCII
        return self._glyphs

    def get_default_screen(self) -> Screen[None]:
        """The first session's dashboard."""
        return Dashboard(self.current, self.glyphs)

    def on_mount(self) -> None:
        """Everything that costs time waits until the first frame is out."""
        self._show_current(shown=True)
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        self.add_mode(self.DEFAULT_MODE, self.get_default_screen)
        if await self._unfold_first():
            self.run_worker(self.load_themes(), name="themes", group="themes")

    async def _unfold_first(self) -> bool:
        """What the first screen needs beyond its first frame; False where the console was left."""
        return await self._unfold(self.DEFAULT_MODE)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A toast, once while it is up; names and paths are parted where their parts end.

        It never covers more than half of the screen: what was copied may be a whole script.
        """
        from walconsole.ui.board.cells import folded

        width = max(8, min(_TOAST_CELLS, self.size.width * 4 // 5) - 4)
        lines = [part for line in message.splitlines() for part in folded(line, width) or [""]]
        most = max(1, self.size.height // 2 - _TOAST_FRAME)
        if len(lines) > most:
            lines = [*lines[: most - 1], self.glyphs.more]
        text = "\n".join(lines)
        said = text, title
        if said in self._saying or any((up.message, up.title) == said for up in self._notifications):
            return
        self._saying.add(said)  # until Textual has heard it
        super().notify(text, title=title, severity=severity, timeout=timeout, markup=markup)
        self.call_later(lambda: self._saying.discard(said))

    # The sessions.

    @property
    def current(self) -> DropletSession:
        """The session whose screens are seen."""
        return self.sessions[self.current_mode]

    @property
    def traveller(self) -> Traveller | None:
        """See TravelKeys."""
        return self.sessions.get(self.current_mode)

    def _show_current(self, *, shown: bool) -> None:
        """The session whose screens are on top, where it is one's, draws from now on, or no more."""
        session = self.sessions.get(self.current_mode)
        if session is not None:
            session.shown = shown

    @property
    def dashboard(self) -> Dashboard:
        """The current session's."""
        home = self._screen_stacks[self.current_mode][0]
        assert isinstance(home, Dashboard)  # noqa: S101  # each mode begins with one
        return home

    async def _unfold(self, mode: str) -> bool:
        """Put up the panes of the dashboard that is seen, and observe; False where the console was left."""
        dashboard = self.dashboard
        await dashboard.unfold()
        if not dashboard.unfolded:
            return False
        self._observations[mode] = self.run_worker(
            self._observe(self.sessions[mode]), name="observe", group=f"observe {mode}"
        )
        return True

    async def _observe(self, session: DropletSession) -> None:
        """Connect and observe until the session ends. Where there are others, they go on without this one."""
        from walconsole.errors import WalconsoleError

        try:
            await session.observe()
        except WalconsoleError as error:
            if not self._ends_with(session):
                session.notify(error.line(), session.title, "error", 3600.0)
                return
            self.failure = error
            self.exit(return_code=error.exit_code)

    def _ends_with(self, _session: DropletSession) -> bool:
        """Whether nothing is left without this one."""
        return len(self.sessions) == 1

    async def open_session(self, session: DropletSession) -> None:
        """Begin another droplet's session, and show it."""
        self._numbered += 1
        mode = f"droplet {self._numbered}"
        session.front = self
        self.sessions[mode] = session
        self.add_mode(mode, lambda: Dashboard(session, self.glyphs))
        await self.show_session(session)
        await self._unfold(mode)

    async def show_session(self, session: DropletSession) -> None:
        """Show its screens as they were left. Raises ValueError for one that is not open here."""
        mode = self._mode_of(session)
        self._show_current(shown=False)
        await self.switch_mode(mode)
        session.shown = True

    async def close_session(self, session: DropletSession) -> None:
        """End it and take away all that is its own; with the last one the console ends."""
        from contextlib import suppress

        from textual.worker import WorkerError

        mode = self._mode_of(session)
        if self._ends_with(session):
            self.exit()
            return
        if session is self.sessions.get(self.current_mode):
            await self._show_another(session)
        observation = self._observations.pop(mode, None)
        if observation is not None:
            observation.cancel()
            with suppress(WorkerError):
                await observation.wait()
        await self.remove_mode(mode)
        await session.close()
        del self.sessions[mode]

    async def _show_another(self, session: DropletSession) -> None:
        await self.show_session(next(one for one in self.sessions.values() if one is not session))

    def leave_dashboard(self, session: DropletSession) -> None:
        """From the past to now; there is nothing else behind it."""
        if session.in_past:
            self.action_travel()

    def _mode_of(self, session: DropletSession) -> str:
        return list(self.sessions)[list(self.sessions.values()).index(session)]

    def _theme_changed(self, _theme: Theme) -> None:
        for session in self.sessions.values():
            session.repaint()

    # What the operator does, with the current one.

    def action_pause(self) -> None:
        """Stop reading, or resume; ages go on."""
        self.current.pause()

    def action_refresh_now(self) -> None:
        """Read everything now."""
        self.current.refresh()

    def action_pace(self, step: int) -> None:
        """Read less often (1) or more often (-1)."""
        self.current.pace(step)

    def action_show_commands(self) -> None:
        """Every command that was run for the current session; once, however often it is asked for."""
        from walconsole.ui.commands.screen import CommandsScreen

        if not isinstance(self.screen, CommandsScreen):
            self.push_screen(CommandsScreen(self.current, self.glyphs))

    def action_provision(self) -> None:
        """The screen that sets archiving up, where it was when it was left."""
        self.current.open_provisioning()

    @property
    def cannot_suspend(self) -> str:
        """Why the process may not be suspended just now; empty where it may.

        A process that is suspended deletes no temporary key, and nobody is told how long it has lived.
        """
        if any(run.busy for run in self._runs):
            return "steps are under way: suspended, the console could not delete a temporary key"
        return ""

    @property
    def _runs(self) -> list[ProvisionRun]:
        return [run for session in self.sessions.values() for run in session.runs]

    async def action_quit(self) -> None:
        """Leave; while a step is being applied, only when that is meant. Asking twice means it."""
        asked_already = self._leaving is not None and self._leaving.is_attached
        if asked_already or not any(run.changing for run in self._runs):
            self.exit()
            return
        from walconsole.ui.dialogs.dialog import Confirm

        texts = [
            "A step is under way.",
            "Leaving ends it where it is, deletes a temporary key, and keeps the rest. Ctrl-C again leaves.",
        ]
        self._leaving = Confirm("Leave now?", texts, "Leave")
        self.push_screen(self._leaving, lambda leave: self.exit() if leave else None)

    def action_command_palette(self) -> None:
        """Every action by its words; once, however often it is asked for."""
        from walconsole.ui.palette import ConsolePalette

        if not isinstance(self.screen, ConsolePalette):
            self.push_screen(ConsolePalette(id="--command-palette"))

    def action_command_line(self) -> None:
        """The line that takes a command of the screen that is seen."""
        from walconsole.ui.board.command_line import commands
        from walconsole.ui.board.keys import PAST
        from walconsole.ui.dialogs.command_line import CommandLine
        from walconsole.ui.dialogs.dialog import themes_of
        from walconsole.ui.palette import actions_of

        screen = self.screen
        past = self.traveller is not None and self.traveller.travel is not None
        offered = (*PAST, *actions_of(screen)) if past else actions_of(screen)
        line = CommandLine(commands(offered), {"theme": list(themes_of(self))})

        def run(typed: Understood | None) -> None:
            self.call_later(self._run_typed, screen, typed)

        self.push_screen(line, run)

    async def _run_typed(self, screen: Screen[Any], typed: Understood | None) -> None:
        """As its key would; what was typed behind it answers the line or the list that it opens."""
        from walconsole.ui.palette import running

        if typed is None or self.screen is not screen:
            return
        await running(self, screen, typed.action)()
        answer = getattr(self.screen, "answer_with", None)
        if typed.argument and answer is not None:
            self.screen.call_after_refresh(answer, typed.argument)

    # What sessions and their screens ask for: see droplet_session.Front.

    def worsened(self, session: DropletSession, verdict: Verdict) -> None:
        """Call whoever looks elsewhere, as far as that is wanted: by the bell, by a desktop notification.

        OSC 9 (iTerm2, kitty, WezTerm, Windows Terminal, foot …): a text, which begins with no digit, for
        ConEmu's own OSC 9 does.
        """
        from walconsole.domain.redaction import safe

        if "osc9" in self._alerts and self._driver is not None:
            text = safe(f"walconsole {session.title}: {verdict.level.value}: {verdict.text}")
            self._driver.write(f"\x1b]9;{text[:MOST_ALERT]}\x07")
        if "bell" in self._alerts:
            self.bell()

    def ask_line(self, label: str, answered: Callable[[str | None], None]) -> None:
        """See TravelKeys."""
        from walconsole.ui.dialogs.dialog import Prompt

        self.push_screen(Prompt(label), answered)

    def ask_filter(self, pane: Filtered) -> None:
        """Filter a list while the pattern is typed."""
        from walconsole.ui.dialogs.dialog import FilterScreen

        self.push_screen(FilterScreen(pane))

    def open_triage(self, session: DropletSession) -> None:
        """The cause, its proof, how to mend it."""
        from walconsole.ui.triage.screen import TriageScreen

        self.push_screen(TriageScreen(session, self.glyphs))

    def open_configuration(self, session: DropletSession, setting: str) -> None:
        """Which file wins; on that setting, or on the first one."""
        from walconsole.ui.configuration.screen import ConfigurationScreen

        self.push_screen(ConfigurationScreen(session, self.glyphs, setting))

    def open_archive(self, session: DropletSession, role: str) -> None:
        """What the buckets really hold; on that copy, or on the primary."""
        from walconsole.domain.profile import BucketRole
        from walconsole.ui.archive.screen import ArchiveScreen

        chosen = BucketRole.DR if role == BucketRole.DR else BucketRole.PRIMARY
        self.push_screen(ArchiveScreen(session, self.glyphs, chosen))

    def open_recovery(self, session: DropletSession) -> None:
        """To which moments a restore can go, and from what."""
        from walconsole.ui.recovery.screen import RecoveryScreen

        self.push_screen(RecoveryScreen(session, self.glyphs))

    def open_moments(self, session: DropletSession) -> None:
        """What happened when, by the archived WAL, and where to go back to."""
        from walconsole.ui.recovery.moment_screen import MomentScreen

        self.push_screen(MomentScreen(session, self.glyphs))

    def open_recover(self, session: DropletSession) -> None:
        """To where a recovery shall go, and the way there; the one that is up below is come back to."""
        from walconsole.ui.recovery.recover_screen import RecoverScreen

        below = [screen for screen in self.screen_stack if isinstance(screen, RecoverScreen)]
        if not below:
            self.push_screen(RecoverScreen(session, self.glyphs))
            return
        while self.screen is not below[-1]:
            self.pop_screen()

    def open_steps(self, session: DropletSession, run: ProvisionRun | None) -> None:
        """The screen of a run of steps, unless it is seen already; None: of those of the past."""
        from walconsole.ui.provisioning.screen import ProvisionScreen

        if not (isinstance(self.screen, ProvisionScreen) and run in (None, self.screen.run)):
            self.push_screen(ProvisionScreen(session, self.glyphs, run))

    def keep_transcript(self, session: DropletSession, run: ProvisionRun) -> None:
        """Keep what a run did, without being asked."""
        from walconsole.ui.provisioning.transcript import save_transcript

        problem, where = save_transcript(session.title, run.steps, tuple(run.history), tuple(run.changes))
        run.transcript = where
        if problem:
            session.notify(problem, "no transcript was written", "warning")

    @property
    def questions(self) -> Questions:
        """What is asked of the operator."""
        from walconsole.ui.questions import Questions

        return Questions(self)
