"""`status.json`: what the installed base backup's script does now, or how its last run ended.

Fields that are not known are ignored, so that a newer script may say more; one that cannot be read
so any more counts `format` up.
"""

from collections.abc import Mapping, Sequence

from walconsole.domain.records import record
from walconsole.domain.recovery.hostile import (
    RefusedError,
    count,
    json_object,
    optional_count,
    text_of,
    words,
)

SENDING = "streaming database files"
ARCHIVING = "waiting for wal archiving to finish"
"""pg_stat_progress_basebackup.phase (backend/catalog/system_views.sql)."""
FORMAT = 1
RATE_OVER_S = 10.0
"""How far back a rate is told from."""
_LATEST = 7_258_118_400
"""The year 2200: a later time is nobody's, and no calendar's."""
STREAMING = "streaming"
WAITS_FOR_WAL = "waiting-for-wal"
DOING: Mapping[str, str] = {
    "starting": "it looks at the server and the copies",
    STREAMING: "the server sends its files",
    "reading-back": "what was stored is read back",
    WAITS_FOR_WAL: "the WAL that it needs is looked for in each copy",
}
"""What a run does, by the state that it tells; any other state is an end."""


@record
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
            count(told, "began", _LATEST),
            count(told, "at", _LATEST),
            optional_count(told, "expected_bytes"),
            optional_count(told, "read_bytes"),
            optional_count(told, "exit", 255),
            str(told.get("message") or ""),
        )
    except RefusedError:
        return None


# -- How fast one goes.

Samples = Sequence[tuple[float, int]]
"""Times (seconds, of one clock) with how many bytes had been sent by then, oldest first."""


def recent(samples: Samples, now: float) -> Samples:
    """Those from which a rate is told: of the last RATE_OVER_S, the last two in any case."""
    first = next((at for at, (when, _) in enumerate(samples) if now - when <= RATE_OVER_S), len(samples))
    return samples[min(first, max(0, len(samples) - 2)) :]


def rate_of(samples: Samples) -> float | None:
    """Bytes a second from the first to the last; None where nothing moved, or there is but one."""
    if len(samples) < 2:
        return None
    (since, first), (until, last) = samples[0], samples[-1]
    return (last - first) / (until - since) if until > since and last > first else None


def left_s(done: int | None, total: int | None, rate: float | None) -> float | None:
    """Seconds to the end at that rate; None where that is not known, or more came than was thought."""
    if done is None or total is None or not rate or total < done:
        return None
    return (total - done) / rate


# -- How one ended.

ENDS: Mapping[int, tuple[str, str]] = {
    0: ("taken", ""),
    1: ("not taken", "mend what it names (server, network, key, bucket, archiving), then take one"),
    2: ("refused", "mend what it names: called or installed wrongly, or this cluster cannot be backed up so"),
    4: (
        "not stored as it was sent",
        "take one; where it comes back, ask who else writes there, or the store",
    ),
    5: ("complete in one copy only", "mend what that copy names; the next run tries both"),
    9: ("ended by a signal", "take one, unless you ended it; see whether something ends it each night"),
}
"""The script's exit statuses (docs/recovery.md): what each means in a few words, and what to do."""
KILLED = ("killed", "see why (is memory short?), then take one: it clears away what that run left")


def end_words(exit_status: int | None) -> tuple[str, str]:
    """What such an end means, and what to do; None is a run that was killed."""
    if exit_status is None:
        return KILLED
    return ENDS.get(exit_status, (f"exit status {exit_status}", "see what it says, then take one"))
