"""From a tone to a style of the terminal: what a theme decides and a pane does not."""

from __future__ import annotations

from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

BOLD = frozenset({"strong", "ok", "warning", "critical", "unknown"})


class Tones(NamedTuple):
    """A colour for each tone, and for what is not text: rules, the cursor's line, the focused title.

    A colour, or `INK on GROUND` where the tone has a ground of its own. `cursor` is the ground of the row
    under it, which keeps its ink; as `INK on GROUND` the row has one ink, and as
    `reverse`, which swaps the terminal's own two.
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


REVERSE = "reverse"


class ConsoleTheme(Theme):
    """A theme that also says what the tones look like."""

    tones = Tones()
    description = ""


class Palette:
    """The styles of one theme, made once. `ink` has them without a background, for dialogs.

    `badge` is a tone as a block of its colour; `grounds` are the tones that have a ground of their own.
    """

    def __init__(self, tones: Tones, background: str) -> None:
        self.base = Style(bgcolor=Color.parse(background).rich_color)
        self.ink = {name: _style(name, getattr(tones, name)) for name in tones._fields if name != "cursor"}
        self._styles = {name: self.base + style for name, style in self.ink.items()}
        self.cursor = _bar(tones.cursor)
        self.badge = {
            name: style if style.bgcolor is not None else self._styles[name] + Style(reverse=True)
            for name, style in self.ink.items()
        }
        self.grounds = frozenset(name for name, style in self.ink.items() if style.bgcolor is not None)
        self.struck = Style(strike=True)
        self.marked = Style(underline=True, bold=True) if self.cursor.reverse else Style(reverse=True)

    def __getitem__(self, tone: str) -> Style:
        return self._styles[tone]

    def on_cursor(self, tone: str) -> Style:
        """The tone on the row under the cursor: what is muted would be too faint on its ground."""
        return self._styles["label" if tone == "muted" else tone]


def colours_in(value: str) -> tuple[str, ...]:
    """The colours that a tone's value names: its ink, and its ground where it has one."""
    return tuple(part.strip() for part in value.split(" on "))


def _style(name: str, value: str) -> Style:
    ink, *ground = (Color.parse(colour).rich_color for colour in colours_in(value))
    return Style(color=ink, bgcolor=ground[0] if ground else None, bold=name in BOLD or None)


def _bar(value: str) -> Style:
    if value == REVERSE:
        return Style(color="default", bgcolor="default", reverse=True)
    *ink, ground = (Color.parse(colour).rich_color for colour in colours_in(value))
    return Style(color=ink[0] if ink else None, bgcolor=ground)


_made: dict[tuple[Tones, str], Palette] = {}


def palette(theme: Theme) -> Palette:
    """The theme's styles; a theme that is not the console's own gets the default tones."""
    tones = theme.tones if isinstance(theme, ConsoleTheme) else Tones()
    key = tones, theme.background or "ansi_default"
    if key not in _made:
        _made[key] = Palette(*key)
    return _made[key]


# -- What a terminal can show of a theme.


class Sixteen(NamedTuple):
    """What every theme is on a terminal of sixteen colours: the nearest to an ink can be the ground's own.

    The colours are those that Rich takes for the sixteen, so that each becomes the one that is meant. What is
    chosen is readable with the colours of xterm, of the Linux console and of VGA.
    """

    background: str
    surface: str
    panel: str
    foreground: str
    primary: str
    tones: Tones


_ON_BLACK = Sixteen(
    "#000000",
    "#000000",
    "#0000aa",
    "#ffffff",
    "#55ffff",
    Tones(
        text="#aaaaaa",
        strong="#ffffff",
        label="#aaaaaa",
        muted="#aaaaaa",
        ok="#55ff55",
        warning="#ffff55",
        critical="#ffffff on #aa0000",
        unknown="#55ffff",
        rule="#555555",
        focus="#ffffff",
        cursor="#000000 on #aaaaaa",
    ),
)
_ON_WHITE = Sixteen(
    "#ffffff",
    "#ffffff",
    "#aaaaaa",
    "#000000",
    "#0000aa",
    Tones(
        text="#000000",
        strong="#000000",
        label="#000000",
        muted="#000000",
        ok="#000000",
        warning="#000000 on #ffff55",
        critical="#ffffff on #aa0000",
        unknown="#0000aa",
        rule="#555555",
        focus="#000000",
        cursor="#ffffff on #000000",
    ),
)


_SAYS = ("text", "strong", "ok", "warning", "critical", "unknown")
_READABLE, _APART = 4.5, 1.15
"""The contrast that WCAG 2.1 asks of text; what the eye needs for a whole row."""


def suited(theme: ConsoleTheme, colour_system: str | None, *, no_colour: bool) -> ConsoleTheme:
    """The theme as this terminal can show it, changed in place.

    `colour_system` is Rich's name for it: `standard` has sixteen colours. Without colour the cursor's row is
    told by reversed video. It has one ink where its ground, in so many colours, would be taken for the
    background or hide what it says.
    """
    if no_colour:
        plain = {name: colours_in(value)[0] for name, value in theme.tones._asdict().items()}
        theme.tones = Tones(**plain)._replace(cursor=REVERSE)
    elif colour_system == "standard" and not theme.ansi:
        shown = _ON_BLACK if theme.dark else _ON_WHITE
        theme.background, theme.surface, theme.panel = shown.background, shown.surface, shown.panel
        theme.foreground, theme.primary = shown.foreground, shown.primary
        theme.tones = shown.tones
        theme.variables |= cursors(shown.primary, shown.background, shown.panel)
    elif not theme.ansi and " on " not in theme.tones.cursor and not _bar_is_seen(theme, colour_system):
        theme.tones = theme.tones._replace(cursor=f"{theme.background} on {colours_in(theme.tones.text)[0]}")
    return theme


def cursors(primary: str, background: str, panel: str) -> dict[str, str]:
    """How Textual's own lists and fields show where one is."""
    return {
        "block-cursor-background": primary,
        "block-cursor-foreground": background,
        "block-cursor-text-style": "bold",
        "input-selection-background": panel,
    }


def _bar_is_seen(theme: ConsoleTheme, colour_system: str | None) -> bool:
    """Whether the cursor's row stands out from the background, and what it says from it."""
    if theme.tones.cursor == REVERSE:
        return True
    system = ColorSystem.EIGHT_BIT if colour_system == "256" else ColorSystem.TRUECOLOR
    ground = _luminance(theme.tones.cursor, system)
    if _contrast(ground, _luminance(theme.background or "black", system)) < _APART:
        return False
    inks = [colours_in(getattr(theme.tones, name))[0] for name in _SAYS]
    return all(_contrast(ground, _luminance(ink, system)) >= _READABLE for ink in inks)


def _contrast(one: float, other: float) -> float:
    """The ratio of two luminances, https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _luminance(colour: str, system: ColorSystem) -> float:
    """From 0 to 1, in so many colours."""
    triplet = Color.parse(colour).rich_color.downgrade(system).get_truecolor()
    parts = [value / 255 for value in triplet]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
