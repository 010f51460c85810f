"""Runs of steps of the past, told piece by piece, as a session keeps them."""

from collections.abc import Sequence

from tests.data.facts import NOW
from tests.data.provision_run import BUCKET, MADE, played_steps
from walconsole.domain.kept.runs import KeptRun
from walconsole.provision.engine.kept_news import Begun, Ended, Failure, Heard, Kept, kept, kept_steps
from walconsole.provision.engine.model import (
    Changing,
    Check,
    CheckState,
    Doing,
    Plan,
    Printed,
    Proved,
    Ran,
    Stage,
)

BEGAN = NOW - 8 * 60.0
STEPS = kept_steps(played_steps())
PLAN = Plan("make shithub-wal in nyc3", (BUCKET,), cost="5 USD", undo="never deleted")
GOING: tuple[Kept, ...] = (
    Begun(BEGAN, Doing.RUN, "setting archiving up", "on the screen", STEPS),
    Heard(BEGAN, "preflight", Stage.CHECKING),
    Heard(BEGAN + 1, "preflight", Stage.DONE, check=Check(CheckState.DONE, "nothing stands in the way")),
    Heard(BEGAN + 2, "buckets", Stage.CHECKING),
    Heard(
        BEGAN + 3, "buckets", Stage.WAITING, check=Check(CheckState.NEEDED, "there is no bucket shithub-wal")
    ),
    Heard(BEGAN + 4, "buckets", Stage.ASKING, plan=PLAN),
    Heard(BEGAN + 130, "buckets", Stage.APPLYING),
    Heard(BEGAN + 131, "buckets", Stage.APPLYING, event=Changing(MADE)),
    Heard(BEGAN + 132, "buckets", Stage.APPLYING, event=Ran(BUCKET)),
    Heard(BEGAN + 133, "buckets", Stage.APPLYING, event=Printed("shithub-wal is made in nyc3")),
    Heard(BEGAN + 190, "buckets", Stage.VERIFYING, event=Proved("shithub-wal is there")),
    Heard(BEGAN + 191, "buckets", Stage.CHANGED),
)
REFUSED = Failure("Drop-in", "it was not agreed to", "nothing was changed by it or after it")
ENDED: tuple[Kept, ...] = (
    *GOING,
    Heard(BEGAN + 192, "drop-in", Stage.ASKING, plan=Plan("write 99_shithub_archive.conf")),
    Heard(BEGAN + 200, "drop-in", Stage.REFUSED),
    Heard(BEGAN + 200, "restart", Stage.SKIPPED),
    Heard(BEGAN + 200, "proof", Stage.SKIPPED),
    Ended(BEGAN + 200, REFUSED),
)


def kept_run(told: Sequence[Kept] = ENDED, run: str = "a" * 16, heard_until: float | None = None) -> KeptRun:
    """As it is kept; it was last heard of with its last news, or by `heard_until`."""
    until = told[-1].at if heard_until is None else heard_until
    return KeptRun(run, told[0].at, until, tuple(kept(each) for each in told))
