"""The palette: every action of the table, with its key."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import on, work
from textual.command import CommandPalette, DiscoveryHit, Hit, Provider
from textual.widgets import Input
from textual.worker import WorkerError

from walconsole.ui.board.keys import PAST, actions, is_only_now
from walconsole.ui.board.left_once import LeftOnce

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.command import Hits
    from textual.screen import Screen
    from textual.worker import Worker

    from walconsole.ui.board.front import Traveller
    from walconsole.ui.board.key_actions import Action


def actions_of(screen: Screen[Any]) -> tuple[Action, ...]:
    """What keys do on it: its own, where it has any."""
    return cast("tuple[Action, ...]", getattr(screen, "actions", actions("dashboard")))


def then(own: tuple[Action, ...]) -> tuple[Action, ...]:
    """What there is of a screen's actions in the past, after those that move through it."""
    moving = {one.sign for one in PAST}
    return (*PAST, *(one for one in own if one.sign not in moving and not is_only_now(one.action)))


def running(app: App[Any], screen: Screen[Any], action: Action) -> Callable[[], Awaitable[bool]]:
    """What does it, on that screen or on the app, as its key would."""
    namespace, _, name = action.action.rpartition("screen.")
    target = screen if action.action.startswith("screen.") else app
    return partial(app.run_action, name or namespace, default_namespace=target)


class ConsoleCommands(Provider):
    """What the keys do, found by its words."""

    def _run(self, action: Action) -> Callable[[], Awaitable[bool]]:
        return running(self.app, self.screen, action)

    @property
    def _actions(self) -> tuple[Action, ...]:
        traveller: Traveller | None = getattr(self.app, "traveller", None)
        own = actions_of(self.screen)
        return own if traveller is None or traveller.travel is None else then(own)

    async def discover(self) -> Hits:
        """Everything, before anything was typed; last what ends all of it: Enter takes the first.

        What is typed before the palette is up is a key of the screen below, and Enter alone comes here.
        """
        for action in sorted(self._actions, key=lambda one: one.action.endswith("quit")):
            yield DiscoveryHit(f"{action.title}  ({action.sign})", self._run(action), text=action.title)

    async def search(self, query: str) -> Hits:
        """What matches the words."""
        matcher = self.matcher(query)
        for action in self._actions:
            score = matcher.match(action.title)
            if score > 0:
                shown = matcher.highlight(action.title)
                yield Hit(score, shown, self._run(action), text=action.title, help=f"key {action.sign}")


class ConsolePalette(LeftOnce, CommandPalette):
    """Enter takes what is found by what is typed, and nothing else.

    Textual's list is that of the text before until the new one's is put together: who types a word and Enter
    at once had what stood first then, which is Quit where nothing had been typed.
    """

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        if self.app.screen is not self:  # it was taken already
            event.stop()
            event.prevent_default()
            return
        group = self._GATHER_COMMANDS_GROUP
        seeking = [each for each in self.workers if each.group == group and not each.is_finished]
        if seeking and event.value.strip():
            event.stop()
            event.prevent_default()
            self._take_when_found(seeking[-1])

    @work(exclusive=True, group="taking")
    async def _take_when_found(self, seeking: Worker[None]) -> None:
        """As soon as the list is that of the text; more that is typed meanwhile has another."""
        with suppress(WorkerError):
            await seeking.wait()
            self._select_or_command()
