"""`status.json`: what the installed base backup's script does now, or how its last run ended.

Fields that are not known are ignored, so that a newer script may say more; one that cannot be read
so any more counts `format` up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    json_object,
    optional_count,
    text_of,
    words,
)

FORMAT = 1
STREAMING = "streaming"
DOING: Mapping[str, str] = {
    "starting": "it looks at the server and the copies",
    STREAMING: "the server sends its files",
    "reading-back": "what was stored is read back",
    "waiting-for-wal": "the WAL that it needs is looked for in each copy",
}
"""What a run does, by the state that it tells; any other state is an end."""


@dataclass(frozen=True, slots=True)
class BackupRunStatus:
    """One run of the script. `id` is empty before it has a name for the backup.

    `began` and `at` are seconds since the epoch by the droplet's clock. `expected_bytes` is the databases'
    size, `read_bytes` what the server has sent. `exit_status` is None while it runs, and where it was killed.
    """

    id: str
    state: str
    pid: int
    began: int
    at: int
    expected_bytes: int | None = None
    read_bytes: int | None = None
    exit_status: int | None = None
    message: str = ""

    @property
    def run(self) -> tuple[int, int]:
        """What tells one run from another."""
        return self.pid, self.began


def read_status(content: bytes) -> BackupRunStatus | None:
    """What a status says; None for what is none, or is a newer format's."""
    try:
        told = json_object(text_of(content))
        if count(told, "format") != FORMAT:
            return None
        return BackupRunStatus(
            words(told, "id"),
            words(told, "state"),
            count(told, "pid"),
            count(told, "began"),
            count(told, "at"),
            optional_count(told, "expected_bytes"),
            optional_count(told, "read_bytes"),
            optional_count(told, "exit", 255),
            str(told.get("message") or ""),
        )
    except RefusedError:
        return None
