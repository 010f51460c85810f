"""Where an archive's folder lies: beside the data, in memory, in what goes with the server's unit."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import IN_MEMORY, folders_in_force
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import data_directory

_SYSTEMS_OWN = ("/dev/", "/run/", "/tmp/", "/var/run/", "/var/tmp/")  # noqa: S108  # names of mount points


def badly_placed(assessment: Assessment) -> Iterator[Finding]:
    """What is wrong with where each folder lies, while all works."""
    snapshot = assessment.snapshot
    for folder in folders_in_force(snapshot):
        if folder.beside_data and not folder.expected_mount:
            yield _beside(snapshot, folder)
        if _is_the_units(folder):
            yield _in_the_unit(snapshot, folder)
        elif folder.filesystem in IN_MEMORY and not folder.expected_mount:
            yield _in_memory(snapshot, folder)


_DISKS = Fix("see which disks there are", ("lsblk -o NAME,SIZE,FSTYPE,MOUNTPOINT", "findmnt --real"))


def _copied(snapshot: Snapshot) -> tuple[str, ...]:
    """What copies the archive's folders elsewhere, by cron's own account."""
    found = snapshot.discovery.value
    copied = found.copied if found is not None else ()
    return tuple(f"{line}; what came of it is read only where [profiles.NAME.dr] names it" for line in copied)


def _misplaced(
    snapshot: Snapshot, mode: str, severity: Severity, title: str, why: str, remedy: str, seen: str, fix: Fix
) -> Finding:
    """`seen` is what stat told of the folder."""
    return Finding(
        mode,
        severity,
        title,
        (why, *_copied(snapshot)),
        remedy,
        Snapshot.folders,
        "archive_command",
        proof=(
            Proof(seen, "stat on the droplet", snapshot.folders.read_at),
            *setting_row(snapshot, "archive_command"),
        ),
        fixes=(fix,),
    )


def _read_elsewhere(snapshot: Snapshot) -> str:
    """A copy that the command makes besides, elsewhere, and that was read; empty where there is none."""
    beside = {each.path for each in folders_in_force(snapshot) if each.beside_data}
    found = snapshot.discovery.value
    if found is None or all(copy.unread or copy.place in beside for copy in found.copies):
        return ""
    for reading in snapshot.copies:
        bucket = reading.value
        if bucket is None or reading.problem is not None or not bucket.objects:
            continue
        if bucket.bucket.rstrip("/") not in beside:
            return bucket.bucket
    return ""


def _beside(snapshot: Snapshot, folder: ArchiveFolder) -> Finding:
    other = _read_elsewhere(snapshot)
    if other:
        return _misplaced(
            snapshot,
            "folder-beside-data",
            Severity.NOTE,
            f"the archive's folder {folder.path} is on the data directory's file system",
            f"one lost disk takes both; {other} is a copy elsewhere, and is read",
            "nothing has to be done while the other copy is whole",
            f"{folder.path} and the data directory: one device",
            _DISKS,
        )
    return _misplaced(
        snapshot,
        "folder-beside-data",
        Severity.WARNING,
        f"the archive's folder {folder.path} is on the data directory's file system: it is no second place",
        f"both are on {folder.mount_point or 'one disk'} ({folder.filesystem}): one lost disk takes both",
        "archive to another disk or host, or have that folder copied to one",
        f"{folder.path} and the data directory: one device",
        _DISKS,
    )


def _in_memory(snapshot: Snapshot, folder: ArchiveFolder) -> Finding:
    """Of a mount that somebody made for it, it may be meant; what a system makes for itself is not."""
    own = any(f"{folder.mount_point}/".startswith(each) for each in _SYSTEMS_OWN)
    return _misplaced(
        snapshot,
        "folder-in-memory",
        Severity.WARNING if own else Severity.NOTE,
        f"the archive's folder {folder.path} is in memory: it is gone with the next boot",
        f"{folder.mount_point} is a {folder.filesystem} (/proc/mounts): nothing of it is on a disk",
        "archive to a disk, or to another host, and copy what lies there while it does",
        f"{folder.path} on {folder.mount_point} ({folder.filesystem})",
        _DISKS,
    )


_UNITS_OWN = ("/tmp/", "/var/tmp/")  # noqa: S108  # what PrivateTmp gives a unit of its own


def _is_the_units(folder: ArchiveFolder) -> bool:
    """Whether it is in a folder that systemd makes for the unit, and takes away with it (PrivateTmp)."""
    return folder.apart and not folder.why and folder.path.startswith(_UNITS_OWN)


def _in_the_unit(snapshot: Snapshot, folder: ArchiveFolder) -> Finding:
    there = f"/proc/$(head -n 1 {_postmaster_pid(snapshot)})/root{quote(folder.path)}"
    return _misplaced(
        snapshot,
        "folder-in-memory",
        Severity.CRITICAL,
        f"the archive's folder {folder.path} is in the server's own temporary folder: it is gone when the "
        "server's unit stops",
        "the server has file systems of its own (/proc/PID/ns/mnt), as PrivateTmp of a unit makes them",
        "copy what lies there to a disk before the server is stopped, and archive to another folder",
        f"{folder.path} on {folder.mount_point}, as the server sees it",
        Fix("see what lies there", (f"ls -l {there} | tail",)),
    )


def _postmaster_pid(snapshot: Snapshot) -> str:
    return quote(f"{data_directory(snapshot)}/postmaster.pid")


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "folder-in-memory",
        Page(
            title="the archive's folder is in memory",
            symptom="All works, until the host is booted: then the archive is empty.",
            cause=(
                "The folder lies on a tmpfs: /dev/shm, /run, on many systems /tmp. It was taken for its "
                "speed, or for a try, and stayed. Or it lies below /tmp, and the server's unit has "
                "`PrivateTmp`: systemd takes that /tmp away when the unit stops."
            ),
            signal=(
                "The type of its file system (/proc/mounts). A note where somebody mounted a tmpfs for it: "
                "then it may be meant. Or the server has a /tmp of its own (its mount namespace is another "
                "than the host's), and the folder lies in that."
            ),
            fix="Archive to a disk, and copy what lies there before the next boot.",
        ),
        look=badly_placed,
        explains=("archive-shrunk",),
    ),
    FailureMode(
        "folder-beside-data",
        Page(
            title="the archive is on the data directory's own file system",
            symptom="All works.",
            cause="A folder on the same disk survives a dropped table, and not a lost disk or droplet.",
            signal=(
                "The device of both (stat). It is a note where the command makes a copy elsewhere besides, "
                "and that one is read. What cron and timers copy from the folder is told with it, and not "
                "judged."
            ),
            fix="Archive to another disk or host, or have the folder copied to one.",
        ),
        look=badly_placed,
    ),
)
