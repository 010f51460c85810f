"""The right end of a pane's title: where its numbers come from, and how old they are."""

from collections.abc import Sequence

from rich.cells import cell_len

from walconsole.domain.facts.snapshot import Freshness
from walconsole.domain.units import duration_text
from walconsole.ui.panes.model import Glyphs, Span, Stamp, Tone

_DEAD = (Freshness.STALE, Freshness.FAILED)


def _age(stamp: Stamp, signs: Glyphs) -> Span:
    if stamp.freshness is Freshness.FAILED:
        return Span(f"{signs.critical} {stamp.dead}", Tone.WARNING)
    if stamp.freshness is Freshness.UNREAD or stamp.age_s is None:
        return Span("not read yet", Tone.MUTED)
    if stamp.freshness is Freshness.STALE:
        return Span(f"{signs.stale} stale {duration_text(stamp.age_s)}", Tone.WARNING)
    return Span(duration_text(stamp.age_s), Tone.LABEL)


def _joined(stamps: Sequence[Stamp], signs: Glyphs, names: Sequence[str]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for stamp, name in zip(stamps, names, strict=True):
        if spans:
            spans.append(Span("  ", Tone.MUTED))
        if name:
            spans.append(Span(f"{name} {signs.dot} ", Tone.MUTED))
        spans.append(_age(stamp, signs))
    return tuple(spans)


def stamp_spans(stamps: Sequence[Stamp], width: int, signs: Glyphs) -> tuple[Span, ...]:
    """As much as fits in `width` cells: sources and ages, short names and ages, the worst one alone."""
    worst = sorted(stamps, key=lambda stamp: (stamp.freshness in _DEAD, stamp.age_s or 0.0))[-1:]
    for chosen, names in (
        (stamps, [stamp.source for stamp in stamps]),
        (stamps, [stamp.name for stamp in stamps]),
        (worst, [stamp.name for stamp in worst]),
        (worst, ["" for _ in worst]),
    ):
        spans = _joined(chosen, signs, names)
        if sum(cell_len(span.text) for span in spans) <= width:
            return spans
    return ()
