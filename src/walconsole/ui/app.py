"""The console: it paints first, then connects; it renders snapshots and fetches nothing.

Observation publishes to its `port`, a `ports.Screen`, and asks through it. Nothing beyond Textual and the
dashboard is imported, and nothing is read, before the first frame is out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App

from walconsole.ui.board.keys import app_bindings
from walconsole.ui.board.messages import SnapshotTaken
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.port import AppScreen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.screen import Screen
    from textual.theme import Theme
    from textual.timer import Timer

    from walconsole.domain.archive.cost import Price
    from walconsole.domain.facts.observed import ClusterFacts, HostKeyQuestion
    from walconsole.domain.facts.snapshot import AnySlot, Snapshot
    from walconsole.domain.profile import BucketRole
    from walconsole.domain.standing.model import Fix
    from walconsole.errors import WalconsoleError
    from walconsole.ports import BucketReader, Clock, Observer
    from walconsole.ui.board.export import Export
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.panes_screen import PanesScreen
    from walconsole.ui.board.theming import ThemeShelf
    from walconsole.ui.palette import ConsoleCommands
    from walconsole.ui.provisioning.run import MakeRunner, ProvisionRun

Answer = TypeVar("Answer")

TICK_S = 1.1
"""Ages tick; a little later than a snapshot a second would come, so that one drawing serves both."""
SOONEST_S = 0.2
"""Snapshots that come closer together are drawn as one."""
SOONEST_AT_FIRST_S = 0.05
"""The same, while panes are still waiting for their first reading."""
_PACES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def _commands() -> type[ConsoleCommands]:
    from walconsole.ui.palette import ConsoleCommands

    return ConsoleCommands


class WalconsoleApp(App[None]):
    """One session. `failure` is set when it ended because it could never have worked.

    `provisioner` makes what sets archiving up, `fixer` what mends one finding; None where nothing may be
    changed. `provisioning` opens at the first.
    `price` is what storage costs by the profile, None until one was chosen.
    `observer_factory` is awaited after the first frame. `shelf` holds the themes and remembers the
    chosen one; `theme` overrules it. `glyphs` None: by what the terminal's encoding can show.
    """

    CSS = """
    CommandPalette > Vertical { width: 80; max-width: 100%; }
    CommandPalette SearchIcon { display: none; }
    Toast { width: 60; max-width: 80%; padding: 0 1; background: $surface; border-left: outer $primary; }
    Toast.-warning { border-left: outer $warning; }
    Toast.-error { border-left: outer $error; }
    """
    ENABLE_COMMAND_PALETTE = True
    dashboard: Dashboard
    COMMANDS: ClassVar = {_commands}
    BINDINGS: ClassVar = app_bindings()

    def __init__(
        self,
        title: str,
        observer_factory: Callable[[], Awaitable[Observer]],
        *,
        clock: Clock,
        theme: str | None = None,
        shelf: ThemeShelf | None = None,
        glyphs: Glyphs | None = None,
    ) -> None:
        from walconsole.ui.board.theming import ThemeShelf

        super().__init__()
        self.session_title = title
        self.failure: WalconsoleError | None = None
        self.price: Price | None = None
        self.provisioner: MakeRunner | None = None
        self.provisioning = False
        self.provision_run: ProvisionRun | None = None
        self.fixer: Callable[[Fix], MakeRunner] | None = None
        self.fix_run: ProvisionRun | None = None
        self.shelf = shelf or ThemeShelf()
        self._observer_factory, self._clock = observer_factory, clock
        self._glyphs = glyphs
        self.port = AppScreen(self)
        self._key_notes: dict[int, tuple[str, ...]] = {}
        self._leaving: Screen[bool] | None = None
        self.viewers: list[PanesScreen] = []
        self._snapshot: Snapshot | None = None
        self._observer: Observer | None = None
        self._timer: Timer | None = None
        self._due = self._painted = 0.0
        self._pace = _PACES.index(1.0)
        self._paused_at: float | None = None
        first = self.shelf.first(theme, self.console.color_system)
        self.register_theme(first)
        self._begin_with(first)

    def _begin_with(self, theme: Theme) -> None:
        """Set the first theme; for most of them without setting every style a second time at the start."""
        if theme.ansi or not theme.dark:
            self.theme = theme.name
        else:
            self.set_reactive(App.theme, theme.name)
            self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        """The dashboard."""
        if self._glyphs is None:
            from walconsole.ui.board.glyphs import ASCII, UNICODE

            encoding = (self.console.encoding or "utf-8").lower()
            self._glyphs = UNICODE if encoding.startswith("utf") else ASCII
        self.dashboard = Dashboard(self.session_title, self._glyphs)
        return self.dashboard

    def on_mount(self) -> None:
        """Everything that costs time waits until the first frame is out."""
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        await self.dashboard.unfold()
        if not self.dashboard.unfolded:
            return
        self.run_worker(self._observe(), name="observe", group="observe")
        self.run_worker(self._load_themes(), name="themes", group="themes")

    async def _observe(self) -> None:
        """Connect and observe until the session ends."""
        from walconsole.errors import WalconsoleError

        try:
            self._observer = await self._observer_factory()
            if self.provisioning:
                self.action_provision()
            await self._observer.run(self.port)
        except WalconsoleError as error:
            self.failure = error
            self.exit(return_code=error.exit_code)

    async def _load_themes(self) -> None:
        import asyncio

        themes, problems = await asyncio.to_thread(self.shelf.load)
        for theme in themes:
            if theme.name != self.theme:
                self.register_theme(theme)
        if problems:
            self.notify("\n".join(problems), title="themes", severity="error", markup=False, timeout=15)

    # What observation says.

    def publish(self, snapshot: Snapshot) -> None:
        """Draw the snapshot now, or with the next ones when they come in quick succession."""
        first, self._snapshot = self._snapshot is None, snapshot
        since = self._clock.monotonic() - self._painted
        apart = SOONEST_S if snapshot.whole else SOONEST_AT_FIRST_S
        self._arm(0.0 if first else max(0.0, apart - since))

    def status(self, text: str) -> None:
        """What is being done before the first snapshot."""
        from walconsole.domain.redaction import safe

        self.dashboard.show_status(f"{self.session_title}: {safe(text)}")

    # Drawing.

    def _arm(self, delay: float) -> None:
        """Draw in `delay` seconds, or sooner when that was due already."""
        due = self._clock.monotonic() + delay
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.stop()
        self._due = due
        self._timer = self.set_timer(max(delay, 0.001), self._paint)

    def _paint(self) -> None:
        from walconsole.domain.failures import diagnose

        if self._timer is not None:
            self._timer.stop()
        self._timer, self._painted = None, self._clock.monotonic()
        if self._snapshot is not None:
            now = self._clock.now()
            diagnosis = diagnose(self._snapshot, now)
            # What is covered is not drawn: Textual answers a change below the top with a whole screen.
            viewer = self.viewers[-1] if self.viewers else self.dashboard
            viewer.post_message(SnapshotTaken(self._snapshot, diagnosis, now))
            self._arm(TICK_S)

    def show_to(self, viewer: PanesScreen) -> None:
        """This screen covers all others now."""
        self.viewers.append(viewer)

    def show_no_more_to(self, viewer: PanesScreen) -> None:
        """It is gone: draw what it covered."""
        self.viewers.remove(viewer)
        self._arm(0.0)

    def _theme_changed(self, _theme: Theme) -> None:
        if self.dashboard.unfolded:
            self.dashboard.repaint()
        for viewer in self.viewers:
            viewer.repaint()

    def pause_note(self, now: float) -> str:
        """What stands before the verdict: that reading is paused, and keys that may be alive."""
        if self._paused_at is None:
            return self.key_note
        from walconsole.domain.units import duration_text

        return f"PAUSED {duration_text(max(0.0, now - self._paused_at))}; {self.key_note}"

    @property
    def key_note(self) -> str:
        """Keys that may be alive and are nobody's, for the first line of any screen; empty where none are."""
        from walconsole.domain.redaction import safe

        return safe("".join(f"{line}; " for lines in self._key_notes.values() for line in lines))

    def show_key_notes(self, teller: object, lines: Sequence[str]) -> None:
        """What `teller` has to say of keys, from now on."""
        self._key_notes[id(teller)] = tuple(lines)
        self.dashboard.show_note()
        self._arm(0.0)
        for viewer in self.viewers:
            viewer.notes_changed()

    def seconds_since(self, moment: float) -> float:
        """By the monotonic clock."""
        return self._clock.monotonic() - moment

    def footnote(self) -> str:
        """Whose server this is, and how often it is read."""
        factor = _PACES[self._pace]
        pace = "" if factor == 1.0 else f"  every x{factor:g}"
        return f"{self.session_title}{'  paused' if self._paused_at is not None else ''}{pace}"

    # What the operator does.

    def action_pause(self) -> None:
        """Stop reading, or resume; ages go on."""
        self._paused_at = self._clock.now() if self._paused_at is None else None
        if self._observer is not None:
            self._observer.pause(self._paused_at is not None)
        self._update_keys()
        self._arm(0.0)

    def action_refresh_now(self) -> None:
        """Read everything now."""
        if self._observer is not None:
            self._observer.refresh()

    def hurry(self, *slots: AnySlot) -> None:
        """Read what fills these slots now: somebody looks at it."""
        for slot in slots:
            if self._observer is not None:
                self._observer.hurry(slot)

    def bucket_reader(self, role: BucketRole) -> BucketReader | None:
        """Reads a bucket beyond what the snapshot says of it; None before there is an observer."""
        return self._observer.bucket(role) if self._observer is not None else None

    def _update_keys(self) -> None:
        self.dashboard.update_keys()
        for viewer in self.viewers:
            viewer.update_keys()

    def action_pace(self, step: int) -> None:
        """Read less often (1) or more often (-1)."""
        self._pace = max(0, min(len(_PACES) - 1, self._pace + step))
        if self._observer is not None:
            self._observer.pace(_PACES[self._pace])
        self._update_keys()
        self.notify(f"every interval x {_PACES[self._pace]:g}", markup=False, timeout=2)

    def action_provision(self) -> None:
        """The screen that sets archiving up, where it was when it was left."""
        if self.provisioner is None:
            why = "it is read-only, or not connected yet"
            self.notify(why, title="nothing can be changed", severity="warning", markup=False)
            return
        from walconsole.ui.provisioning.run import ProvisionRun
        from walconsole.ui.provisioning.screen import ProvisionScreen

        if isinstance(self.screen, ProvisionScreen):
            return
        if self.provision_run is None:
            self.provision_run = ProvisionRun(self.provisioner)
            self.provision_run.finished = self._save_transcript
        self.push_screen(ProvisionScreen(self.session_title, self.dashboard.glyphs, self.provision_run))

    def _save_transcript(self, run: ProvisionRun) -> None:
        """Keep what a run did, without being asked."""
        from walconsole.ui.provisioning.saving import save_transcript

        problem, where = save_transcript(
            self.session_title, run.steps, tuple(run.history), tuple(run.changes)
        )
        run.transcript = where
        if problem:
            self.notify(problem, title="no transcript was written", severity="warning", markup=False)

    def open_fix(self, fix: Fix) -> None:
        """The steps that mend something, on the screen of steps; one that still runs is shown instead."""
        if self.fixer is None:
            self.notify("it is read-only", title="nothing can be changed", severity="warning", markup=False)
            return
        from walconsole.ui.provisioning.run import ProvisionRun
        from walconsole.ui.provisioning.screen import ProvisionScreen

        if self.fix_run is None or not self.fix_run.busy:
            self.fix_run = ProvisionRun(self.fixer(fix))
            self.fix_run.finished = self._save_transcript
        self.push_screen(ProvisionScreen(self.session_title, self.dashboard.glyphs, self.fix_run))

    def open_configuration(self, name: str) -> None:
        """The configuration screen on a setting."""
        self.dashboard.open_configuration(name)

    def open_archive(self, role: str) -> None:
        """The archive screen on a copy."""
        self.dashboard.open_archive(role)

    @property
    def runs(self) -> tuple[ProvisionRun, ...]:
        """Steps that were begun in this session."""
        return tuple(run for run in (self.provision_run, self.fix_run) if run is not None)

    @property
    def cannot_suspend(self) -> str:
        """Why the process may not be suspended just now; empty where it may.

        A process that is suspended deletes no temporary key, and nobody is told how long it has lived.
        """
        if any(run.busy for run in self.runs):
            return "steps are under way: suspended, the console could not delete a temporary key"
        return ""

    async def action_quit(self) -> None:
        """Leave; while a step is being applied, only when that is meant. Asking twice means it."""
        asked_already = self._leaving is not None and self._leaving.is_attached
        if asked_already or not any(run.changing for run in self.runs):
            self.exit()
            return
        from walconsole.ui.dialogs.dialog import Confirm

        texts = [
            "A step is under way.",
            "Leaving ends it where it is, deletes a temporary key, and keeps the rest. Ctrl-C again leaves.",
        ]
        self._leaving = Confirm("Leave now?", texts, "Leave")
        self.push_screen(self._leaving, lambda leave: self.exit() if leave else None)

    def action_choose_theme(self) -> None:
        """A list of themes; each is shown while it is highlighted."""
        from walconsole.ui.dialogs.theme import ThemeScreen

        self.push_screen(ThemeScreen(), self._choose_theme)

    def action_change_theme(self) -> None:
        """As the palette's own command asks for it."""
        self.action_choose_theme()

    def _choose_theme(self, name: str | None) -> None:
        if name is None:
            return
        self.theme = name
        problem = self.shelf.remember(name)
        if problem:
            self.notify(problem, title="the theme is not remembered", severity="warning", markup=False)

    def write_export(self, export: Export) -> None:
        """Write an export beside the work, and say where."""
        problem, where = export.write()
        if problem:
            self.notify(problem, title="not exported", severity="error", markup=False)
        else:
            self.notify(where, title="exported", markup=False)

    # The questions of ports.Operator. Not answering is a no.

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Show an unknown key's fingerprint and ask."""
        from walconsole.ui.dialogs.ssh import HostKeyScreen

        trusted: bool | None = await self._ask(HostKeyScreen(question))
        return bool(trusted)

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """Ask which cluster to watch."""
        from walconsole.ui.dialogs.cluster import ClusterScreen

        return await self._ask(ClusterScreen(tuple(clusters)))

    async def passphrase(self, prompt: str) -> str | None:
        """Ask for a secret; it goes to the one who asked and nowhere else."""
        from walconsole.ui.dialogs.ssh import PassphraseScreen

        return await self._ask(PassphraseScreen(prompt))

    async def agree(self, title: str, texts: Sequence[str], answer: str) -> bool:
        """Ask for a yes; the focus is on no."""
        from walconsole.ui.dialogs.dialog import Confirm

        agreed: bool | None = await self._ask(Confirm(title, texts, answer))
        return bool(agreed)

    async def _ask(self, screen: Screen[Answer]) -> Answer | None:
        """The screen's answer; whoever waits for it may be cancelled, then the question goes away."""
        import asyncio

        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def answer(value: Answer | None) -> None:
            if not answered.done():
                answered.set_result(value)

        await self.push_screen(screen, answer)
        try:
            return await answered
        finally:
            if answered.cancelled() and screen.is_current:
                screen.dismiss(None)
