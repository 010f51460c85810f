"""How values, places and states of settings are worded; every remote text is made safe here."""

from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.pgconf.reader import unquoted
from walconsole.domain.pgconf.resolution import Chain, Origin, Place, State
from walconsole.domain.pgconf.running import value_now
from walconsole.domain.pgconf.values import SettingMeta, readable
from walconsole.domain.redaction import MASK
from walconsole.ui.board.content import Glyphs, Span, Tone
from walconsole.ui.board.typeset import NOT_AVAILABLE, shown

_LONGEST = 4_000
"""Of a value, in characters: no screen shows more, and redaction need not read more."""


def value_text(name: str, value: str) -> str:
    """A value on one line, redacted by its setting's name as well as by its own shape; '' when empty."""
    if value == "":
        return "''"
    assignment = shown(f"{name} = {quoted(value[:_LONGEST])}")
    if MASK not in assignment:
        return shown(value[:_LONGEST])
    said = assignment.partition(" = ")[2]
    if said.startswith("'") and said.endswith("'") and len(said) > 1:
        said = unquoted(said.encode()).decode("utf-8", "replace")
    return shown(said)


def stored_text(name: str, value: str, meta: SettingMeta | None) -> str:
    """A value of pg_settings.setting as SHOW would word it."""
    return value_text(name, readable(value, meta))


def now_text(chain: Chain) -> str:
    """The value that counts now."""
    value = value_now(chain)
    return NOT_AVAILABLE if value is None else stored_text(chain.name, value, chain.meta)


def place_value(chain: Chain, place: Place) -> str:
    """A place's value as it is written there; the built-in default as SHOW would word it."""
    if place.origin is Origin.DEFAULT:
        return stored_text(chain.name, place.value, chain.meta)
    return value_text(chain.name, place.value)


def where_text(place: Place) -> str:
    """Where a place is; an argument may hold a secret."""
    return shown(place.where[:_LONGEST])


def name_text(chain: Chain) -> str:
    """The name as the server spells it."""
    return shown(chain.meta.name if chain.meta is not None else chain.name)


def state_span(chain: Chain, place: Place, glyphs: Glyphs, *, running: bool) -> Span:
    """What becomes of a place, as a sign and in words."""
    match place.state:
        case State.ERROR:
            return Span(f"{glyphs.critical} in error: {shown(place.why)}", Tone.CRITICAL)
        case State.DISCARDED:
            return Span(f"{glyphs.critical} thrown away, for {shown(place.why)}", Tone.CRITICAL)
        case State.NOT_LOADED:
            return Span(f"{glyphs.warning} not yet loaded, {shown(place.why)}", Tone.WARNING)
        case State.OVERRIDDEN:
            return Span(f"overridden by {shown(place.overridden_by)}", Tone.MUTED)
    if place.origin in (Origin.DATABASE, Origin.ROLE, Origin.ROLE_IN_DATABASE):
        return Span("applied, in its own sessions", Tone.LABEL)
    if place is not chain.winner and place != chain.winner:
        return Span(place.state.value, Tone.LABEL)
    wins = "applied: in force" if running and chain.in_force is not None else "applied: this one wins"
    return Span(f"{glyphs.ok} {wins}", Tone.OK)
