"""Events, targets and losses in words. All that comes from outside is made safe here."""

from walconsole.domain.moments.events import FIRST_NORMAL, Kind, Moment
from walconsole.domain.moments.found import Answer, FoundMoments
from walconsole.domain.moments.names import Names, judged_kind, relations_of
from walconsole.domain.moments.targets import Loss, Target, time_value
from walconsole.domain.redaction import safe
from walconsole.domain.units import bytes_text, count_text, duration_text, plural
from walconsole.domain.wal import format_lsn

LONGEST_NAME = 63
_NAMED = 3


def time_text(moment: Moment) -> str:
    """`2026-11-29 14:02:11.123456`; with `>` before it where it is that of the last commit before it.
    Always UTC.
    """
    if moment.time_us is None:
        return "n/a"
    at = time_value(moment.time_us).removesuffix("+00")
    return at if moment.at_us is not None else f">{at}"


def what_text(moment: Moment, names: Names) -> str:
    """What happened, in a word or two."""
    kind = judged_kind(moment, names)
    if kind is Kind.DROPPED:
        count = len(moment.gone) or -moment.classes
        return "dropped" if count <= 1 else f"dropped {count_text(count)}"
    if kind is Kind.DDL and moment.kind is Kind.TRUNCATED:
        return "index rebuilt"
    if kind is Kind.TRUNCATED and not moment.truncated and not _sure(moment, names):
        return "truncated or rebuilt"
    return kind.value


def _sure(moment: Moment, names: Names) -> bool:
    """Whether a table is known to be among what has a new file: not indexes alone, which REINDEX makes
    anew.
    """
    return any(names.knows(each) and not names.is_index(each) for each in moment.locked)


def about_text(moment: Moment, names: Names, *, most: int = _NAMED) -> str:
    """The relations, with their database where it is one."""
    if moment.kind in (Kind.RESTORE_POINT, Kind.PARAMETERS, Kind.TIMELINE, Kind.CHECKPOINT):
        return f"{safe(moment.text)}{'' if moment.is_whole else ' … (it goes on)'}"
    about = [shortened(name) for name in relations_of(moment, names)]
    told = ", ".join(about[:most])
    if len(about) > most:
        told += f" and {count_text(len(about) - most)} more"
    databases = [oid for oid in moment.databases if oid]
    if moment.kind is not Kind.DATABASE_DROPPED and len(databases) == 1 and told:
        return f"{shortened(names.database(databases[0]))}: {told}"
    return told or safe(moment.text)


def shortened(name: str) -> str:
    """No name is longer than PostgreSQL's own are."""
    return name if len(name) <= 2 * LONGEST_NAME else f"{name[: 2 * LONGEST_NAME]}…"


def rows_text(moment: Moment) -> str:
    """`-200 ~100 +5`: rows deleted, updated, inserted; of a part alone where it began before."""
    total = moment.total()
    counts = ((total.deleted, "-"), (total.updated, "~"), (total.inserted, "+"))
    told = " ".join(f"{sign}{count_text(count)}" for count, sign in counts if count)
    return f"{told}?" if told and not moment.has_beginning else told


def size_text(moment: Moment) -> str:
    """What it wrote to the WAL."""
    return bytes_text(moment.wal_bytes) if moment.wal_bytes else ""


def unknown_text(moment: Moment, names: Names) -> str:
    """How to learn the name of what today's catalogue does not know; empty where it knows all."""
    asked = (each for each in (*moment.gone, *moment.locked) if each.oid >= FIRST_NORMAL)
    unknown = [each for each in asked if not names.knows(each)]
    if not unknown or moment.kind is not Kind.DROPPED:
        return ""
    first = next((each for each in moment.locked if each in unknown), unknown[0])
    return (
        "neither today's catalogue knows it nor an image of pg_class in the WAL that was read: on the server"
        f" that is recovered to before it ask SELECT {first.oid}::regclass; in"
        f" {names.database(first.database)}"
    )


def inclusive_text(target: Target) -> str:
    """`lsn 0/203A4D0, exclusive`."""
    how = {True: ", inclusive", False: ", exclusive", None: ""}[target.inclusive]
    return f"{target.by.value} {safe(target.value)}{how}"


def kept_text(loss: Loss) -> str:
    """The last that stays."""
    if loss.kept is None:
        return "nothing was read of what was committed before it"
    at = "n/a" if loss.kept.at_us is None else f"{time_value(loss.kept.at_us).removesuffix('+00')}Z"
    return f"transaction {loss.kept.xid}, committed {at} at {format_lsn(loss.kept.lsn)}"


def loss_text(loss: Loss) -> str:
    """What goes, up to the archive's end."""
    least = "" if loss.is_all else "at least "
    told = [f"{least}{plural(loss.transactions, 'transaction')}"]
    told.append("WAL: n/a" if loss.wal_bytes is None else f"{bytes_text(loss.wal_bytes)} of WAL")
    told.append("time: n/a" if loss.seconds is None else duration_text(loss.seconds))
    unread = "" if loss.is_all else "; what comes after what was read is not counted"
    return f"{', '.join(told)}, up to the archive's end{unread}"


def covers_text(found: FoundMoments) -> str:
    """What was read: `12 segments, 000…1 to 000…C, 14:00:01 to 14:21:03, 1,234 transactions`."""
    span, collected = found.span, found.collected
    first, last = collected.ends.first_dated(), collected.ends.last_dated()
    times = "no transaction ended in them"
    if first is not None and last is not None:
        times = f"{_second(first)}Z to {_second(last)}Z"
    names = span.names
    return (
        f"{plural(len(names), 'segment')}, {names[0]} to {names[-1]}, {times},"
        f" {plural(collected.ends.committed_from(0), 'transaction')}"
    )


def _second(at_us: int) -> str:
    return time_value(at_us)[:19]


def answer_lines(answer: Answer, names: Names) -> list[tuple[str, str]]:
    """What is told of one event before its commands, by label and text."""
    moment = answer.moment
    lines = [
        ("event", f"{what_text(moment, names)}: {about_text(moment, names, most=20)}"),
        ("when", f"{time_text(moment)}Z at {format_lsn(moment.lsn)}, timeline {moment.timeline}"),
    ]
    if moment.xid is not None:
        rows = rows_text(moment) or "none"
        prepared = ", prepared before" if moment.prepared else ""
        lines.append(("transaction", f"{moment.xid}{prepared}, rows {rows}, {size_text(moment)} of WAL"))
    unknown = unknown_text(moment, names)
    if unknown:
        lines.append(("name", unknown))
    for number, target in enumerate(answer.targets):
        use = "use" if number == 0 else "or" if not target.fault else "not"
        lines.append((use, f"{inclusive_text(target)}: {target.fault or target.why}"))
    if answer.barrier is not None:
        lines.append(("reached", barrier_text(answer.barrier)))
    lines += [("keeps", kept_text(answer.loss)), ("loses", loss_text(answer.loss))]
    if not answer.loss.is_all:
        lines.append(("", "ask for a later time, too, to see more of what is lost"))
    return lines


def barrier_text(lsn: int) -> str:
    """From which base backup such a target is reached, and how far one leads from which it is not."""
    at = format_lsn(lsn)
    return (
        f"only from a base backup that was taken after {at}: from there on the server ran with "
        f"wal_level = minimal, and one of before leads up to there (--to-lsn {at} --before)"
    )
