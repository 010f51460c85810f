"""The palette: every action of the table, with its key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Provider

from walconsole.ui.board.keys import actions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.command import Hits

    from walconsole.ui.board.key_actions import Action


class ConsoleCommands(Provider):
    """What the keys do, found by its words."""

    def _run(self, action: Action) -> Callable[[], Awaitable[bool]]:
        namespace, _, name = action.action.rpartition("screen.")
        target = self.screen if action.action.startswith("screen.") else self.app
        return partial(self.app.run_action, name or namespace, default_namespace=target)

    @property
    def _actions(self) -> tuple[Action, ...]:
        """Those of the screen, where it has its own."""
        return cast("tuple[Action, ...]", getattr(self.screen, "actions", actions("dashboard")))

    async def discover(self) -> Hits:
        """Everything, before anything was typed."""
        for action in self._actions:
            yield DiscoveryHit(f"{action.title}  ({action.sign})", self._run(action), text=action.title)

    async def search(self, query: str) -> Hits:
        """What matches the words."""
        matcher = self.matcher(query)
        for action in self._actions:
            score = matcher.match(action.title)
            if score > 0:
                shown = matcher.highlight(action.title)
                yield Hit(score, shown, self._run(action), text=action.title, help=f"key {action.sign}")
