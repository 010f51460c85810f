"""What the provisioning screen's panes show, as lines: pure functions of what is known of the steps."""

from __future__ import annotations

from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.redaction import safe
from walconsole.provision.engine.model import (
    Change,
    Changing,
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Moving,
    Plan,
    Printed,
    Proved,
    Ran,
    Risk,
    Stage,
    Waiting,
    Where,
)
from walconsole.provision.engine.printing import moving_text
from walconsole.ui.board.cells import folded, pad
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.progress import bar
from walconsole.ui.board.provision_run import SUMMARY, StepNews, StepsShown
from walconsole.ui.provisioning.transcript import undo_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from walconsole.errors import WalconsoleError
    from walconsole.ui.board.glyphs import Glyphs
    from walconsole.ui.board.provision_run import ShownStep
    from walconsole.ui.provisioning.past_run import PastSteps

_TITLE_CELLS = 25
_LABEL_CELLS = 16
_COMMAND_LINES = 12
_WORDS = {
    Stage.WAITING: ("", Tone.MUTED),
    Stage.CHECKING: ("looking", Tone.LABEL),
    Stage.ASKING: ("asks", Tone.WARNING),
    Stage.APPLYING: ("running", Tone.LABEL),
    Stage.VERIFYING: ("verifying", Tone.LABEL),
    Stage.DONE: ("done already", Tone.MUTED),
    Stage.CHANGED: ("done", Tone.OK),
    Stage.REFUSED: ("not agreed to", Tone.WARNING),
    Stage.BLOCKED: ("blocked", Tone.CRITICAL),
    Stage.FAILED: ("failed", Tone.CRITICAL),
    Stage.SKIPPED: ("not reached", Tone.MUTED),
    Stage.LATER: ("not yet", Tone.MUTED),
    Stage.UNDONE: ("taken back", Tone.OK),
    Stage.KEPT: ("stays", Tone.MUTED),
}
_CHECKED = {
    CheckState.DONE: ("done", Tone.OK),
    CheckState.NEEDED: ("needed", Tone.STRONG),
    CheckState.BLOCKED: ("blocked", Tone.CRITICAL),
    CheckState.LATER: ("not yet", Tone.STRONG),
}
_FACT_TONES = {
    FactState.OK: Tone.TEXT,
    FactState.NOTE: Tone.TEXT,
    FactState.WARNING: Tone.WARNING,
    FactState.STOP: Tone.CRITICAL,
    FactState.UNKNOWN: Tone.UNKNOWN,
}


def step_rows(run: StepsShown, glyphs: Glyphs) -> tuple[Line, ...]:
    """A row for each step: its sign, its title, where it is; the last row sums up."""
    wide = max((_TITLE_CELLS, *(cell_len(step.title) for step in run.steps)))
    rows = [_step_row(step, run.news.get(step.id), glyphs, wide) for step in run.steps]
    if run.steps:
        summary = Span("  Summary: what was changed, how to undo it", Tone.LABEL)
        rows.append(Line((summary,), label=SUMMARY))
    return tuple(rows)


def _step_row(step: ShownStep, news: StepNews | None, glyphs: Glyphs, wide: int) -> Line:
    stage = news.stage if news is not None else Stage.WAITING
    word, tone = _WORDS[stage]
    if stage is Stage.WAITING and news is not None and news.check is not None:
        word, tone = ("needed", Tone.STRONG)
    if stage is Stage.DONE and step.risk is Risk.READS:
        word = "no fault found" if not step.gated else word
    sign = _sign(stage, glyphs)
    return Line(
        (
            Span(f"{sign} ", tone),
            Span(f"{pad(step.title, wide)} ", Tone.TEXT),
            Span(word, tone),
        ),
        label=step.id,
        value=step.title,
    )


