"""Whether archiving is in trouble now, and what the log has said since the last success."""

import re
from collections.abc import Sequence

from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import (
    host_age,
    is_failing,
    ready_count,
)

_SERVERS_OWN = re.compile(r"\b[A-Z]{3,9}:  \S")
"""PostgreSQL puts two spaces behind its level's colon (elog.c)."""
UNTIMED_WAIT_S = 10.0
"""A failure in a log without times may be an old one; it counts where something has waited this long."""
_FAILURES = frozenset({LogKind.FAILED, LogKind.KILLED, LogKind.ARCHIVER_FATAL})

COUNTED_UP_TO = 125
"""pgarch.c, shell_archive.c: an exit above it ends the archiver, and is not counted."""


def since_success(snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """What the log has said since the last success, oldest first; without times, since the last start.

    Where the statistics were reset, what was before is as little known as the success that ended it.
    """
    log, archiver = snapshot.log.value, snapshot.archiver.value
    if log is None:
        return ()
    success = (archiver.last_archived_at or archiver.stats_reset_at) if archiver is not None else None
    if success is None:
        return log.entries
    timed = any(entry.at is not None for entry in log.entries)
    if not timed:
        return _after_last_start(log.entries)
    return tuple(entry for entry in log.entries if entry.at is not None and entry.at > success)


def _after_last_start(entries: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    starts = [index for index, entry in enumerate(entries) if entry.kind is LogKind.STARTED]
    return entries[starts[-1] :] if starts else entries


def last_failure(snapshot: Snapshot, entries: Sequence[LogEntry]) -> LogEntry | None:
    """The newest failure in `since_success`, while something waits."""
    if ready_count(snapshot) == 0:
        return None
    archiver = snapshot.archiver.value
    success = archiver.last_archived_at if archiver is not None else None
    for entry in reversed(entries):
        if entry.kind in _FAILURES:
            return entry if entry.at is not None or success is None or _waits(snapshot) else None
    return None


def _waits(snapshot: Snapshot) -> bool:
    """Whether more than the log says that something is wrong."""
    archiver, disk, reading = snapshot.archiver.value, snapshot.wal_disk.value, snapshot.wal_disk
    if archiver is not None and is_failing(archiver):
        return True
    if disk is None or disk.oldest_ready_at is None or reading.read_at is None:
        return False
    return host_age(snapshot, disk.oldest_ready_at, reading.read_at) >= UNTIMED_WAIT_S


def is_commands(entry: LogEntry) -> bool:
    """Whether the archive command printed this line; what a backend says of a table `archive` is none."""
    if entry.kind is LogKind.PROGRAM:
        return True
    return entry.kind is LogKind.OTHER and _SERVERS_OWN.search(entry.text) is None


def words_before(entries: Sequence[LogEntry], failure: LogEntry | None) -> tuple[LogEntry, ...]:
    """What the archive command printed before it ended like this; all of it since the last success."""
    if failure is None:
        return ()
    place = max(index for index, entry in enumerate(entries) if entry is failure)
    return tuple(entry for entry in entries[:place] if is_commands(entry))


_TELLING = re.compile(r"error|fail|cannot|could not|unable|denied|refused|no such|not found", re.IGNORECASE)


def last_words(words: Sequence[LogEntry]) -> str:
    """The last line that it printed which says what is wrong, else the last one."""
    told = [entry.text for entry in words[-20:] if _TELLING.search(entry.text)]
    return (told or [entry.text for entry in words[-1:]] or [""])[-1].strip()


def programs_words(entries: Sequence[LogEntry], pattern: re.Pattern[str]) -> tuple[LogEntry, ...]:
    """What the archive command has printed since the last success, where it matches."""
    return tuple(entry for entry in entries if is_commands(entry) and pattern.search(entry.text))
