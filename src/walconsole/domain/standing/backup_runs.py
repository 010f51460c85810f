"""The base backups that run now, whoever takes them, and how the installed script's last run ended.

The server tells of what streams (pg_stat_progress_basebackup), the script of itself (status.json). Where
either cannot be read, that is said, for "none runs" is a claim.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from walconsole.domain.facts.base_backups import BackupSession
from walconsole.domain.facts.history import BackupTrack
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.records import record
from walconsole.domain.recovery.running import (
    ARCHIVING,
    DOING,
    SENDING,
    STREAMING,
    WAITS_FOR_WAL,
    BackupRunStatus,
    left_s,
    rate_of,
)
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.units import whole_duration_text

OURS = "walconsole"
SCRIPT = "script"
"""What the step `end-backup` calls the installed script's run; any other it calls by its session's number."""
_OWN = f"{OURS} "
"""What the script's session is called begins so (`walconsole ID`, docs/recovery.md)."""
_TOOLS = (
    (_OWN, OURS),
    ("pg_basebackup", "pg_basebackup"),
    ("barman", "Barman"),
    ("pgBackRest [backup]", "pgBackRest"),
)
"""How a session's application_name begins, and whose it is then."""
_STILL_S = 120.0
"""After so long without a byte, once the first one has come, something is wrong."""
_FAILING_FOR_S = 60.0
"""A failure of the archiver's that is over by the next try holds nothing up."""
_NO_WAL = frozenset(
    {ArchiverState.OFF, ArchiverState.NO_COMMAND, ArchiverState.FAILING, ArchiverState.STALLED}
)
"""While the archiver is so, no WAL comes into the archive."""


@record
class RunningBackup:
    """One that runs. Times are by the console's clock; all texts are safe to show.

    `who` takes it: a tool's name, else the session's own. `id` is the script's name for it, `pid` the
    server's session, None where none is open (it is read back, say); `scripted`: the script on the observed
    host says that it is its own. `streams`: the server sends it, and can be told to end it. `phase` is what
    is done now. `rate` (bytes a second) and `left_s` come of what was watched. `stuck` is why it does not go
    on, empty where it does.
    """

    who: str
    phase: str
    id: str = ""
    pid: int | None = None
    client: str = ""
    since: float | None = None
    sent_bytes: int | None = None
    total_bytes: int | None = None
    rate: float | None = None
    left_s: float | None = None
    stuck: str = ""
    scripted: bool = False
    streams: bool = True

    @property
    def subject(self) -> str:
        """What the step `end-backup` calls it."""
        return SCRIPT if self.scripted else str(self.pid or "")

    @property
    def share(self) -> float | None:
        """How much of it was sent, 0 to 1; None where that is not known."""
        if self.sent_bytes is None or not self.total_bytes:
            return None
        return min(1.0, self.sent_bytes / self.total_bytes)


@record
class ScriptEnd:
    """How the script's last run ended, and when (the console's clock). `exit_status` None: it was killed."""

    id: str
    at: float
    exit_status: int | None
    message: str

    @property
    def failed(self) -> bool:
        """Whether it did not store a whole backup in every copy."""
        return self.exit_status != 0


@record
class BackupRuns:
    """`unseen` says what could not be looked at, or not in full: others may run, or go further."""

    running: tuple[RunningBackup, ...] = ()
    last: ScriptEnd | None = None
    unseen: tuple[str, ...] = ()
    blind: bool = False
    """True: where none is seen to run, one may."""


def backup_runs(snapshot: Snapshot, archiver: ArchiverState, now: float) -> BackupRuns:
    """What one snapshot says of them. `archiver` is what the archiver does."""
    sessions, script = snapshot.backup_sessions, snapshot.backup_script
    unread = list(_unread(sessions, script))
    open_now = list(sessions.value.sessions) if sessions.value is not None and not sessions.problem else []
    told = script.value if script.value is not None and not script.problem else None
    hidden = (*(told.missing if told else ()), *(sessions.value.missing if sessions.value else ()))
    looks = _Looks(snapshot, archiver, now)
    running, last = [], None
    if told is not None and told.status is not None:
        if told.lives:
            own = next((each for each in open_now if each.application == f"{_OWN}{told.status.id}"), None)
            open_now = [each for each in open_now if each is not own]
            running.append(looks.of_script(told.status, own))
        else:
            last = looks.ended(told.status)
    running += map(looks.of_session, open_now)
    blind = bool(unread) or (told is not None and bool(told.missing))
    return BackupRuns(tuple(running), last, (*unread, *map(safe, hidden)), blind)


