"""A setting's chain: every place that sets it in the server's order, as a tree that ends in the winner.

And `set NAME=VALUE where?`: the file and line that would win, and what it would override.
"""

from collections.abc import Sequence
from typing import overload

from walconsole.domain.pgconf.advice import Advice, where_to_set
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.resolution import Chain, Origin, Place
from walconsole.domain.pgconf.values import Context
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.page import Page
from walconsole.ui.board.typeset import NOT_AVAILABLE, clock_text, shown
from walconsole.ui.configuration.picture import ConfigurationPicture
from walconsole.ui.configuration.settings import (
    name_text,
    now_text,
    place_value,
    state_span,
    stored_text,
    value_text,
    where_text,
)

_TAKES = {
    Context.INTERNAL: "fixed when the cluster was made",
    Context.POSTMASTER: "changed by a restart",
    Context.SIGHUP: "changed by a reload",
    Context.OTHER: "what changes it is not known",
}


_MANY = 100
"""Above so many places each one gets a single row, made when it is seen."""


class LongChain(Sequence[Line]):
    """A chain of thousands of places: one row each."""

    def __init__(self, head: Page, picture: ConfigurationPicture, chain: Chain, tail: Page) -> None:
        self._head, self._tail, self._picture, self._chain = head, tail.lines, picture, chain

    def __len__(self) -> int:
        return len(self._head.lines) + len(self._chain.places) + len(self._tail)

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        index = range(len(self))[index]
        first = len(self._head.lines)
        if index < first:
            return self._head.lines[index]
        if index >= first + len(self._chain.places):
            return self._tail[index - first - len(self._chain.places)]
        return self._one(self._chain.places[index - first])

    def _one(self, place: Place) -> Line:
        glyphs = self._head.glyphs
        state = state_span(self._chain, place, glyphs, running=self._picture.running)
        wins = place == self._chain.winner
        spans = (
            Span(f"  {glyphs.cursor if wins else glyphs.branch} ", Tone.OK if wins else Tone.MUTED),
            Span(
                f"{where_text(place)} = {place_value(self._chain, place)}  ",
                Tone.STRONG if wins else Tone.TEXT,
            ),
            state,
        )
        spot = Spot(place.file, place.line or 0) if place.file is not None else None
        return Line(spans, "detail", "", place.where, spot=spot)


def render(
    picture: ConfigurationPicture, name: str, now: float, width: int, glyphs: Glyphs
) -> Sequence[Line]:
    """What is in force and what waits, then the chain, then the dead lines that set it to no effect."""
    chain = picture.chain(name)
    page = Page(width, glyphs)
    _in_force(page, picture, chain)
    _waiting(page, picture, chain, now)
    _kind(page, chain)
    page.heading("read in this order, the last one wins:")
    if not chain.places:
        page.paragraph("nothing sets it, and its default is not known without the server", Tone.MUTED)
    if len(chain.places) > _MANY:
        tail = Page(width, glyphs)
        _dead(tail, picture, name)
        return LongChain(page, picture, chain, tail)
    for index, place in enumerate(chain.places):
        _place(page, picture, chain, place, last=index == len(chain.places) - 1)
    _dead(page, picture, name)
    return tuple(page)


def _in_force(page: Page, picture: ConfigurationPicture, chain: Chain) -> None:
    running = chain.in_force
    if running is not None:
        text = f"{stored_text(chain.name, running.value, chain.meta)}  from {_source(running)} (pg_settings)"
        page.fact("in force", text, Tone.STRONG)
        if running.value == "(disabled)":
            page.fact("", "the server shows it so while archive_mode is off", Tone.LABEL)
    elif picture.running:
        page.fact("a start has", now_text(chain), Tone.STRONG)
        page.fact("", "the server's own value is not shown to this session", Tone.MUTED)
    else:
        page.fact("a start has", now_text(chain), Tone.STRONG)
        page.fact("in force", f"{NOT_AVAILABLE}: from the files alone: {shown(picture.alone)}", Tone.MUTED)


def _source(running: InForce) -> str:
    if running.file is not None:
        return shown(f"{running.file}:{running.line}")
    return shown(running.source)


def _waiting(page: Page, picture: ConfigurationPicture, chain: Chain, now: float) -> None:
    winner, running = chain.winner, chain.in_force
    if running is None or winner is None:
        return
    if chain.waits_for:
        text = f"{page.glyphs.warning} {place_value(chain, winner)}, for a {chain.waits_for}"
        page.fact("waiting", f"{text}{_since(picture, chain, winner, running, now)}", Tone.WARNING)
    elif running.pending_restart:
        text = "the server marks it pending_restart, but a restart would take the same value again"
        page.fact("waiting", f"nothing: {text}", Tone.LABEL)


