"""The answer of queries/base_backup.sql: the base backups that the server knows of."""

import json
from collections.abc import Mapping

from walconsole.domain.facts.base_backups import BackupSession, BackupSessions
from walconsole.domain.redaction import safe
from walconsole.domain.round_trips import Row
from walconsole.errors import DatabaseError
from walconsole.observe.server.statements import integer, number, text, truth

BACKUPS_SOURCE = "pg_stat_progress_basebackup"
_LONGEST = 80


def read_backup_sessions(row: Row) -> BackupSessions:
    """Raises errors.DatabaseError where it is another's."""
    role = text(row, "quoted_role") or "ROLE"
    missing = (
        ()
        if truth(row, "may_see_backups")
        else (f"how far a base backup is: GRANT pg_read_all_stats TO {role} would show it",)
    )
    return BackupSessions(sessions_of(text(row, "backups") or "[]"), missing)


def sessions_of(told: str) -> tuple[BackupSession, ...]:
    """The sessions in the query's JSON. Raises errors.DatabaseError where it is another's."""
    try:
        return tuple(map(_session, json.loads(told)))
    except (ValueError, TypeError, KeyError) as error:
        why = f"its rows are not what pg_stat_progress_basebackup has ({type(error).__name__})"
        raise DatabaseError(f"read {BACKUPS_SOURCE}", why, "is this a PostgreSQL server?") from error


def _session(told: Mapping[str, object]) -> BackupSession:
    return BackupSession(
        pid=integer(told, "pid") or 0,
        application=_words(told, "application"),
        streams=truth(told, "streams"),
        user=_words(told, "user"),
        client=_words(told, "client"),
        started_at=number(told, "started_at"),
        phase=_words(told, "phase"),
        sent_bytes=integer(told, "sent_bytes"),
        total_bytes=integer(told, "total_bytes"),
    )


def _words(told: Mapping[str, object], name: str) -> str:
    return safe(text(told, name) or "")[:_LONGEST]
