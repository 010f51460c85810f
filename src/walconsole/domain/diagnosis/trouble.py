"""Whether archiving is in trouble now, and what the log has said since the last success."""

import re

from walconsole.domain.archiver import ArchiverState, last_success_age, ready_count, state
from walconsole.domain.diagnosis.model import Severity
from walconsole.domain.evidence import LogEntry, LogKind
from walconsole.domain.snapshot import Snapshot

_FAILURES = frozenset({LogKind.FAILED, LogKind.KILLED, LogKind.ARCHIVER_FATAL})

COUNTED_UP_TO = 125
"""pgarch.c, shell_archive.c: an exit above it ends the archiver, and is not counted."""


def troubled(snapshot: Snapshot, now: float) -> bool:
    """Whether something waits that should be archived, and is not."""
    if state(snapshot, now) in (ArchiverState.FAILING, ArchiverState.STALLED, ArchiverState.BEHIND):
        return True
    return last_failure(snapshot) is not None


def urgency(snapshot: Snapshot, now: float) -> Severity:
    """CRITICAL where archiving is in trouble now, else WARNING: it will be with the next segment."""
    return Severity.CRITICAL if troubled(snapshot, now) else Severity.WARNING


def since_success(snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """What the log has said since the last success, oldest first; without times, since the last start."""
    log, archiver = snapshot.log.value, snapshot.archiver.value
    if log is None:
        return ()
    success = archiver.last_archived_at if archiver is not None else None
    if success is None:
        return log.entries
    timed = any(entry.at is not None for entry in log.entries)
    if not timed:
        return _after_last_start(log.entries)
    return tuple(entry for entry in log.entries if entry.at is not None and entry.at > success)


def _after_last_start(entries: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    starts = [index for index, entry in enumerate(entries) if entry.kind is LogKind.STARTED]
    return entries[starts[-1] :] if starts else entries


def last_failure(snapshot: Snapshot) -> LogEntry | None:
    """The newest failure in the log, while something waits and nothing has succeeded since."""
    if ready_count(snapshot) == 0:
        return None
    archiver = snapshot.archiver.value
    success = archiver.last_archived_at if archiver is not None else None
    for entry in reversed(since_success(snapshot)):
        if entry.kind in _FAILURES:
            fresh = success is None or entry.at is None or entry.at > success
            return entry if fresh else None
    return None


def programs_words(snapshot: Snapshot, pattern: re.Pattern[str]) -> tuple[LogEntry, ...]:
    """What the archive command has printed since the last success, where it matches."""
    return tuple(
        entry
        for entry in since_success(snapshot)
        if entry.kind in (LogKind.PROGRAM, LogKind.OTHER) and pattern.search(entry.text)
    )


def failing_since(snapshot: Snapshot, now: float) -> float | None:
    """When it was last known to work, on the console's clock; None when it never was."""
    age = last_success_age(snapshot, now)
    return None if age is None else now - age
