"""What a step of provisioning is for, and the screen's keys."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from walconsole.domain.redaction import safe
from walconsole.ui.panes.catalogue import PaneSpec
from walconsole.ui.screens.help import HelpScreen
from walconsole.ui.tones import palette

if TYPE_CHECKING:
    from walconsole.ui.keys import Action

_WIDEST = 84


class StepHelp(HelpScreen):
    """One paragraph, then the keys."""

    DEFAULT_CSS = "StepHelp > .box { width: 92; height: auto; max-height: 90%; }"

    def __init__(self, title: str, explanation: str, actions: tuple[Action, ...]) -> None:
        super().__init__(PaneSpec(0, "", title), actions)
        self._explanation = explanation

    def _text(self) -> Text:
        ink = palette(self.app.current_theme).ink
        text = Text()
        for line in wrap(safe(self._explanation), max(24, min(_WIDEST, self.app.size.width - 10))):
            text.append(f"{line}\n", ink["text"])
        text.append("\nKeys\n", ink["strong"])
        for action in self.actions:
            text.append(f"  {action.sign:<8}", ink["label"])
            text.append(f"{action.title}\n", ink["text"])
        return text
