"""What restore drills proved, as numbers and as a document."""

from collections.abc import Iterator

from walconsole.domain.recovery.drill_result import DrillResult, Outcome
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.wal import format_lsn
from walconsole.report.metric import Metric, known
from walconsole.report.parts import Document, iso


def drill_metrics(assessment: Assessment) -> Iterator[Metric]:
    """The newest verdict and proof, the forecast. Nothing where nobody could look, or none was made."""
    drills = assessment.drills
    if drills is None or drills.newest is None:
        return
    newest, good = drills.newest, drills.good
    yield Metric("drill_last_timestamp_seconds", newest.ended, "When the last restore drill ended.")
    yield Metric("drill_last_level", newest.level, "What it proved, 0 to 4.")
    failed = newest.outcome is Outcome.FAILED
    yield Metric("drill_last_failed", int(failed), "1: what is archived could not be restored.")
    if good is not None:
        yield Metric("drill_proved_timestamp_seconds", good.ended, "When a restore was proved last.")
        yield from known("drill_restore_seconds", good.restore_s, "What that restore took.")
    told = assessment.restore_forecast
    seconds = None if told is None else told.total_s
    yield from known("restore_forecast_seconds", seconds, "What a restore would take now, by its rates.")


def drills_document(assessment: Assessment) -> Document | None:
    """The same for whoever reads JSON; None where neither copy was asked."""
    drills, told = assessment.drills, assessment.restore_forecast
    if drills is None:
        return None
    return {
        "last": _drill(drills.newest),
        "proved": _drill(drills.good),
        "unreadable": [each.key for each in drills.unreadable],
        "restore_forecast_seconds": None if told is None else round(told.total_s, 1),
    }


def _drill(result: DrillResult | None) -> Document | None:
    if result is None:
        return None
    return {
        "id": result.id,
        "outcome": result.outcome.value,
        "reason": result.reason or None,
        "message": result.message,
        "level": result.level,
        "host": result.host,
        "backup": result.backup or None,
        "began": iso(result.began),
        "ended": iso(result.ended),
        "target": iso(result.target),
        "lsn": None if result.lsn is None else format_lsn(result.lsn),
        "restore_seconds": result.restore_s,
        "segments": result.segments,
        "databases": result.databases,
        "relations": result.relations,
        "queries": result.queries,
        "checksums": result.checksums,
        "amcheck": result.amcheck,
        "notes": result.notes or None,
    }
