"""Events around a time as lines, and all that was found as a JSON document."""

from collections.abc import Iterator, Mapping, Sequence

from walconsole.domain.moments.events import Moment
from walconsole.domain.moments.found import Answer, FoundMoments
from walconsole.domain.moments.names import Names, judged_kind, relations_of
from walconsole.domain.moments.targets import Target, time_value
from walconsole.domain.moments.words import about_text, rows_text, size_text, time_text, what_text
from walconsole.domain.redaction import safe
from walconsole.domain.wal import format_lsn

FORMAT = 1
MOST_LISTED = 200
TITLES = ("time (UTC)", "what", "relation", "rows", "WAL", "xid", "LSN")


def cells(moment: Moment, names: Names) -> tuple[str, ...]:
    """What stands below TITLES."""
    return (
        time_text(moment),
        what_text(moment, names),
        about_text(moment, names),
        rows_text(moment),
        size_text(moment),
        "" if moment.xid is None else str(moment.xid),
        format_lsn(moment.lsn),
    )


def event_lines(found: FoundMoments, moments: Sequence[Moment]) -> Iterator[str]:
    """A table, the newest MOST_LISTED of them."""
    if not moments:
        yield "no event of that kind in that time"
        return
    left = len(moments) - MOST_LISTED
    if left > 0:
        yield f"note: {left} earlier ones are not listed: ask for a shorter time, or by --table"
    table = [TITLES, *(cells(moment, found.names) for moment in moments[-MOST_LISTED:])]
    widths = [max(len(row[column]) for row in table) for column in range(len(TITLES))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def moments_document(
    name: str,
    found: FoundMoments,
    moments: Sequence[Moment],
    answer: Answer | None,
    commands: str | None,
    recover: str = "",
) -> Mapping[str, object]:
    """`format` is raised where a field changes its meaning. Times are text, in UTC; None where nothing
    tells.
    """
    ends = found.collected.ends
    return {
        "format": FORMAT,
        "profile": name,
        "read": {
            "segments": list(found.span.names),
            "from": _time(ends.first_dated()),
            "to": _time(ends.last_dated()),
            "records": found.collected.records,
            "transactions": ends.committed_from(0),
            "to_archive_end": found.span.end.was_read,
        },
        "notes": list(found.doubts),
        "events": [_event(moment, found.names) for moment in moments],
        "answer": None if answer is None else _answer(answer, found.names),
        "recover": recover or None,
        "commands": commands,
    }


def _event(moment: Moment, names: Names) -> Mapping[str, object]:
    total = moment.total()
    return {
        "lsn": format_lsn(moment.lsn),
        "timeline": moment.timeline,
        "time": _time(moment.at_us),
        "after": None if moment.at_us is not None else _time(moment.after_us),
        "kind": judged_kind(moment, names).value,
        "xid": moment.xid,
        "databases": [names.database(oid) for oid in moment.databases],
        "relations": list(relations_of(moment, names)),
        "gone_oids": [each.oid for each in moment.gone],
        "locked_oids": [each.oid for each in moment.locked],
        "deleted": total.deleted,
        "updated": total.updated,
        "inserted": total.inserted,
        "counts_are_whole": moment.has_beginning and moment.is_whole,
        "wal_bytes": moment.wal_bytes,
        "text": safe(moment.text),
    }


def _answer(answer: Answer, names: Names) -> Mapping[str, object]:
    loss = answer.loss
    return {
        "event": _event(answer.moment, names),
        "keeps_event": answer.keeping,
        "targets": [_target(target) for target in answer.targets],
        "last_kept": None if loss.kept is None else {"xid": loss.kept.xid, "time": _time(loss.kept.at_us)},
        "lost_transactions": loss.transactions,
        "lost_is_all": loss.is_all,
        "lost_wal_bytes": loss.wal_bytes,
        "lost_seconds": loss.seconds,
    }


def _target(target: Target) -> Mapping[str, object]:
    return {"settings": dict(target.settings()), "why": target.why, "fault": target.fault or None}


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else f"{time_value(at_us).removesuffix('+00').replace(' ', 'T')}Z"
