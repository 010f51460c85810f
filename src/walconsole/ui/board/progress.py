"""How far something is, as a bar; and a base backup that runs, in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.units import bytes_text, whole_duration_text
from walconsole.ui.board.content import Span, Tone
from walconsole.ui.board.typeset import clock_text

if TYPE_CHECKING:
    from walconsole.domain.standing.backup_runs import RunningBackup
    from walconsole.ui.board.glyphs import Glyphs

BAR_CELLS = 12
_LEAST_WORDS = 24


def bar(share: float, glyphs: Glyphs) -> tuple[Span, Span]:
    """What is done, what is left: BAR_CELLS together. `share` is 0 to 1."""
    full = int(share * BAR_CELLS)
    return Span(glyphs.both * full, Tone.OK), Span(glyphs.outside * (BAR_CELLS - full), Tone.MUTED)


def bar_before(words: str, share: float | None, room: int, glyphs: Glyphs) -> tuple[Span, ...]:
    """The bar with a blank behind it; nothing where how far it is is not known, or `words` need the room."""
    if share is None or room < BAR_CELLS + 1 + min(_LEAST_WORDS, cell_len(words)):
        return ()
    return (*bar(share, glyphs), Span(" "))


def how_far(backup: RunningBackup, now: float) -> str:
    """`45% of 2.70 GiB, 30.0 MiB/s, 50 s left (14:02:31Z)`, as far as it is known."""
    if backup.sent_bytes is None:
        return ""
    share, total = backup.share, bytes_text(backup.total_bytes)
    parts = [f"{bytes_text(backup.sent_bytes)} sent" if share is None else f"{share:.0%} of {total}"]
    if backup.rate:
        parts.append(f"{bytes_text(backup.rate)}/s")
    if backup.left_s is not None:
        ends = clock_text(now + backup.left_s, now + backup.left_s)
        parts.append(f"{whole_duration_text(backup.left_s)} left ({ends})")
    return ", ".join(parts)
