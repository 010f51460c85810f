"""What every dialog has in common: a box in the middle, Esc is no."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding
from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A question, or a list to choose from. Esc dismisses it without an answer."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = [
        Binding("escape", "dismiss_empty", "Cancel"),
        Binding("ctrl+c", "app.quit", "Quit", priority=True),  # a field in focus would copy with it
    ]

    def action_dismiss_empty(self) -> None:
        """Not answering is a no."""
        self.dismiss(None)
