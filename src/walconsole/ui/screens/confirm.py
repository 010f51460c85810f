"""A yes or no, with the focus on no."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from walconsole.domain.redaction import safe
from walconsole.ui.keys import dialog_bindings
from walconsole.ui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Confirm(Dialog[bool]):
    """True only when the operator chose `answer`, the word for yes."""

    BINDINGS: ClassVar = dialog_bindings("confirm")

    def __init__(self, title: str, texts: Sequence[str], answer: str) -> None:
        super().__init__()
        self._head, self._texts, self._answer = title, texts, answer

    def compose(self) -> ComposeResult:
        """What would be done, and the two answers."""
        with Vertical(classes="box") as box:
            box.border_title = safe(self._head)
            for text in self._texts:
                yield Static(safe(text), markup=False, classes="text")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="no")
                yield Button(safe(self._answer), id="yes")

    def on_mount(self) -> None:
        """Cancel has the focus."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """An answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """An answer by key."""
        self.dismiss(answer)
