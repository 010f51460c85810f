"""The base backups that run now: as the server knows them, and as the installed script tells of itself.

As in `observed`: times are seconds since the epoch by the clock of whoever told them, `None` means "could not
be read", and `missing` says why.
"""

from walconsole.domain.records import record
from walconsole.domain.recovery.running import BackupRunStatus


@record
class BackupSession:
    """A session of the server's that takes a base backup; texts are safe to show, and were cut.

    `streams`: it is a row of pg_stat_progress_basebackup; one that is not copies the files itself, between
    pg_backup_start and pg_backup_stop, and nothing in the server tells how far it is. `phase` and the bytes
    are that view's (`total_bytes` is None where the client asked for no estimate).
    """

    pid: int
    application: str
    streams: bool = True
    user: str = ""
    client: str = ""
    started_at: float | None = None
    phase: str = ""
    sent_bytes: int | None = None
    total_bytes: int | None = None


@record
class BackupSessions:
    """All of them. That one runs is seen by every role, how far it is not: `missing` says so."""

    sessions: tuple[BackupSession, ...] = ()
    missing: tuple[str, ...] = ()


@record
class BackupScript:
    """The installed script's own word: of the run that goes on where it `lives`, else of the last one.

    `status` None: it never ran on this host, or `missing` says why that is not known.
    """

    status: BackupRunStatus | None = None
    lives: bool = False
    missing: tuple[str, ...] = ()
