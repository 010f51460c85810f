"""The time line as rows: one axis, a row for each kind of event, then the events, the newest first."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from walconsole.domain.standing.event_times import Event, EventKind, folded
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, clock_text, pad, shown, wrapped

SPANS_S = (900.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0, 7 * 86400.0)
SPAN_NAMES = ("15 min", "1 h", "3 h", "12 h", "24 h", "7 d")
_LABEL = 14
_TONES = {EventKind.FAILED: Tone.CRITICAL, EventKind.ARCHIVED: Tone.OK, EventKind.STORED: Tone.OK}
_LEAST_CELLS = 12
AXIS, KIND, EVENT = "axis", "times", "event"


def first_span(events: Sequence[Event], now: float) -> int:
    """The shortest span that shows what matters: the last success and the first failure after it."""
    wanted = [now - event.at for event in events if event.kind in (EventKind.FAILED, EventKind.ARCHIVED)]
    far = max(wanted, default=0.0)
    return next((index for index, span in enumerate(SPANS_S) if span >= far), len(SPANS_S) - 1)


def rows(events: Sequence[Event], now: float, span_s: float, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The axis and its rows where there is room for them, then every event of the span."""
    inside = [event for event in events if 0 <= now - event.at <= span_s]
    cells = width - GUTTER - _LABEL - 2
    lines: list[Line] = []
    if cells >= _LEAST_CELLS:
        lines.append(_axis(now, span_s, cells))
        for kind in EventKind:
            times = [event.at for event in inside if event.kind is kind]
            if times:
                lines.append(_marks(kind, times, now, span_s, cells, glyphs))
    for event in sorted(folded(inside), key=lambda each: -(each.until or each.at)):
        lines += _event(event, now, width)
    return tuple(lines)


def _axis(now: float, span_s: float, cells: int) -> Line:
    left = datetime.fromtimestamp(now - span_s, UTC)
    first = f"{left:%H:%MZ}" if span_s <= 43_200 else f"{left:%m-%d %H:%MZ}"
    last = f"{datetime.fromtimestamp(now, UTC):%H:%MZ}"
    gap = max(1, cells - len(first) - len(last))
    head = pad(f"last {SPAN_NAMES[SPANS_S.index(span_s)]}", _LABEL)
    return Line((Span(" " * GUTTER + head, Tone.MUTED), Span(first + " " * gap + last, Tone.MUTED)), AXIS)


def _marks(
    kind: EventKind, times: Sequence[float], now: float, span_s: float, cells: int, glyphs: Glyphs
) -> Line:
    """A cell for each stretch of time: how often it happened in it, by height."""
    counts = [0] * cells
    for at in times:
        counts[min(cells - 1, int((1 - (now - at) / span_s) * cells))] += 1
    text = "".join(_mark(count, glyphs) for count in counts)
    head = pad(kind.value, _LABEL)
    return Line(
        (Span(" " * GUTTER + head, Tone.LABEL), Span(text, _TONES.get(kind, Tone.TEXT))), KIND, kind.value
    )


def _mark(count: int, glyphs: Glyphs) -> str:
    if not count:
        return glyphs.outside
    steps = glyphs.sparks
    return steps[min(len(steps) - 1, 1 + count)]


def _event(event: Event, now: float, width: int) -> Iterator[Line]:
    """When, what kind, and the whole text on as many lines as it needs."""
    at = event.at if event.until is None else event.until
    head = f"{clock_text(at, now)} {event.kind.value:<13} "
    text = shown(event.text)
    if event.until is not None:
        text = f"{event.count} times since {clock_text(event.at, now)}: {text}"
    copied = f"{clock_text(at, now)} {text} ({shown(event.source)})"
    tone = _TONES.get(event.kind, Tone.MUTED)
    for index, part in enumerate(wrapped(text, width - GUTTER - len(head) - 1)):
        lead = " " * GUTTER + (" " * len(head) if index else head)
        yield Line((Span(lead, tone), Span(part, Tone.TEXT)), EVENT, event.kind.value, copied)


def spans(step: int, current: int) -> int:
    """The next longer or shorter one."""
    return max(0, min(len(SPANS_S) - 1, current + step))
