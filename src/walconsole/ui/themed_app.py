"""An app in the operator's colours: the first theme before the first frame, the others after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.app import App
from textual.filter import Monochrome, NoColor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter
    from textual.theme import Theme

    from walconsole.ui.board.theming import ThemeShelf
    from walconsole.ui.board.tones import ConsoleTheme

_WITHOUT_COLOUR: Sequence[LineFilter] = (NoColor(),)


class ThemedApp(App[None]):
    """`shelf` holds the themes and remembers the chosen one; `theme` overrules it."""

    def __init__(self, theme: str | None, shelf: ThemeShelf | None) -> None:
        from walconsole.ui.board.theming import ThemeShelf

        super().__init__()
        self.shelf = shelf or ThemeShelf()
        # Textual takes an empty NO_COLOR for a set one; https://no-color.org says otherwise.
        self.no_color = os.environ.get("NO_COLOR", "") != ""
        first = self._suited(self.shelf.first(theme, self.console.color_system))
        self._refused_theme = theme if theme not in (None, first.name) else None
        self.register_theme(first)
        self._begin_with(first)

    def _suited(self, theme: ConsoleTheme) -> ConsoleTheme:
        from walconsole.ui.board.tones import suited

        return suited(theme, self.console.color_system, no_colour=self.no_color)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without colour the terminal's own, not Textual's greys, in which red is dimmer than the text."""
        if self.no_color:
            return _WITHOUT_COLOUR
        return [each for each in super().get_line_filters() if not isinstance(each, Monochrome | NoColor)]

    def _begin_with(self, theme: Theme) -> None:
        """Set the first theme; for most of them without setting every style a second time at the start."""
        if theme.ansi or not theme.dark:
            self.theme = theme.name
        else:
            self.set_reactive(App.theme, theme.name)
            self.stylesheet.set_variables(self.get_css_variables())

    async def load_themes(self) -> None:
        """Read the operator's own, and say what is wrong with them, or with the one that was asked for."""
        import asyncio

        first = self.theme
        themes, problems = await asyncio.to_thread(self.shelf.load)
        for theme in themes:
            if theme.name != self.theme:
                self.register_theme(self._suited(theme))
        if self._refused_theme in self.available_themes:  # its file has another name
            self.theme = str(self._refused_theme)
        elif self._refused_theme is not None:
            problems = [_no_theme(self._refused_theme, first, themes, problems)]
        if problems:
            self.notify("\n".join(problems), title="themes", severity="error", markup=False, timeout=15)

    def action_choose_theme(self) -> None:
        """A list of themes; each is shown while it is highlighted."""
        from walconsole.ui.dialogs.dialog import ThemeScreen

        self.push_screen(ThemeScreen(), self._choose_theme)

    def action_change_theme(self) -> None:
        """As the palette's own command asks for it."""
        self.action_choose_theme()

    def _choose_theme(self, name: str | None) -> None:
        if name is None:
            return
        self.theme = name
        problem = self.shelf.remember(name)
        if problem:
            self.notify(problem, title="the theme is not remembered", severity="warning", markup=False)


def _no_theme(asked: str, shown: str, themes: Sequence[Theme], problems: Sequence[str]) -> str:
    """Why a theme that was asked for is not seen, and which there are; other files' problems after it."""
    from walconsole.domain.redaction import safe

    here = [problem for problem in problems if f"{asked}.toml" in problem]
    others = [problem for problem in problems if problem not in here]
    why = here[0] if here else "there is none of that name"
    names = ", ".join(sorted(theme.name for theme in themes))
    said = f"theme {safe(asked)}: {why}; {shown} is shown instead. The themes are: {names} (t chooses)"
    return "\n".join([said, *others])
