"""Configuration: the archive-relevant settings in force, where each comes from, and the dead files."""

from dataclasses import replace

from rich.cells import cell_len

from walconsole.domain.facts.observed import ConfigFile, ConfigFiles, Setting
from walconsole.domain.units import plural
from walconsole.ui.board.content import Content, Line, Link, Span, Tone, View
from walconsole.ui.board.typeset import (
    GUTTER,
    NOT_AVAILABLE,
    aged,
    fit,
    fit_left,
    indented,
    notice,
    pad,
    row,
    shown,
    stamp,
    wrapped,
)

PANE = "configuration"
FIRST = ("archive_mode", "archive_command", "archive_library", "archive_timeout", "wal_level")
_NAME_WIDTH = 16
_BETWEEN = 2
_SHORTEST = 7
_MOST_LINES = 3
_OFF = {"archive_mode": ("off",), "wal_level": ("minimal",)}


def place(setting: Setting) -> str:
    """`file:line` where there is one, else what pg_settings calls the source."""
    if setting.sourcefile:
        return f"{setting.sourcefile}:{setting.sourceline}" if setting.sourceline else setting.sourcefile
    return setting.source


def in_force(setting: Setting) -> str:
    """The value as an operator reads it: quoted when empty, with its unit when it has one."""
    if setting.value == "":
        return "''"
    unit = setting.unit or ""
    return setting.value + (f" {unit}" if unit and setting.value.lstrip("-").isdigit() else "")


def _rows(settings: list[Setting], view: View) -> list[Line]:
    """One row a setting: name, value, where it comes from, in columns that suit them all."""
    if not settings:
        return []
    cells = [(shown(setting.name), shown(in_force(setting)), shown(place(setting))) for setting in settings]
    name_width = max(_NAME_WIDTH, *(cell_len(name) + 1 for name, _, _ in cells))
    space = view.width - GUTTER - name_width - _BETWEEN - 1
    longest = max(cell_len(value) for _, value, _ in cells)
    source_width = min(max(cell_len(source) for _, _, source in cells), max(space // 2, space - longest))
    value_width = max(_SHORTEST, space - source_width)
    value_width = min(value_width, max(longest, _SHORTEST))
    more = view.glyphs.more
    lines = []
    for setting, (name, value, source) in zip(settings, cells, strict=True):
        bad = setting.value in _OFF.get(setting.name, ())
        pending = f"{view.glyphs.warning} restart " if setting.pending_restart else ""
        tone = Tone.CRITICAL if bad else Tone.STRONG
        first, *further = _on_lines(value, value_width, more)
        link = Link(PANE, setting.name)
        spans = (
            Span(" " * GUTTER + pad(name, name_width), Tone.LABEL),
            Span(pad(first, value_width), tone),
            Span(" " * _BETWEEN + pending, Tone.WARNING),
            Span(fit_left(source, max(_SHORTEST, source_width - cell_len(pending)), more), Tone.MUTED),
        )
        lines.append(Line(spans, "setting", setting.name, setting.value, link))
        for part in further:
            head = Span(" " * (GUTTER + name_width), Tone.LABEL)
            lines.append(Line((head, Span(part, tone)), "setting", setting.name, setting.value, link))
    return lines


def _on_lines(value: str, width: int, more: str) -> list[str]:
    """A command is worth a few lines; the rest of a longer one is cut."""
    parts = wrapped(value, width)
    if len(parts) > _MOST_LINES:
        rest = " ".join(parts[_MOST_LINES - 1 :])
        parts = [*parts[: _MOST_LINES - 1], fit(rest, width, more)]
    return [fit(part, width, more) for part in parts]


def _ordered(settings: tuple[Setting, ...]) -> list[Setting]:
    rank = {name: index for index, name in enumerate(FIRST)}
    return sorted(settings, key=lambda setting: (rank.get(setting.name, len(FIRST)), setting.name))


def _dead_file(file: ConfigFile, view: View) -> list[Line]:
    lines = indented(shown(file.path), view, Tone.WARNING, lead=f"{view.glyphs.warning} ", entry="dead_file")
    sets = ", ".join(f"{name} = {value} (line {line})" for name, value, line in file.settings)
    text = f"never read: {file.why}" + (f"; it sets {sets}" if sets else "")
    lines += indented(shown(text), view, Tone.MUTED, lead="  ", entry="dead_file")
    link = Link(PANE, file.settings[0][0]) if file.settings else None
    return [replace(line, link=link) for line in lines]


def _files(files: ConfigFiles | None, view: View) -> list[Line]:
    if files is None:
        return [row("never_read", "never read", Span(NOT_AVAILABLE, Tone.MUTED), wide=_NAME_WIDTH)]
    dead = files.never_read
    text = f"{plural(len(dead), 'file')} of {len(files.files)} found"
    sign = f"{view.glyphs.warning} " if dead else f"{view.glyphs.ok} "
    lines = [
        row(
            "never_read",
            "never read",
            Span(sign + text, Tone.WARNING if dead else Tone.OK),
            value=text,
            wide=_NAME_WIDTH,
        )
    ]
    for file in dead:
        lines += _dead_file(file, view)
    if files.cut:
        lines += indented(shown(files.cut), view, Tone.MUTED, lead="search cut: ", entry="never_read")
    return lines


def _summary(view: View) -> tuple[Span, ...]:
    settings, files = view.snapshot.settings.value, view.snapshot.files.value
    if settings is None:
        return (Span(NOT_AVAILABLE, Tone.MUTED),)
    mode = settings.value("archive_mode") or NOT_AVAILABLE
    spans = [Span(f"archive_mode {shown(mode)}", Tone.CRITICAL if mode == "off" else Tone.TEXT)]
    pending = sum(setting.pending_restart for setting in settings.settings)
    if pending:
        spans.append(Span(f" · {pending} pending restart", Tone.WARNING))
    if files is not None and files.never_read:
        spans.append(Span(f" · {plural(len(files.never_read), 'file')} never read", Tone.WARNING))
    return tuple(spans)


def _table(settings: tuple[Setting, ...]) -> tuple[tuple[str, ...], ...]:
    header = ("setting", "value", "unit", "source", "file", "line", "pending_restart")
    rows = [
        (
            shown(setting.name),
            shown(setting.value),
            setting.unit or "",
            shown(setting.source),
            shown(setting.sourcefile or ""),
            str(setting.sourceline or ""),
            "yes" if setting.pending_restart else "no",
        )
        for setting in settings
    ]
    return (header, *rows)


def render(view: View) -> Content:
    """The settings' table, then the files that are never read."""
    reading, files = view.snapshot.settings, view.snapshot.files
    settings = _ordered(reading.value.settings) if reading.value else []
    if settings:
        archive = [setting for setting in settings if setting.name in FIRST]
        others = [setting for setting in settings if setting.name not in FIRST]
        rows = [*_rows(archive, view), *_rows(others, view)]
    else:
        rows = [row("setting", name, Span(NOT_AVAILABLE, Tone.MUTED), wide=_NAME_WIDTH) for name in FIRST]
    return Content(
        (stamp(reading, view.now, "settings"), stamp(files, view.now, "files")),
        (
            *notice(reading, view, "pg_settings"),
            *aged(rows, reading, view.glyphs),
            *notice(files, view, "configuration files"),
            *aged(_files(files.value, view), files, view.glyphs),
        ),
        _summary(view),
        _table(tuple(settings)),
    )
