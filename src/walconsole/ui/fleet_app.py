"""The console over many clusters: their list first, and the console of each behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from walconsole.ui.app import WalconsoleApp
from walconsole.ui.fleet.screen import FleetScreen

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.theme import Theme

    from walconsole.operator_files.list_view import ListViews
    from walconsole.ports import Clock
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.front import Traveller
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.theming import ThemeShelf
    from walconsole.ui.fleet.source import Source

LIST = "fleet"
MOST_OPEN = 4
"""Consoles that stay as they were left; each goes on reading. The one that was left first is closed."""
_OF_ONE = frozenset({"pause", "refresh_now", "pace", "show_commands", "provision"})


class FleetApp(WalconsoleApp):
    """Esc on a cluster's dashboard comes back to the list, which goes on meanwhile."""

    DEFAULT_MODE: ClassVar[str] = LIST

    def __init__(
        self,
        source: Source,
        clock: Clock,
        *,
        theme: str | None = None,
        shelf: ThemeShelf | None = None,
        glyphs: Glyphs | None = None,
        alerts: tuple[str, ...] = (),
        views: ListViews | None = None,
    ) -> None:
        super().__init__(None, theme=theme, shelf=shelf, glyphs=glyphs, alerts=alerts)
        self._source, self._clock, self._views = source, clock, views
        self._left: list[DropletSession] = []
        self.fleet: FleetScreen | None = None

    def get_default_screen(self) -> Screen[None]:
        """The list."""
        if self.fleet is None:
            self.fleet = FleetScreen(self._source, self, self._clock, self.glyphs, self._views)
        return self.fleet

    async def _unfold_first(self) -> bool:
        self.run_worker(self._source.run(), name="looks", group="looks")
        return True

    def _ends_with(self, _session: DropletSession) -> bool:
        return False

    async def _show_another(self, _session: DropletSession) -> None:
        await self._show_list()

    @property
    def traveller(self) -> Traveller | None:
        """The list, or the console that is seen."""
        if self.current_mode == LIST:
            return None if self.fleet is None else self.fleet.traveller
        return super().traveller

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the list nothing is done to one droplet's session."""
        if self.current_mode == LIST and action in _OF_ONE:
            return False
        return super().check_action(action, parameters)

    # Between the list and the consoles.

    def open_cluster(self, name: str, at: float | None = None) -> None:
        """The console of the cluster: as it was left, else a new one; `at` that time of its past."""
        self.run_worker(self._open(name, at), name="open a console", group="open", exclusive=True)

    async def _open(self, name: str, at: float | None) -> None:
        session = self._source.open(name)
        kept = session.past
        if kept is None:
            session.begins_at = at
        if session in self._left:
            self._left.remove(session)
        if session in self.sessions.values():
            session.rest(False)
            await self.show_session(session)
        else:
            await self.open_session(session)
        if at is not None and kept is not None:
            self.travel_to(session, at)

    def leave_dashboard(self, session: DropletSession) -> None:
        """From the past to now; else to the list: the console stays, and reads as rarely as can be."""
        if session.in_past:
            self.action_travel()
            return
        self.run_worker(self._leave(session), name="back to the list", group="leave")

    async def _leave(self, session: DropletSession) -> None:
        await self._show_list()
        session.rest(True)
        self._left.append(session)
        idle = [one for one in self._left if not any(run.busy for run in one.runs)]
        if len(self._left) > MOST_OPEN and idle:
            await self.close_session(idle[0])

    async def close_session(self, session: DropletSession) -> None:
        """End it; its cluster is looked at in turns again."""
        if session in self._left:
            self._left.remove(session)
        await super().close_session(session)
        self._source.closed(session)

    async def _show_list(self) -> None:
        self._show_current(shown=False)
        await self.switch_mode(LIST)
        if self.fleet is not None:
            self.fleet.look_again()

    def _theme_changed(self, theme: Theme) -> None:
        super()._theme_changed(theme)
        if self.fleet is not None:
            self.fleet.repaint()
