"""pg_wal and the file system that it must not fill: PostgreSQL panics when it does."""

from collections.abc import Iterator

from walconsole.domain.snapshot import Slot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Late, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.units import bytes_text, duration_text

_HOUR_S, _DAY_S = 3600.0, 86400.0
_TIGHT_SHARE = 0.05


def filling(assessment: Assessment) -> Iterator[Finding]:
    """Free space against how fast it goes."""
    snapshot = assessment.snapshot
    disk, outlook = snapshot.wal_disk.value, assessment.outlook
    if disk is None:
        return
    full_in = outlook.full_in_s if outlook else None
    tight = disk.total_bytes > 0 and disk.free_bytes < disk.total_bytes * _TIGHT_SHARE
    if not tight and (full_in is None or full_in > _DAY_S):
        return
    urgent = full_in is not None and full_in < _HOUR_S
    in_time = f", full in {duration_text(full_in)}" if full_in is not None else ""
    yield Finding(
        "disk-filling",
        Severity.CRITICAL if urgent else Severity.WARNING,
        f"the file system of pg_wal has {bytes_text(disk.free_bytes)} left{in_time}",
        (
            f"{bytes_text(disk.free_bytes)} free of {bytes_text(disk.total_bytes)} on {disk.device} "
            f"({disk.directory})",
        ),
        "mend the archive or grow the disk; never delete from pg_wal by hand",
        Slot.WAL_DISK,
        proof=(
            Proof(
                f"{disk.directory}: {disk.free_bytes:,} of {disk.total_bytes:,} bytes free",
                f"df of {disk.device}",
                snapshot.wal_disk.read_at,
            ),
        ),
        fixes=(
            Fix(
                "find what fills it",
                ("df -h", "du -xh --max-depth=2 / | sort -h | tail", "SELECT * FROM pg_replication_slots;"),
                risk="never delete anything in pg_wal: the server cannot start without it",
            ),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "disk-filling",
        Page(
            title="the file system of pg_wal is filling up",
            symptom="pg_wal grows; at the end PostgreSQL stops with PANIC.",
            cause=(
                "Archiving fails or is too slow, a replication slot keeps WAL, or something else fills the "
                "disk."
            ),
            signal="Free bytes and their trend: the time that is left.",
            fix="Mend the archive: PostgreSQL frees the segments by itself. If time is short, grow the disk.",
            never=(
                "Never delete from pg_wal, and never delete .ready files: both lose WAL, the first the "
                "cluster."
            ),
            source="openlibrary#13549 (39 hours, 55,435 segments)",
        ),
        look=filling,
        risk=Risk.DISK,
        late=Late.DISK,
    ),
)
