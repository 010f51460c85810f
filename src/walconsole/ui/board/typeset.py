"""Setting rows: a label in a fixed column, then the value; how a reading that is not current is shown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from rich.cells import cell_len

from walconsole.domain.facts.snapshot import Freshness, Reading, Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.incidents.words import closed_line, open_line, troubles
from walconsole.domain.redaction import safe
from walconsole.domain.standing.unreachable import LINK_CODES, SHELL_CODES
from walconsole.domain.store.answers import Meaning, meaning_of
from walconsole.domain.units import duration_text
from walconsole.ui.board.cells import fit, fit_left, fit_middle, pad, right, wrapped
from walconsole.ui.board.content import Glyphs, Line, Link, Span, Stamp, Tone, View

_FORGOTTEN_TOLD_S = 7 * 86_400.0


T = TypeVar("T")

GUTTER = 2
LABEL_WIDTH = 15
NOT_AVAILABLE = "n/a"

_ANSWERS = {
    Meaning.ABSENT_BUCKET: "missing",
    Meaning.NO_PERMISSION: "refused",
    Meaning.KEY_UNKNOWN: "refused",
    Meaning.SIGNATURE_WRONG: "refused",
    Meaning.CREDENTIALS_BAD: "refused",
    Meaning.CLOCK_SKEW: "refused",
    Meaning.ACCOUNT: "refused",
    Meaning.NO_KEY: "no key",
}
"""Problems that are an answer, or the lack of what to ask with: in a word."""

shown = lru_cache(maxsize=4096)(safe)
"""`redaction.safe`, remembered: the same remote texts are drawn every second."""


def row(
    entry: str,
    label: str,
    *spans: Span,
    value: str | None = None,
    link: Link | None = None,
    wide: int = LABEL_WIDTH,
) -> Line:
    """A label in its column and the value's spans. `value` is what is copied, else the spans' text."""
    head = Span(" " * GUTTER + pad(label, wide), Tone.LABEL)
    text = "".join(span.text for span in spans).strip()
    return Line((head, *spans), entry, label, text if value is None else value, link)


def room(view: View) -> int:
    """Cells for a row's value."""
    return max(8, view.width - GUTTER - LABEL_WIDTH - 1)


def indented(text: str, view: View, tone: Tone = Tone.TEXT, *, lead: str = "", entry: str = "") -> list[Line]:
    """A paragraph over the whole width; `lead` stands before its first line."""
    width = view.width - GUTTER - cell_len(lead) - 1
    blank = " " * cell_len(lead)
    return [
        Line((Span(" " * GUTTER + (blank if index else lead) + part, tone),), entry, value=text)
        for index, part in enumerate(wrapped(text, width))
    ]


