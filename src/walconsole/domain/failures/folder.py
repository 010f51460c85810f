"""An archive in a folder: not mounted, gone, not writable, full."""

import re
from collections.abc import Iterator
from shlex import quote

from walconsole.domain.archivers.folders import archive_folders
from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import is_folder
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import folders_in_force
from walconsole.domain.standing.mode import PILING, REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, setting_row
from walconsole.domain.standing.remedies import command_in_force, ours_in_force, server_user
from walconsole.domain.units import bytes_text

_SCARCE_SEGMENTS, _SCARCE_SHARE = 16, 0.05
_SCARCE_INODES = 1000
_DEFAULT_SEGMENT = 16 << 20


def wrong_folder(assessment: Assessment) -> Iterator[Finding]:
    """What is wrong with each folder, the first cause alone: what is not mounted is not full, too."""
    for folder in folders_in_force(assessment.snapshot):
        found = (
            _not_mounted(assessment, folder)
            or _missing(assessment, folder)
            or _not_writable(assessment, folder)
            or _full(assessment, folder)
        )
        if found is not None:
            yield found


def _not_mounted(assessment: Assessment, folder: ArchiveFolder) -> Finding | None:
    if not folder.expected_mount:
        return None
    snapshot, point = assessment.snapshot, folder.expected_mount
    what = f"{folder.expected_source} ({folder.expected_type or 'its type is not said'})"
    where = "on the disk below it" if not folder.why else "nowhere"
    return Finding(
        "folder-not-mounted",
        Severity.CRITICAL,
        f"{point} is not mounted: what is archived to {folder.path} is stored {where}",
        (
            f"{what} belongs on {point} (/etc/fstab, or a unit of systemd); nothing is mounted there",
            *([f"{folder.path}: {folder.why}"] if folder.why else [_space_told(folder)]),
        ),
        "mount it, then copy what was archived meanwhile from below the mount point",
        Snapshot.folders,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(f"{point} {what}: in no line of /proc/mounts", "stat on the droplet", _at(snapshot)),
            *setting_row(snapshot, "archive_command"),
        ),
        fixes=(
            Fix("mount it", (f"mount {quote(point)}", f"findmnt -T {quote(folder.path)}")),
            Fix(
                "see what was stored below the mount point meanwhile",
                (
                    "d=$(mktemp -d)",
                    'mount --bind / "$d"',
                    f'ls -l "$d"{quote(folder.path)} | tail',
                    'umount "$d" && rmdir "$d"',
                ),
                risk="copy it into the archive before it is removed there: it may be nowhere else",
            ),
        ),
    )


def _missing(assessment: Assessment, folder: ArchiveFolder) -> Finding | None:
    if not folder.why:
        return None
    snapshot, user = assessment.snapshot, server_user(assessment.snapshot)
    gone, denied = "No such file" in folder.why, "Permission denied" in folder.why
    where = quote(folder.path)
    owned = f"; owner {folder.owner}, mode {folder.mode}" if folder.owner else ""
    looking = Fix("see who may enter it", (f"namei -l {where}", f"findmnt -T {where}"))
    fixes: tuple[Fix, ...]
    if any(each in folder.why for each in ("Stale", _UNANSWERED, _DEAD)):
        how, remedy, fixes = _lost_server(folder)
    elif "Not a directory" in folder.why and folder.path in archive_folders(command_in_force(snapshot)):
        how = "is a file: each segment is stored over the one before it, and only the last one is there"
        remedy = "have it name the segment, too (/%f), then take a base backup: what came before is gone"
        fixes = (Fix("see what it is", (f"ls -ld {where}",)),)
    elif gone:
        how, remedy = "is not there", "make it again, owned by the server's user"
        fixes = (Fix("make it again", (f"install -d -o {quote(user)} -g {quote(user)} -m 750 {where}",)),)
    elif denied and folder.owner:
        how = f"cannot be entered by {user}"
        remedy, fixes = _for_the_user(folder, user)
        fixes = (*fixes, looking)
    else:
        how = f"cannot be entered by {user}" if denied else "does not answer as a folder"
        remedy, fixes = "look at it and at the folders above it", (looking,)
    return Finding(
        "folder-not-writable" if denied else "folder-missing",
        Severity.CRITICAL,
        f"the archive's folder {folder.path} {how}",
        (
            f"{folder.path}: {folder.why} (as user {user}{owned})",
            *(
                [
                    "PostgreSQL counts no failure: it was taken away just now, or the command says yes "
                    "without it"
                ]
                if gone and not assessment.troubled and not assessment.has_failed
                else []
            ),
        ),
        remedy,
        Snapshot.folders,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(f"{folder.path}: {folder.why}{owned}", "stat on the droplet", _at(snapshot)),
            *archiver_row(snapshot),
        ),
        fixes=(*fixes, *_instead(snapshot)),
    )


