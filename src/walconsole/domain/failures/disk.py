"""pg_wal and the file system that it must not fill: PostgreSQL panics when it does."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import IN_MEMORY
from walconsole.domain.standing.mode import FailureMode, Late, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.trends import DiskOutlook
from walconsole.domain.units import bytes_text, plural
from walconsole.domain.wal import archiver_tries

_DAY_S = 86400.0
_TIGHT_SHARE = 0.05


def read_only(assessment: Assessment) -> Iterator[Finding]:
    """A disk that fails has the kernel mount it so: nothing can be written, and PostgreSQL panics."""
    disk, reading = assessment.snapshot.wal_disk.value, assessment.snapshot.wal_disk
    if disk is None or not disk.read_only or reading.problem is not None:
        return
    yield Finding(
        "disk-read-only",
        Severity.CRITICAL,
        f"the file system of pg_wal is mounted READ-ONLY ({disk.device}): nothing can be written",
        (
            f"{disk.directory} on {disk.device} ({disk.filesystem}): ro (/proc/mounts)",
            "the kernel does so by itself where a disk or a file system fails (errors=remount-ro)",
        ),
        "look at the kernel's log first: a disk that fails is copied before anything is tried on it",
        Snapshot.wal_disk,
        proof=(Proof(f"{disk.directory}: ro", "/proc/mounts", reading.read_at),),
        fixes=(
            Fix("see why", ("dmesg -T | tail -n 50", f"findmnt -T {quote(disk.directory)}")),
            Fix(
                "where the file system is sound (fsck), mount it to be written again, and start PostgreSQL",
                (f'mount -o remount,rw "$(findmnt -no TARGET -T {quote(disk.directory)})"',),
                risk="on a disk that fails it makes worse what could be copied yet",
            ),
        ),
    )


def wal_in_memory(assessment: Assessment) -> Iterator[Finding]:
    """pg_wal on a tmpfs beside data on a disk; a whole cluster in memory is meant to go with the boot."""
    disk, reading = assessment.snapshot.wal_disk.value, assessment.snapshot.wal_disk
    if disk is None or disk.filesystem not in IN_MEMORY or not disk.data_filesystem:
        return
    if disk.data_filesystem in IN_MEMORY:
        return
    yield Finding(
        "wal-in-memory",
        Severity.WARNING,
        "pg_wal is in memory: after a boot or a crash of the host PostgreSQL does not start",
        (
            f"{disk.directory} is a {disk.filesystem}, the data directory a {disk.data_filesystem} (df)",
            "what crash recovery needs is gone then, with all that was written and not archived yet",
        ),
        "stop PostgreSQL, move what is in pg_wal to a disk and mount nothing over it, and start it again",
        Snapshot.wal_disk,
        proof=(Proof(f"{disk.directory}: {disk.filesystem}", "df", reading.read_at),),
        fixes=(
            Fix(
                "see where it is mounted",
                (f"findmnt -T {quote(disk.directory)}", "grep -n tmpfs /etc/fstab"),
            ),
        ),
    )


def filling(assessment: Assessment) -> Iterator[Finding]:
    """Free space against how fast it goes."""
    snapshot = assessment.snapshot
    disk, outlook = snapshot.wal_disk.value, assessment.outlook
    if disk is None:
        return
    full_in = outlook.full_in_s if outlook else None
    tight = disk.total_bytes > 0 and disk.free_bytes < disk.total_bytes * _TIGHT_SHARE
    urgent = outlook is not None and outlook.urgent
    if not tight and not urgent and (full_in is None or full_in > _DAY_S):
        return
    in_time = f", full in {outlook.full_in_text}" if outlook is not None and full_in is not None else ""
    yield Finding(
        "disk-filling",
        Severity.CRITICAL if urgent else Severity.WARNING,
        f"the file system of pg_wal has {bytes_text(disk.free_bytes)} left{in_time}",
        (
            f"{bytes_text(disk.free_bytes)} free of {bytes_text(disk.total_bytes)} on {disk.device} "
            f"({disk.directory})",
        ),
        "mend the archive or grow the disk; never delete from pg_wal by hand",
        Snapshot.wal_disk,
        proof=(
            Proof(
                f"{disk.directory}: {disk.free_bytes:,} of {disk.total_bytes:,} bytes free",
                f"df of {disk.device}",
                snapshot.wal_disk.read_at,
            ),
            *_shares(outlook, snapshot.wal_disk.read_at),
        ),
        fixes=(
            Fix(
                "find what fills it",
                ("df -h", "du -xh --max-depth=2 / | sort -h | tail", "SELECT * FROM pg_replication_slots;"),
                risk="never delete anything in pg_wal: the server cannot start without it",
            ),
        ),
    )


def _shares(outlook: DiskOutlook | None, at: float | None) -> Iterator[Proof]:
    """Whose growth it is: pg_wal's own, or everything else's."""
    if outlook is None or outlook.free_change_bytes_per_s is None or outlook.wal_change_bytes_per_s is None:
        return
    wal = outlook.wal_change_bytes_per_s
    others = -outlook.free_change_bytes_per_s - wal
    yield Proof(
        f"pg_wal grows by {bytes_text(round(60 * wal))} a minute, "
        f"all else on its file system by {bytes_text(round(60 * others))}",
        "df and the listing of pg_wal, over the last minutes",
        at,
    )


def strange_files(assessment: Assessment) -> Iterator[Finding]:
    """Another program's files in archive_status: they are no WAL and wait for nobody."""
    disk = assessment.snapshot.wal_disk.value
    if disk is None or not disk.strange_count:
        return
    tried = [name for name in disk.strangers if archiver_tries(name)]
    yield Finding(
        "strange-status-files",
        Severity.NOTE,
        f"{plural(disk.strange_count, 'file')} in archive_status "
        f"{'is' if disk.strange_count == 1 else 'are'} none of PostgreSQL's",
        (
            f"{', '.join(disk.strangers)}{' …' if disk.strange_count > len(disk.strangers) else ''} "
            f"({disk.directory}/archive_status); not counted as waiting",
            *(f"the archiver tries {name} all the same: its name has a WAL file's letters" for name in tried),
        ),
        "find out which program writes there, and have it stop; take away only what is certainly its own",
        Snapshot.wal_disk,
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "wal-in-memory",
        Page(
            title="pg_wal is in memory",
            symptom=(
                "Writes are fast, and all is well, until the host boots or crashes: `could not locate a "
                "valid checkpoint record`, and the server does not start."
            ),
            cause="pg_wal is a tmpfs, or a link to /dev/shm: somebody wanted commits to be fast.",
            signal=(
                "The types of the two file systems (`df -T`): pg_wal's is in memory, the data directory's is "
                "not. Where both are, the cluster is meant to be gone with the boot, and nothing is said."
            ),
            fix=(
                "Move it to a disk while the server is stopped cleanly. `synchronous_commit = off` makes "
                "commits as fast, and loses less.\n\n"
                "```\n"
                "systemctl stop postgresql\n"
                "cp -a DATA_DIRECTORY/pg_wal/. /var/lib/postgresql/pg_wal.kept/\n"
                "```"
            ),
            never="Do not unmount it before its files were copied: a stopped cluster needs them, too.",
            source="PostgreSQL's documentation, 28.6 WAL Internals",
        ),
        look=wal_in_memory,
        risk=Risk.DISK,
    ),
    FailureMode(
        "disk-read-only",
        Page(
            title="the file system of pg_wal is read-only",
            symptom=(
                'PostgreSQL ends with `PANIC: could not open file "pg_wal/…": Read-only file system`, '
                "starts, and ends again; nobody is let in."
            ),
            cause=(
                "The kernel mounted it so, for the disk or the file system failed; a volume was attached "
                "read-only; or an /etc/fstab was changed."
            ),
            signal="The options of the mount that pg_wal lies in (/proc/mounts), once a minute.",
            fix=(
                "Read the kernel's log. Copy what there is from a disk that fails, then recover from the "
                "archive on another one. Where it is sound, mount it to be written, and start PostgreSQL.\n\n"
                "```\ndmesg -T | tail -n 50\nfindmnt -T /var/lib/postgresql\n```"
            ),
            never="Do not run pg_resetwal, and no fsck that repairs before there is a copy.",
        ),
        look=read_only,
        explains=(
            "postgres-unreachable",
            "failing",
            "stalled",
            "archiver-crash-loop",
            "permission",
            "never-archived",
        ),
    ),
    FailureMode(
        "disk-filling",
        Page(
            title="the file system of pg_wal is filling up",
            symptom="pg_wal grows; at the end PostgreSQL stops with PANIC.",
            cause=(
                "Archiving fails or is too slow, a replication slot keeps WAL, or something else fills the "
                "disk."
            ),
            signal=(
                "Free bytes and their trend: the time that is left, as a range where it is not certain. "
                "It is critical where that is within the hour and has gone on for two minutes, or for a "
                "quarter of what is left; or where not even two segments have room. pg_wal's own growth is "
                "told apart: without a backlog or a slot it ends at max_wal_size."
            ),
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
    FailureMode(
        "strange-status-files",
        Page(
            title="files in archive_status that are none of PostgreSQL's",
            symptom="pg_wal/archive_status holds files that are named like no WAL file's .ready or .done.",
            cause="Another program writes there: a backup tool, a script, an editor, a hand.",
            signal=(
                "A name that is no segment, .partial, .backup or .history with .ready or .done. It counts as "
                "nothing; three of the names are told."
            ),
            fix="Find out which program writes there, and have it stop. Then take its own files away.",
            never="Never take a file away of which it is not certain that PostgreSQL did not make it.",
            source="postmaster/pgarch.c: what the archiver takes for a name",
        ),
        look=strange_files,
    ),
)