def _since(picture: ConfigurationPicture, chain: Chain, winner: Place, running: InForce, now: float) -> str:
    """The two moments between which it began to wait, each with where it is known from."""
    parts = []
    modified = picture.content(winner.file).modified_at if winner.file is not None else None
    if modified is not None:
        parts.append(f"its file was last written {clock_text(modified, now)}")
    loaded = picture.catalogue.loaded_at if picture.catalogue is not None else None
    if running.pending_restart and loaded is not None:
        parts.append(f"marked pending by the reload at {clock_text(loaded, now)} or one before")
    elif loaded is not None:
        parts.append(f"the files were last loaded {clock_text(loaded, now)}")
    return f"; {'; '.join(parts)}" if parts else ""


def _kind(page: Page, chain: Chain) -> None:
    meta = chain.meta
    if meta is None:
        text = "a custom name: no type is known" if "." in chain.name else "its type is not known"
        page.fact("kind", text, Tone.LABEL)
        return
    parts = [meta.vartype.value + (f" in {meta.unit}" if meta.unit else "")]
    if meta.choices:
        parts.append(", ".join(meta.choices))
    elif meta.minimum is not None and meta.maximum is not None:
        parts.append(f"{meta.minimum:.15g} to {meta.maximum:.15g}")
    parts.append(_TAKES.get(meta.context, f"changed by a reload, or in a session ({meta.context.value})"))
    page.fact("kind", shown("; ".join(parts)), Tone.LABEL)


def _place(page: Page, picture: ConfigurationPicture, chain: Chain, place: Place, *, last: bool) -> None:
    """Two rows or more: where it is, and what it says with what became of it."""
    glyphs = page.glyphs
    wins = place == chain.winner
    branch = glyphs.cursor if wins else glyphs.end if last else glyphs.branch
    spot = Spot(place.file, place.line or 0) if place.file is not None else None
    tone = Tone.STRONG if wins else Tone.TEXT
    text = where_text(place)
    if place.origin in (Origin.AUTO_CONF, Origin.COMMAND_LINE):
        text += f"  ({place.origin.value})"
    stem = Span("  " if last else f"{glyphs.track} ", Tone.MUTED)
    page.block((Span(f"{branch} ", Tone.OK if wins else Tone.MUTED),), text, tone, below=(stem,), spot=spot)
    state = state_span(chain, place, glyphs, running=picture.running)
    value = place_value(chain, place)
    lead = (stem, Span("  = ", Tone.MUTED))
    below = (stem, Span("    "))
    if len(value) + len(state.text) + 12 <= page.width:
        _short(page, (*lead, Span(f"{value}  ", tone)), state, spot)
    else:
        page.block(lead, value, tone, below=below, spot=spot)
        page.block(below, state.text, state.tone, spot=spot)


def _short(page: Page, lead: tuple[Span, ...], state: Span, spot: Spot | None) -> None:
    page.block(lead, state.text, state.tone, spot=spot)


def _dead(page: Page, picture: ConfigurationPicture, name: str) -> None:
    lines = picture.dead_lines.get(name, ())
    if not lines:
        return
    page.heading("set to no effect, in files that are never read:")
    for dead in lines:
        spot = Spot(dead.file.path, dead.line)
        sign = Span(f"{page.glyphs.critical} ", Tone.WARNING)
        page.block((sign,), shown(f"{dead.file.path}:{dead.line}"), Tone.WARNING, struck=True, spot=spot)
        page.block((Span("    = ", Tone.MUTED),), value_text(name, dead.value), Tone.TEXT, spot=spot)
        page.block((Span("    "),), f"never read: {shown(dead.file.why)}", Tone.MUTED, spot=spot)


def title(picture: ConfigurationPicture, name: str) -> str:
    """What stands above it."""
    return f"Chain of {name_text(picture.chain(name))}"


_THEN = {
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


def advice_rows(
    picture: ConfigurationPicture, advice: Advice, width: int, glyphs: Glyphs
) -> tuple[Line, ...]:
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
        page.fact("then", _THEN.get(advice.takes, advice.takes), Tone.TEXT)
    if advice.overrides:
        page.heading("it would override")
    for place in advice.overrides:
        spot_of = Spot(place.file, place.line or 0) if place.file is not None else None
        text = f"{where_text(place)} = {place_value(chain, place)}"
        page.block((Span(f"{glyphs.branch} ", Tone.MUTED),), text, Tone.TEXT, spot=spot_of)
    return tuple(page)
