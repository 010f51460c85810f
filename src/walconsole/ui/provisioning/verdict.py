"""The first line over the steps: what asks, runs, stopped or is left to do."""

from walconsole.domain.redaction import safe
from walconsole.errors import WalconsoleError
from walconsole.provision.engine.model import Stage
from walconsole.provision.engine.printing import tally
from walconsole.ui.board.content import Tone
from walconsole.ui.board.glyphs import Glyphs
from walconsole.ui.board.provision_run import StepNews, StepsShown

Told = tuple[str, str, str, Tone]
"""A sign, a word, a sentence, and how both look."""


def steps_verdict(
    run: StepsShown,
    title: str,
    glyphs: Glyphs,
    *,
    silence: str = "",
    told_below: WalconsoleError | None = None,
) -> Told:
    """Of what goes on in `title`'s steps. `silence` says why nothing is known of a moment of the past.

    What to do about a failure is left out where `told_below`, in the plan's pane, is that failure.
    """
    if silence:
        return glyphs.unknown, "", silence, Tone.MUTED
    if run.question is not None:
        text = f"{run.question.title}: {run.question.plan.summary}"
        return glyphs.warning, "asks", safe(text), Tone.WARNING
    if run.failure is not None and not run.busy:
        shown = told_below is not None and told_below.why == run.failure.why
        text = f"{run.failure.tried}: {run.failure.why}" if shown else run.failure.line()
        return glyphs.critical, "stopped", safe(text), Tone.CRITICAL
    if run.busy:
        return glyphs.arrow[0], "running", _running(run), Tone.LABEL
    if run.undone and any(news.stage is Stage.UNDONE for news in run.news.values()):
        return glyphs.ok, "undone", "what was changed from here is undone", Tone.OK
    if run.undone:
        return glyphs.dot, "undone", "nothing is recorded that could be undone", Tone.MUTED
    if run.done:
        return glyphs.ok, "ok", safe(run.last_proof() or "every step is done"), Tone.OK
    return _looked(run, title, glyphs)


def _running(run: StepsShown) -> str:
    doing = next((step.title for step in run.steps if step.id == run.current), "looking at the droplet")
    stages = [news.stage for news in run.news.values()]
    return f"{doing}; {tally(stages, undoing=run.undoing)}" if stages else doing


def _looked(run: StepsShown, title: str, glyphs: Glyphs) -> Told:
    """What a look has found: a step that is blocked is where the run would stop."""
    steps, news = run.steps, run.news
    looked = [one for one in news.values() if one.check is not None or one.error is not None]
    if not looked or not steps:
        return "", "", f"{title}: not looked at yet", Tone.MUTED
    open_ = [step for step in steps if news[step.id].stage in (Stage.WAITING, Stage.BLOCKED)]
    if not open_:
        later = sum(one.stage in (Stage.UNDONE, Stage.KEPT) for one in news.values())
        text = "what could be taken back is taken back" if later else "every step is done already"
        return glyphs.ok, "ok", text, Tone.OK
    blocked = next((step for step in open_ if news[step.id].stage is Stage.BLOCKED), None)
    if blocked is open_[0]:
        text = f"{blocked.title}: {_why_blocked(news[blocked.id])}"
        return glyphs.critical, "blocked", safe(text), Tone.CRITICAL
    count = f"{len(open_)} of {len(steps)} steps to do"
    goes = "x executes them, and asks before each"
    if blocked is not None:
        goes = f"x goes as far as {blocked.title}, which is blocked, and asks before each"
    return glyphs.warning, "to do", f"{count}, the first is {open_[0].title}; {goes}", Tone.WARNING


def _why_blocked(news: StepNews) -> str:
    """What stands in a step's way, and what to do about it."""
    if news.error is not None:
        return news.error.line()
    check = news.check
    if check is None:
        return "it cannot be done now"
    return f"{check.summary}; {check.remedy}" if check.remedy else check.summary
