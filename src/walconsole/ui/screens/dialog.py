"""What every dialog has in common: a box in the middle, Esc is no."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.screen import ModalScreen

from walconsole.ui.keys import dialog_bindings

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A question, or a list to choose from. Esc dismisses it without an answer."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = dialog_bindings("dialog")

    def action_dismiss_empty(self) -> None:
        """Not answering is a no."""
        self.dismiss(None)
