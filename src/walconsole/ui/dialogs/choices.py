"""A list from which several things are chosen, one after the other; each choice holds at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult


class ChoicesScreen(Dialog[None]):
    """`words` says the lines as they are now; `choose` is called with the number of the one taken."""

    def __init__(self, title: str, words: Callable[[], Sequence[str]], choose: Callable[[int], None]) -> None:
        super().__init__()
        self._title, self._words, self._choose = title, words, choose

    def compose(self) -> ComposeResult:
        """The lines."""
        with Vertical(classes="box") as box:
            box.border_title = f"{self._title}: Enter chooses, Esc leaves"
            yield OptionList(*map(Content, self._words()))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it, and show what is chosen now."""
        event.stop()
        self._choose(event.option_index)
        for index, words in enumerate(self._words()):
            event.option_list.replace_option_prompt_at_index(index, Content(words))
