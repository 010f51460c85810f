"""The list of files, worst first: how the server starts, errors, dead files, those that are read, others'."""

from collections.abc import Iterator

from rich.cells import cell_len

from walconsole.domain.facts.observed import ConfigFile, FileRole
from walconsole.domain.pgconf.loading import Judged
from walconsole.domain.pgconf.tree import Obstacle
from walconsole.domain.redaction import decode
from walconsole.domain.units import plural
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import GUTTER, fit_left, pad, shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.wording import value_text

START = "start"
FILE = "file"
ERROR = "error"
_ROLE = {FileRole.READ: "read", FileRole.NEVER_READ: "dead", FileRole.OTHER_CLUSTER: "other"}
_WORD = 6


def render(picture: ConfigurationPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """One row each. `entry` tells what it is; `spot` where it leads."""
    return tuple(_rows(picture, width, glyphs))


def _rows(picture: ConfigurationPicture, width: int, glyphs: Glyphs) -> Iterator[Line]:
    count = len(picture.files.contradictions)
    said = f"{glyphs.warning} {plural(count, 'contradiction')}" if count else "no contradiction"
    yield _row(
        "start", f"how it was started: {said}", Tone.WARNING if count else Tone.TEXT, START, None, width
    )
    for judged in picture.resolution.errors:
        spot = Spot(judged.entry.file, judged.entry.line)
        text = f"{glyphs.critical} {spot.path}:{spot.line}"
        yield _row("error", shown(text), Tone.CRITICAL, ERROR, spot, width)
    files = picture.files.files
    for role in (FileRole.NEVER_READ, FileRole.READ):
        for file in files:
            if file.role is role:
                yield _file(file, width, glyphs)
    for skipped in picture.resolution.reading.skipped:
        text = f"{skipped.path}: {skipped.why}"
        by = Spot(skipped.by_file, skipped.by_line) if skipped.by_file else Spot(skipped.path)
        yield _row("skip", shown(text), Tone.MUTED, FILE, by, width)
    for file in files:
        if file.role is FileRole.OTHER_CLUSTER:
            yield _file(file, width, glyphs)


def _file(file: ConfigFile, width: int, glyphs: Glyphs) -> Line:
    dead = file.role is FileRole.NEVER_READ
    tone = Tone.WARNING if dead else Tone.TEXT if file.role is FileRole.READ else Tone.MUTED
    path = shown(file.path) + (f"  {file.unreadable}" if file.unreadable else "")
    return _row(_ROLE[file.role], path, tone, FILE, Spot(file.path), width, struck=dead)


def _row(
    word: str, text: str, tone: Tone, entry: str, spot: Spot | None, width: int, *, struck: bool = False
) -> Line:
    room = max(4, width - GUTTER - _WORD - 2)
    spans = (
        Span(" " * GUTTER + pad(word, _WORD + 1), tone if entry == ERROR or struck else Tone.LABEL),
        Span(text if cell_len(text) <= room else fit_left(text, room), tone, struck),
    )
    where = "" if spot is None else f"{spot.path}:{spot.line}" if spot.line else spot.path
    return Line(spans, entry, word, where or text, spot=spot)


def detail(picture: ConfigurationPicture, path: str, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Why a file is read or is not, what its settings would change, and what kept it from being read."""
    page = Page(width, glyphs)
    file = picture.roles.get(path)
    if file is None:
        page.fact("file", shown(path), spot=Spot(path))
        page.paragraph("it belongs to no cluster's configuration, or is not there", Tone.MUTED)
        return tuple(page)
    dead = file.role is FileRole.NEVER_READ
    sign = f"{glyphs.critical} NEVER READ" if dead else f"{glyphs.ok} {file.role.value}"
    page.fact("file", shown(path), Tone.STRONG, spot=Spot(path))
    page.fact("state", sign, Tone.WARNING if dead else Tone.OK if file.role is FileRole.READ else Tone.MUTED)
    page.fact("why", shown(file.why), Tone.STRONG if dead else Tone.TEXT)
    content = picture.content(path)
    if content.link_target:
        page.fact("link to", shown(content.link_target))
    if file.unreadable:
        page.fact("unreadable", f"the console could not read it: {file.unreadable}", Tone.WARNING)
    if content.server_reads is False:
        page.fact("", "the server's own user may not read it", Tone.CRITICAL)
    if content.cut:
        page.fact("cut", "it is longer than what was read of it", Tone.WARNING)
    if dead:
        _changes(page, file)
    _errors_in(page, picture, path)
    return tuple(page)


def _changes(page: Page, file: ConfigFile) -> None:
    page.heading("if it were read (d: all that differs)")
    if not file.changes:
        text = (
            "nothing that archiving touches" if file.unreadable is None else "not known: it could not be read"
        )
        page.paragraph(text, Tone.MUTED)
    for change in file.changes:
        page.paragraph(shown(change), Tone.TEXT, lead=f"{page.glyphs.arrow} ")


def _errors_in(page: Page, picture: ConfigurationPicture, path: str) -> None:
    found = [judged for judged in picture.resolution.errors if judged.entry.file == path]
    if found:
        page.heading("the server would not start with this")
    for judged in found[:100]:
        error(page, picture, judged)


def error(page: Page, picture: ConfigurationPicture, judged: Judged) -> None:
    """File and line, the line's text, and why."""
    entry = judged.entry
    spot = Spot(entry.file, entry.line)
    lead = (Span(f"{page.glyphs.critical} ", Tone.CRITICAL),)
    page.block(lead, shown(f"{entry.file}:{entry.line}"), Tone.CRITICAL, spot=spot)
    text = line_text(picture, spot)
    if entry.name is not None and not text:
        text = f"{entry.name} = {value_text(entry.name, entry.value or '')}"
    if text:
        page.block((Span("    "),), text, Tone.STRONG, spot=spot)
    page.block((Span("    "),), shown(judged.why or judged.error or ""), Tone.CRITICAL, spot=spot)


def line_text(picture: ConfigurationPicture, spot: Spot) -> str:
    """The line as it stands in the file, made safe; empty where it could not be read."""
    content = picture.content(spot.path)
    if content.raw is None or content.obstacle not in (None, Obstacle.DENIED) or spot.line < 1:
        return ""
    lines = content.raw.split(b"\n", spot.line)
    return shown(decode(lines[spot.line - 1][:2_000])).strip() if spot.line <= len(lines) else ""


def error_detail(picture: ConfigurationPicture, spot: Spot, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """What the server would die of at `spot`, and what else there is."""
    page = Page(width, glyphs)
    for judged in picture.resolution.errors:
        if Spot(judged.entry.file, judged.entry.line) == spot:
            error(page, picture, judged)
    page.heading("what it means")
    page.paragraph(
        "a start fails at this line; a reload takes nothing from any file while it stands"
        if picture.resolution.loaded.discarded
        else "the server skips this line",
        Tone.TEXT,
    )
    return tuple(page)
