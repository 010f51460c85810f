"""The line that takes a command: what it may become stands above it, and what it cannot be is said there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from walconsole.domain.redaction import safe
from walconsole.ui.board.command_line import Understood, completed, completions, understand
from walconsole.ui.board.keys import dialog_bindings
from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.app import ComposeResult

    from walconsole.ui.board.command_line import Command

MOST_SHOWN = 8
_WORD = 20


class CommandLine(Dialog[Understood]):
    """Enter takes what is typed, Tab completes it, Esc leaves.

    `values` may follow, by what a command takes.
    """

    BINDINGS: ClassVar = dialog_bindings("command_line")

    def __init__(self, known: Sequence[Command], values: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._known, self._values = known, values

    def compose(self) -> ComposeResult:
        """What is typed, below what that may become."""
        with Vertical(classes="box"):
            yield Static(id="told", markup=False)
            with Horizontal():
                yield Static(":", classes="label", markup=False)
                yield Input(select_on_focus=False)

    def on_mount(self) -> None:
        """All that there is."""
        self._tell()
        self.query_one(Input).focus()

    def on_input_changed(self, _event: Input.Changed) -> None:
        """Other letters."""
        self._tell()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, or say what is wrong with it, and stay."""
        try:
            self.dismiss(understand(event.value, self._known, self._values))
        except ValueError as error:
            self._show([safe(str(error))])

    def action_complete(self) -> None:
        """Go on as far as is clear."""
        typed = self.query_one(Input)
        typed.value = completed(typed.value, completions(typed.value, self._known, self._values))
        typed.cursor_position = len(typed.value)

    def _tell(self) -> None:
        found = completions(self.query_one(Input).value, self._known, self._values)
        more = [f"… {len(found) - MOST_SHOWN + 1} more"] if len(found) > MOST_SHOWN else []
        shown = found[: MOST_SHOWN - len(more)]
        self._show([*(f"{word:<{_WORD}} {title}" for word, title in shown), *more])

    def _show(self, lines: Sequence[str]) -> None:
        self.query_one("#told", Static).update("\n".join(lines))