_UNANSWERED, _DEAD = "did not answer", "Transport endpoint is not connected"
"""The second is ENOTCONN: of a mount by FUSE (rclone, sshfs, s3fs) whose program is gone (fuse(4))."""


def _lost_server(folder: ArchiveFolder) -> tuple[str, str, tuple[Fix, ...]]:
    """A network file system whose server is away, or has another folder there: nothing below it is touched,
    for whatever touches it waits.
    """
    point = quote(folder.mount_point or folder.path)
    seeing = Fix("see what is mounted there, and what the kernel says", ("cat /proc/mounts", "dmesg | tail"))
    if _UNANSWERED in folder.why:
        return "does not answer", "look at the server that it is mounted from, and at the network", (seeing,)
    risk = "what has files open there goes on with the old one until it ends"
    if _DEAD in folder.why:
        served = f" ({folder.filesystem})" if folder.filesystem else ""
        again = Fix(
            "take the dead mount away, and start what serves it",
            (f"umount -l {point}", "systemctl list-units --all '*mount*' 'rclone*' 's3fs*' 'sshfs*'"),
            risk=risk,
        )
        return (
            f"is a dead mount: the program that served it{served} has ended",
            "take the mount away, and start its program again (rclone mount, sshfs, s3fs: by its unit, which "
            "is to start it again by itself)",
            (again, seeing),
        )
    again = Fix("mount it anew", (f"umount -l {point}", f"mount {point}"), risk=risk)
    return "is stale: its server has another one there", "mount it anew", (again, seeing)


_SYSTEMS = (
    r"/(?:|bin|boot|dev|etc|home|home/[^/]+|lib|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr"
    r"|var|var/lib|var/log|var/tmp)/?"
)
"""Folders of no service's own (Filesystem Hierarchy Standard 3.0), or a person's: not to be given away."""


def _for_the_user(folder: ArchiveFolder, user: str) -> tuple[str, tuple[Fix, ...]]:
    """How the server's user may write there; no command gives away a folder of the system's or a person's."""
    if re.fullmatch(_SYSTEMS, folder.path):
        return f"archive into a folder of {user}'s own: {folder.path} must not be given to it", ()
    where = quote(folder.path)
    commands = (f"chown {quote(user)} {where}", f"chmod u+rwx {where}")
    return "give it to the server's user", (Fix("let the server's user write there", commands),)


def _instead(snapshot: Snapshot) -> tuple[Fix, ...]:
    """Our command, where the profile's archive is a store that is read: nothing is set up in a folder."""
    stores = [copy.value for copy in snapshot.copies if copy.value is not None]
    if not stores or any(is_folder(copy.bucket) for copy in stores):
        return ()
    return ours_in_force(snapshot, "which writes to the profile's store")