def clock_text(at: float, now: float) -> str:
    """A moment in UTC: `14:02:31Z`, with its date when it is not of the last twelve hours."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%H:%M:%SZ}" if 0 <= now - at < 43_200 else f"{moment:%Y-%m-%d %H:%MZ}"


def incident_lines(remembered: IncidentLog | None, now: float) -> tuple[str, str]:
    """What is remembered of the incident that is open, and of the last one; empty for none."""
    if remembered is None:
        return "", ""

    def when(at: float) -> str:
        return clock_text(at, now)

    return open_line(remembered, when), closed_line(remembered, when)


def forgotten(remembered: IncidentLog | None, now: float) -> tuple[str, ...]:
    """Why something of it is not remembered: for as long as it is so, or for a week."""
    if remembered is None:
        return ()
    recent = tuple(each for each in remembered.set_aside if now - each.at < _FORGOTTEN_TOLD_S)
    return tuple(troubles(replace(remembered, set_aside=recent), lambda at: clock_text(at, now)))


def stamp(reading: Reading[T], now: float, name: str) -> Stamp:
    """A reading's source and age; `name` is the source's short name."""
    source = shown(reading.source or name)
    return Stamp(name, source, reading.age_s(now), reading.freshness, dead_word(reading))


def dead_word(reading: Reading[T]) -> str:
    """What a source without a value is: it answered with a refusal, or it was not read at all."""
    problem = reading.problem
    return _ANSWERS.get(meaning_of(problem.code, said=problem.why), _UNREAD) if problem else _UNREAD


_UNREAD = "unread"


def notice(reading: Reading[T], view: View, what: str) -> list[Line]:
    """Why a source is dead and since when, and what to do; nothing while it is well.

    Among other panes the findings tell it where there is one about it, and only they: an error is told once.
    """
    signs = view.glyphs
    if reading.slot not in view.snapshot.slots:
        return []  # there is no second copy, and none is wanted
    if reading.freshness is Freshness.UNREAD:
        return [Line((Span(f"{' ' * GUTTER}{what}: not read yet", Tone.MUTED),), "unread")]
    if reading.problem is None:
        return []
    since = ""
    if reading.failing_since is not None:
        lasted = duration_text(max(0.0, view.now - reading.failing_since))
        since = f" since {clock_text(reading.failing_since, view.now)}, {lasted}"
    state = "stale" if reading.freshness is Freshness.STALE else dead_word(reading)
    problem = reading.problem
    link = view.snapshot.link.problem
    of_link = reading.slot is not Snapshot.link and problem.code in LINK_CODES | SHELL_CODES
    if of_link or (reading.slot.through_ssh and link is not None):
        lacking = "no shell" if (link or problem).code in SHELL_CODES else "no SSH"
        purpose = "" if reading.slot.through_ssh else ", over which its key is read"
        text = f"{what} {state}{since}: {lacking}{purpose}"
        return indented(text, view, Tone.WARNING, lead=f"{signs.stale} ", entry="stale")
    if view.rows and any(
        finding.slot is reading.slot or any(problem.reason in text for text in finding.evidence)
        for finding in view.diagnosis.findings
    ):
        said = "" if dead_word(reading) in (state, _UNREAD) else f", {dead_word(reading)}"
        text = f"{what} {state}{said}{since}: see Findings"
        return indented(text, view, Tone.WARNING, lead=f"{signs.stale} ", entry="stale")
    text = f"{what} {state}{since}: {shown(problem.reason)}"
    lines = indented(text, view, Tone.WARNING, lead=f"{signs.stale} ", entry="stale")
    if problem.remedy:
        lines += indented(shown(problem.remedy), view, Tone.TEXT, lead=f"{signs.arrow} ", entry="stale")
    return lines


def aged(lines: Iterable[Line], reading: Reading[T], signs: Glyphs) -> list[Line]:
    """The rows as they are; dimmed and signed in the gutter when their reading is not current."""
    if reading.freshness is Freshness.OK:
        return list(lines)
    mark = signs.stale if reading.freshness is Freshness.STALE else " "
    return [_dimmed(line, mark) for line in lines]


def _dimmed(line: Line, mark: str) -> Line:
    spans = [Span(span.text, Tone.MUTED) for span in line.spans]
    if spans and spans[0].text.startswith(" " * GUTTER):
        spans[0] = Span(mark + spans[0].text[len(mark) :], Tone.MUTED)
    return replace(line, spans=tuple(spans), stale=True)


def or_na(value: T | None, show: Callable[[T], str]) -> str:
    """`show(value)`, or `n/a`: never 0 and never blank for what could not be read."""
    return NOT_AVAILABLE if value is None else show(value)


def missing_notes(missing: Sequence[str], view: View) -> list[Line]:
    """Why single values are n/a, one line each."""
    lines: list[Line] = []
    for reason in missing:
        lines += indented(shown(reason), view, Tone.MUTED, lead="n/a: ", entry="missing")
    return lines


def sparkline(values: Sequence[float], steps: str) -> str:
    """One character a value, scaled to the highest; a true zero is the lowest step."""
    top = max(values, default=0.0)
    if top <= 0:
        return steps[0] * len(values)
    last = len(steps) - 1
    return "".join(steps[min(last, max(0, round(value / top * last)))] for value in values)


__all__ = [
    "GUTTER",
    "LABEL_WIDTH",
    "NOT_AVAILABLE",
    "aged",
    "clock_text",
    "dead_word",
    "fit",
    "fit_left",
    "fit_middle",
    "indented",
    "missing_notes",
    "notice",
    "or_na",
    "pad",
    "right",
    "room",
    "row",
    "shown",
    "sparkline",
    "stamp",
    "wrapped",
]


# -- The right end of a pane's title: where its numbers come from, and how old they are.

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
