"""A run of steps as it was at a moment of the past: what was told by then, as the screen showed it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from walconsole.provision.engine.kept_news import Begun, Ended, Heard, KeptStep, read_news
from walconsole.provision.engine.model import Doing, Question, Stage
from walconsole.ui.board.provision_run import StepNews, StepsShown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from walconsole.domain.kept.runs import KeptRun
    from walconsole.ui.board.provision_run import ShownStep

SILENT_S = 90.0
"""A run notes so much more often that it is still there."""


class PastRun(StepsShown):
    """`run` at `at`, by which it was begun. `what` it was for, and `by` whom, in words."""

    def __init__(self, run: KeptRun, at: float) -> None:
        super().__init__()
        self.began_at, self.heard_until = run.began_at, run.heard_until
        self.what = self.by = ""
        self._steps: tuple[KeptStep, ...] = ()
        self._doing: Doing | None = None
        for news in read_news(run.news):
            self._take(news)
        self.silent = self._doing is not None and at - run.heard_until > SILENT_S
        self._ask()

    @property
    def steps(self) -> Sequence[ShownStep]:
        """See StepsShown."""
        return self._steps

    @property
    def busy(self) -> bool:
        """See StepsShown; one of which nothing more was heard is not."""
        return self._doing is not None and not self.silent

    @property
    def done(self) -> bool:
        """See StepsShown."""
        good = (Stage.DONE, Stage.CHANGED)
        return bool(self._steps) and all(self.news[step.id].stage in good for step in self._steps)

    def _take(self, news: Begun | Heard | Ended) -> None:
        match news:
            case Begun():
                self.what, self.by, self._doing = news.what, news.by, news.doing
                self._steps = news.steps or self._steps
                for step in self._steps:
                    self.news.setdefault(step.id, StepNews())
                self.failure = None
                self.has_begun(news.doing)
            case Heard():
                self.hear(news.as_progress())
            case Ended() if self._doing is not None:
                self.has_ended(self._doing, None if news.failure is None else news.failure.as_error())
                self._doing = None

    def _ask(self) -> None:
        """What its gate asked then."""
        news = self.news.get(self.current)
        step = next((one for one in self._steps if one.id == self.current), None)
        if self.busy and step is not None and news is not None and news.stage is Stage.ASKING and news.plan:
            self.question = Question(step.id, step.title, step.risk, news.plan, undoing=self.undoing)


class PastSteps:
    """What the screen of steps shows of a moment: the last `run` that was begun by then, and what was before.

    Pure, and not quick: a run may have said thousands of lines.
    """

    def __init__(self, runs: Sequence[KeptRun], at: float) -> None:
        self.at = at
        last = max(runs, key=_last_told, default=None)
        self.run = PastRun(last, at) if last is not None else StepsShown()
        self.acts = acts(runs, at)

    @property
    def title(self) -> str:
        """What stands above its steps."""
        if not isinstance(self.run, PastRun):
            return "Steps"
        return f"Steps, begun {_time_text(self.run.began_at)}"

    def silence(self) -> str:
        """Why there is nothing to tell of it, or nothing more; empty where there is."""
        if not isinstance(self.run, PastRun):
            return "no steps are kept that were gone through by then"
        if self.run.silent:
            heard = _time_text(self.run.heard_until)
            return f"nothing more was heard of it after {heard}: what ran it ended without a word"
        return ""


class Act(NamedTuple):
    """One time that steps were run or taken back: `outcome` in words."""

    at: float
    doing: Doing
    what: str
    by: str
    outcome: str

    def words(self) -> str:
        """In a line."""
        undone = ", taken back" if self.doing is Doing.UNDO else ""
        return f"{_time_text(self.at)} {self.what}{undone}, {self.by}: {self.outcome}"


def acts(runs: Sequence[KeptRun], at: float) -> list[Act]:
    """What was run or taken back by then, the newest first; looks, which change nothing, are left out."""
    return sorted((act for run in runs for act in _acts(run, at)), key=lambda act: act.at, reverse=True)


def _acts(run: KeptRun, at: float) -> Iterator[Act]:
    begun: Begun | None = None
    for news in read_news([one for one in run.news if one.get("is") in ("Begun", "Ended")]):
        if isinstance(news, Begun):
            begun = news
        elif isinstance(news, Ended) and begun is not None:
            if begun.doing is not Doing.LOOK:
                outcome = "gone through" if news.failure is None else f"ended: {news.failure.why}"
                yield _act(begun, outcome)
            begun = None
    if begun is not None and begun.doing is not Doing.LOOK:
        yield _act(begun, "under way" if at - run.heard_until <= SILENT_S else "nothing more was heard of it")


def _act(begun: Begun, outcome: str) -> Act:
    return Act(begun.at, begun.doing, begun.what, begun.by, outcome)


def _last_told(run: KeptRun) -> float:
    return max((one["at"] for one in run.news), default=run.began_at)


def _time_text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