def _sign(stage: Stage, glyphs: Glyphs) -> str:
    if stage in (Stage.DONE, Stage.CHANGED, Stage.UNDONE):
        return glyphs.ok
    if stage in (Stage.BLOCKED, Stage.FAILED):
        return glyphs.critical
    if stage in (Stage.ASKING, Stage.REFUSED):
        return glyphs.warning
    return glyphs.arrow[0] if stage in (Stage.CHECKING, Stage.APPLYING, Stage.VERIFYING) else glyphs.dot


def plan_rows(
    step: ShownStep, news: StepNews, width: int, glyphs: Glyphs, *, told: WalconsoleError | None = None
) -> tuple[Line, ...]:
    """What the step found, what it would do, and how that is undone. `told`: what the first line says."""
    rows: list[Line] = []
    if news.error is not None:
        if told is None or told.why != news.error.why:
            rows += _paragraph(f"{glyphs.critical} {news.error.why}", width, Tone.CRITICAL)
        if news.error.remedy:
            rows += _paragraph(f"{glyphs.arrow} {news.error.remedy}", width, Tone.STRONG)
        rows.append(_empty())
    if news.stage is Stage.CHANGED:
        rows += _paragraph(f"done: {_last_proof(news)}", width, Tone.OK)
    elif news.check is not None:
        rows += _check_rows(news.check, news.stage, width, glyphs)
    if news.plan is not None and (news.check is None or news.check.state is not CheckState.DONE):
        rows.append(_empty())
        rows += _plan(step, news.plan, width)
    return tuple(rows) or (Line((Span("not looked at yet", Tone.MUTED),)),)


def _last_proof(news: StepNews) -> str:
    proofs = [event.text for _, event in news.events if isinstance(event, Proved)]
    return proofs[-1] if proofs else "it was verified"


def _check_rows(check: Check, stage: Stage, width: int, glyphs: Glyphs) -> Iterator[Line]:
    word, tone = _CHECKED[check.state]
    if stage in (Stage.LATER, Stage.UNDONE, Stage.KEPT):
        word, tone = str(stage), Tone.STRONG
    yield from _paragraph(f"{word}: {check.summary}", width, tone)
    if check.remedy:
        yield from _paragraph(f"{glyphs.arrow} {check.remedy}", width, Tone.STRONG)
    for fact in check.facts:
        yield from _fact_rows(fact, width, glyphs)


def _fact_rows(fact: Fact, width: int, glyphs: Glyphs) -> Iterator[Line]:
    signs = {
        FactState.OK: " ",
        FactState.NOTE: glyphs.dot,
        FactState.WARNING: glyphs.warning,
        FactState.STOP: glyphs.critical,
        FactState.UNKNOWN: glyphs.unknown,
    }
    label, value = safe(fact.label), safe(fact.value)
    text = f"{value} {glyphs.arrow} {safe(fact.remedy)}" if fact.remedy else value
    head = f"{signs[fact.state]} {label:<{_LABEL_CELLS}} "
    lines = _wrapped(text, width - len(head) - 1) or [""]
    for at, line in enumerate(lines):
        start = Span(head if not at else " " * len(head), Tone.LABEL)
        yield Line((start, Span(line, _FACT_TONES[fact.state])), label=label, value=value)


def _plan(step: ShownStep, plan: Plan, width: int) -> Iterator[Line]:
    yield from _paragraph(f"{plan.summary} ({step.risk})", width, Tone.STRONG)
    for label, text in (("interrupts", plan.downtime), ("costs", plan.cost), ("undo", plan.undo)):
        if text:
            yield from _labelled(label, text, width)
    if plan.confirm:
        yield from _labelled("asks for", f"the name {plan.confirm}, typed", width)
    for note in plan.notes:
        yield from _paragraph(note, width, Tone.TEXT)
    for command in plan.commands:
        yield from _command_rows(command, width)
    for file in plan.files:
        if file.secret:
            yield from _paragraph(f"{file.path}: not shown, for it holds keys", width, Tone.TEXT)
            continue
        yield _empty()
        for line in file.diff():
            tone = Tone.STRONG if line.startswith("+") else Tone.MUTED if line.startswith("-") else Tone.LABEL
            yield Line((Span(safe(line), tone),))


