"""The right end of a pane's title: where its numbers come from, and how old they are."""

from collections.abc import Sequence

from rich.cells import cell_len

from walconsole.domain.snapshot import Freshness
from walconsole.domain.units import duration_text
from walconsole.ui.panes.model import Glyphs, Span, Stamp, Tone

_DEAD = (Freshness.STALE, Freshness.FAILED)


def _age(stamp: Stamp, signs: Glyphs) -> Span:
    if stamp.freshness is Freshness.FAILED:
        return Span(f"{signs.critical} unread", Tone.WARNING)
    if stamp.freshness is Freshness.UNREAD or stamp.age_s is None:
        return Span("not read yet", Tone.MUTED)
    if stamp.freshness is Freshness.STALE:
        return Span(f"{signs.stale} stale {duration_text(stamp.age_s)}", Tone.WARNING)
    return Span(duration_text(stamp.age_s), Tone.LABEL)


def _joined(stamps: Sequence[Stamp], signs: Glyphs, *, named: bool) -> tuple[Span, ...]:
    spans: list[Span] = []
    for stamp in stamps:
        if spans:
            spans.append(Span("  ", Tone.MUTED))
        if named:
            spans.append(Span(f"{stamp.source} {signs.dot} ", Tone.MUTED))
        spans.append(_age(stamp, signs))
    return tuple(spans)


def stamp_spans(stamps: Sequence[Stamp], width: int, signs: Glyphs) -> tuple[Span, ...]:
    """As much as fits in `width` cells: sources and ages, else the ages, else the worst one."""
    named = _joined(stamps, signs, named=True)
    if _cells(named) <= width:
        return named
    ages = _joined(stamps, signs, named=False)
    if _cells(ages) <= width:
        return ages
    worst = max(stamps, key=lambda stamp: (stamp.freshness in _DEAD, stamp.age_s or 0.0), default=None)
    alone = (_age(worst, signs),) if worst else ()
    return alone if _cells(alone) <= width else ()


def _cells(spans: Sequence[Span]) -> int:
    return sum(cell_len(span.text) for span in spans)
