"""`status.json` of the restore drill's script: what it does now, or how its last run ended."""

from collections.abc import Mapping

from walconsole.domain.records import record
from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    json_object,
    optional_count,
    text_of,
    words,
)
from walconsole.domain.redaction import safe

FORMAT = 1
_LATEST = 7_258_118_400
"""The year 2200."""
FETCHING, REPLAYING = "fetching", "replaying"
DOING: Mapping[str, str] = {
    "starting": "it looks at the server and the copies, and takes the lock",
    "witnessing": "two empty transactions are archived, with the target between them",
    FETCHING: "the base backup is fetched and unpacked",
    "verifying": "each file is compared with the backup's manifest",
    REPLAYING: "the WAL is replayed",
    "reading": "what was restored is read",
    "storing": "what was proved is stored",
}
"""What a run does, by the state that it tells; any other state is an end."""

ENDS: Mapping[int, tuple[str, str]] = {
    0: ("proved", ""),
    1: ("not made", "mend what it names, then run it again: it proved nothing, in neither direction"),
    2: ("refused", "mend what it names: called or installed wrongly, or this cluster cannot be drilled so"),
    3: ("not made: another has the lock", "wait until that one has ended, then run it again"),
    4: ("FAILED", "what is archived could not be restored: see what it names"),
    5: ("proved, and not stored in each copy", "mend what that copy names"),
    6: ("refused: no room", "set drills.folder to a folder on a larger disk"),
    9: ("ended by a signal", "run it again, unless you ended it"),
}
"""The script's exit statuses (docs/recovery.md): what each means, and what to do."""


@record
class DrillStatus:
    """One run of the script. Times are seconds since the epoch by the droplet's clock.

    `done_bytes` of `total_bytes` were fetched, `segments_done` of `segments` replayed; `lsn` is how far, and
    `reached` the time of the last transaction, as the drill's server tells them. `exit_status` is None while
    it runs, and where it was killed. `message` is the last word, and while it runs what it waits for that
    somebody must mend, empty: nothing. Texts are safe to show.
    """

    id: str
    state: str
    pid: int
    began: int
    at: int
    backup: str = ""
    done_bytes: int | None = None
    total_bytes: int | None = None
    segments_done: int | None = None
    segments: int | None = None
    lsn: str = ""
    reached: str = ""
    exit_status: int | None = None
    message: str = ""

    @property
    def run(self) -> tuple[int, int]:
        """What tells one run from another."""
        return self.pid, self.began


def read_drill_status(content: bytes) -> DrillStatus | None:
    """What a status says; None for what is none, or is a newer format's."""
    try:
        told = json_object(text_of(content))
        if count(told, "format") != FORMAT:
            return None
        return DrillStatus(
            safe(words(told, "id")),
            safe(words(told, "state")),
            count(told, "pid"),
            count(told, "began", _LATEST),
            count(told, "at", _LATEST),
            backup=safe(words(told, "backup")),
            done_bytes=optional_count(told, "done_bytes"),
            total_bytes=optional_count(told, "total_bytes"),
            segments_done=optional_count(told, "segments_done"),
            segments=optional_count(told, "segments"),
            lsn=safe(words(told, "lsn")),
            reached=safe(words(told, "reached")),
            exit_status=optional_count(told, "exit", 255),
            message=safe(str(told.get("message") or "")[:500]),
        )
    except RefusedError:
        return None
