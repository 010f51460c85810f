"""Log: lines about archiving from PostgreSQL's log and the verifier's journal."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from rich.cells import cell_len

from walconsole.domain.facts.log_line import LogLevel, LogLine
from walconsole.domain.units import count_text
from walconsole.ui.board.content import Glyphs, Line, Span, Tone
from walconsole.ui.board.typeset import shown

_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:[.,]\d+)? ?(\S*)")
_EPOCH = re.compile(r"\d{10}\.\d{3}")
_UTC = frozenset({"", "UTC", "GMT", "Z", "+00", "+0000", "+00:00", "-00", "-0000", "-00:00"})
_LEVEL = re.compile(r".{0,80}?\b[A-Z]{4,9}[1-5]?:")
_TONE = {
    LogLevel.DEBUG: Tone.MUTED,
    LogLevel.INFO: Tone.TEXT,
    LogLevel.WARNING: Tone.WARNING,
    LogLevel.ERROR: Tone.CRITICAL,
    LogLevel.FATAL: Tone.CRITICAL,
}


def _sign(level: LogLevel, signs: Glyphs) -> str:
    if level in (LogLevel.ERROR, LogLevel.FATAL):
        return signs.critical
    return signs.warning if level is LogLevel.WARNING else " "


def _clock(stamp: str) -> str:
    """The time of day, with its zone where that is not UTC: all else on the screen is."""
    if _EPOCH.fullmatch(stamp):
        return f"{datetime.fromtimestamp(float(stamp), UTC):%H:%M:%S}"
    time = _TIME.search(stamp)
    if time is None:
        return "--:--:--"
    return time[1] if time[2] in _UTC else f"{time[1]} {time[2]}"


def log_line(line: LogLine, signs: Glyphs) -> Line:
    """Its time of day, the sign of its level, and the rest of what was written; `y` copies all of it."""
    text = shown(line.text)
    if line.stamp and text.startswith(line.stamp):
        text = text[len(line.stamp) :].lstrip()
    tone = _TONE[line.level]
    level = _LEVEL.match(text)
    head = text[: level.end()] if level and tone is not Tone.TEXT else ""
    return Line(
        (
            Span(f"  {_clock(line.stamp)} ", Tone.MUTED),
            Span(f"{_sign(line.level, signs)} ", tone),
            Span(head, tone),
            Span(text[len(head) :], Tone.MUTED if tone is Tone.MUTED else Tone.TEXT),
        ),
        "log_line",
        line.origin,
        line.text,
    )


def _indent(line: Line) -> int:
    """The cells before a line's text: its time and its sign."""
    return sum(cell_len(span.text) for span in line.spans[:2])


def starts(line: Line, width: int) -> list[int]:
    """Where each row of a line that is wrapped to `width` begins, in characters of its text."""
    text, room = "".join(span.text for span in line.spans[2:]), max(8, width - _indent(line))
    found, at = [0], 0
    while cell_len(text[at:]) > room:
        end = at + room
        while end > at + 1 and cell_len(text[at:end]) > room:
            end -= 1
        blank = text.rfind(" ", at + 1, end)
        at = blank + 1 if blank > at + room // 3 else end
        found.append(at)
    return found


def part_of(line: Line, start: int, width: int) -> Line:
    """The row of a wrapped line that begins at `start` of its text; what is copied is the whole line."""
    indent = _indent(line)
    places = starts(line, width)
    end = next((place for place in places if place > start), None)
    head = line.spans[:2] if not start else (Span(" " * indent),)
    rest: list[Span] = []
    at = 0
    for span in line.spans[2:]:
        begin, stop = max(0, start - at), len(span.text) if end is None else max(0, end - at)
        rest.append(span._replace(text=span.text[begin:stop]))
        at += len(span.text)
    return replace(line, spans=(*head, *rest))


def empty_line(read: int, *, filtered: bool) -> Line:
    """Why there is nothing to see, though so many lines were read."""
    text = "  no line was read yet"
    if read:
        text = "  no line passes the filter" if filtered else "  no line is about archiving: a shows all"
    return Line((Span(text, Tone.MUTED),), "log_line")


def state_spans(
    width: int,
    signs: Glyphs,
    *,
    shown: int,
    held: int | None,
    following: bool,
    archiving_only: bool,
    wrapping: bool,
    pattern: str,
) -> tuple[Span, ...]:
    """What the filter lets through, and whether new lines come in."""
    parts = [Span("about archiving" if archiving_only else "all lines", Tone.MUTED)]
    if pattern:
        parts.append(Span(f"filter {pattern}", Tone.STRONG))
    parts.append(Span(count_text(shown), Tone.LABEL))
    if wrapping:
        parts.append(Span("wrapped", Tone.MUTED))
    if held is not None:
        parts.append(Span(f"{signs.stale} paused, {count_text(held)} held", Tone.WARNING))
    else:
        parts.append(Span("following" if following else "scrolled", Tone.MUTED))
    while len(parts) > 1 and sum(cell_len(part.text) + 3 for part in parts) > width:
        parts.pop(0)
    spans: list[Span] = []
    for part in parts:
        spans += [Span(f" {signs.dot} ", Tone.MUTED), part] if spans else [part]
    return tuple(spans)