def _command_rows(command: Command, width: int) -> Iterator[Line]:
    """Whole: what is agreed to is what is seen."""
    place = "here" if command.where is Where.HERE else command.user
    lines = command.text.splitlines() or [""]
    blank = " " * (len(place) + 2)
    for at, line in enumerate(lines[:_COMMAND_LINES]):
        parts = _wrapped(safe(line), width - len(blank) - 1, "  ") or [""]
        for index, part in enumerate(parts):
            prompt = blank if at or index else f"{place}$ "
            yield Line((Span(prompt, Tone.LABEL), Span(part, Tone.TEXT)), value=command.text)
    if len(lines) > _COMMAND_LINES:
        more = f"{len(lines) - _COMMAND_LINES} more lines; Y copies all"
        yield Line((Span(" " * (len(place) + 2), Tone.LABEL), Span(more, Tone.MUTED)), value=command.text)


def one_event(event: Event, width: int, glyphs: Glyphs) -> Iterable[Line]:
    """What was run, what it said, what it was waited for, what was proved or is changed."""
    match event:
        case Ran(command):
            return _command_rows(command, width)
        case Printed(text):
            return _after("  ", text, width, Tone.TEXT)
        case Proved(text):
            return _after(f"{glyphs.ok} ", text, width, Tone.STRONG)
        case Waiting(what, waited_s, limit_s):
            text = f"  {safe(what)}: {waited_s:.0f} s of at most {limit_s:.0f} s"
            return (Line((Span(text, Tone.LABEL),)),)
        case Moving():
            return (_moving_row(event, glyphs),)
        case Changing(change):
            return (Line((Span(f"  {glyphs.arrow} {_change(change)}", Tone.LABEL),), value=change.what),)
    return ()


def _after(lead: str, text: str, width: int, tone: Tone) -> list[Line]:
    """The text after `lead`, on as many lines as it needs."""
    parts = _wrapped(safe(text), width - len(lead) - 1) or [""]
    return [
        Line((Span(" " * len(lead) if at else lead, Tone.OK), Span(part, tone)), value=text)
        for at, part in enumerate(parts)
    ]


def _moving_row(event: Moving, glyphs: Glyphs) -> Line:
    """Where it is known how much it is, with a bar before the words."""
    share = event.share
    words = Span(safe(moving_text(event)), Tone.LABEL)
    if share is None:
        return Line((Span("  ", Tone.TEXT), words))
    return Line((Span("  "), *bar(share, glyphs), Span(" "), words))


def summary_rows(
    run: StepsShown, width: int, glyphs: Glyphs, *, past: PastSteps | None = None
) -> tuple[Line, ...]:
    """What this session changed, where, and how each is undone; of the past also what was run before."""
    before = _acts_rows(past, width, glyphs) if past is not None else ()
    return (*_changes_rows(run, width, glyphs, past=past is not None), *before)


def _acts_rows(past: PastSteps, width: int, glyphs: Glyphs) -> Iterator[Line]:
    yield _empty()
    yield Line((Span("what was run by then, the newest first", Tone.STRONG),))
    for act in past.acts:
        yield from _paragraph(f"{glyphs.dot} {act.words()}", width, Tone.TEXT)
    if not past.acts:
        yield Line((Span("nothing that is kept", Tone.MUTED),))


