"""Themes from TOML files: read, checked colour by colour, and the chosen one remembered.

A theme file has `name`, `description`, `dark`, optionally `ansi`, and two tables of colours: `screen`
(Textual's own, for dialogs and the palette) and `tone` (what the panes' tones look like: tones.Tones).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES

from walconsole.operator_files.places import places
from walconsole.operator_files.private import make_private, replace_text
from walconsole.ui.board.tones import REVERSE, ConsoleTheme, Tones, colours_in, cursors

SCREEN_COLOURS = (
    "background", "surface", "panel", "foreground", "primary", "secondary", "accent",
    "success", "warning", "error",
)  # fmt: skip
TONE_COLOURS = Tones._fields
DEFAULT = "night"
ANSI = "ansi"


class ThemeError(ValueError):
    """A theme file is wrong; the text begins with `FILE:LINE:`."""


def shipped_folder() -> Path:
    """The package's own themes: in a wheel beside the code, in a checkout at its root."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "themes"
    return inside if inside.is_dir() else package.parents[1] / "themes"


def _line_of(text: str, key: str, table: str = "") -> int:
    """The line on which `key` is set in `table`, else the table's, else the first."""
    current, heading = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        opened = re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line)
        if opened:
            current = opened[1]
            heading = number if current == table else heading
        elif current == table and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[=.]", line):
            return number
    return heading


