"""The archiver: its state, and how far the archive is behind the write position.

Facts (PostgreSQL's documentation of pg_stat_archiver and archive_timeout, pgarch.c): a segment is
archived when it is complete; a forced switch comes only after activity, so an idle server's last
success grows old with nothing wrong; failed_count misses exits above 125, signals, and hangs.
"""

from enum import StrEnum

from walconsole.domain.archive.key_space import SEGMENT_NAME
from walconsole.domain.facts.backlog import (
    BEHIND_SEGMENTS,
    CLOCK_JITTER_S,
    is_behind,
    seconds_a_segment,
    waiting_of,
)
from walconsole.domain.facts.backlog import BEHIND_WAIT_S as BEHIND_WAIT_S
from walconsole.domain.facts.backlog import host_age as host_age
from walconsole.domain.facts.backlog import last_success_age as last_success_age
from walconsole.domain.facts.backlog import oldest_wait_s as oldest_wait_s
from walconsole.domain.facts.backlog import ready_count as ready_count
from walconsole.domain.facts.backlog import server_age as server_age
from walconsole.domain.facts.observed import ArchiverFacts, ServerFacts, SettingsFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.streaming import received
from walconsole.domain.standing.whose import own_newest
from walconsole.domain.wal import Segment, wal_name

IDLE_NOISE_BYTES = 64 * 1024
"""What an idle server may write after its last switch: running-xacts records, never a user's data."""

STALLED_AFTER_S = 90.0
"""pgarch.c retries a failure after 60 s: with a backlog, longer silence than that is a stall."""

FIRST_DUE_S = 60.0
"""A server that was started this long ago (and an archive_timeout longer) need not have archived anything."""


class ArchiverState(StrEnum):
    """What the archiver does, in one word for the pane."""

    UNKNOWN = "unknown"
    OFF = "OFF"
    STREAMED = "streamed"
    """archive_mode is off, and a program receives WAL by streaming."""
    STANDBY = "standby"
    NO_COMMAND = "no command"
    FAILING = "FAILING"
    STALLED = "STALLED"
    BEHIND = "behind"
    NEVER = "nothing yet"
    IDLE = "idle"
    WORKING = "working"


@record
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


def is_enabled(value: str | None) -> bool | None:
    """Whether this archive_mode archives on a primary; None when it is not known."""
    return None if value is None else value in ("on", "always")


def is_off(snapshot: Snapshot) -> bool:
    """Whether archive_mode is seen to be off; False while it was not read."""
    settings = snapshot.settings.value
    return settings is not None and is_enabled(settings.value("archive_mode")) is False


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

    pg_stat_archiver's, else (its counters were reset, or it last archived a .history) the bucket's, where
    that is this server's. While archive_mode is off, the bucket's first: a count of the past is no stream's,
    and where WAL is streamed, the bucket's alone.
    """
    archiver, server = snapshot.archiver.value, snapshot.server.value
    if server is None:
        return None
    counted = archiver.last_archived_wal if archiver else None
    if is_off(snapshot) and received(snapshot) is not None:
        counted = None
    for text in (own_newest(snapshot), counted) if is_off(snapshot) else (counted, own_newest(snapshot)):
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
    return Lag(segments, behind, _oldest_age(snapshot, segments, now), idle)


def _is_idle(snapshot: Snapshot, archiver: ArchiverFacts, behind: int, now: float) -> bool:
    """No finished segment waits, and what was written since would have been switched by now."""
    if behind <= IDLE_NOISE_BYTES:
        return True
    timeout = archive_timeout_s(snapshot.settings.value)
    if not timeout or archiver.last_archived_at is None:
        return False
    return now - archiver.last_archived_at > 2 * timeout + BEHIND_WAIT_S


def _oldest_age(snapshot: Snapshot, segments: int, now: float) -> float | None:
    """The age of the oldest WAL that is not archived, at most: since the last success, or longer
    where a finished segment has waited longer than that."""
    success = last_success_age(snapshot, now)
    ages = [] if success is None else [success]
    disk = snapshot.wal_disk.value
    if segments and disk is not None and disk.oldest_ready_at is not None:
        ages.append(host_age(snapshot, disk.oldest_ready_at, now))
    return max(ages, default=None)


def last_failure_age(snapshot: Snapshot, now: float) -> float | None:
    """Seconds since the last counted failure, by the server's clock; None when there is none."""
    archiver = snapshot.archiver.value
    if archiver is None or archiver.last_failed_at is None:
        return None
    return server_age(snapshot, archiver.last_failed_at, now)


