"""A question of one line, at the bottom of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Input, Static

from walconsole.ui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult


class Prompt(Dialog[str]):
    """Enter answers with the text, Esc with nothing; `typed` hears of every change."""

    def __init__(self, label: str, text: str = "", typed: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._label, self._text, self._typed = label, text, typed

    def compose(self) -> ComposeResult:
        """One line."""
        with Vertical(classes="box"):
            yield Static(self._label, classes="label", markup=False)
            yield Input(self._text, select_on_focus=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell it at once."""
        if self._typed is not None:
            self._typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """This is the answer."""
        self.dismiss(event.value)
