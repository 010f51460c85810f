"""A screen that is left once, however often that is asked for."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen

Answer = TypeVar("Answer")


class LeftOnce(Screen[Answer]):
    """Keys are queued for the screen that was seen when they were pressed. What was pressed twice on a busy
    machine comes when the screen has gone; Textual takes away the one that is on top then, and where it is
    the last one the console ends.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """As Textual's; nothing where another screen is on top."""
        if self.app.screen is self:
            return super().dismiss(result)
        return AwaitComplete()
