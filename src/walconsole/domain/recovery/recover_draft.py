"""What an operator has chosen of a recovery so far: the event, the targets that stop before it."""

from walconsole.domain.moments.collecting import EndLog
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.found import Answer, FoundMoments
from walconsole.domain.moments.names import Names, relations_of
from walconsole.domain.moments.words import about_text, loss_text, time_text, what_text
from walconsole.domain.records import record
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import RecoverTo, RecoveryPlace, RecoveryTarget
from walconsole.domain.units import plural
from walconsole.domain.wal import format_lsn


@record
class RecoverDraft:
    """`event` says what happened, empty where nothing was looked for.
    `offered` are the targets that stop before it, the one to use first, each with what speaks for it. `lsn`
    is its place in the WAL (bytes), `last_commit` the archive's last commit (seconds since the epoch), None
    where that was not read. `loss` is what such a target loses, by the WAL itself; empty likewise. `part` is
    the one table that the event is about, DATABASE/TABLE; empty where it is about several, or none.
    """

    wish: RecoveryWish
    event: str = ""
    offered: tuple[tuple[RecoveryTarget, str], ...] = ()
    lsn: int | None = None
    last_commit: float | None = None
    loss: str = ""
    part: str = ""

    @property
    def is_offered(self) -> bool:
        """Whether the target is one of those that stop before the event."""
        return any(target == self.wish.target for target, _ in self.offered)


def before_its_locks(moment: Moment, ends: EndLog) -> tuple[RecoveryTarget, str, int] | None:
    """Before the first record of a transaction that locked a table: paused there the table can be read and
    dumped. With how many transactions were committed between that and its end, which such a target lacks.
    """
    first = moment.first_lsn
    if first is None or not moment.locked or not moment.has_beginning or first >= moment.lsn:
        return None
    lacks = ends.committed_from(first) - ends.committed_from(moment.lsn)
    target = RecoveryTarget(RecoverTo.LSN, format_lsn(first), False, moment.timeline)
    why = "before it locked anything: paused there, its tables can be read and dumped"
    return target, f"{why}; lacks {plural(lacks, 'transaction')} more" if lacks else why, lacks


def draft_of(answer: Answer, found: FoundMoments, place: RecoveryPlace) -> RecoverDraft:
    """What goes back to just before one event that was found, or (`answer.keeping`) to just after it."""
    offered = [(RecoveryTarget.of(each), each.why) for each in answer.targets if not each.fault]
    early = None if answer.keeping else before_its_locks(answer.moment, found.collected.ends)
    if early is not None:
        offered.insert(0 if early[2] == 0 else len(offered), early[:2])
    ends = found.collected.ends
    newest = ends.last_committed() if answer.loss.is_all else None
    last_us = None if newest is None else ends.time_of(newest)
    happened = f"{what_text(answer.moment, found.names)}: {about_text(answer.moment, found.names)}"
    return RecoverDraft(
        RecoveryWish(offered[0][0], place),
        f"{happened}, {time_text(answer.moment)}Z",
        tuple(offered),
        answer.moment.lsn,
        None if last_us is None else last_us / 1_000_000,
        loss_text(answer.loss),
        _part(answer.moment, found.names),
    )


def _part(moment: Moment, names: Names) -> str:
    """Its one table, as a dump is asked for; empty where its name, or its database's, is not known."""
    tables, databases = relations_of(moment, names), [oid for oid in moment.databases if oid]
    if moment.kind is Kind.DATABASE_DROPPED or len(tables) != 1 or len(databases) != 1:
        return ""
    told = f"{names.database(databases[0])}/{tables[0]}"
    return told if " " not in told else ""