def _changes_rows(run: StepsShown, width: int, glyphs: Glyphs, *, past: bool) -> tuple[Line, ...]:
    changes = run.changes
    if not changes:
        return tuple(_nothing_to_undo(run, width, glyphs))
    by = "by it" if past else "in this session"
    rows = [Line((Span(f"changed {by}, oldest first", Tone.STRONG),))]
    for change in changes:
        rows += _paragraph(f"{glyphs.dot} {_change(change)}", width, Tone.TEXT)
        rows += _labelled("  undo", undo_words(change), width)
    rows.append(_empty())
    if past:
        rows += _paragraph("what of it stands is taken back by walconsole undo", width, Tone.LABEL)
        return tuple(rows)
    rows += _paragraph(
        "u undoes it, the last first, and asks before each; so does walconsole undo", width, Tone.LABEL
    )
    rows += _paragraph("a bucket or an object of the archive is never deleted", width, Tone.LABEL)
    if run.transcript:
        rows += _labelled("transcript", _together(run.transcript), width)
    return tuple(rows)


def _nothing_to_undo(run: StepsShown, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """Where no change is left: what ran all the same, with what became of it."""
    ran = [
        (step, news)
        for step in run.steps
        if (news := run.news[step.id]).applied and step.risk is not Risk.READS
    ]
    if not ran:
        yield Line((Span("nothing was changed in this session", Tone.MUTED),))
        return
    yield Line((Span("nothing is left that could be undone; what ran", Tone.STRONG),))
    for step, news in ran:
        yield from _paragraph(f"{glyphs.dot} {step.title}: {step.risk}, {news.stage}", width, Tone.TEXT)
        if news.plan is not None and news.plan.undo and news.stage is not Stage.UNDONE:
            yield from _labelled("  undo", news.plan.undo, width)


def _together(written: str) -> str:
    """`A.md, A.json` as `~/A.md, .json`."""
    first, *others = written.split(", ")
    home = str(Path.home())
    shortened = f"~{first.removeprefix(home)}" if first.startswith(f"{home}/") else first
    return ", ".join([shortened, *(PurePath(other).suffix for other in others)])


def _change(change: Change) -> str:
    before = f" (before: {change.before})" if change.before else ""
    after = f": {change.after}" if change.after else ""
    return safe(f"{change.kind} {change.what}{after}{before}")


def _labelled(label: str, text: str, width: int) -> Iterator[Line]:
    head = f"{label:<{_LABEL_CELLS - 4}} "
    for at, line in enumerate(_wrapped(safe(text), width - len(head) - 1) or [""]):
        yield Line((Span(head if not at else " " * len(head), Tone.LABEL), Span(line, Tone.TEXT)))


def _paragraph(text: str, width: int, tone: Tone) -> list[Line]:
    lines: Sequence[str] = _wrapped(safe(text), width - 1, "  ")
    return [Line((Span(line, tone),), value=text) for line in lines]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` cells; a path is not parted at its dashes."""
    return folded(text, max(20, width), indent=indent)


def _empty() -> Line:
    return Line((Span("", Tone.TEXT),))


# -- What a step did and said, as rows that grow with it: only what is new is set.

ROWS_KEPT = 5_000
_UNBOUNDED = 100_000


class EventLines:
    """The rows of one step at a time, the newest last; of what takes its time only how far it is by now.

    Setting all 5,000 anew, ten times a second, would hold the keys up by 24 ms each time.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs, self._width = glyphs, 0
        self._news: StepNews | None = None
        self._heard = 0
        self._waiting = False
        self.rows: list[Line] = []

    def of(self, news: StepNews, width: int = _UNBOUNDED) -> list[Line]:
        """The rows of `news`, at most ROWS_KEPT; the list is the same one as long as step and width are."""
        if news is not self._news or news.heard < self._heard or width != self._width:
            self._width = width
            self._news, self._heard, self._waiting, self.rows = news, 0, False, []
        fresh = min(news.heard - self._heard, len(news.events))
        self._heard = news.heard
        for _, event in islice(news.events, len(news.events) - fresh, None):
            self._add(event)
        del self.rows[: max(0, len(self.rows) - ROWS_KEPT)]
        return self.rows

    def _add(self, event: Event) -> None:
        waits = isinstance(event, Waiting | Moving)
        if waits and self._waiting:
            self.rows.pop()
        self._waiting = waits
        self.rows += one_event(event, self._width, self._glyphs)
