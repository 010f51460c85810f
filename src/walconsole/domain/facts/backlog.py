"""What waits to be archived: how much, for how long, and whether that is a backlog or only on its way.

Ages are counted on the clock of whoever told the time: the server's, the host's.
"""

from typing import TYPE_CHECKING

from walconsole.domain.records import record

if TYPE_CHECKING:
    from walconsole.domain.facts.history import History
    from walconsole.domain.facts.snapshot import Snapshot

BEHIND_SEGMENTS = 5
BEHIND_WAIT_S = 15.0
BEHIND_WAIT_SEGMENTS = 3
"""A backlog is worth a word at this many segments, or at fewer that wait for this long."""
DRAINED_S, CALM_S = 30.0, 15.0
"""It is on the move where it will be gone within the first; once it was behind, within the second."""
MOVES_S, LONG_WAIT_S = 5.0, 60.0
"""So, too, where nobody watched and something was archived this recently, or where many a second go (a bulk
load), unless the oldest has waited for longer than the second."""
BRISK_S = 1.0
"""What a segment takes at most where many of them tell of much that was written, not of a slow archiver."""
_WATCHED_S = 300.0
CLOCK_JITTER_S = 60.0
"""A clock that is corrected in passing moves by less."""


@record
class Waiting:
    """`files` wait, the oldest for `oldest_s`; the last one was archived `silent_s` ago (None: not known).

    `left_s` is how long they still take, as it went while the oldest of them waited; None: not watched.
    """

    files: int
    oldest_s: float | None
    silent_s: float | None
    left_s: float | None

    @property
    def brisk(self) -> bool:
        """Whether they go at many a second."""
        return self.left_s is not None and self.left_s <= BRISK_S * self.files


def is_behind(waiting: Waiting, *, before: bool) -> bool:
    """Whether that is a backlog; `before`: it was one at the last look. It ends later than it begins.

    Else one that goes slowly would come and go with each segment that arrives.
    """
    if before:
        return waiting.files > 1 and (waiting.left_s is None or waiting.left_s > CALM_S)
    if waiting.files < BEHIND_WAIT_SEGMENTS:
        return False
    if waiting.oldest_s is not None and waiting.oldest_s <= BEHIND_WAIT_S:
        return waiting.files >= BEHIND_SEGMENTS and waiting.left_s is not None and not _on_its_way(waiting)
    return (waiting.oldest_s is not None or waiting.files >= BEHIND_SEGMENTS) and not _on_its_way(waiting)


def _on_its_way(waiting: Waiting) -> bool:
    short = waiting.oldest_s is None or waiting.oldest_s < LONG_WAIT_S
    if waiting.left_s is not None:
        return waiting.left_s <= DRAINED_S or (waiting.brisk and short)
    return waiting.silent_s is not None and waiting.silent_s < MOVES_S and short


def waiting_of(snapshot: "Snapshot", now: float) -> Waiting | None:
    """What waits at `now`; None where nobody may count it."""
    files = ready_count(snapshot)
    if files is None:
        return None
    oldest_s, disk = oldest_wait_s(snapshot, now), snapshot.wal_disk
    if oldest_s is None and disk.value is not None and disk.value.ready_count == 0:
        oldest_s = disk.age_s(now)  # none waited when the host was looked at: since then, at most
    left_s = _left_s(snapshot.history, files, oldest_s)
    return Waiting(files, oldest_s, last_success_age(snapshot, now), left_s)


def _left_s(history: "History", files: int, waited: float | None) -> float | None:
    """As it went in the last `waited` seconds."""
    pace = _pace_s(history, waited) if waited else None
    return None if pace is None else files * pace


def _pace_s(history: "History", seconds: float) -> float | None:
    """Seconds a segment in the last `seconds`; None where nothing was archived, or nobody watched as long."""
    samples = history.archiver
    if not samples:
        return None
    begin = samples[-1].at - seconds
    before = next((sample for sample in reversed(samples) if sample.at <= begin), None)
    archived = samples[-1].archived - before.archived if before is not None else 0
    return (samples[-1].at - before.at) / archived if before is not None and archived > 0 else None


def seconds_a_segment(history: "History") -> float | None:
    """What one took while others waited, over the last minutes in which some did; None: nobody watched.

    A silence at the end is not counted: it is what this is compared with.
    """
    begin = _waiting_since(history)
    samples = [sample for sample in history.archiver if begin is not None and sample.at >= begin]
    if not samples:
        return None
    first, count = samples[0], samples[-1].archived
    arrived = next(sample for sample in samples if sample.archived == count)
    return (arrived.at - first.at) / (count - first.archived) if count > first.archived else None


def _waiting_since(history: "History") -> float | None:
    """Since when, of the last minutes, some waited at each look."""
    begin: float | None = None
    for sample in reversed(history.disk):
        if not sample.ready_count or history.disk[-1].at - sample.at > _WATCHED_S:
            break
        begin = sample.at
    return begin


def server_age(snapshot: "Snapshot", at: float, now: float) -> float:
    """Seconds since the server's own clock showed `at`."""
    server = snapshot.server.value
    offset = server.clock - server.clock_read_at if server else 0.0
    return max(0.0, now + offset - at)


def host_age(snapshot: "Snapshot", at: float, now: float) -> float:
    """Seconds since the host's clock showed `at`."""
    host = snapshot.host.value
    return max(0.0, now + (host.clock_offset_s if host else 0.0) - at)


def last_success_age(snapshot: "Snapshot", now: float) -> float | None:
    """Seconds since the last archived file, by the server's clock; None when there is none, or its time is
    to come.
    """
    archiver = snapshot.archiver.value
    if archiver is None or archiver.last_archived_at is None:
        return None
    if archiver.clock is not None and archiver.last_archived_at > archiver.clock + CLOCK_JITTER_S:
        return None
    return server_age(snapshot, archiver.last_archived_at, now)


def ready_count(snapshot: "Snapshot") -> int | None:
    """The .ready files: as PostgreSQL lists them, else as the host does."""
    archiver, disk = snapshot.archiver.value, snapshot.wal_disk.value
    if archiver is not None and archiver.ready_count is not None:
        return archiver.ready_count
    return disk.ready_count if disk is not None else None


def oldest_wait_s(snapshot: "Snapshot", now: float) -> float | None:
    """How long the oldest .ready file has waited."""
    disk = snapshot.wal_disk.value
    if disk is None or disk.oldest_ready_at is None:
        return None
    return host_age(snapshot, disk.oldest_ready_at, now)
