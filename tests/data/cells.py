"""What a terminal shows of a screen: each character with its two colours, and how far these are apart."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from walconsole.ui.app import WalconsoleApp

_VGA = ((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170),
        (170, 170, 170), (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255),
        (255, 85, 255), (85, 255, 255), (255, 255, 255))  # fmt: skip
_XTERM = ((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205),
          (229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255),
          (255, 0, 255), (0, 255, 255), (255, 255, 255))  # fmt: skip

Rgb = tuple[int, int, int]
TERMINALS = {
    "VGA": TerminalTheme((0, 0, 0), (170, 170, 170), list(_VGA[:8]), list(_VGA[8:])),
    "xterm": TerminalTheme((0, 0, 0), (229, 229, 229), list(_XTERM[:8]), list(_XTERM[8:])),
    "xterm on white": TerminalTheme((255, 255, 255), (0, 0, 0), list(_XTERM[:8]), list(_XTERM[8:])),
}
"""What the sixteen colours look like, and the ground and ink of a terminal that was told none."""

SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}


class Cell(NamedTuple):
    """A character, its ink and its ground."""

    text: str
    ink: Rgb
    ground: Rgb

    @property
    def contrast(self) -> float:
        """1 (not to be seen) to 21, as WCAG 2.1 counts it."""
        return contrast(self.ink, self.ground)


def contrast(one: Rgb, other: Rgb) -> float:
    """The ratio of two colours' luminances, https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    parts = [value / 255 for value in colour]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def cells(app: WalconsoleApp, system: str, terminal: TerminalTheme) -> list[list[Cell]]:
    """The rows of the screen, in so many colours."""
    strips = app.screen._compositor.render_strips()[: app.size.height]
    return [
        [cell for segment in strip for cell in seen(segment.text, segment.style, system, terminal)]
        for strip in strips
    ]


def seen(text: str, style: Style | None, system: str, terminal: TerminalTheme) -> Iterator[Cell]:
    """Each character of what is set in that style."""
    colours: list[Rgb] = []
    for colour, ink in ((style and style.color, True), (style and style.bgcolor, False)):
        if not colour:
            told = terminal.foreground_color if ink else terminal.background_color
        else:
            told = colour.downgrade(SYSTEMS[system]).get_truecolor(terminal, foreground=ink)
        colours.append((told[0], told[1], told[2]))
    if style is not None and style.reverse:
        colours.reverse()
    yield from (Cell(character, *colours) for character in text)
