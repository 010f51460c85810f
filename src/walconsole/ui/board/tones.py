"""From a tone to a style of the terminal: what a theme decides and a pane does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

if TYPE_CHECKING:
    pass

BOLD = frozenset({"strong", "ok", "warning", "critical", "unknown"})


class Tones(NamedTuple):
    """A colour for each tone, and for what is not text: rules, the cursor's line, the focused title.

    The defaults are the theme `night`'s, which so needs no file before the first frame.
    """

    text: str = "#c5cad3"
    strong: str = "#eef1f5"
    label: str = "#97a1b0"
    muted: str = "#7d8796"
    ok: str = "#86bf78"
    warning: str = "#e2b04a"
    critical: str = "#ff6f69"
    unknown: str = "#82aee0"
    rule: str = "#38414e"
    focus: str = "#ffffff"
    cursor: str = "#222b38"


class ConsoleTheme(Theme):
    """A theme that also says what the tones look like."""

    tones = Tones()
    description = ""


class Palette:
    """The styles of one theme, made once. `ink` has them without a background, for dialogs."""

    def __init__(self, tones: Tones, background: str) -> None:
        self.base = Style(bgcolor=Color.parse(background).rich_color)
        self.ink = {name: _style(name, getattr(tones, name)) for name in tones._fields}
        self._styles = {name: self.base + style for name, style in self.ink.items()}
        self.cursor = Style(bgcolor=Color.parse(tones.cursor).rich_color)
        self.reverse = Style(reverse=True)
        self.struck = Style(strike=True)

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
