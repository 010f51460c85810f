"""The base backups that the archiver's own program lists, beside what is read from the store."""

from walconsole.domain.records import record


@record
class OwnBackup:
    """One of them: its name as the tool has it, and when it ended (seconds since the epoch).

    `failed`: the tool itself says that it is of no use. The rest as in recovery.backups.BaseBackup, None
    where the tool does not tell it.
    """

    id: str
    stopped: float | None = None
    failed: bool = False
    started: float | None = None
    timeline: int | None = None
    start_lsn: int | None = None
    stop_lsn: int | None = None
    stop_timeline: int | None = None
    system_identifier: int | None = None
    parent: str | None = None


@record
class OwnList:
    """Oldest first. `why` is what the tool says where it could not list them, empty where it could."""

    tool: str
    backups: tuple[OwnBackup, ...] = ()
    why: str = ""
