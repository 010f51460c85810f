"""All that is known after one reading, and the answer for one event of it."""

from walconsole.domain.moments.asking import Shown
from walconsole.domain.moments.collecting import Collected
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.names import Names, judged_kind
from walconsole.domain.moments.span import WalSpan
from walconsole.domain.moments.targets import (
    Loss,
    Target,
    loss_after,
    targets_before,
    targets_with,
    time_value,
)
from walconsole.domain.records import record
from walconsole.domain.wal import format_lsn

_WORST = (Kind.DATABASE_DROPPED, Kind.DROPPED, Kind.TRUNCATED, Kind.DELETED, Kind.REWRITTEN, Kind.UPDATED)


@record
class Answer:
    """For one event: targets, the one to use first, and what is lost by them. `keeping`: with the event.

    `barrier` is the newest place before the targets past which no base backup of before it leads, None where
    none was read.
    """

    moment: Moment
    keeping: bool
    targets: tuple[Target, ...]
    loss: Loss
    barrier: int | None = None


@record
class FoundMoments:
    """What was read of which WAL, and what today's catalogues call it. Times asked for are seconds since
    the epoch.
    """

    around: float
    within_s: float
    span: WalSpan
    collected: Collected
    names: Names

    def moments(self, about: str = "", *, everything: bool = False) -> tuple[Moment, ...]:
        """Those of the time asked for, in the order of the WAL."""
        shown = Shown(
            int((self.around - self.within_s) * 1_000_000),
            int((self.around + self.within_s) * 1_000_000),
            about,
            everything,
        )
        return tuple(moment for moment in self.collected.moments if shown.has(moment, self.names))

    def at(self, lsn: int) -> Moment | None:
        """The event at that place."""
        return next((moment for moment in self.collected.moments if moment.lsn == lsn), None)

    def worst(self, moments: tuple[Moment, ...]) -> Moment | None:
        """The newest of the worst kind among them; None where nothing takes anything away."""
        for kind in _WORST:
            of_it = [moment for moment in moments if judged_kind(moment, self.names) is kind]
            if of_it:
                return of_it[-1]
        return None

    def answer(self, moment: Moment, *, keeping: bool = False) -> Answer:
        """Where to go back to: just before it, or with it."""
        ends = self.collected.ends
        targets = targets_with(moment, ends) if keeping else targets_before(moment, ends)
        passed = [each for each in self.barriers if each < moment.lsn or (keeping and each == moment.lsn)]
        return Answer(
            moment,
            keeping,
            targets,
            loss_after(moment, ends, self.span.end, keeping=keeping),
            max(passed, default=None),
        )

    @property
    def barriers(self) -> tuple[int, ...]:
        """Where the server began to run with `wal_level = minimal`, in the order of the WAL: not all that it
        did then is in it, and a server that is to replay it ends (xlogrecovery.c, xlog.c).
        """
        return tuple(each.lsn for each in self.collected.moments if each.minimal)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What may be wrong or missing, in words."""
        late = self.collected.ends.last_dated()
        notes = [*self.span.notes, *self.collected.doubts, *self.names.unasked]
        notes += [_minimal_text(each) for each in self.barriers]
        if late is not None and self.span.has_more and late < (self.around + self.within_s) * 1_000_000:
            notes.append(
                f"what was read ends at {time_value(late)[:19]}Z, before the time asked for:"
                " ask for a later one, too"
            )
        if self.collected.left_out:
            notes.append(f"{self.collected.left_out} lesser events are not listed: ask for a shorter time")
        return tuple(notes)


def _minimal_text(lsn: int) -> str:
    began = f"from {format_lsn(lsn)} on the server ran with wal_level = minimal"
    return f"{began}: no base backup of before leads past that place"
