"""A list of things to do: one of them, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from walconsole.domain.redaction import safe
from walconsole.ui.screens.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Choice(Dialog[int]):
    """The number of the chosen option, counted from 0."""

    def __init__(self, title: str, options: Sequence[str]) -> None:
        super().__init__()
        self._head, self._options = title, options

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(classes="box") as box:
            box.border_title = safe(self._head)
            yield OptionList(*(Content(safe(option)) for option in self._options))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """An answer."""
        self.dismiss(event.option_index)
