"""How the server was started, by whom, with what, and where those who say how contradict each other."""

import re

from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.pgconf.start import Launch
from walconsole.ui.board.content import Glyphs, Line, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import NOT_AVAILABLE, shown
from walconsole.ui.configuration.picture import ConfigurationPicture

_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def render(picture: ConfigurationPicture, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Contradictions first, then the unit, the environment, the arguments, and what follows from them."""
    page = Page(width, glyphs)
    for text in picture.files.contradictions:
        page.paragraph(shown(text), Tone.WARNING, lead=f"{glyphs.warning} ")
    if not picture.files.contradictions:
        page.paragraph(
            "nothing that says how it is started contradicts another", Tone.OK, lead=f"{glyphs.ok} "
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
        page.fact("unit", f"{NOT_AVAILABLE}: no unit of systemd is known for it", Tone.MUTED)
    else:
        page.fact("unit", shown(f"{launch.unit}, {launch.active_state or 'state not known'}"))
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


def first_spot(picture: ConfigurationPicture) -> Spot | None:
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
    for problem in resolution.command_line.problems:
        page.fact("", f"{page.glyphs.critical} {shown(problem)}", Tone.CRITICAL)
