"""Whole snapshots: what the console knows in each state that its screens must show well."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from tests.data import facts
from tests.data.facts import MIB, NOW, SEGMENT
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.facts.history import History
from walconsole.domain.facts.log_line import LogLine, read_line
from walconsole.domain.facts.observed import (
    ArchiverFacts,
    ConfigFile,
    ConfigFiles,
    FileRole,
    SettingsFacts,
    WalDiskFacts,
)
from walconsole.domain.facts.snapshot import (
    SLOTS,
    AnySlot,
    Problem,
    Reading,
    Snapshot,
    failed,
    fold,
    succeeded,
)
from walconsole.domain.profile import BucketRole

_SOURCES = {
    Snapshot.link: "ssh",
    Snapshot.host: "/proc",
    Snapshot.wal_disk: "statvfs, ls pg_wal",
    Snapshot.files: "find /etc /data",
    Snapshot.server: "SQL",
    Snapshot.archiver: "pg_stat_archiver",
    Snapshot.settings: "pg_settings",
    Snapshot.catalogue: "pg_settings, whole",
    Snapshot.primary: "S3 LIST shithub-wal",
    Snapshot.dr: "S3 LIST shithub-wal-dr",
    Snapshot.log: "/var/log/postgresql/postgresql-15-main.log",
    Snapshot.command: "/proc, the archive command's files",
    Snapshot.retention: "pg_replication_slots",
    Snapshot.production: "rclone on the droplet",
    Snapshot.policy: "S3 lifecycle of shithub-wal",
    Snapshot.compared: "sha256sum, S3 GET",
}
_AGES = {
    Snapshot.files: 12.0,
    Snapshot.settings: 3.0,
    Snapshot.primary: 2.0,
    Snapshot.dr: 2.0,
    Snapshot.link: 1.0,
}


def reading(slot: AnySlot, value: Any) -> Reading[Any]:
    """Read a moment ago, as long ago as its cadence would have it."""
    empty: Reading[Any] = Reading(slot)
    return succeeded(empty, value, NOW - _AGES.get(slot, 0.4), _SOURCES.get(slot, slot.words), 1.0)


def problem(slot: AnySlot, why: str, remedy: str = "", code: str = "", was: Any = None) -> Reading[Any]:
    """Failing for 41 s; `was` is the value that it had before."""
    before: Reading[Any] = Reading(slot)
    if was is not None:
        before = replace(reading(slot, was), read_at=NOW - 42)
    return failed(before, Problem(why, remedy, code), NOW - 41, _SOURCES.get(slot, slot.words), 1.0)


def _whole(history: History | None = None, **values: Any) -> Snapshot:
    snapshot = Snapshot("shithub", began_at=NOW - 1800, taken_at=NOW)
    filled = {
        name: value if isinstance(value, Reading) else reading(getattr(Snapshot, name), value)
        for name, value in _healthy_facts(**values).items()
    }
    for one in filled.values():
        snapshot = fold(snapshot, one, NOW)
    return replace(snapshot, history=history or _history(snapshot))


def _healthy_facts(**values: Any) -> dict[str, Any]:
    return {
        "link": facts.link(),
        "host": facts.host(clock=NOW + 0.012),
        "wal_disk": facts.wal_disk(),
        "files": ConfigFiles((_live_file(),)),
        "server": facts.server(),
        "archiver": facts.archiver(),
        "settings": facts.settings(),
        "primary": facts.bucket(),
        "dr": facts.bucket(BucketRole.DR),
    } | values


def _live_file() -> ConfigFile:
    return ConfigFile("/etc/postgresql/15/main/postgresql.conf", FileRole.READ, "config_file")


def _history(
    snapshot: Snapshot, per_minute: float = 2.0, fill_bytes: float = 0.0, backlog: float = 0.0
) -> History:
    """Half an hour of samples with a lively rate, ending where the snapshot is."""
    return _samples(snapshot.archiver.value, snapshot.wal_disk.value, per_minute, fill_bytes, backlog)


@cache
def _samples(
    archiver: ArchiverFacts | None,
    disk: WalDiskFacts | None,
    per_minute: float,
    fill_bytes: float,
    backlog: float,
) -> History:
    """The same, made once: it takes longer than the rest of a snapshot, and most tests want one of a few."""
    history = History()
    total = 0.0
    for step in range(181):
        at = NOW - 1800 + step * 10
        total += per_minute / 6 * (1.0 + 0.8 * ((step * 7 % 31) / 31 - 0.5))
        if archiver is not None:
            history = history.with_archiver(_archived(archiver, total, at), at, SEGMENT)
        if disk is not None:
            left = NOW - at
            ready = (
                None if disk.ready_count is None else max(0, round(disk.ready_count - backlog * left / 60))
            )
            history = history.with_disk(
                replace(disk, free_bytes=int(disk.free_bytes + fill_bytes * left), ready_count=ready), at
            )
    return history


def _archived(archiver: ArchiverFacts, total: float, at: float) -> ArchiverFacts:
    lsn = archiver.lsn - int((NOW - at) / 30 * SEGMENT)
    count = archiver.archived_count and 1000 + int(total)
    return replace(archiver, archived_count=count, lsn=max(SEGMENT, lsn))


def healthy() -> Snapshot:
    """Archiving works; both buckets agree."""
    return _whole()


def incident() -> Snapshot:
    """archive_mode is off, the file that sets it is never read, and the buckets do not exist."""
    dead = ConfigFile(
        "/data/pgdata/postgresql.conf",
        FileRole.NEVER_READ,
        "config_file is /etc/postgresql/15/main/postgresql.conf",
        (("archive_mode", "on", 12), ("archive_command", "/usr/local/bin/archive_command.sh %p %f", 13)),
    )
    off = {"source": "default", "sourcefile": None, "sourceline": None}
    settings = SettingsFacts(
        (
            facts.setting("archive_mode", "off", **off),
            facts.setting("archive_command", "(disabled)", reset_value="", **off),
            facts.setting("archive_library", "", **off),
            facts.setting("archive_timeout", "0", unit="s", **off),
            facts.setting("wal_level", "replica", **off),
        )
    )
    missing = "the bucket {} does not exist (HTTP 404)"
    return _whole(
        files=ConfigFiles((_live_file(), dead)),
        settings=settings,
        archiver=facts.archiver(
            archived_count=0, last_archived_wal=None, last_archived_at=None, archiver_pid=None
        ),
        primary=problem(Snapshot.primary, missing.format("shithub-wal"), "create it", "NoSuchBucket"),
        dr=problem(Snapshot.dr, missing.format("shithub-wal-dr"), "create it", "NoSuchBucket"),
    )


def failing() -> Snapshot:
    """The key lost its grant: every upload is refused, pg_wal grows."""
    waiting = facts.archiver(
        last_archived_at=NOW - 1260,
        failed_count=63,
        last_failed_wal="000000010000000000000042",
        last_failed_at=NOW - 9,
        ready_count=38,
        lsn=0x68 * SEGMENT + 5 * MIB,
        current_wal="000000010000000000000068",
    )
    disk = facts.wal_disk(
        wal_bytes=43 * SEGMENT,
        wal_files=43,
        ready_count=38,
        free_bytes=3 << 30,
        oldest_ready="000000010000000000000042",
        oldest_ready_at=NOW - 1230,
    )
    refused = problem(
        Snapshot.primary,
        "403 AccessDenied for key DO00AB…",
        "grant the key read and write on shithub-wal",
        "AccessDenied",
        facts.bucket(newest_at=NOW - 1260),
    )
    snapshot = _whole(archiver=waiting, wal_disk=disk, primary=refused)
    return replace(snapshot, history=_history(snapshot, 0.0, 600_000.0, 1.8))


def slow() -> Snapshot:
    """Nothing fails, but the command is slower than the WAL."""
    disk = facts.wal_disk(
        wal_bytes=130 * SEGMENT,
        wal_files=130,
        ready_count=121,
        free_bytes=9 << 30,
        oldest_ready="000000010000000000000042",
        oldest_ready_at=NOW - 244,
    )
    behind = facts.archiver(
        last_archived_at=NOW - 2, ready_count=121, lsn=0xBB * SEGMENT, current_wal="0000000100000000000000BB"
    )
    snapshot = _whole(archiver=behind, wal_disk=disk, primary=facts.bucket(newest_at=NOW - 2))
    return replace(snapshot, history=_history(snapshot, 31.0, 2_500_000.0, 12.4))


def idle() -> Snapshot:
    """Nothing was written for two days; nothing is wrong."""
    at_rest = facts.archiver(
        last_archived_at=NOW - 172_800, lsn=0x42 * SEGMENT + 248, current_wal="000000010000000000000042"
    )
    old: dict[str, Any] = {"newest_at": NOW - 172_799}
    snapshot = _whole(archiver=at_rest, primary=facts.bucket(**old), dr=facts.bucket(BucketRole.DR, **old))
    return replace(snapshot, history=_history(snapshot, 0.0))


def unread() -> Snapshot:
    """The console has only just begun."""
    return Snapshot("shithub", began_at=NOW, taken_at=NOW)


def nothing_readable() -> Snapshot:
    """Every source failed before it was ever read."""
    snapshot = Snapshot("shithub", began_at=NOW - 60, taken_at=NOW)
    for slot in SLOTS:
        snapshot = fold(snapshot, problem(slot, "connection refused", "start it", "SshLost"), NOW)
    return snapshot


def all_dead() -> Snapshot:
    """Everything was read, then every source died."""
    before = _healthy_facts()
    why = "the connection to 203.0.113.7:22 was lost"
    lost: dict[str, Any] = {
        name: problem(getattr(Snapshot, name), why, "reconnecting", "SshLost", value)
        for name, value in before.items()
    }
    snapshot = _whole(**lost)
    return replace(snapshot, history=_history(snapshot))


HOSTILE = "[/red][bold]\x1b]52;c;aGVsbG8=\x07\x1b[31m\x9b2J\r\n\x00\u202e]\udcff{x}$(id) 漢字 e\u0301"


def hostile() -> Snapshot:
    """Every text is as bad as it can be: markup, escape sequences, controls, wide and odd characters."""
    bad = HOSTILE
    return _whole(
        link=facts.link(address=bad, user=bad, server_version=bad),
        host=facts.host(hostname=bad, system=bad, kernel=bad, missing=(bad,)),
        wal_disk=facts.wal_disk(directory=bad, device=bad, filesystem=bad, missing=(bad,), ready_count=None),
        files=ConfigFiles((ConfigFile(bad, FileRole.NEVER_READ, bad, ((bad, bad, 1),)),), cut=bad),
        server=facts.server(version=bad, data_directory=bad, role=bad, database=bad, missing=(bad,)),
        archiver=facts.archiver(
            last_archived_wal=bad, current_wal=bad, last_failed_wal=bad, last_failed_at=NOW
        ),
        settings=SettingsFacts((facts.setting("archive_command", bad, sourcefile=bad, source=bad),)),
        primary=problem(Snapshot.primary, bad, bad, "Odd", facts.bucket(newest_segment=bad, key_hint=bad)),
        dr=facts.bucket(BucketRole.DR, bucket=bad, newest_segment=bad, gaps=(Gap(1, bad, bad, 3),)),
    )


STATES: dict[str, Callable[[], Snapshot]] = {
    make.__name__: make
    for make in (incident, healthy, failing, slow, idle, unread, nothing_readable, all_dead, hostile)
}


def log_lines(count: int = 40) -> list[LogLine]:
    """PostgreSQL's log while the archive command fails."""
    texts = (
        "2026-09-21 13:33:{:02d}.123 UTC [801] LOG:  archive command failed with exit code 1",
        "2026-09-21 13:33:{:02d}.123 UTC [801] DETAIL:  The failed archive command was: "
        "/usr/local/bin/archive_command.sh pg_wal/000000010000000000000042 000000010000000000000042",
        "2026-09-21 13:33:{:02d}.456 UTC [801] WARNING:  archiving write-ahead log file "
        '"000000010000000000000042" failed too many times, will try again later',
        "2026-09-21 13:33:{:02d}.789 UTC [712] ERROR:  403 Forbidden [/red] pg_wal",
    )
    return [read_line("postgresql", texts[n % len(texts)].format(n % 60)) for n in range(count)]
