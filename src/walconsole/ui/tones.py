"""From a tone to a style of the terminal: what a theme decides and a pane does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

if TYPE_CHECKING:
    from walconsole.ui.panes.model import Span

BOLD = frozenset({"strong", "ok", "warning", "critical", "unknown"})


@dataclass(frozen=True)
class Tones:
    """A colour for each tone, and for what is not text: rules, the cursor's line, the focused title."""

    text: str = "#c8ccd4"
    strong: str = "#f0f2f5"
    label: str = "#8b93a1"
    muted: str = "#767e8c"
    ok: str = "#8fbf7f"
    warning: str = "#e0b050"
    critical: str = "#ff6b6b"
    unknown: str = "#7fb0e0"
    rule: str = "#3a414d"
    focus: str = "#f0f2f5"
    cursor: str = "#232a35"


@dataclass
class ConsoleTheme(Theme):
    """A theme that also says what the tones look like."""

    tones: Tones = field(default_factory=Tones)
    description: str = ""


class Palette:
    """The styles of one theme, made once."""

    def __init__(self, tones: Tones, background: str) -> None:
        self.base = Style(bgcolor=Color.parse(background).rich_color)
        self._styles = {
            name: self.base + _style(name, getattr(tones, name)) for name in tones.__dataclass_fields__
        }
        self.cursor = Style(bgcolor=Color.parse(tones.cursor).rich_color)
        self.reverse = Style(reverse=True)

    def __getitem__(self, tone: str) -> Style:
        return self._styles[tone]


def _style(name: str, colour: str) -> Style:
    return Style(color=Color.parse(colour).rich_color, bold=name in BOLD or None)


_made: dict[tuple[Tones, str], Palette] = {}


def palette(theme: Theme) -> Palette:
    """The theme's styles; a theme that is not the console's own gets the default tones."""
    tones = theme.tones if isinstance(theme, ConsoleTheme) else Tones()
    key = tones, theme.background or "ansi_default"
    if key not in _made:
        _made[key] = Palette(*key)
    return _made[key]


def plain(spans: tuple[Span, ...]) -> str:
    """The text of spans."""
    return "".join(span.text for span in spans)
