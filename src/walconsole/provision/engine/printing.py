"""A run's news as lines: for people, and as JSON for programs. Everything is redacted."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from walconsole.domain.redaction import safe
from walconsole.domain.units import bytes_text, plural, whole_duration_text
from walconsole.provision.engine.model import (
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
    Progress,
    Proved,
    Ran,
    Stage,
    Step,
    Waiting,
    Where,
)
from walconsole.provision.engine.site import Site

Write = Callable[[str], None]
_SIGNS = {
    FactState.OK: " ",
    FactState.NOTE: "-",
    FactState.WARNING: "!",
    FactState.STOP: "x",
    FactState.UNKNOWN: "?",
}
_CHECKED = {
    CheckState.DONE: "done already",
    CheckState.NEEDED: "needed",
    CheckState.BLOCKED: "blocked",
    CheckState.LATER: "not yet",
}
_DIFF_LINES = 40
_MOVING_EVERY_S = 30.0


def moving_text(event: Moving) -> str:
    """`WHAT: 40 % of 2.0 GiB, 61 MiB/s, 20 s left`, as far as it is known; else for how long it goes on."""
    if event.done is None:
        return f"{event.what}: {whole_duration_text(event.for_s)}" if event.for_s >= 1.0 else event.what
    share = event.share
    parts = [bytes_text(event.done) if share is None else f"{share:.0%} of {bytes_text(event.total)}"]
    if event.rate:
        parts.append(f"{bytes_text(event.rate)}/s")
    if event.left_s is not None:
        parts.append(f"{whole_duration_text(event.left_s)} left")
    return f"{event.what}: {', '.join(parts)}"


def tally(stages: Iterable[Stage], *, undoing: bool) -> str:
    """How many steps are done, of an undo how many are taken back, in a few words."""
    counts = Counter(stages)
    if not undoing:
        good = counts[Stage.DONE] + counts[Stage.CHANGED]
        return f"{good} of {counts.total()} steps done"
    kept = plural(counts[Stage.KEPT], "step stays", "steps stay")
    parts = [f"{plural(counts[Stage.UNDONE], 'step')} taken back", *([kept] if counts[Stage.KEPT] else [])]
    parts += [f"{counts[stage]} {stage}" for stage in (Stage.FAILED, Stage.REFUSED) if counts[stage]]
    return ", ".join(parts)


class Printer(Protocol):
    """Writes what a run tells."""

    def begin(self, site: Site, steps: Sequence[Step]) -> None: ...

    def told(self, news: Progress) -> None: ...

    def undo(self, step: Step, plan: Plan | None) -> None: ...

    def end(self, stages: Mapping[str, Stage]) -> None: ...


class PlainLines:
    """For people: a head for each step, indented what belongs to it."""

    def __init__(self, write: Write, *, undoing: bool = False) -> None:
        self._write = write
        self._titles: dict[str, str] = {}
        self._head = ""
        self._waiting = ""
        self._moved = ("", 0)
        self._undoing, self._to_undo = undoing, 0

    def begin(self, site: Site, steps: Sequence[Step]) -> None:
        """Whose droplet it is."""
        self._titles = {step.id: step.title for step in steps}
        self._line(f"{site.profile.name} ({site.profile.ssh})")

    def told(self, news: Progress) -> None:
        """One piece of news; what was said before is not said again."""
        if news.step != self._head:
            self._head = news.step
            self._line(f"== {self._titles.get(news.step, news.step)}")
        if news.check is not None:
            self._check(news.check, news.stage)
        if news.plan is not None and news.stage in (Stage.WAITING, Stage.ASKING):
            self._plan(news.plan)
        if news.event is not None:
            self._event(news.event)
        if news.error is not None:
            self._line(f"   {news.stage}: {news.error.line()}")
        elif news.stage in (Stage.CHANGED, Stage.REFUSED, Stage.SKIPPED, Stage.UNDONE):
            self._line(f"   {news.stage}")

    def undo(self, step: Step, plan: Plan | None) -> None:
        """How a step would be undone."""
        self._to_undo += plan is not None
        self._line(f"== {step.title}")
        if plan is None:
            self._line("   nothing of it is undone")
        else:
            self._plan(plan)

    def end(self, stages: Mapping[str, Stage]) -> None:
        """How many steps are where; of plans to undo, how many there are."""
        if self._undoing and set(stages.values()) <= {Stage.WAITING}:
            self._line(f"{plural(self._to_undo, 'step')} to take back")
        else:
            self._line(tally(stages.values(), undoing=self._undoing))

    def _check(self, check: Check, stage: Stage) -> None:
        for fact in check.facts:
            # Each part by itself: a label before a colon would pass for the name of a secret.
            text = f"{safe(fact.label)}: {safe(fact.value)}{safe(_remedy(fact.remedy))}"
            self._write(f" {_SIGNS[fact.state]} {text}")
        word = str(stage) if stage in (Stage.LATER, Stage.KEPT) else _CHECKED[check.state]
        self._line(f"   {word}: {check.summary}{_remedy(check.remedy)}")

    def _plan(self, plan: Plan) -> None:
        self._line(f"   plan: {plan.summary}")
        for file in plan.files:
            for line in file.diff()[:_DIFF_LINES]:
                self._line(f"     {line}")
            if len(file.diff()) > _DIFF_LINES:
                self._line(f"     … {len(file.diff()) - _DIFF_LINES} more lines")
        for command in plan.commands:
            self._command(command)
        for note in plan.notes:
            self._line(f"     {note}")
        extras = (("cost", plan.cost), ("downtime", plan.downtime), ("undo", plan.undo))
        for label, text in (*extras, ("asks for", plan.confirm)):
            if text:
                self._line(f"     {label}: {text}")

    def _command(self, command: Command) -> None:
        place = "here" if command.where is Where.HERE else command.user
        first, *more = command.text.splitlines() or [""]
        self._line(f"     {place}$ {first}{f' … ({len(more)} more lines)' if more else ''}")

    def _event(self, event: Event) -> None:
        match event:
            case Ran(command):
                self._command(command)
            case Printed(text):
                self._line(f"       {text}")
            case Proved(text):
                self._line(f"   ok: {text}")
            case Waiting(what, _, limit_s):
                if what != self._waiting:
                    self._line(f"       waiting up to {limit_s:.0f} s: {what}")
                self._waiting = what
            case Moving():
                self._moving(event)
            case Changing(change):
                self._line(f"       changing {change.kind} {change.what}")

    def _moving(self, event: Moving) -> None:
        """A line for each tenth of it; where nobody knows how much it is, for each half minute."""
        share = event.share
        part = int(event.for_s / _MOVING_EVERY_S) if share is None else int(share * 10)
        if (event.what, part) != self._moved and (part or share is not None):
            self._line(f"       {moving_text(event)}")
        self._moved = (event.what, part)

    def _line(self, text: str) -> None:
        self._write(safe(text))


class JsonLines:
    """One object a line: `step`, `stage`, `at`, and what there is of `check`, `plan`, `event`, `error`."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def begin(self, site: Site, steps: Sequence[Step]) -> None:
        """The deployment and its steps."""
        self._object({"profile": site.profile.name, "steps": [step.id for step in steps]})

    def told(self, news: Progress) -> None:
        """One piece of news."""
        content: dict[str, object] = {"step": news.step, "stage": news.stage.value, "at": news.at}
        for name in ("check", "plan"):
            value = getattr(news, name)
            if value is not None:
                content[name] = _plain(value)
        if news.event is not None:
            content["event"] = {"kind": type(news.event).__name__.lower(), **_plain(news.event)}
        if news.error is not None:
            error = news.error
            content["error"] = {"tried": error.tried, "why": error.why, "remedy": error.remedy}
        self._object(content)

    def undo(self, step: Step, plan: Plan | None) -> None:
        """How a step would be undone."""
        self._object({"step": step.id, "undo": _plain(plan) if plan is not None else None})

    def end(self, stages: Mapping[str, Stage]) -> None:
        """Where each step is."""
        self._object({"stages": {step: stage.value for step, stage in stages.items()}})

    def _object(self, content: Mapping[str, object]) -> None:
        self._write(json.dumps(_redacted(content), ensure_ascii=True))


def _remedy(text: str) -> str:
    return f" -> {text}" if text else ""


def _plain(value: Check | Plan | Event | Fact) -> dict[str, object]:
    return dataclasses.asdict(value)


def _redacted(value: object) -> object:
    """The same with every text made safe; a file's lines stay lines."""
    if isinstance(value, str):
        return "\n".join(safe(line) for line in value.split("\n"))
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value