def state(snapshot: Snapshot, now: float) -> ArchiverState:
    """What the archiver does."""
    archiver, server, settings = snapshot.archiver.value, snapshot.server.value, snapshot.settings.value
    if archiver is None or server is None or settings is None:
        return ArchiverState.UNKNOWN
    configured = _configured_state(server, settings)
    if configured is ArchiverState.OFF and received(snapshot) is not None:
        return ArchiverState.STREAMED
    if configured is not None:
        return configured
    if is_failing(archiver):
        return ArchiverState.FAILING
    if is_stalled(snapshot, now):
        return ArchiverState.STALLED
    if _is_behind(snapshot, now):
        return ArchiverState.BEHIND
    behind = lag(snapshot, now)
    if archiver.last_archived_at is None and (behind is None or behind.segments):
        return ArchiverState.NEVER  # unless the bucket has it all: then the counters were only reset
    return ArchiverState.IDLE if behind is not None and behind.idle else ArchiverState.WORKING


def nothing_due_yet(snapshot: Snapshot, now: float) -> bool:
    """Whether the server has run for too short a time to have archived anything, and nothing waits.

    Switching archiving on takes a restart, so that it began then at the earliest.
    """
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None:
        return False
    if archiver is not None and archiver.stats_reset_at is not None:
        waited = oldest_wait_s(snapshot, now) or 0.0
        if server_age(snapshot, archiver.stats_reset_at, now) < FIRST_DUE_S and waited < BEHIND_WAIT_S:
            return True  # the counters were reset a moment ago: what is on its way is no backlog
    if ready_count(snapshot):
        return False
    timeout = archive_timeout_s(snapshot.settings.value) or 0.0
    return server_age(snapshot, server.started_at, now) < FIRST_DUE_S + timeout


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
    """Whether the last failure is newer than the last success, and its file still waits.

    Where that success is to come by the server's own clock, that was set back, and only the names tell: the
    archiver takes the oldest first.
    """
    if archiver.last_failed_at is None or archiver.ready_count == 0:
        return False
    success = archiver.last_archived_at
    if success is None or archiver.last_failed_at > success:
        return True
    return _is_to_come(archiver) and _is_later(archiver.last_failed_wal, archiver.last_archived_wal)


def success_is_to_come(snapshot: Snapshot) -> bool:
    """Whether the last success is later than the server's own clock, which was set back since."""
    return snapshot.archiver.value is not None and _is_to_come(snapshot.archiver.value)


def _is_to_come(archiver: ArchiverFacts) -> bool:
    if archiver.clock is None or archiver.last_archived_at is None:
        return False
    return archiver.last_archived_at > archiver.clock + CLOCK_JITTER_S


def _is_later(one: str | None, other: str | None) -> bool:
    """Of two segments of one timeline, by their names; False for any other files."""
    if one is None or other is None or not (SEGMENT_NAME.fullmatch(one) and SEGMENT_NAME.fullmatch(other)):
        return False
    return one[:8] == other[:8] and one > other


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
    return min(ages, default=waited) >= max(STALLED_AFTER_S, _usual_silence_s(snapshot))


def nothing_arrives(snapshot: Snapshot, now: float) -> bool:
    """Whether it is longer since a segment arrived than a slow archiver explains: perhaps it hangs."""
    success, wait = last_success_age(snapshot, now), oldest_wait_s(snapshot, now)
    if success is None or wait is None:
        return False
    return success >= max(min(wait, BEHIND_WAIT_S), _usual_silence_s(snapshot))


def _usual_silence_s(snapshot: Snapshot) -> float:
    """Twice what a segment took while some waited, as far as that was watched; else 0."""
    return 2 * (seconds_a_segment(snapshot.history) or 0.0)


def _is_behind(snapshot: Snapshot, now: float) -> bool:
    """Whether what waits has waited for too long, or will: a burst that is on its way is no backlog."""
    waiting = waiting_of(snapshot, now)
    if waiting is None:
        behind = lag(snapshot, now)
        return behind is not None and behind.segments >= BEHIND_SEGMENTS
    return is_behind(waiting, before=snapshot.history.behind)