def _unread(*readings: Reading[Any]) -> Iterator[str]:
    """Why these sources tell nothing of now: each reason once."""
    why: dict[str, list[str]] = {}
    for reading in readings:
        if reading.problem is not None:
            why.setdefault(safe(reading.problem.reason), []).append(reading.slot.words)
        elif reading.value is None:
            why.setdefault("not read yet", []).append(reading.slot.words)
    for reason, sources in why.items():
        yield f"{' and '.join(sources)}: {reason}"


class _Looks:
    """From what was told to what is shown, at one moment."""

    def __init__(self, snapshot: Snapshot, archiver: ArchiverState, now: float) -> None:
        host, server = snapshot.host.value, snapshot.server.value
        self._ahead_s = server.clock - server.clock_read_at if server is not None else 0.0
        if host is not None:
            self._ahead_s = host.clock_offset_s
        self._tracks = {(track.pid, track.started_at): track for track in snapshot.history.backups}
        self._archiver, self._now = archiver, now

    def of_session(self, session: BackupSession) -> RunningBackup:
        """One that the server alone tells of."""
        application = safe(session.application)
        who = next((tool for start, tool in _TOOLS if session.application.startswith(start)), application)
        phase = safe(session.phase) or (
            "at an unknown point" if session.streams else "it copies the files itself"
        )
        track = self._tracks.get((session.pid, session.started_at))
        rate = None
        if session.phase == SENDING and track is not None:
            rate = rate_of(track.samples)
        return RunningBackup(
            who or "a client without a name",
            "streaming" if session.phase == SENDING else phase,
            application.removeprefix(_OWN) if who == OURS else "",
            session.pid,
            safe(session.client),
            None if session.started_at is None else session.started_at - self._ahead_s,
            session.sent_bytes,
            session.total_bytes,
            rate,
            left_s(session.sent_bytes, session.total_bytes, rate),
            self._stuck(session.phase, track),
            streams=session.streams,
        )

    def of_script(self, status: BackupRunStatus, session: BackupSession | None) -> RunningBackup:
        """The installed script's: by its own word, while it streams by the server's."""
        since = status.began - self._ahead_s
        if session is not None:
            seen = self.of_session(session)
            return replace(seen, id=safe(status.id), since=since, scripted=True)
        stuck = ""
        if status.state == WAITS_FOR_WAL and self._no_wal_for(self._now - (status.at - self._ahead_s)):
            stuck = self._waits()
        return RunningBackup(
            OURS,
            DOING.get(status.state, safe(status.state)),
            safe(status.id),
            since=since,
            sent_bytes=status.read_bytes,
            total_bytes=status.read_bytes if status.state != STREAMING else status.expected_bytes,
            stuck=stuck,
            scripted=True,
        )

    def ended(self, status: BackupRunStatus) -> ScriptEnd:
        """A run that is over, though it may not have said so."""
        message = safe(status.message)
        if status.exit_status is None:
            doing = DOING.get(status.state, safe(status.state))
            message = f"it was killed, or the droplet was stopped; the last that it told: {doing}"
        return ScriptEnd(safe(status.id), status.at - self._ahead_s, status.exit_status, message)

    def _stuck(self, phase: str, track: BackupTrack | None) -> str:
        still = 0.0 if track is None else self._now - track.moved_at
        if phase == ARCHIVING and self._no_wal_for(still):
            return self._waits()
        if phase == SENDING and still >= _STILL_S:
            return f"nothing has moved for {whole_duration_text(still)}: its reader takes nothing"
        return ""

    def _no_wal_for(self, still_s: float) -> bool:
        return self._archiver in _NO_WAL and still_s >= _FAILING_FOR_S

    def _waits(self) -> str:
        return (
            f"it waits for its WAL in the archive, and the archiver is {self._archiver.value}: "
            "it waits until that is mended"
        )
