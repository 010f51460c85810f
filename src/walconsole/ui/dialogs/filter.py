"""The log's filter, on the last line; it applies while it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from textual.containers import Vertical
from textual.widgets import Input, Static

from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Filtered(Protocol):
    """What is filtered by `pattern`; ValueError for one that is no regular expression."""

    pattern: str

    def filter(self, pattern: str) -> None: ...


class FilterScreen(Dialog[None]):
    """Enter keeps the filter, Esc brings back the one before."""

    def __init__(self, log: Filtered) -> None:
        super().__init__()
        self._log, self._before = log, log.pattern

    def compose(self) -> ComposeResult:
        """One line."""
        with Vertical(classes="box"):
            yield Static("filter (/…/ is a regular expression):", classes="label", markup=False)
            yield Input(self._before, select_on_focus=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply it; what is not an expression yet changes nothing."""
        try:
            self._log.filter(event.value)
        except ValueError:
            event.input.tooltip = "not a regular expression yet"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it, or say why it cannot be one."""
        try:
            self._log.filter(event.value)
        except ValueError as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        self.dismiss(None)

    def action_dismiss_empty(self) -> None:
        """Back to the filter before."""
        self._log.filter(self._before)
        self.dismiss(None)