def _not_writable(assessment: Assessment, folder: ArchiveFolder) -> Finding | None:
    if folder.writable is not False:
        return None
    snapshot, user = assessment.snapshot, server_user(assessment.snapshot)
    how = "is mounted read-only" if folder.read_only else f"may not be written to by {user}"
    remedy, fixes = _for_the_user(folder, user)
    if folder.writable_here:
        how = f"may not be written to by the server, whose unit keeps it from that: {user} itself may"
        remedy = "allow it in the server's unit: ReadWritePaths, then restart the server"
        fixes = (Fix("see what the unit forbids, and allow that folder", _allowing(folder)),)
    elif not folder.read_only and _allowed_by_mode(folder, user):
        how = f"may not be written to by {user}, whose it is: neither owner nor mode is the cause"
        remedy = "take away what bars it: an attribute (chattr +i), an ACL's mask, SELinux or AppArmor"
        where = quote(folder.path)
        fixes = (Fix("see what bars it", (f"lsattr -d {where}", f"getfacl {where}", f"ls -ldZ {where}")),)
    elif folder.read_only:
        remedy = "mount it for writing: dmesg tells why it is not"
        command = f"mount -o remount,rw {quote(folder.mount_point)}"
        risk = "a file system that turned itself read-only has errors: see dmesg first"
        fixes = (Fix("mount it for writing", (command,), risk=risk),)
    return Finding(
        "folder-not-writable",
        Severity.CRITICAL,
        f"the archive's folder {folder.path} {how}",
        (f"owner {folder.owner}, mode {folder.mode}, on {folder.mount_point} ({folder.filesystem})",),
        remedy,
        Snapshot.folders,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(
                f"{folder.path}: {folder.owner} {folder.mode}{' ro' if folder.read_only else ''}",
                f"test -w as {user}",
                _at(snapshot),
            ),
            *archiver_row(snapshot),
        ),
        fixes=(*fixes, *_instead(snapshot)),
    )


_WRITES = 0o300


def _allowed_by_mode(folder: ArchiveFolder, user: str) -> bool:
    """Whether it is that user's own, who may write there by its mode."""
    mode = int(folder.mode, 8) if re.fullmatch(r"[0-7]{3,4}", folder.mode) else 0
    return folder.owner.partition(":")[0] == user and mode & _WRITES == _WRITES


def _full(assessment: Assessment, folder: ArchiveFolder) -> Finding | None:
    snapshot, free, inodes = assessment.snapshot, folder.free_bytes, folder.free_inodes
    if free is None:
        return None
    server = snapshot.server.value
    segment = server.segment_bytes if server is not None else _DEFAULT_SEGMENT
    none_left = free < segment or inodes == 0
    scarce = (
        free < segment * _SCARCE_SEGMENTS
        or free < (folder.total_bytes or 0) * _SCARCE_SHARE
        or (inodes is not None and inodes < _SCARCE_INODES)
    )
    if not none_left and not scarce:
        return None
    where = quote(folder.path)
    return Finding(
        "folder-full",
        Severity.CRITICAL if none_left else Severity.WARNING,
        f"the archive's folder {folder.path} has "
        f"{'no room for another segment' if none_left else 'little room'}: {_space_told(folder)}",
        (f"{folder.mount_point} ({folder.filesystem}); a segment is {bytes_text(segment)}",),
        "make room on that file system, or grow it; of the archive delete only what no base backup needs",
        Snapshot.folders,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(
                f"{folder.path}: {free:,} bytes and {'n/a' if inodes is None else f'{inodes:,}'} inodes free",
                "stat -f on the droplet",
                _at(snapshot),
            ),
            *log_lines(snapshot, assessment.newest_words[-2:]),
        ),
        fixes=(
            Fix(
                "see what fills it",
                (f"df -h {where}", f"df -i {where}", f"du -xh --max-depth=2 {where} | sort -h | tail"),
                risk="a segment that a base backup needs is needed for every restore from it",
            ),
        ),
    )


def _allowing(folder: ArchiveFolder) -> tuple[str, ...]:
    """What of a unit bars a folder (systemd.exec(5), Sandboxing), and how one folder is let in."""
    return (
        "systemctl show 'postgresql*' -p ReadOnlyPaths -p ReadWritePaths -p ProtectSystem -p ProtectHome",
        f"systemctl edit postgresql@.service  # [Service] ReadWritePaths={quote(folder.path)}",
    )


