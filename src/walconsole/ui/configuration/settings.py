"""Settings: how their values, places and states are worded, and their list.

A row has the name, the value, the state, and where the value comes from. Every remote text is made safe here.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import overload

from rich.cells import cell_len

from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.pgconf.reader import unquoted
from walconsole.domain.pgconf.resolution import Chain, Origin, Place, State
from walconsole.domain.pgconf.running import value_now
from walconsole.domain.pgconf.values import SettingMeta, readable, same
from walconsole.domain.redaction import MASK
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit, fit_left, pad, shown
from walconsole.ui.configuration.picture import ConfigurationPicture, has_error

_BUILT_IN = Origin.DEFAULT.value
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
            return Span(f"{glyphs.critical} ignored: {shown(place.why)}", Tone.CRITICAL)
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


_WIDEST_NAME = 32
_SHORTEST_VALUE, _WIDEST_VALUE = 6, 40
_BAD = {"archive_mode": ("off",), "wal_level": ("minimal",), "fsync": ("off",), "full_page_writes": ("off",)}


class SettingRows(Sequence[Line]):
    """One row a setting of `names`, for a pane of `width` cells."""

    def __init__(
        self, picture: ConfigurationPicture, names: Sequence[str], width: int, glyphs: Glyphs
    ) -> None:
        self.picture, self.names, self.width, self.glyphs = picture, names, width, glyphs
        longest = max((len(name) for name in names), default=0)
        self.name_width = min(longest, _WIDEST_NAME, max(12, width * 2 // 5)) + 1
        self._row = lru_cache(maxsize=512)(self._make)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self._row(name) for name in self.names[index]]
        return self._row(self.names[index])

    def _make(self, name: str) -> Line:
        chain = self.picture.chain(name)
        word = _state(chain, self.picture, self.glyphs)
        room = max(4, self.width - GUTTER - self.name_width - 1)
        state_width = cell_len(word.text) + 2 if word.text else 0
        value_width = min(_WIDEST_VALUE, max(_SHORTEST_VALUE, room * 2 // 5))
        value = now_text(chain)
        if chain.waits_for and chain.winner is not None:
            value = f"{value} {self.glyphs.arrow} {place_value(chain, chain.winner)}"
        rest = room - value_width - state_width - 2
        source = source_text(chain)
        if source == _BUILT_IN and cell_len(source) > rest:
            source = "default"
        spans = (
            Span(
                " " * GUTTER
                + pad(fit(name_text(chain), self.name_width - 1, self.glyphs.more), self.name_width),
                Tone.LABEL,
            ),
            Span(pad(fit(value, value_width, self.glyphs.more), value_width), _tone(chain, value)),
            Span(f"  {word.text}" if word.text else "", word.tone),
            Span(f"  {fit_left(source, rest, self.glyphs.more)}" if rest > 7 else "", Tone.MUTED),
        )
        spot = spot_of(chain)
        where = source_text(chain) if spot is None else f"{spot.path}:{spot.line}"
        return Line(spans, "setting", name, where, spot=spot)


def _tone(chain: Chain, value: str) -> Tone:
    if value in _BAD.get(chain.name, ()):
        return Tone.CRITICAL
    winner = chain.winner
    return Tone.TEXT if winner is None or winner.origin is Origin.DEFAULT else Tone.STRONG


def _state(chain: Chain, picture: ConfigurationPicture, glyphs: Glyphs) -> Span:
    """The one word that matters most about a setting; empty where all is plain."""
    if has_error(chain):
        return Span(f"{glyphs.critical} error", Tone.CRITICAL)
    if chain.waits_for:
        return Span(f"{glyphs.warning} {chain.waits_for}", Tone.WARNING)
    now = value_now(chain)
    dead = picture.dead_lines.get(chain.name, ())
    if any(now is None or not same(line.value, now, chain.meta) for line in dead):
        return Span(f"{glyphs.warning} dead line", Tone.WARNING)
    return Span("")


def source_text(chain: Chain) -> str:
    """Where the value comes from: the winner's place, or the server's word where no place is known."""
    winner, running = chain.winner, chain.in_force
    if winner is None:
        return running.source if running is not None else "not set"
    if winner.origin is Origin.DEFAULT:
        return running.source if running is not None and running.source != "default" else _BUILT_IN
    return where_text(winner)


def spot_of(chain: Chain) -> Spot | None:
    """The line that wins, or would; None where it is in no file."""
    winner = chain.winner
    if winner is None or winner.file is None or winner.line is None:
        return None
    return Spot(winner.file, winner.line)


def matching(picture: ConfigurationPicture, pattern: str, *, everything: bool) -> tuple[str, ...]:
    """The names to list: archive-relevant ones, or all; a pattern searches names and values of all."""
    if not pattern:
        return picture.names if everything else picture.names[: picture.relevant]
    wanted = pattern.casefold()
    return tuple(
        name for name in picture.names if wanted in name or wanted in now_text(picture.chain(name)).casefold()
    )
