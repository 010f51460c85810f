"""The target that stops a recovery just before an event, or with it, and what is lost after it.

When recovery stops: PostgreSQL's recoveryStopsBefore and recoveryStopsAfter (access/transam/xlogrecovery.c),
and its documentation of `recovery_target_inclusive`.
- by LSN: off: before the first record that begins at it or after it; on: after that record;
- by xid: before, or after, the record that commits or rolls back that transaction;
- by time: off: before the first commit or rollback of that time or later; on: of a later time;
- by name: after the first restore point of that name.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from walconsole.domain.moments.collecting import EndLog
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.pgconf.advice import quoted
from walconsole.domain.records import record
from walconsole.domain.wal import format_lsn


class By(StrEnum):
    """Which setting names the target."""

    LSN = "lsn"
    XID = "xid"
    TIME = "time"
    NAME = "name"


@record
class Target:
    """A target of recovery. `inclusive` None: the setting does not matter for it. `fault` says where it would
    stop instead, in words, empty where it stops as asked. `why` is what speaks for it.
    """

    by: By
    value: str
    inclusive: bool | None
    timeline: int
    why: str
    fault: str = ""

    def settings(self) -> tuple[tuple[str, str], ...]:
        """What recovery is to be given, by name and value."""
        lines = [(f"recovery_target_{self.by.value}", self.value)]
        if self.inclusive is not None:
            lines.append(("recovery_target_inclusive", "on" if self.inclusive else "off"))
        return (*lines, ("recovery_target_timeline", str(self.timeline)))

    def lines(self) -> tuple[str, ...]:
        """The same, as postgresql.conf has it."""
        return tuple(f"{name} = {quoted(value)}" for name, value in self.settings())


def targets_before(moment: Moment, ends: EndLog) -> tuple[Target, ...]:
    """Where everything before the event is there and the event is not; the one to use first.

    Those with a `fault` stop elsewhere, and come last.
    """
    found = [
        Target(
            By.LSN,
            format_lsn(moment.lsn),
            False,
            moment.timeline,
            "exact: the place in the WAL at which it became final, whatever the clock said",
        )
    ]
    if moment.xid is not None:
        why = "as exact: the transaction by its number; others that were committed before it are kept"
        found.append(Target(By.XID, str(moment.xid), False, moment.timeline, why))
    if moment.at_us is not None:
        found.append(_by_time(moment, moment.at_us, ends))
    return tuple(sorted(found, key=lambda target: bool(target.fault)))


def targets_with(moment: Moment, ends: EndLog) -> tuple[Target, ...]:
    """Where the event itself is there as well, and nothing after it; the one to use first."""
    found = [
        Target(By.LSN, format_lsn(moment.lsn), True, moment.timeline, "exact: up to this record, and with it")
    ]
    if moment.kind is Kind.RESTORE_POINT and moment.is_whole and moment.text:
        why = "the restore point's name; where a name was given twice, the first one in the WAL counts"
        found.append(Target(By.NAME, moment.text, None, moment.timeline, why))
    if moment.xid is not None:
        found.append(Target(By.XID, str(moment.xid), True, moment.timeline, "the transaction, and with it"))
    if moment.at_us is not None:
        place = ends.first_not_before(moment.at_us + 1, moment.lsn)
        why = "a clock's time: everything of that microsecond is kept"
        fault = "" if place is None else _elsewhere(ends, place)
        found.append(Target(By.TIME, time_value(moment.at_us), True, moment.timeline, why, fault))
    return tuple(sorted(found, key=lambda target: bool(target.fault)))


def _by_time(moment: Moment, at_us: int, ends: EndLog) -> Target:
    """Exclusive: it stops at the first end of a transaction of that time or later, which is this one unless
    another one stands before it in the WAL: the clock is read before the record is written.
    """
    place = ends.first_not_before(at_us, moment.lsn)
    why = "a clock's time; as far as the WAL was read no other transaction of that time or later ended before"
    fault = "" if place is None else _elsewhere(ends, place)
    return Target(By.TIME, time_value(at_us), False, moment.timeline, why, fault)


def _elsewhere(ends: EndLog, place: int) -> str:
    return (
        f"would stop earlier, at transaction {ends.xid_of(place)} at {format_lsn(ends.lsns[place])}: by the"
        " clock that is as late, and it stands before in the WAL"
    )


@record
class Kept:
    """The last transaction that such a recovery keeps: its number, where it was committed, and when."""

    xid: int
    lsn: int
    at_us: int | None


@record
class Loss:
    """What a recovery to a target lacks of what the archive holds.

    `transactions` were committed after it, as far as was read; `is_all`: up to the archive's end. `wal_bytes`
    is from the target to the archive's end, None where that is not known. `kept` is None where nothing was
    read before the target; `until_us` is the last commit that was read, or when the archive's last segment
    was stored, whichever is later.
    """

    transactions: int
    is_all: bool
    wal_bytes: int | None
    kept: Kept | None
    until_us: int | None

    @property
    def seconds(self) -> float | None:
        """From the last transaction that is kept to the archive's end."""
        if self.kept is None or self.kept.at_us is None or self.until_us is None:
            return None
        return max(0, self.until_us - self.kept.at_us) / 1_000_000


@record
class ArchiveEnd:
    """Where the archive ends on the timeline: the byte after its last segment, when that was stored
    (microseconds since the epoch, None where it is not known), and whether the WAL was read up to there.
    """

    lsn: int | None = None
    stored_us: int | None = None
    was_read: bool = False


def loss_after(moment: Moment, ends: EndLog, end: ArchiveEnd, *, keeping: bool = False) -> Loss:
    """What is lost by a target just before the event, or (`keeping`) just after it."""
    lsn = moment.lsn + keeping
    place, newest = ends.last_committed_before(lsn), ends.last_committed()
    kept = None if place is None else Kept(ends.xid_of(place), ends.lsns[place], ends.time_of(place))
    times = [end.stored_us, None if newest is None else ends.time_of(newest)]
    return Loss(
        ends.committed_from(lsn),
        end.was_read and not ends.beyond,
        None if end.lsn is None else max(0, end.lsn - moment.lsn),
        kept,
        max((at for at in times if at is not None), default=None),
    )


def time_value(at_us: int) -> str:
    """As `recovery_target_time` takes it, to the microsecond, in UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return f"{at:%Y-%m-%d %H:%M:%S.%f}+00"
