"""What a run of steps told, as it is kept of the past, and back (domain.kept.runs).

What goes out is redacted; what comes in may be anybody's, and what does not fit the types is passed over.
"""

from collections.abc import Iterator, Sequence

from walconsole.domain.kept.runs import News
from walconsole.domain.kept.values import decoder, encoder
from walconsole.domain.records import record
from walconsole.errors import ProvisionError, WalconsoleError
from walconsole.provision.engine.model import (
    Changing,
    Check,
    Doing,
    Moving,
    Plan,
    Printed,
    Progress,
    Proved,
    Ran,
    Risk,
    Stage,
    Step,
    Waiting,
)


@record
class KeptStep:
    """Of a step what a screen shows of it."""

    id: str
    title: str
    risk: Risk
    gated: bool = True
    explanation: str = ""


@record
class Failure:
    """errors.WalconsoleError in words."""

    tried: str
    why: str
    remedy: str = ""

    def as_error(self) -> WalconsoleError:
        """One that is shown as the one that it was made of."""
        return ProvisionError(self.tried, self.why, self.remedy)


@record
class Begun:
    """The steps are gone through from here on; `what` they are for, and `by` whom, in words."""

    at: float
    doing: Doing
    what: str
    by: str
    steps: tuple[KeptStep, ...] = ()


@record
class Heard:
    """model.Progress; `plan` is left out where it is the step's last one."""

    at: float
    step: str
    stage: Stage
    undoing: bool = False
    check: Check | None = None
    plan: Plan | None = None
    event: Ran | Printed | Waiting | Moving | Proved | Changing | None = None
    failure: Failure | None = None

    def as_progress(self) -> Progress:
        """As it was told."""
        error = None if self.failure is None else self.failure.as_error()
        return Progress(
            self.step, self.stage, self.at, self.check, self.plan, self.event, error, self.undoing
        )


@record
class Ended:
    """They are gone through, or that ended by `failure`."""

    at: float
    failure: Failure | None = None


Kept = Begun | Heard | Ended


def failure_of(error: BaseException | None) -> Failure | None:
    """None where there was none; what nobody foresaw by its kind alone."""
    if error is None:
        return None
    if isinstance(error, WalconsoleError):
        return Failure(error.tried, error.why, error.remedy)
    return Failure("running the steps", f"it was broken off: {type(error).__name__}")


def kept_steps(steps: Sequence[Step]) -> tuple[KeptStep, ...]:
    """What a screen shows of them."""
    return tuple(KeptStep(one.id, one.title, one.risk, one.gated, one.explanation) for one in steps)


def kept(news: Kept) -> News:
    """Plain values, redacted."""
    made: News = encoder(Kept)(news)
    return {"at": news.at, **made}


def read_news(news: Sequence[News]) -> Iterator[Kept]:
    """What can be read of it, in its order."""
    decode = decoder(Kept)
    for each in news:
        try:
            yield decode({name: one for name, one in each.items() if name != "at"}, "news")
        except (ValueError, KeyError, TypeError):
            continue  # a newer walconsole's, or damaged
