"""What archiving that fails looks like: a log's lines as the console keeps them, and the counters."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.data.facts import NOW, archiver, healthy, read
from walconsole.domain.facts.evidence import LogEntry, LogFacts
from walconsole.domain.facts.log_entries import entries_of, utc
from walconsole.domain.facts.snapshot import AnySlot, Snapshot, fold
from walconsole.domain.failures import Diagnosis, Finding, diagnose

SEGMENT = "000000010000000000000042"
FAILING: dict[str, Any] = {
    "failed_count": 3,
    "last_failed_wal": SEGMENT,
    "last_failed_at": NOW - 3,
    "last_archived_at": NOW - 600,
    "ready_count": 2,
}


def stamp(before_s: float) -> str:
    """A stamp of log_line_prefix's %m, so many seconds before NOW."""
    at = datetime.fromtimestamp(NOW - before_s, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"


def log_of(lines: Iterable[str], looked_at: float | None = None) -> tuple[AnySlot, LogFacts]:
    """The log's facts, as a look makes them of these lines."""
    entries: tuple[LogEntry, ...] = entries_of([(line, looked_at) for line in lines], utc)
    return Snapshot.log, LogFacts("the log", entries)


def failing_with(*lines: str, evidence: Iterable[tuple[AnySlot, Any]] = (), **facts: Any) -> Diagnosis:
    """What is found where archiving fails and the log has these lines."""
    facts = {"archiver": archiver(**FAILING)} | facts
    snapshot: Snapshot = healthy(**facts)
    for slot, value in (log_of(lines), *evidence):
        snapshot = fold(snapshot, replace(read(slot, value)), NOW)
    return diagnose(snapshot, NOW)


def root_of(diagnosis: Diagnosis) -> Finding:
    """What the worst story begins with."""
    return diagnosis.stories[0].root
