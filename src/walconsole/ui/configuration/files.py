"""The list of files, worst first: how the server starts, errors, dead files, those that are read, others'.

And each in full: why a file is read or is not; how the server was started, by whom, with what, and where
those who say how contradict each other.
"""

import re
from collections.abc import Iterator

from rich.cells import cell_len

from walconsole.domain.facts.observed import ConfigFile, FileRole
from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.pgconf.loading import Judged
from walconsole.domain.pgconf.start import Launch
from walconsole.domain.pgconf.tree import Obstacle
from walconsole.domain.redaction import decode
from walconsole.domain.units import plural
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit_left, pad, shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.settings import value_text

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
        page.fact("cut", "it is too long: only its beginning was read", Tone.WARNING)
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


_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def start_detail(picture: ConfigurationPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Contradictions first, then the unit, the environment, the arguments, and what follows from them."""
    page = Page(width, glyphs)
    for text in picture.files.contradictions:
        page.paragraph(shown(text), Tone.WARNING, lead=f"{glyphs.warning} ")
    if not picture.files.contradictions:
        page.paragraph(
            "nothing that tells how it is started contradicts the rest", Tone.OK, lead=f"{glyphs.ok} "
        )
    launch = picture.files.launch or Launch()
    page.heading("systemd")
    _unit(page, launch)
    page.heading("the postmaster")
    _postmaster(page, launch)
    page.heading("what follows")
    _outcome(page, picture)
    return tuple(page)


def _unit(page: Page, launch: Launch) -> None:
    if not launch.unit:
        page.fact("unit", f"{NOT_AVAILABLE}: no systemd unit is known for it", Tone.MUTED)
    else:
        page.fact("unit", shown(f"{launch.unit}, {launch.active_state or 'state not known'}"))
    if launch.outside:
        page.fact("", shown(f"the server does not run in it, but in {launch.outside}"), Tone.WARNING)
    for path in launch.unit_files:
        page.fact("drop-in" if ".d/" in path else "unit file", shown(path), spot=Spot(path, 1))
    if launch.exec_start:
        page.fact("ExecStart", shown(launch.exec_start), spot=_spot(launch.exec_start_from))
        page.fact("", f"from {shown(launch.exec_start_from)}", Tone.MUTED, spot=_spot(launch.exec_start_from))
    for variable in launch.variables:
        text = shown(f"{variable.name}={variable.value}")
        page.fact("Environment", text, Tone.STRONG, spot=_spot(variable.where))
        page.fact("", f"from {shown(variable.where)}", Tone.MUTED, spot=_spot(variable.where))
    if not launch.variables:
        page.fact("Environment", "no PGDATA or the like is set by a unit", Tone.LABEL)
    if launch.pg_ctl_options:
        page.fact("pg_ctl.conf", shown(f"pg_ctl_options = {quoted(launch.pg_ctl_options)}"))
    elif launch.by_debian:
        page.fact("pg_ctl.conf", "adds no options", Tone.LABEL)


def first_spot_of_start(picture: ConfigurationPicture) -> Spot | None:
    """The line that decides, or misleads, most: an Environment=, else the ExecStart=."""
    launch = picture.files.launch or Launch()
    places = [variable.where for variable in launch.variables] + [launch.exec_start_from]
    return next(filter(None, map(_spot, places)), None)


def _spot(where: str) -> Spot | None:
    path, _, line = where.rpartition(":")
    return Spot(path, int(line)) if path and line.isdigit() else None


def _postmaster(page: Page, launch: Launch) -> None:
    if not launch.argv:
        page.fact("arguments", f"{NOT_AVAILABLE}: no postmaster of this cluster runs", Tone.MUTED)
    else:
        page.fact("arguments", _arguments(launch.argv), Tone.STRONG)
    if launch.environ is None:
        page.fact("environment", f"{NOT_AVAILABLE}: this SSH user may not see it", Tone.MUTED)
    elif launch.argv:
        said = ", ".join(f"{name}={value}" for name, value in launch.environ.items())
        page.fact("environment", shown(said) if said else "no PGDATA, PGPORT or PGOPTIONS")


def _arguments(argv: tuple[str, ...]) -> str:
    """The arguments as one would type them; each is redacted by itself, then all of them together."""
    words = (word if _PLAIN.fullmatch(word) else quoted(word) for word in map(shown, argv))
    return shown(" ".join(words))


def _outcome(page: Page, picture: ConfigurationPicture) -> None:
    resolution = picture.resolution
    page.fact("config_file", shown(resolution.config_file), spot=Spot(resolution.config_file, 1))
    data = resolution.data_directory
    page.fact("data", shown(data) if data is not None else NOT_AVAILABLE)
    named = resolution.command_line.directory
    if named is not None:
        page.fact("", f"-D {shown(named)} on the command line", Tone.LABEL)
    for problem in resolution.problems:
        page.fact("", f"{page.glyphs.critical} {shown(problem)}", Tone.CRITICAL)
