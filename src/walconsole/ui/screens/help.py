"""What each number of a pane means, where it comes from, when to worry; and the keys."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from walconsole.ui.explanations import explanations
from walconsole.ui.keys import actions as actions_of
from walconsole.ui.keys import dialog_bindings
from walconsole.ui.screens.dialog import Dialog
from walconsole.ui.tones import palette

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from walconsole.ui.keys import Action
    from walconsole.ui.panes.catalogue import PaneSpec

_WIDTH, _MARGIN = 80, 10
_SCOPES = {"pane": "Keys in a pane", "log": "Keys for the log, from anywhere", "console": "Keys everywhere"}


class HelpScreen(Dialog[None]):
    """The explanations of one pane."""

    BINDINGS: ClassVar = dialog_bindings("help")

    def __init__(self, spec: PaneSpec, actions: tuple[Action, ...] | None = None) -> None:
        super().__init__()
        self.spec, self.actions = spec, actions or actions_of("dashboard")

    def compose(self) -> ComposeResult:
        """The texts, in a box that scrolls."""
        with VerticalScroll(classes="box") as box:
            box.border_title = f"{self.spec.title}: what it means"
            box.border_subtitle = "Esc closes"
            yield Static(self._text(), classes="text")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, lines: int) -> None:
        """A line."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _text(self) -> Text:
        ink = palette(self.app.current_theme).ink
        text = Text()
        for item in explanations(self.spec.name):
            text.append(f"{item.label}\n", ink["strong"])
            self._paragraph(text, "", item.means)
            self._paragraph(text, "from", item.source)
            self._paragraph(text, "worry", item.worry)
        for scope, title in _SCOPES.items():
            if not any(action.scope == scope for action in self.actions):
                continue
            text.append(f"\n{title}\n", ink["strong"])
            for action in self.actions:
                if action.scope == scope:
                    text.append(f"  {action.sign:<8}", ink["label"])
                    text.append(f"{action.title}\n", ink["text"])
        return text

    def _paragraph(self, text: Text, head: str, body: str) -> None:
        """A paragraph with its head in the margin; nothing where there is nothing to say."""
        ink = palette(self.app.current_theme).ink
        width = max(24, min(_WIDTH, self.app.size.width - 16) - _MARGIN)
        for index, line in enumerate(wrap(body, width)):
            text.append(f"  {'' if index else head:<{_MARGIN - 2}}", ink["label"])
            text.append(f"{line}\n", ink["text"])
