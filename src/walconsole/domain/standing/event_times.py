"""What happened when, from everything that is known: the time line of an incident."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum

from walconsole.domain.facts.evidence import LogKind
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.copies import gap_text
from walconsole.domain.units import bytes_text, plural

MOST_EVENTS = 400
_GAPS_TOLD = 5


class EventKind(StrEnum):
    """The rows of a time line."""

    ARCHIVED = "archived"
    FAILED = "failed"
    SERVER = "server"
    CONFIGURATION = "configuration"
    STORED = "stored"
    DISK = "disk"
    ACCESS = "access"
    """Keys and grants that the console changed."""
    CONSOLE = "console"


@record
class Event:
    """Something that happened at `at`, seconds since the epoch on the console's clock.

    Where equal ones are folded into one, it was `count` times, the last time at `until`.
    """

    at: float
    kind: EventKind
    text: str
    source: str
    count: int = 1
    until: float | None = None


_LOGGED = {
    LogKind.FAILED: EventKind.FAILED,
    LogKind.KILLED: EventKind.FAILED,
    LogKind.ARCHIVER_FATAL: EventKind.FAILED,
    LogKind.NOT_CONFIGURED: EventKind.FAILED,
    LogKind.ORPHAN: EventKind.FAILED,
    LogKind.DISK_FULL: EventKind.DISK,
    LogKind.STARTED: EventKind.SERVER,
    LogKind.STOPPED: EventKind.SERVER,
    LogKind.CRASHED: EventKind.SERVER,
    LogKind.RELOADED: EventKind.CONFIGURATION,
}
"""Lines of the server's log that are events; the others tell more of the same."""


def events(
    snapshot: Snapshot, since: float | None = None, remembered: Iterable[Event] = ()
) -> tuple[Event, ...]:
    """Oldest first, the newest MOST_EVENTS of them; from `since` on, where it is given.

    `remembered` are those that no source tells of any more.
    """
    found = [
        *remembered,
        *_archiver(snapshot),
        *_server(snapshot),
        *_files(snapshot),
        *_log(snapshot),
        *_bucket(snapshot.primary, "primary"),
        *_bucket(snapshot.dr, "DR"),
        *_watched(snapshot),
    ]
    kept = [event for event in dict.fromkeys(found) if since is None or event.at >= since]
    return tuple(sorted(kept, key=lambda event: event.at)[-MOST_EVENTS:])


_REPEATED = frozenset((EventKind.FAILED, EventKind.DISK))
"""An attempt that fails is made again and again; whatever is not of these is a turn of events."""


def folded(happened: Iterable[Event]) -> tuple[Event, ...]:
    """The same, oldest first, equal failures without a turn between them as one with its count and span."""
    rows: list[Event] = []
    at: dict[tuple[EventKind, str, str], int] = {}
    for event in happened:
        if event.kind not in _REPEATED:
            at.clear()
            rows.append(event)
            continue
        key = event.kind, event.text, event.source
        if key not in at:
            at[key] = len(rows)
            rows.append(event)
            continue
        first = rows[at[key]]
        rows[at[key]] = replace(first, count=first.count + event.count, until=event.until or event.at)
    return tuple(rows)


def _here(snapshot: Snapshot, at: float) -> float:
    """A time of the droplet's clock, by the console's."""
    host = snapshot.host.value
    return at - (host.clock_offset_s if host is not None else 0.0)


def _archiver(snapshot: Snapshot) -> Iterator[Event]:
    row = snapshot.archiver.value
    if row is None:
        return
    source = "pg_stat_archiver"
    if row.last_archived_at is not None:
        at = _here(snapshot, row.last_archived_at)
        yield Event(at, EventKind.ARCHIVED, f"{row.last_archived_wal} archived, the last one", source)
    if row.last_failed_at is not None:
        at = _here(snapshot, row.last_failed_at)
        yield Event(at, EventKind.FAILED, f"{row.last_failed_wal} failed, the last one counted", source)
    if row.stats_reset_at is not None:
        yield Event(_here(snapshot, row.stats_reset_at), EventKind.SERVER, "statistics reset", source)


def _server(snapshot: Snapshot) -> Iterator[Event]:
    server = snapshot.server.value
    if server is None:
        return
    yield Event(
        _here(snapshot, server.started_at), EventKind.SERVER, "PostgreSQL started", "pg_postmaster_start_time"
    )
    if server.loaded_at is not None and server.loaded_at - server.started_at > 1.0:
        at = _here(snapshot, server.loaded_at)
        yield Event(at, EventKind.CONFIGURATION, "configuration loaded", "pg_conf_load_time")


def _files(snapshot: Snapshot) -> Iterator[Event]:
    tree = snapshot.files.value.tree if snapshot.files.value is not None else None
    read = {file.path for file in snapshot.files.value.files} if snapshot.files.value is not None else set()
    for path, content in tree.files.items() if tree is not None else ():
        modified = content.modified_at
        if modified is not None and path in read:
            at = _here(snapshot, modified)
            yield Event(at, EventKind.CONFIGURATION, f"{path} changed", "its modification time")
    command = snapshot.command.value
    if command is None:
        return
    changed = [(one.path, one.modified_at) for one in command.programs]
    changed += [(one.path, one.modified_at) for one in command.configs]
    for name, modified in changed:
        if name is not None and modified is not None:
            at = _here(snapshot, modified)
            yield Event(at, EventKind.CONFIGURATION, f"{name} changed", "its modification time")


def _log(snapshot: Snapshot) -> Iterator[Event]:
    log = snapshot.log.value
    for entry in log.entries if log is not None else ():
        kind = _LOGGED.get(entry.kind)
        if kind is not None and entry.at is not None and log is not None:
            text = entry.text.split(":  ", 1)[-1]  # without the stamp, which the event has
            yield Event(_here(snapshot, entry.at), kind, text, log.source)


def _bucket(reading: Reading[BucketFacts], copy: str) -> Iterator[Event]:
    bucket = reading.value
    if bucket is None:
        return
    offset = bucket.store_clock_offset_s or 0.0
    if bucket.newest_at is not None and bucket.newest_segment:
        text = f"{bucket.newest_segment} stored, the newest of the {copy} copy"
        yield Event(bucket.newest_at - offset, EventKind.STORED, text, reading.source)
    for gap in bucket.gaps[-_GAPS_TOLD:]:
        if gap.until_at is not None:
            text = f"{gap_text(gap)} missing from the {copy} copy: what follows them was stored"
            yield Event(gap.until_at - offset, EventKind.STORED, text, reading.source)


def _watched(snapshot: Snapshot) -> Iterator[Event]:
    """What changed under the console's eyes, and when it began to look."""
    yield Event(snapshot.began_at, EventKind.CONSOLE, "walconsole began to look", "walconsole")
    samples = snapshot.history.disk
    if len(samples) >= 2:
        first, last = samples[0], samples[-1]
        free = bytes_text(last.free_bytes)
        waiting = (
            ""
            if last.ready_count is None
            else f", {plural(last.ready_count, 'segment waits', 'segments wait')}"
        )
        change = last.free_bytes - first.free_bytes
        than = f"{bytes_text(abs(change))} {'more' if change > 0 else 'less'} than at first"
        text = f"{free} free on pg_wal's file system{f' ({than})' if change else ''}{waiting}"
        yield Event(last.at, EventKind.DISK, text, "df")
