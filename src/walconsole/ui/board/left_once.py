"""A screen that is left once, however often that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.await_complete import AwaitComplete

if TYPE_CHECKING:
    from textual.screen import Screen

    _Screen = Screen[Any]
else:
    _Screen = object


class LeftOnce(_Screen):
    """Stands before Textual's Screen among the bases; itself it is none, whose style would count for theirs.

    Messages are queued for the screen that was seen when a key was pressed. What was answered twice on a busy
    machine comes when the screen has gone; Textual takes away the one that is on top then, and where it is
    the last one the console ends.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """As Textual's; nothing where another screen is on top."""
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)
