"""`set NAME=VALUE where?`: the file and line that would win, and what it would override."""

from walconsole.domain.pgconf.advice import Advice, where_to_set
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.wording import place_value, value_text, where_text

_TAKES = {
    "reload": "a reload: SELECT pg_reload_conf()",
    "restart": "a restart of PostgreSQL",
    "": "nothing more",
}


def read_wish(text: str) -> tuple[str, str]:
    """`name=value`, `name = 'value'` or `set name to value`. Raises ValueError saying what is missing."""
    text = text.strip().removeprefix("set ").strip()
    name, equals, value = text.partition("=")
    if not equals:
        name, _, value = text.partition(" ")
        value = value.strip().removeprefix("to ").strip()
        if not value:
            raise ValueError("type it as name=value")
    name, value = name.strip(), value.strip()
    if not name or not name.replace("_", "").replace(".", "").replace("$", "").isalnum():
        raise ValueError("the setting's name is missing: type name=value")
    if len(value) > 1 and value[0] == value[-1] == "'":
        value = value[1:-1].replace("''", "'")
    return name.lower(), value


def advise(picture: ConfigurationPicture, wish: str) -> Advice:
    """Where to put it. Raises ValueError for what is no wish."""
    name, value = read_wish(wish)
    chain = picture.resolution.chain(name)
    if chain is None and "." not in name and picture.running:
        raise ValueError(f"this server has no setting {name}")
    return where_to_set(picture.resolution, picture.tree, name, value)


def render(picture: ConfigurationPicture, advice: Advice, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """Where, what, why, what it takes, what it beats; or why no file would do."""
    page = Page(width, glyphs)
    chain = picture.chain(advice.name)
    if advice.path is None:
        page.fact("put", f"{glyphs.critical} in no file: {shown(advice.instead)}", Tone.WARNING)
    else:
        spot = Spot(advice.path)
        page.fact("put into", shown(advice.path), Tone.STRONG, spot=spot)
        if picture.content(advice.path).raw is None:
            page.fact("", "a new file; it must be readable by the server's user", Tone.LABEL, spot=spot)
    line = f"{advice.name} = {value_text(advice.name, advice.line.partition(' = ')[2])}"
    page.fact("the line", line, Tone.STRONG, copied=line)
    if advice.why:
        page.fact("why there", shown(advice.why))
    if advice.path is not None:
        page.fact("then", _TAKES.get(advice.takes, advice.takes), Tone.TEXT)
    if advice.overrides:
        page.heading("it would override")
    for place in advice.overrides:
        spot_of = Spot(place.file, place.line or 0) if place.file is not None else None
        text = f"{where_text(place)} = {place_value(chain, place)}"
        page.block((Span(f"{glyphs.branch} ", Tone.MUTED),), text, Tone.TEXT, spot=spot_of)
    return tuple(page)
