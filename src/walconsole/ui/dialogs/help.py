"""What each number of a pane means, where it comes from, when to worry; and the keys."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.mode import page_text, sections
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.cells import folded
from walconsole.ui.board.keys import actions as actions_of
from walconsole.ui.board.keys import dialog_bindings
from walconsole.ui.board.tones import palette
from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from walconsole.domain.standing.mode import FailureMode
    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.key_actions import Action

# -- What each row means: read from explanations.toml when somebody asks.


@record
class Explanation:
    """One row: what it means, where it comes from, when to worry (empty: never)."""

    entry: str
    label: str
    means: str
    source: str
    worry: str = ""


@cache
def _table() -> dict[str, list[Explanation]]:
    text = files("walconsole.ui").joinpath("explanations.toml").read_text("utf-8")
    return {
        pane: [Explanation(entry, **parts) for entry, parts in entries.items()]
        for pane, entries in tomllib.loads(text).items()
    }


def explanations(pane: str) -> list[Explanation]:
    """The pane's rows from top to bottom, then what every pane may show."""
    return [*_table()[pane], *_table()["every_pane"]]


_WIDTH, _MARGIN = 90, 10
_KEY_CELLS = 10
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
            yield Static(classes="text")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        """Set the texts for the room that the box really has."""
        self.call_after_refresh(self._set)

    def _set(self) -> None:
        self.query_one(Static).update(self._text())

    @property
    def _room(self) -> int:
        """Cells for a line; beside a scroll bar, whether it is there or not yet."""
        box = self.query_one(VerticalScroll)
        return max(16, box.content_size.width - (0 if box.show_vertical_scrollbar else 1))

    def _actions(self, text: Text, actions: Iterable[Action]) -> None:
        """A row a key; what does not fit goes on below its words."""
        ink = palette(self.app.current_theme).ink
        for action in actions:
            for index, line in enumerate(folded(action.title, self._room - _KEY_CELLS)):
                text.append(f"  {'' if index else action.sign:<{_KEY_CELLS - 2}}", ink["label"])
                text.append(f"{line}\n", ink["text"])

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
            self._actions(text, (action for action in self.actions if action.scope == scope))
        return text

    def _paragraph(self, text: Text, head: str, body: str) -> None:
        """A paragraph with its head in the margin; nothing where there is nothing to say."""
        ink = palette(self.app.current_theme).ink
        for index, line in enumerate(folded(body, min(_WIDTH, self._room) - _MARGIN)):
            text.append(f"  {'' if index else head:<{_MARGIN - 2}}", ink["label"])
            text.append(f"{line}\n", ink["text"])


# -- The page of a failure mode, and the screen's keys.

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
            for line in page_text(self._mode, min(_WIDEST, self._room)):
                text.append(f"{line}\n", ink["strong"] if line in headings else ink["text"])
        text.append("\nKeys\n", ink["strong"])
        self._actions(text, self.actions)
        return text


# -- What a step of provisioning is for, and the screen's keys.

_STEP_HELP_WIDEST = 84


class StepHelp(HelpScreen):
    """One paragraph, then the keys."""

    DEFAULT_CSS = "StepHelp > .box { width: 92; height: auto; max-height: 90%; }"

    def __init__(self, title: str, explanation: str, actions: tuple[Action, ...]) -> None:
        super().__init__(PaneSpec(0, "", title), actions)
        self._explanation = explanation

    def _text(self) -> Text:
        ink = palette(self.app.current_theme).ink
        text = Text()
        for line in folded(safe(self._explanation), min(_STEP_HELP_WIDEST, self._room)):
            text.append(f"{line}\n", ink["text"])
        text.append("\nKeys\n", ink["strong"])
        self._actions(text, self.actions)
        return text
