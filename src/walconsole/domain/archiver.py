"""The archiver's arithmetic: its state, how far it is behind, what would be lost, when the disk is full.

Facts (PostgreSQL's documentation of pg_stat_archiver and archive_timeout, pgarch.c): a segment is
archived when it is complete; a forced switch comes only after activity, so an idle server's last
success grows old with nothing wrong; failed_count misses exits above 125, signals, and hangs.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from walconsole.domain.facts import ArchiverFacts, ServerFacts, SettingsFacts, WalDiskFacts
from walconsole.domain.history import DiskSample, History
from walconsole.domain.snapshot import Snapshot
from walconsole.domain.wal import Segment, wal_name

IDLE_NOISE_BYTES = 64 * 1024
"""What an idle server may write after its last switch: running-xacts records, never a user's data."""

BEHIND_SEGMENTS = 5
BEHIND_WAIT_S = 15.0
BEHIND_WAIT_SEGMENTS = 3
"""A backlog is worth a word at this many segments, or at fewer that wait for this long."""

STALLED_AFTER_S = 90.0
"""pgarch.c retries a failure after 60 s: with a backlog, longer silence than that is a stall."""

LISTING_GRACE_S = 2.0
"""A store may list an object this much after its PUT was answered, and clocks differ by as much."""

TREND_WINDOW_S = 300.0
_TREND_MIN_SPAN_S = 4.0


class ArchiverState(StrEnum):
    """What the archiver does, in one word for the pane."""

    UNKNOWN = "unknown"
    OFF = "OFF"
    STANDBY = "standby"
    NO_COMMAND = "no command"
    FAILING = "FAILING"
    STALLED = "STALLED"
    BEHIND = "behind"
    NEVER = "nothing yet"
    IDLE = "idle"
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class Lag:
    """WAL that was written and is not in the archive.

    `segments`: complete ones; `bytes`: up to the write position; `seconds`: the age of the oldest
    of it at most, None when nothing was ever archived. `idle` is True when only an idle
    server's noise is behind.
    """

    segments: int
    bytes: int
    seconds: float | None
    idle: bool


@dataclass(frozen=True, slots=True)
class DiskOutlook:
    """Where pg_wal's file system is going; None where the console has not watched long enough.

    `full_in_s` is None when it is not filling.
    """

    free_change_bytes_per_s: float | None
    backlog_per_min: float | None
    full_in_s: float | None
    watched_s: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether the bucket holds what PostgreSQL says it archived. `behind` is in segments."""

    ok: bool | None
    text: str
    behind: int | None = None


def is_enabled(value: str | None) -> bool | None:
    """Whether this archive_mode archives on a primary; None when it is not known."""
    return None if value is None else value in ("on", "always")


def has_archive_target(settings: SettingsFacts) -> bool | None:
    """Whether archive_command or archive_library says where to; `(disabled)` hides it while off."""
    command, library = settings.get("archive_command"), settings.get("archive_library")
    if command is None:
        return None
    text = command.reset_value if command.value == "(disabled)" else command.value
    return bool(text) or bool(library and library.value)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def archive_timeout_s(settings: SettingsFacts | None) -> float | None:
    """archive_timeout in seconds, 0 when there is none; None when it is not known."""
    return _seconds(settings.value("archive_timeout")) if settings else None


def archived_through(snapshot: Snapshot) -> Segment | None:
    """The last segment that is known to be in the archive.

    pg_stat_archiver's, else (its counters were reset, or it last archived a .history) the bucket's.
    """
    archiver, server = snapshot.archiver.value, snapshot.server.value
    if server is None:
        return None
    for text in (
        archiver.last_archived_wal if archiver else None,
        snapshot.primary.value.newest_segment if snapshot.primary.value else None,
    ):
        name = wal_name(text, server.segment_bytes)
        if name is not None and name.segment is not None:
            return name.segment
    return None


def lag(snapshot: Snapshot, now: float) -> Lag | None:
    """How far the archive is behind the write position; None when that cannot be known."""
    archiver, server = snapshot.archiver.value, snapshot.server.value
    if archiver is None or server is None:
        return None
    archived = archived_through(snapshot)
    if archived is None:
        return None
    behind = max(0, archiver.lsn - archived.next().start_lsn(server.segment_bytes))
    segments = behind // server.segment_bytes
    idle = segments == 0 and _is_idle(snapshot, archiver, behind, now)
    return Lag(segments, behind, _oldest_age(snapshot, archiver, segments, now), idle)


def _is_idle(snapshot: Snapshot, archiver: ArchiverFacts, behind: int, now: float) -> bool:
    """No finished segment waits, and what was written since would have been switched by now."""
    if behind <= IDLE_NOISE_BYTES:
        return True
    timeout = archive_timeout_s(snapshot.settings.value)
    if not timeout or archiver.last_archived_at is None:
        return False
    return now - archiver.last_archived_at > 2 * timeout + BEHIND_WAIT_S


def _oldest_age(snapshot: Snapshot, archiver: ArchiverFacts, segments: int, now: float) -> float | None:
    """The age of the oldest WAL that is not archived, at most: since the last success, or longer
    where a finished segment has waited longer than that."""
    ages: list[float] = []
    if archiver.last_archived_at is not None:
        ages.append(_server_age(snapshot, archiver.last_archived_at, now))
    disk = snapshot.wal_disk.value
    if segments and disk is not None and disk.oldest_ready_at is not None:
        ages.append(_host_age(snapshot, disk.oldest_ready_at, now))
    return max(ages, default=None)


def _server_age(snapshot: Snapshot, at: float, now: float) -> float:
    """Seconds since the server's own clock showed `at`."""
    server = snapshot.server.value
    offset = server.clock - server.clock_read_at if server else 0.0
    return max(0.0, now + offset - at)