def read_theme(path: Path) -> ConsoleTheme:
    """The theme in a file. Raises ThemeError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path}:1: cannot be read: {error}") from error
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        raise ThemeError(f"{path}:{at[1] if at else text.count(chr(10)) + 1}: {error}") from error
    return _Reader(path, text).theme(table)


class _Reader:
    """Checks one file's table; knows where to point."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    def _error(self, what: str, key: str, table: str = "") -> ThemeError:
        return ThemeError(f"{self._path}:{_line_of(self._text, key, table)}: {what}")

    def theme(self, table: dict[str, Any]) -> ConsoleTheme:
        """The checked theme."""
        self._known(table, ("name", "description", "dark", "ansi", "screen", "tone"), "")
        name = self._typed(table, "name", str)
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
            raise self._error(f"name {name!r} is not a short word of a-z, 0-9 and -", "name")
        screen = self._colours(table, "screen", SCREEN_COLOURS)
        tone = self._colours(table, "tone", TONE_COLOURS)
        theme = ConsoleTheme(
            name=name,
            dark=self._typed(table, "dark", bool),
            ansi=self._typed(table, "ansi", bool) if "ansi" in table else False,
            primary=screen["primary"],
            secondary=screen["secondary"],
            accent=screen["accent"],
            success=screen["success"],
            warning=screen["warning"],
            error=screen["error"],
            foreground=screen["foreground"],
            background=screen["background"],
            surface=screen["surface"],
            panel=screen["panel"],
            variables=self._variables(table, screen),
        )
        theme.tones = Tones(**tone)
        theme.description = self._typed(table, "description", str)
        return theme

    def _variables(self, table: dict[str, Any], screen: dict[str, str]) -> dict[str, str]:
        """What Textual's own widgets need besides; an ansi theme must name every derived colour."""
        if table.get("ansi"):
            return dict(BUILTIN_THEMES["ansi-dark"].variables)
        return cursors(screen["primary"], screen["background"], screen["panel"])

    def _typed(self, table: dict[str, Any], key: str, kind: type[Any]) -> Any:
        if key not in table:
            raise self._error(f"{key} is missing", key)
        if not isinstance(table[key], kind):
            wanted = "true or false" if kind is bool else "a text in quotes"
            raise self._error(f"{key} must be {wanted}, not {table[key]!r}", key)
        return table[key]

    def _known(self, table: dict[str, Any], names: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in names:
                raise self._error(f"unknown key {key!r}; known are {', '.join(names)}", key, where)

    def _colours(self, table: dict[str, Any], name: str, wanted: tuple[str, ...]) -> dict[str, str]:
        colours = table.get(name)
        if not isinstance(colours, dict):
            raise self._error(f"the table [{name}] is missing", name)
        self._known(colours, wanted, name)
        for key in wanted:
            if key not in colours:
                raise self._error(f"{name}.{key} is missing", key, name)
            self._check_colour(colours[key], key, name)
        return colours

    def _check_colour(self, colour: object, key: str, where: str) -> None:
        """A tone may have a ground of its own; the cursor's row may be reversed."""
        text = colour if isinstance(colour, str) else ""
        parts = colours_in(text) if where == "tone" else (text,)
        if where == "tone" and key == "cursor" and text == REVERSE:
            return
        try:
            for part in parts if len(parts) <= 2 else ("",):
                Color.parse(part)
        except ColorParseError:
            raise self._error(f"{where}.{key} = {colour!r} is not a colour", key, where) from None


class ThemeShelf:
    """The themes there are. `folders` are searched in order; the first file of a name wins."""

    def __init__(self, folders: tuple[Path, ...] | None = None, remembered: Path | None = None) -> None:
        self._folders = folders
        self._remembered = remembered

    def _where(self) -> tuple[Path, ...]:
        return self._folders if self._folders is not None else (shipped_folder(), places(os.environ).themes)

    def _state_file(self) -> Path:
        return self._remembered or places(os.environ).chosen_theme

    def first(self, asked: str | None, colour_system: str | None) -> ConsoleTheme:
        """The theme to paint first: asked for, else remembered, else what suits the terminal.

        Reads at most two small files; a theme that cannot be read gives the built-in one, and `load`
        says why.
        """
        fallback = ANSI if colour_system == "standard" else DEFAULT
        for name in (asked, self.recall(), fallback):
            if name == DEFAULT:
                break
            for folder in self._where() if name else ():
                try:
                    return read_theme(folder / f"{name}.toml")
                except ThemeError:
                    continue
        return built_in()

    def load(self) -> tuple[list[ConsoleTheme], list[str]]:
        """Every good theme, and one line for each file that is not."""
        themes: dict[str, tuple[ConsoleTheme, Path]] = {}
        problems: list[str] = []
        for folder in self._where():
            for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
                try:
                    theme = read_theme(path)
                    if theme.name in themes:
                        line = _line_of(path.read_text("utf-8"), "name")
                        taken = themes[theme.name][1]
                        raise ThemeError(f"{path}:{line}: the name {theme.name!r} is taken by {taken}")
                except ThemeError as error:
                    problems.append(str(error))
                else:
                    themes[theme.name] = theme, path
        return [theme for theme, _ in themes.values()], problems

    def recall(self) -> str | None:
        """The remembered theme's name, None when there is none or its file is unreadable."""
        try:
            text = self._state_file().read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        found = re.search(r'^theme = "([a-z0-9][a-z0-9-]{0,31})"$', text, re.MULTILINE)
        return found[1] if found else None

    def remember(self, name: str) -> str | None:
        """Write the choice down, whole or not at all; returns why it could not be."""
        path = self._state_file()
        try:
            make_private(path.parent)
            replace_text(path, f'theme = "{name}"\n')
        except OSError as error:
            return f"{path}: {error.strerror or error}"
        return None


def built_in() -> ConsoleTheme:
    """The theme `night`, as its file has it, without reading it."""
    theme = ConsoleTheme(
        name=DEFAULT,
        background="#11151b",
        surface="#171c24",
        panel="#232b36",
        foreground="#c5cad3",
        primary="#82aee0",
        secondary="#6d8fb8",
        accent="#c9a26d",
        success="#86bf78",
        warning="#e2b04a",
        error="#ff6f69",
        variables=cursors("#82aee0", "#11151b", "#232b36"),
    )
    theme.description = "Dark and calm: the default"
    return theme
