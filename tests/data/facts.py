"""Builders of facts: a healthy PostgreSQL 15 on a droplet, with what a test wants otherwise."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from walconsole.domain.archive.continuity import continuity
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.base_backups import BackupScript, BackupSessions
from walconsole.domain.facts.host import ClusterFacts, HostFacts
from walconsole.domain.facts.observed import (
    ArchiverFacts,
    BucketFacts,
    ConfigFiles,
    LinkFacts,
    ServerFacts,
    Setting,
    SettingsFacts,
    WalDiskFacts,
)
from walconsole.domain.facts.snapshot import (
    AnySlot,
    Problem,
    Reading,
    Slot,
    Snapshot,
    failed,
    fold,
    succeeded,
)
from walconsole.domain.profile import BucketRole, ClusterName
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.wal import Segment

T = TypeVar("T")

NOW = 1_790_000_000.0
MIB = 1024 * 1024
SEGMENT = 16 * MIB
CLUSTER = ClusterFacts(
    name=ClusterName("15", "main"),
    port=5432,
    socket_dir="/var/run/postgresql",
    data_directory="/var/lib/postgresql/15/main",
    config_file="/etc/postgresql/15/main/postgresql.conf",
    running=True,
    owner="postgres",
)


def link(**changes: Any) -> LinkFacts:
    """A connection 20 ms away."""
    return replace(
        LinkFacts("203.0.113.7:22", "root", "OpenSSH_9.2p1", "SHA256:abc", 0.02, NOW - 600, 0), **changes
    )


def host(**changes: Any) -> HostFacts:
    """A droplet that has been up for 12 days."""
    facts = HostFacts(
        hostname="shithub",
        system="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0",
        uptime_s=12 * 86400.0,
        load_1min=0.1,
        clock=NOW,
        clock_read_at=NOW,
        round_trip_s=0.02,
        cluster=CLUSTER,
        clusters=(CLUSTER,),
        postmaster_pid=712,
        heartbeat_at=NOW - 60,
    )
    return replace(facts, **changes)


def wal_disk(**changes: Any) -> WalDiskFacts:
    """20 GiB free, nothing waits."""
    facts = WalDiskFacts(
        directory="/var/lib/postgresql/15/main/pg_wal",
        device="/dev/vda1",
        filesystem="ext4",
        total_bytes=80 << 30,
        free_bytes=20 << 30,
        wal_bytes=5 * SEGMENT,
        wal_files=5,
        ready_count=0,
        oldest_ready=None,
        oldest_ready_at=None,
    )
    return replace(facts, **changes)


def server(**changes: Any) -> ServerFacts:
    """A primary on timeline 1."""
    facts = ServerFacts(
        version_num=150018,
        version="15.18 (Debian 15.18-0+deb12u1)",
        in_recovery=False,
        started_at=NOW - 86400,
        clock=NOW,
        clock_read_at=NOW,
        timeline=1,
        segment_bytes=SEGMENT,
        system_identifier="7412345678901234567",
        data_directory=CLUSTER.data_directory,
        config_file=CLUSTER.config_file,
        database="postgres",
        role="postgres",
        superuser=True,
    )
    return replace(facts, **changes)


def archiver(**changes: Any) -> ArchiverFacts:
    """Segment 0x41 archived 41 s ago, 0x42 a third full."""
    facts = ArchiverFacts(
        archived_count=65,
        last_archived_wal="000000010000000000000041",
        last_archived_at=NOW - 41,
        failed_count=0,
        last_failed_wal=None,
        last_failed_at=None,
        stats_reset_at=NOW - 86400,
        lsn=0x42 * SEGMENT + 5 * MIB,
        current_wal="000000010000000000000042",
        archiver_pid=801,
        ready_count=0,
    )
    return replace(facts, **changes)


def setting(name: str, value: str, **changes: Any) -> Setting:
    """A setting from the drop-in, in force."""
    row = Setting(
        name=name,
        value=value,
        unit=None,
        source="configuration file",
        sourcefile="/etc/postgresql/15/main/conf.d/99_shithub_archive.conf",
        sourceline=1,
        pending_restart=False,
        reset_value=value,
    )
    return replace(row, **changes)


def settings(**values: str) -> SettingsFacts:
    """Archiving set up, with `values` instead where given."""
    defaults = {
        "archive_mode": "on",
        "archive_command": "/usr/local/bin/archive_command.sh %p %f",
        "archive_library": "",
        "archive_timeout": "60",
        "wal_level": "replica",
    }
    return SettingsFacts(tuple(setting(name, value) for name, value in (defaults | values).items()))


@cache
def _stored(first: int, last: int, lacking: frozenset[int]) -> tuple[Runs, StoredTimes]:
    """To be copied: a snapshot has two, and making them was two fifths of what it takes to make one."""
    runs, times = Runs(), StoredTimes()
    for number in range(first, last + 1):
        if number not in lacking:
            runs.add(number, number)
            times.note(1, number, NOW - 40 - 41.0 * (0x41 - number))
    return runs, times


def holding(first: int = 1, last: int = 0x41, *, without: Iterable[int] = (), **changes: Any) -> Holding:
    """Segments `first` to `last` of timeline 1 but those `without`: one every 41 s, 0x41 stored 40 s ago."""
    kept_runs, kept_times = _stored(first, last, frozenset(without))
    runs, times = kept_runs.copy(), kept_times.copy()
    newest = Segment(1, last)
    facts = Holding(
        place=Place(Layout.FLAT),
        prefix="",
        segment_bytes=SEGMENT,
        timelines={1: runs},
        times=times,
        stored_bytes=runs.count * SEGMENT,
        suffixes={"": runs.count},
        history_keys={},
        labels=(),
        partials=0,
        repeated=(),
        repeated_count=0,
        newest=newest,
        newest_key=newest.name(),
        last_key=newest.name(),
    )
    return replace(facts, **changes)


def bucket(role: BucketRole = BucketRole.PRIMARY, **changes: Any) -> BucketFacts:
    """Holds 0x01 to 0x41. The gaps' counts follow from `gaps` where they are not given."""
    dr = role is BucketRole.DR
    gaps = changes.get("gaps", ())
    held = holding()
    facts = BucketFacts(
        role=role,
        bucket="shithub-wal-dr" if dr else "shithub-wal",
        endpoint=f"https://{'sfo3' if dr else 'nyc3'}.digitaloceanspaces.com",
        key_hint="DO00AB…",
        objects=65,
        stored_bytes=65 * SEGMENT,
        segments=65,
        newest_segment="000000010000000000000041",
        newest_at=NOW - 40,
        oldest_segment="000000010000000000000001",
        gaps=(),
        histories=(),
        foreign_objects=0,
        complete=True,
        store_clock_offset_s=0.0,
        swept_at=NOW - 5,
        gap_count=len(gaps),
        missing_segments=sum(gap.segments for gap in gaps),
        segment_bytes=SEGMENT,
        layout=held.place.layout.value,
        newest_key=held.newest_key,
        holding=held,
        continuity=continuity(held.timelines, {}, SEGMENT),
        backup_labels=1,
        backups=(backup(),),
    )
    return replace(facts, **changes)