def _host_age(snapshot: Snapshot, at: float, now: float) -> float:
    """Seconds since the host's clock showed `at`."""
    host = snapshot.host.value
    return max(0.0, now + (host.clock_offset_s if host else 0.0) - at)


def last_success_age(snapshot: Snapshot, now: float) -> float | None:
    """Seconds since the last archived file, by the server's clock; None when there is none."""
    archiver = snapshot.archiver.value
    if archiver is None or archiver.last_archived_at is None:
        return None
    return _server_age(snapshot, archiver.last_archived_at, now)


def last_failure_age(snapshot: Snapshot, now: float) -> float | None:
    """Seconds since the last counted failure, by the server's clock; None when there is none."""
    archiver = snapshot.archiver.value
    if archiver is None or archiver.last_failed_at is None:
        return None
    return _server_age(snapshot, archiver.last_failed_at, now)


def exposure(snapshot: Snapshot, now: float) -> Lag | None:
    """What would be lost now with the droplet's disk: the RPO as it stands.

    Where the bucket proves to hold less than PostgreSQL says it archived, the bucket decides.
    None when nothing is known to be in the archive: then everything would be lost.
    """
    behind = lag(snapshot, now)
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if behind is None or archiver is None or server is None or bucket is None:
        return behind
    if agreement(archiver, server, snapshot).ok is not False:
        return behind
    newest = wal_name(bucket.newest_segment, server.segment_bytes)
    if newest is None or newest.segment is None:
        return None
    lost = max(0, archiver.lsn - newest.segment.next().start_lsn(server.segment_bytes))
    age = None if bucket.newest_at is None else max(0.0, now - bucket.newest_at)
    return Lag(lost // server.segment_bytes, lost, age, idle=False)


def state(snapshot: Snapshot, now: float) -> ArchiverState:
    """What the archiver does."""
    archiver, server, settings = snapshot.archiver.value, snapshot.server.value, snapshot.settings.value
    if archiver is None or server is None or settings is None:
        return ArchiverState.UNKNOWN
    configured = _configured_state(server, settings)
    if configured is not None:
        return configured
    if is_failing(archiver):
        return ArchiverState.FAILING
    backlog = ready_count(snapshot)
    if is_stalled(snapshot, now):
        return ArchiverState.STALLED
    if _is_behind(snapshot, backlog, now):
        return ArchiverState.BEHIND
    if archiver.last_archived_at is None:
        return ArchiverState.NEVER
    behind = lag(snapshot, now)
    return ArchiverState.IDLE if behind is not None and behind.idle else ArchiverState.WORKING


def _configured_state(server: ServerFacts, settings: SettingsFacts) -> ArchiverState | None:
    """The states that follow from the configuration alone."""
    mode = settings.value("archive_mode")
    if is_enabled(mode) is None:
        return ArchiverState.UNKNOWN
    if not is_enabled(mode):
        return ArchiverState.OFF
    if server.in_recovery and mode != "always":
        return ArchiverState.STANDBY
    return ArchiverState.NO_COMMAND if has_archive_target(settings) is False else None


def is_failing(archiver: ArchiverFacts) -> bool:
    """Whether the last failure is newer than the last success, and its file still waits."""
    if archiver.last_failed_at is None or archiver.ready_count == 0:
        return False
    return archiver.last_archived_at is None or archiver.last_failed_at > archiver.last_archived_at


def ready_count(snapshot: Snapshot) -> int | None:
    """The .ready files: as PostgreSQL lists them, else as the host does."""
    archiver, disk = snapshot.archiver.value, snapshot.wal_disk.value
    if archiver is not None and archiver.ready_count is not None:
        return archiver.ready_count
    return disk.ready_count if disk is not None else None


def oldest_wait_s(snapshot: Snapshot, now: float) -> float | None:
    """How long the oldest .ready file has waited."""
    disk: WalDiskFacts | None = snapshot.wal_disk.value
    if disk is None or disk.oldest_ready_at is None:
        return None
    return _host_age(snapshot, disk.oldest_ready_at, now)


def is_stalled(snapshot: Snapshot, now: float) -> bool:
    """Whether finished segments wait while the archiver neither succeeds nor fails.

    That is what a hanging command, an exit above 125 and an orphan .ready look like.
    """
    waited = oldest_wait_s(snapshot, now)
    if not ready_count(snapshot) or waited is None or waited < STALLED_AFTER_S:
        return False
    ages = [
        age for age in (last_success_age(snapshot, now), last_failure_age(snapshot, now)) if age is not None
    ]
    return min(ages, default=waited) >= STALLED_AFTER_S


def _is_behind(snapshot: Snapshot, backlog: int | None, now: float) -> bool:
    if backlog is None:
        behind = lag(snapshot, now)
        return behind is not None and behind.segments >= BEHIND_SEGMENTS
    if backlog >= BEHIND_SEGMENTS:
        return True
    waited = oldest_wait_s(snapshot, now)
    return backlog >= BEHIND_WAIT_SEGMENTS and waited is not None and waited > BEHIND_WAIT_S


def archived_per_minute(
    history: History, now: float, bins: int = 30, bin_s: float = 60.0
) -> tuple[float | None, ...]:
    """Segments archived a minute in `bins` spans of `bin_s` seconds up to `now`, oldest first.

    None where the console did not watch.
    """
    return _rates([(sample.at, float(sample.archived)) for sample in history.archiver], now, bins, bin_s)


def segments_per_minute(
    history: History, now: float, bins: int = 30, bin_s: float = 60.0
) -> tuple[float | None, ...]:
    """Segments' worth of WAL written a minute, as `archived_per_minute`."""
    points = [(sample.at, sample.lsn / history.segment_bytes) for sample in history.archiver]
    return _rates(points, now, bins, bin_s)


def _rates(
    points: list[tuple[float, float]], now: float, bins: int, bin_s: float
) -> tuple[float | None, ...]:
    """A growing counter's rate a minute in each bin, the growth between two looks spread evenly."""
    growth, watched = [0.0] * bins, [0.0] * bins
    start = now - bins * bin_s
    for (at, count), (later, more) in pairwise(points):
        if later <= at:
            continue
        slope = max(0.0, more - count) / (later - at)
        first, last = int((at - start) // bin_s), int((later - start) // bin_s)
        for index in range(max(0, first), min(bins - 1, last) + 1):
            edge = start + index * bin_s
            overlap = min(later, edge + bin_s) - max(at, edge)
            if overlap > 0:
                growth[index] += slope * overlap
                watched[index] += overlap
    return tuple(60 * grown / seen if seen else None for grown, seen in zip(growth, watched, strict=True))


def disk_outlook(snapshot: Snapshot, now: float) -> DiskOutlook | None:
    """Trends of free space and backlog over the last minutes that the console watched."""
    disk = snapshot.wal_disk.value
    if disk is None:
        return None
    samples = [sample for sample in snapshot.history.disk if now - sample.at <= TREND_WINDOW_S]
    watched = samples[-1].at - samples[0].at if samples else 0.0
    if watched < _TREND_MIN_SPAN_S:
        return DiskOutlook(None, None, None, watched)
    change = _slope([(sample.at, float(sample.free_bytes)) for sample in samples])
    backlog = _backlog_slope(samples)
    # Half a segment a minute is noise: files are recycled, logs rotate.
    floor = -snapshot.history.segment_bytes / 120
    full_in = disk.free_bytes / -change if change is not None and change < floor else None
    return DiskOutlook(change, None if backlog is None else backlog * 60, full_in, watched)


def _backlog_slope(samples: list[DiskSample]) -> float | None:
    points = [(sample.at, float(sample.ready_count)) for sample in samples if sample.ready_count is not None]
    return _slope(points)


def _slope(points: list[tuple[float, float]]) -> float | None:
    """The least-squares slope a second; None for fewer than two moments."""
    if len(points) < 2 or points[-1][0] == points[0][0]:
        return None
    count = len(points)
    mean_at = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (value - mean) for at, value in points) / spread


def agreement(archiver: ArchiverFacts, server: ServerFacts, snapshot: Snapshot) -> Agreement:
    """Whether the primary bucket's newest segment is the last one that PostgreSQL archived.

    A listing is older than the statistics by up to a few seconds: one that ended before the
    segment was archived proves nothing. The bucket may be one ahead: a clean shutdown archives
    without counting (observed).
    """
    bucket = snapshot.primary.value
    if bucket is None or snapshot.primary.problem is not None:
        return Agreement(None, "the bucket was not read")
    claimed = wal_name(archiver.last_archived_wal, server.segment_bytes)
    if claimed is None or claimed.segment is None:
        return Agreement(None, "PostgreSQL names no archived segment")
    newest = wal_name(bucket.newest_segment, server.segment_bytes)
    if newest is None or newest.segment is None:
        return _unless_in_flight(snapshot, archiver, Agreement(False, "the bucket holds no segment", None))
    behind = claimed.segment.number - newest.segment.number
    if behind == 0:
        return Agreement(True, "the bucket's newest is the last archived", 0)
    if behind < 0:
        return Agreement(True, "the bucket is ahead of PostgreSQL's count", behind)
    word = "segment" if behind == 1 else "segments"
    return _unless_in_flight(
        snapshot, archiver, Agreement(False, f"the bucket lacks the last {behind} {word}", behind)
    )


def _unless_in_flight(snapshot: Snapshot, archiver: ArchiverFacts, answer: Agreement) -> Agreement:
    """`answer`, unless what is lacking was archived after the bucket was listed."""
    listed_at, archived_at = snapshot.primary.read_at, archiver.last_archived_at
    if listed_at is None or archived_at is None:
        return Agreement(None, answer.text, answer.behind)
    if _server_age(snapshot, archived_at, listed_at) > LISTING_GRACE_S:
        return answer
    since = _archived_since(snapshot.history, listed_at - LISTING_GRACE_S)
    if since is None:
        return Agreement(None, "the bucket was listed before the last one was archived", answer.behind)
    if answer.behind is None or answer.behind > since:
        return answer
    return Agreement(True, "the bucket held all that was archived when it was listed", answer.behind)


def _archived_since(history: History, at: float) -> int | None:
    """How many were archived since the last look before `at`; None when the console came later."""
    before = [sample.archived for sample in history.archiver if sample.at <= at]
    return history.archived - before[-1] if before else None
