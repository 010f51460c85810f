"""Raw evidence for findings: the rows, lines and answers as they were read, with source and time."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck
from walconsole.domain.facts.observed import Setting
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.failure_log import without_afterthoughts
from walconsole.domain.standing.model import Proof

LINES_SHOWN = 6


def archiver_row(snapshot: Snapshot) -> Iterator[Proof]:
    """The row of pg_stat_archiver, column by column."""
    row, reading = snapshot.archiver.value, snapshot.archiver
    if row is not None:
        text = (
            f"archived_count={row.archived_count} last_archived_wal={row.last_archived_wal or 'NULL'} "
            f"failed_count={row.failed_count} last_failed_wal={row.last_failed_wal or 'NULL'}"
        )
        yield Proof(text, "pg_stat_archiver", reading.read_at)


def setting_row(snapshot: Snapshot, *names: str) -> Iterator[Proof]:
    """Rows of pg_settings."""
    settings, reading = snapshot.settings.value, snapshot.settings
    for name in names:
        row = settings.get(name) if settings is not None else None
        if row is not None:
            yield Proof(safe(f"{name} = {row.value or chr(39) * 2}"), _place(row), reading.read_at)


def _place(row: Setting) -> str:
    return (
        f"pg_settings, {row.sourcefile}:{row.sourceline}" if row.sourcefile else f"pg_settings, {row.source}"
    )


def log_lines(snapshot: Snapshot, entries: Iterable[LogEntry]) -> Iterator[Proof]:
    """The last few of these lines, oldest first."""
    source = snapshot.log.value.source if snapshot.log.value is not None else "the server's log"
    for entry in without_afterthoughts(tuple(entries))[-LINES_SHOWN:]:
        yield Proof(entry.text, source, entry.at)


def spool_proof(snapshot: Snapshot, pattern: re.Pattern[str]) -> tuple[Proof, ...]:
    """The spool's files that say it, raw."""
    facts = snapshot.spool.value
    notes = facts.notes if facts is not None else ()
    return tuple(Proof(note.text, note.path, note.at) for note in notes if pattern.search(note.text))


def refusal(reading: Reading[Any]) -> Iterator[Proof]:
    """Why a source could not be read, in its own words: what was asked of it is the source's to say."""
    if reading.problem is not None:
        yield Proof(reading.problem.reason, reading.source, reading.failing_since)


def answers(snapshot: Snapshot, check: ProductionCheck) -> Iterator[Proof]:
    """What the store answered to the archiver's own configuration."""
    at = snapshot.production.read_at
    if check.unreadable:
        yield Proof(check.unreadable, f"rclone on the droplet, {check.config}", at)
    for result in check.results:
        text = f"{result.verb} {check.where}: " + (
            "ok" if result.ok else f"{result.code} {result.said}".strip()
        )
        yield Proof(text, f"rclone on the droplet, {check.config}", at)


def command_and_archiver(snapshot: Snapshot) -> tuple[Proof, ...]:
    """The archive command in force, and what the archiver says."""
    return (*setting_row(snapshot, "archive_command"), *archiver_row(snapshot))