def _space_told(folder: ArchiveFolder) -> str:
    free = "n/a" if folder.free_bytes is None else bytes_text(folder.free_bytes)
    inodes = "" if folder.free_inodes is None else f" and {folder.free_inodes:,} inodes"
    return f"{free}{inodes} free"


def _at(snapshot: Snapshot) -> float | None:
    return snapshot.folders.read_at


_FOLLOWS = (*REFUSED, *PILING)

MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "folder-not-mounted",
        Page(
            title="the archive's folder is a mount point, and nothing is mounted there",
            symptom=(
                "Archiving fails; or it works, the archive has lost what it held, and the root disk fills."
            ),
            cause=(
                "A network file system or a disk that did not come back after a reboot. A folder that is "
                "left below the mount point takes the segments in its place."
            ),
            signal=(
                "/etc/fstab, or a mount unit in /etc/systemd/system, names a mount point at or above the "
                "folder, and /proc/mounts has none there."
            ),
            fix=(
                "Mount it. Then look below the mount point: what was archived meanwhile lies there.\n\n"
                "```\nmount /mnt/wal\nfindmnt -T /mnt/wal\n```"
            ),
            never="Do not delete what lies below the mount point before it was copied into the archive.",
        ),
        look=wrong_folder,
        explains=(
            *_FOLLOWS,
            "archive-shrunk",
            "gap",
            "folder-missing",
            "folder-full",
            "no-base-backup",
            "disk-full",
        ),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "folder-missing",
        Page(
            title="the archive's folder is not there",
            symptom="`cannot create regular file …: No such file or directory` in the log; archiving fails.",
            cause=(
                "It was removed or renamed, or its file system is mounted elsewhere, or not any more; or the "
                "program that serves the mount (rclone mount, sshfs, s3fs) has ended."
            ),
            signal="stat on the droplet, as the server's own user.",
            fix=(
                "Make it again, owned by the server's user. What it held is lost unless it was only renamed: "
                "take a base backup.\n\n```\ninstall -d -o postgres -g postgres -m 750 /mnt/wal\n```"
            ),
        ),
        look=wrong_folder,
        explains=(*_FOLLOWS, "archive-shrunk", "gap", "no-base-backup", "permission"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "folder-not-writable",
        Page(
            title="the server's user may not write to the archive's folder",
            symptom="`Permission denied` or `Read-only file system` in the log; archiving fails.",
            cause=(
                "Its owner or mode was changed, a folder above it may not be entered, an NFS server maps the "
                "user to another, or the file system is mounted read-only."
            ),
            signal="`test -w`, as the server's own user; the options in /proc/mounts.",
            fix="```\nchown postgres /mnt/wal\nchmod u+rwx /mnt/wal\n```\n\nor, read-only:\n\n"
            "```\ndmesg | tail\nmount -o remount,rw /mnt/wal\n```",
        ),
        look=wrong_folder,
        explains=(*_FOLLOWS, "permission"),
        risk=Risk.STOPPED,
    ),
    FailureMode(
        "folder-full",
        Page(
            title="the archive's folder has no room",
            symptom="`No space left on device` or `Disk quota exceeded`; archiving fails, or will.",
            cause="Nothing deletes old base backups and WAL there, or something else fills its file system.",
            signal="Free bytes and inodes of its file system (statfs), against the size of a segment.",
            fix="```\ndf -h /mnt/wal; df -i /mnt/wal\ndu -xh --max-depth=2 /mnt/wal | sort -h | tail\n```",
            never="Delete no segment that a base backup needs, and nothing in pg_wal.",
        ),
        look=wrong_folder,
        explains=(*_FOLLOWS, "disk-full", "damaged-object", "torn-copy", "archiver-crash-loop"),
        risk=Risk.STOPPED,
    ),
)
