"""The keys of the past, on whichever screen it is shown: they come before the screen's own.

What reads anew, or leads to a change, is not done while what is shown is not now, whoever asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App

from walconsole.ui.board.keys import PAST, is_only_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from textual.actions import ActionParseResult
    from textual.dom import DOMNode
    from textual.timer import Timer

    from walconsole.ui.board.front import Traveller
    from walconsole.ui.board.travel import Travel

PLAY_EVERY_S = 1.0
_BY_KEY = {key: action.action for action in PAST for key in action.keys.split(",")}


NOTHING_KEPT = "nothing is kept of the past yet"


class TravelKeys(App[None]):
    """An app of which what is seen may be the past."""

    _playing: Timer | None = None

    @property
    def traveller(self) -> Traveller | None:
        """Whose screens are seen; None where no one's are."""
        raise NotImplementedError

    def ask_line(self, label: str, answered: Callable[[str | None], None]) -> None:
        """Ask for a line; None where it was left."""
        raise NotImplementedError

    async def on_event(self, event: events.Event) -> None:
        """Keys that move in the past, unless a dialog is up."""
        if isinstance(event, events.Key) and not event.is_forwarded and not self.screen.is_modal:
            traveller = self.traveller
            if traveller is not None and traveller.travel is not None and event.key in _BY_KEY:
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
        traveller = self.traveller
        if traveller is not None and traveller.travel is not None and is_only_now(name):
            where = "a recording" if traveller.travel.recording else "the past: h comes back to now"
            traveller.notify(f"this is {where}", "not done", "warning", 3)
            return True
        return await super().run_action(action, default_namespace, namespaces)

    # What the keys do, one after the other.

    def action_travel(self) -> None:
        """To the past; from there back to now."""
        traveller = self._may_travel()
        if traveller is None:
            return
        if traveller.travel is None:
            self.travel_to(traveller, None)
        elif not traveller.travel.recording:
            traveller.show_past(None)

    def action_past_ask(self) -> None:
        """Ask for a time, and go there; from now, too."""
        traveller = self._may_travel()
        if traveller is None:
            return

        def go(typed: str | None) -> None:
            if typed:
                self._go_to(traveller, typed)

        self.ask_line("time, UTC (2026-11-21 03:10, 14:02, yesterday 14:00, -2h):", go)

    def _go_to(self, traveller: Traveller, typed: str) -> None:
        from walconsole.domain.moments.asking import read_time

        travel = traveller.travel
        try:
            at = read_time(typed, travel.until if travel and travel.recording else traveller.clock.now())
        except ValueError as error:
            traveller.notify(str(error), "no time", "warning")
            return
        if travel is None:
            self.travel_to(traveller, at)
            return

        async def go() -> bool:
            return _told_if_off(traveller, travel, at) if await travel.go(at) else False

        self._move(lambda _: go(), NOTHING_KEPT)

    def _may_travel(self) -> Traveller | None:
        """Whose screens are seen, where they have a past; else that is said."""
        traveller = self.traveller
        if traveller is None:
            return None
        offered = getattr(self.screen, "actions", None)
        if offered is not None and not any(action.action == "travel" for action in offered):
            traveller.notify("what is shown here has no past: leave it with Esc first", "", "warning", 5)
            return None
        if traveller.past is None and traveller.travel is None:
            traveller.notify(NOTHING_KEPT, "", "warning", 3)
            return None
        return traveller

    def travel_to(self, traveller: Traveller, at: float | None) -> None:
        """To the newest moment that is kept, or to the one at that time."""
        from walconsole.ui.board.travel import Travel

        assert traveller.past is not None  # noqa: S101  # it was asked before
        travel: Travel[Any] = Travel(traveller.past)

        async def begin() -> bool:
            if not await travel.begin(traveller.clock.now()):
                return False
            return at is None or (await travel.go(at) and _told_if_off(traveller, travel, at))

        async def begun() -> None:
            if await self._moved(traveller, begin, NOTHING_KEPT):
                traveller.show_past(travel)

        self.run_worker(begun(), name="to the past", group="travel", exclusive=True)

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

    def _move(self, move: Callable[[Travel[Any]], Awaitable[bool]], nothing: str) -> None:
        traveller = self.traveller
        travel = traveller.travel if traveller is not None else None
        if traveller is None or travel is None:
            return

        async def moved() -> None:
            if await self._moved(traveller, lambda: move(travel), nothing) and traveller.travel is travel:
                traveller.show_past(travel)

        self.run_worker(moved(), name="through the past", group="travel", exclusive=True)

    async def _moved(self, traveller: Traveller, move: Callable[[], Awaitable[bool]], nothing: str) -> bool:
        from walconsole.errors import RegisterError

        try:
            moved = await move()
        except RegisterError as error:
            traveller.notify(error.line(), "the past cannot be read", "error")
            return False
        if not moved:
            traveller.notify(nothing, "", "information", 2)
        return moved


def _told_if_off(traveller: Traveller, travel: Travel[Any], asked: float) -> bool:
    """True, after saying that what is shown is not of the time that was asked for, where that is so."""
    off = travel.off(asked)
    if off:
        traveller.notify(off, "", "warning", 6)
    return True
