"""A list of themes; the one under the cursor is shown at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList

from walconsole.domain.redaction import safe
from walconsole.ui.board.tones import ConsoleTheme
from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


class ThemeScreen(Dialog[str]):
    """The chosen theme's name; Esc brings back the one before."""

    def compose(self) -> ComposeResult:
        """The console's own themes."""
        self._before = self.app.theme
        themes = [theme for theme in self.app.available_themes.values() if isinstance(theme, ConsoleTheme)]
        self._names = [theme.name for theme in sorted(themes, key=lambda theme: theme.name)]
        found = {theme.name: theme for theme in themes}
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

    def action_dismiss_empty(self) -> None:
        """Back to the one before."""
        self.app.theme = self._before
        self.dismiss(None)
