"""The keys of the past, on whichever screen it is shown: they come before the screen's own.

What reads anew, or leads to a change, is not done while what is shown is not now, whoever asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import App

from walconsole.ui.board.keys import PAST, is_only_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from textual.actions import ActionParseResult
    from textual.dom import DOMNode
    from textual.timer import Timer

    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.travel import Travel

PLAY_EVERY_S = 1.0
_BY_KEY = {key: action.action for action in PAST for key in action.keys.split(",")}


class TravelKeys(App[None]):
    """An app whose current session may show the past."""

    _playing: Timer | None = None

    @property
    def traveller(self) -> DropletSession | None:
        """The session whose screens are seen; None where no one's are."""
        raise NotImplementedError

    async def on_event(self, event: events.Event) -> None:
        """Keys that move in the past, unless a dialog is up."""
        if isinstance(event, events.Key) and not event.is_forwarded and not self.screen.is_modal:
            session = self.traveller
            if session is not None and session.in_past and event.key in _BY_KEY:
                await self.run_action(_BY_KEY[event.key], self)
                return
        await super().on_event(event)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As every app's; what is done to a server is not done to its past."""
        name = action if isinstance(action, str) else action[1]
        session = self.traveller
        if session is not None and session.travel is not None and is_only_now(name):
            where = "a recording" if session.travel.recording else "the past: h comes back to now"
            session.notify(f"this is {where}", "not done", "warning", 3)
            return True
        return await super().run_action(action, default_namespace, namespaces)

    # What the keys do, one after the other.

    def action_travel(self) -> None:
        """To the past; from there back to now."""
        session = self.traveller
        if session is None or (session.travel is not None and session.travel.recording):
            return
        offered = getattr(self.screen, "actions", None)
        if offered is not None and not any(action.action == "travel" for action in offered):
            session.notify("what is shown here has no past: leave it with Esc first", "", "warning", 3)
        elif session.in_past:
            session.show_past(None)
        elif session.past is None:
            session.notify("nothing is kept of the past yet", "", "warning", 3)
        else:
            self.run_worker(self._go_back(session), name="to the past", group="travel", exclusive=True)

    async def _go_back(self, session: DropletSession) -> None:
        from walconsole.ui.board.travel import Travel

        assert session.past is not None  # noqa: S101  # it was asked before
        travel = Travel(session.past)

        async def begin() -> bool:
            return await travel.begin(session.clock.now())

        if await self._moved(session, begin, "nothing is kept of the past yet"):
            session.show_past(travel)

    def action_past_step(self, by: int) -> None:
        """The moment before, or after."""
        self._move(lambda travel: travel.step(by), "nothing more is kept that way")

    def action_past_jump(self, seconds: int) -> None:
        """Farther."""
        self._move(lambda travel: travel.jump(float(seconds)), "nothing more is kept that way")

    def action_past_change(self, by: int) -> None:
        """To a change of the first line."""
        self._move(lambda travel: travel.change(by), "the first line did not change that way")

    def action_past_play(self) -> None:
        """A moment a second, until the last, or until it is stopped."""
        if self._playing is not None:
            self._stop_playing()
        else:
            self._playing = self.set_interval(PLAY_EVERY_S, self._play_on)

    def _play_on(self) -> None:
        travel = self.traveller.travel if self.traveller is not None else None
        if travel is None:
            self._stop_playing()
            return

        async def on() -> bool:
            stepped = await travel.step(1)
            if not stepped:
                self._stop_playing()
            return stepped

        self._move(lambda _: on(), "this was the last moment that is kept")

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.stop()
        self._playing = None

    def _move(self, move: Callable[[Travel], Awaitable[bool]], nothing: str) -> None:
        session = self.traveller
        travel = session.travel if session is not None else None
        if session is None or travel is None:
            return

        async def moved() -> None:
            if await self._moved(session, lambda: move(travel), nothing) and session.travel is travel:
                session.show_past(travel)

        self.run_worker(moved(), name="through the past", group="travel", exclusive=True)

    async def _moved(
        self, session: DropletSession, move: Callable[[], Awaitable[bool]], nothing: str
    ) -> bool:
        from walconsole.errors import RegisterError

        try:
            moved = await move()
        except RegisterError as error:
            session.notify(error.line(), "the past cannot be read", "error")
            return False
        if not moved:
            session.notify(nothing, "", "information", 2)
        return moved
