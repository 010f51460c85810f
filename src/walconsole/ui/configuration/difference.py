"""A dead file against what is in force, as a difference is read: - what stands there, + what counts."""

from walconsole.domain.pgconf.catalogue import ARCHIVE_RELEVANT
from walconsole.domain.pgconf.running import Differing, difference
from walconsole.domain.units import plural
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import NOT_AVAILABLE, shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.wording import stored_text, value_text


def render(picture: ConfigurationPicture, path: str, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """What differs, what does not, and what only the files in force set."""
    page = Page(width, glyphs)
    content = picture.content(path)
    counts = "in force" if picture.running else "what a start would take, from the files alone"
    page.block((Span("- ", Tone.WARNING),), f"never read: {shown(path)}", Tone.WARNING, spot=Spot(path))
    page.block((Span("+ ", Tone.OK),), counts, Tone.OK)
    if content.raw is None:
        why = content.obstacle.value if content.obstacle is not None else "it was not read"
        page.paragraph(f"cannot be compared: {why}", Tone.WARNING)
        return tuple(page)
    rows = difference(content, picture.resolution)
    differing = [row for row in rows if not row.alike and row.here is not None]
    differing.sort(key=lambda row: row.name not in ARCHIVE_RELEVANT)
    alike = [row for row in rows if row.alike]
    lost = [row for row in rows if row.here is None]
    page.heading(plural(len(differing), "setting would differ", "settings would differ"))
    for row in differing:
        _both(page, picture, row, path)
    if alike:
        page.heading(plural(len(alike), "setting says what is in force", "settings say what is in force"))
    for row in alike:
        spot = Spot(path, row.line or 0)
        text = f"{shown(row.name)} = {value_text(row.name, row.here or '')}"
        page.block((Span("  "),), text, Tone.MUTED, spot=spot)
    if lost:
        page.heading(
            plural(
                len(lost), "setting is only in the files in force", "settings are only in the files in force"
            )
        )
    for row in lost:
        page.block(
            (Span("+ ", Tone.OK),),
            f"{shown(row.name)} = {_now(picture, row)}  {shown(row.where)}",
            Tone.LABEL,
        )
    return tuple(page)


def _both(page: Page, picture: ConfigurationPicture, row: Differing, path: str) -> None:
    spot = Spot(path, row.line or 0)
    here = f"{shown(row.name)} = {value_text(row.name, row.here or '')}"
    page.block((Span("- ", Tone.WARNING),), f"{here}  line {row.line}", Tone.WARNING, struck=True, spot=spot)
    now = f"{shown(row.name)} = {_now(picture, row)}"
    page.block((Span("+ ", Tone.OK),), f"{now}  {shown(row.where)}", Tone.STRONG)


def _now(picture: ConfigurationPicture, row: Differing) -> str:
    chain = picture.resolution.chain(row.name)
    if row.now is None:
        return NOT_AVAILABLE
    return stored_text(row.name, row.now, chain.meta if chain is not None else None)