def backup(**changes: Any) -> BaseBackup:
    """A complete and verified one of ours, taken in segment 0x02, 43 minutes ago."""
    id = "20260921T133000Z"
    facts = BaseBackup(
        Writer.OURS,
        id,
        "base/",
        timeline=1,
        start_lsn=2 * SEGMENT + 40,
        stop_lsn=2 * SEGMENT + 312,
        stop_timeline=1,
        system_identifier=7412345678901234567,
        server_version_num=150018,
        segment_bytes=SEGMENT,
        started=NOW - 2600,
        stopped=NOW - 2580,
        stored_bytes=470 * MIB,
        unpacked_bytes=2240 * MIB,
        completeness=Completeness.COMPLETE,
        verified=True,
        keys=tuple(f"base/{id}/{name}" for name in ("backup.json", "backup_manifest", "base.tar.zst")),
    )
    return replace(facts, **changes)


def read(slot: Slot[T], value: T, at: float = NOW, source: str = "test") -> Reading[T]:
    """A reading that succeeded at `at`."""
    empty: Reading[T] = Reading(slot)
    return succeeded(empty, value, at, source, 1.0)


def broken(slot: AnySlot, why: str, code: str = "", previous: Any = None, at: float = NOW) -> Reading[Any]:
    """A reading that failed at `at`, after `previous` where given."""
    return failed(previous or Reading(slot), Problem(why, "", code), at, "test", 1.0)


def healthy(**facts: Any) -> Snapshot:
    """Everything read at NOW; a keyword names a slot and gives its value, or a whole Reading."""
    values: dict[str, Any] = {
        "link": link(),
        "host": host(),
        "wal_disk": wal_disk(),
        "files": ConfigFiles(()),
        "server": server(),
        "archiver": archiver(),
        "settings": settings(),
        "primary": bucket(),
        "dr": bucket(BucketRole.DR),
        "backup_sessions": BackupSessions(),
        "backup_script": BackupScript(),
    } | facts
    snapshot = Snapshot("shithub", began_at=NOW - 60, taken_at=NOW)
    for name, value in values.items():
        reading = value if isinstance(value, Reading) else read(getattr(Snapshot, name), value)
        snapshot = fold(snapshot, reading, NOW)
    return snapshot
