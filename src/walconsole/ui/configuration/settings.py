"""The list of settings: name, value, state, and where the value comes from."""

from collections.abc import Sequence
from functools import lru_cache
from typing import overload

from rich.cells import cell_len

from walconsole.domain.pgconf.resolution import Chain, Origin
from walconsole.domain.pgconf.running import value_now
from walconsole.domain.pgconf.values import same
from walconsole.ui.board.content import Glyphs, Line, Span, Spot, Tone
from walconsole.ui.board.typeset import GUTTER, fit, fit_left, pad
from walconsole.ui.configuration.picture import ConfigurationPicture, has_error
from walconsole.ui.configuration.wording import name_text, now_text, place_value, where_text

_WIDEST_NAME = 32
_SHORTEST_VALUE, _WIDEST_VALUE = 6, 28
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
        spans = (
            Span(
                " " * GUTTER
                + pad(fit(name_text(chain), self.name_width - 1, self.glyphs.more), self.name_width),
                Tone.LABEL,
            ),
            Span(pad(fit(value, value_width, self.glyphs.more), value_width), _tone(chain, value)),
            Span(f"  {word.text}" if word.text else "", word.tone),
            Span(f"  {fit_left(source_text(chain), rest, self.glyphs.more)}" if rest > 7 else "", Tone.MUTED),
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
        return running.source if running is not None and running.source != "default" else "built-in default"
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
