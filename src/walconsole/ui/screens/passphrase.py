"""A secret, typed unseen; it goes to whoever asked and is kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Input, Static

from walconsole.domain.redaction import safe
from walconsole.ui.screens.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


class PassphraseScreen(Dialog[str]):
    """What was typed, or None."""

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self.prompt = prompt

    def compose(self) -> ComposeResult:
        """The prompt and a field that shows nothing of what is typed."""
        with Vertical(classes="box") as box:
            box.border_title = "Passphrase"
            yield Static(safe(self.prompt), markup=False, classes="text")
            yield Static("")
            yield Input(password=True)
            yield Static(
                "Enter: use it   Esc: do not. It is kept in memory only.", classes="text", markup=False
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """An answer; the field forgets it."""
        answer = event.value
        event.input.value = ""
        self.dismiss(answer)
