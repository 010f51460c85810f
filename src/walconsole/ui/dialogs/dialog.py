"""Dialogs: a box in the middle, Esc is no; a yes or no, a choice, a line, the log's filter, the themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.cells import cell_len
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static

from walconsole.domain.redaction import safe
from walconsole.ui.board.keys import dialog_bindings
from walconsole.ui.board.left_once import LeftOnce
from walconsole.ui.board.tones import ConsoleTheme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App, ComposeResult

    from walconsole.ui.board.front import Filtered

Answer = TypeVar("Answer")


class Dialog(LeftOnce, ModalScreen[Answer]):
    """A question, or a list to choose from. Esc dismisses it without an answer."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = dialog_bindings("dialog")

    def action_dismiss_empty(self) -> None:
        """Not answering is a no."""
        self.dismiss(None)


# -- A yes or no, with the focus on no.


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


# -- A list of things to do: one of them, or none.


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


# -- A question of one line, at the bottom of the screen.


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

    def on_resize(self) -> None:
        """What is typed has a line of its own where the question leaves it less than half of one."""
        self.set_class(cell_len(self._label) > self.app.size.width // 2, "-long")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell it at once."""
        if self._typed is not None:
            self._typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """This is the answer."""
        self.answer_with(event.value)

    def answer_with(self, text: str) -> None:
        """As if it were typed."""
        self.dismiss(text)


# -- The log's filter, on the last line; it applies while it is typed.


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
        self.answer_with(event.value)

    def answer_with(self, text: str) -> None:
        """As if it were typed."""
        try:
            self._log.filter(text)
        except ValueError as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        self.dismiss(None)

    def action_dismiss_empty(self) -> None:
        """Back to the filter before."""
        self._log.filter(self._before)
        self.dismiss(None)


# -- A list of themes; the one under the cursor is shown at once.


class ThemeScreen(Dialog[str]):
    """The chosen theme's name; Esc brings back the one before."""

    def compose(self) -> ComposeResult:
        """The console's own themes."""
        self._before = self.app.theme
        found = themes_of(self.app)
        self._names = list(found)
        with Vertical(classes="box") as box:
            box.border_title = "Theme"
            yield OptionList(
                *(Content(safe(f"{name:<14} {found[name].description}")) for name in self._names)
            )

    def on_mount(self) -> None:
        """Begin at the current one."""
        if self._before in self._names:
            self.query_one(OptionList).highlighted = self._names.index(self._before)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show it."""
        self.app.theme = self._names[event.option_index]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Keep it."""
        self.dismiss(self._names[event.option_index])

    def answer_with(self, name: str) -> None:
        """As if it were chosen."""
        self.app.theme = name
        self.dismiss(name)

    def action_dismiss_empty(self) -> None:
        """Back to the one before."""
        self.app.theme = self._before
        self.dismiss(None)


def themes_of(app: App[None]) -> dict[str, ConsoleTheme]:
    """The console's own, by their names."""
    themes = [theme for theme in app.available_themes.values() if isinstance(theme, ConsoleTheme)]
    return {theme.name: theme for theme in sorted(themes, key=lambda theme: theme.name)}
