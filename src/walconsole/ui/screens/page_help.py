"""The page of a failure mode, and the screen's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from walconsole.domain.failures.pages import page_text, sections
from walconsole.ui.panes.catalogue import PaneSpec
from walconsole.ui.screens.help import HelpScreen
from walconsole.ui.tones import palette

if TYPE_CHECKING:
    from walconsole.domain.standing.mode import FailureMode
    from walconsole.ui.keys import Action

_WIDEST = 92


class PageHelp(HelpScreen):
    """What `walconsole explain` prints, then the keys."""

    DEFAULT_CSS = "PageHelp > .box { width: 100; height: auto; max-height: 90%; }"

    def __init__(self, mode: FailureMode | None, actions: tuple[Action, ...]) -> None:
        super().__init__(PaneSpec(0, "", mode.id if mode is not None else "Triage"), actions)
        self._mode = mode

    def _text(self) -> Text:
        ink = palette(self.app.current_theme).ink
        text = Text()
        if self._mode is not None:
            headings = {heading for heading, _ in sections(self._mode)}
            for line in page_text(self._mode, max(40, min(_WIDEST, self.app.size.width - 10))):
                text.append(f"{line}\n", ink["strong"] if line in headings else ink["text"])
        text.append("\nKeys\n", ink["strong"])
        for action in self.actions:
            text.append(f"  {action.sign:<8}", ink["label"])
            text.append(f"{action.title}\n", ink["text"])
        return text
