"""The base backups that the archiver's own program lists, beside what is read from the store."""

from walconsole.domain.records import record


@record
class OwnBackup:
    """One of them: its name as the tool has it, and when it ended (seconds since the epoch).

    `failed`: the tool itself says that it is of no use.
    """

    id: str
    stopped: float | None = None
    failed: bool = False


@record
class OwnList:
    """Oldest first. `why` is what the tool says where it could not list them, empty where it could."""

    tool: str
    backups: tuple[OwnBackup, ...] = ()
    why: str = ""
