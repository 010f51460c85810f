"""Segments that no restore finds: in the folder that a command falls back to, or not to be read."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.archivers.folders import restore_folders
from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import folder_at, folders_in_force
from walconsole.domain.standing.mode import PILING, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, setting_row
from walconsole.domain.standing.recovery import restoring
from walconsole.domain.standing.remedies import command_in_force, server_user
from walconsole.domain.units import plural


def split(assessment: Assessment) -> Iterator[Finding]:
    """What the archive lacks lies in another folder, which the command falls back to."""
    snapshot = assessment.snapshot
    primary, facts = snapshot.primary.value, snapshot.folders.value
    answer = assessment.agreement
    beside = answer.beside
    if beside is None or primary is None or facts is None:
        return
    count = answer.behind or 0
    lacking = f"lacks the last {plural(count, 'segment')}" if count > 1 else f"lacks {facts.segment}"
    command, own = restoring(snapshot)
    asked = own and beside.path in {each.rstrip("/") for each in restore_folders(command)}
    both = "restore_command asks both" if asked else "a restore that asks the first alone ends before them"
    where = primary.bucket
    yield Finding(
        "archive-split",
        Severity.CRITICAL if beside.beside_data else Severity.NOTE if asked else Severity.WARNING,
        f"{where} {lacking}: {'they lie' if count > 1 else 'it lies'} in {beside.path}, "
        "where the command stores what that folder does not take",
        (
            f"{facts.segment} lies in {beside.path} (stat on the droplet); {both}",
            *(["it is on the data directory's own file system: one lost disk takes both"]
              if beside.beside_data else []),
        ),
        f"see why {where} takes none, then copy into it what lies in {beside.path}; have a restore ask both",
        Snapshot.folders,
        "archive_command",
        proof=(
            Proof(
                f"{facts.segment} in {beside.path}, and not in {where}",
                "stat on the droplet",
                snapshot.folders.read_at,
            ),
            *archiver_row(snapshot),
            *setting_row(snapshot, "archive_command"),
        ),
        fixes=(
            Fix(
                "copy what the archive lacks from there, and overwrite nothing",
                (f"cp -np {quote(beside.path)}/0* {quote(folder_place(where)[1])}/",),
                risk="as the server's user, and once the folder takes segments again",
            ),
        ),
    )  # fmt: skip


def unreadable(assessment: Assessment) -> Iterator[Finding]:
    """The server's own user may not read what it archived: a restore by that user brings nothing back."""
    snapshot = assessment.snapshot
    primary = snapshot.primary.value
    if primary is None or not is_folder(primary.bucket):
        return
    folder = folder_at(snapshot, folder_place(primary.bucket)[1])
    if folder is None or folder not in folders_in_force(snapshot) or not folder.unreadable:
        return
    user, (command, own) = server_user(snapshot), restoring(snapshot)
    yield Finding(
        "archive-unreadable",
        Severity.WARNING if _meant_for(folder, user, command if own else "", snapshot) else Severity.NOTE,
        f"{user} may not read what is archived to {folder.path}: a restore by that user brings nothing back",
        (f"not to be read: {folder.unreadable}", "PostgreSQL runs restore_command as its own user"),
        f"let {user} read it: the mode that the archive command leaves (umask, chmod), or whose it is",
        Snapshot.folders,
        "archive_command",
        proof=(
            Proof(f"{folder.unreadable}", f"test -r as {user}", snapshot.folders.read_at),
            *setting_row(snapshot, "archive_command", "restore_command"),
        ),
        fixes=(
            Fix(
                "see whose the files are, and what made them so",
                (f"ls -l {quote(folder.path)} | tail -n 5", f"runuser -u {quote(user)} -- sh -c umask"),
            ),
        ),
        certainty=Certainty.PROVED,
    )


def _meant_for(folder: ArchiveFolder, user: str, command: str, snapshot: Snapshot) -> bool:
    """Whether that user is to read it: its own files, or a restore command that reads them without sudo.

    What another user keeps may be kept from the server on purpose.
    """
    if f"owner {user}," in folder.unreadable:
        return True
    named = folder.path.rstrip("/") in {each.rstrip("/") for each in restore_folders(command)}
    return named and "sudo" not in f"{command} {command_in_force(snapshot)}"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archive-split",
        Page(
            title="segments lie in a second folder, where the first one takes none",
            symptom="PostgreSQL counts them as archived; the archive's folder lacks them.",
            cause=(
                "The command falls back (`cp %p A/%f || cp %p B/%f`): while A is full, not mounted or not to "
                "be written, segments go to B. The archive is both together, and most restores ask A alone."
            ),
            signal=(
                "The newest archived segment is not in the archive's listing, and lies in another folder "
                "that the archive command names (stat). A note where restore_command asks both; CRITICAL "
                "where the second folder is on the data directory's file system."
            ),
            fix=(
                "Copy them into the archive once it takes segments again, and let the restore ask both:\n\n"
                "```\nrestore_command = 'cp A/%f %p || cp B/%f %p'\n```"
            ),
            never="Do not empty the second folder before the archive has what lies in it.",
        ),
        look=split,
        explains=("silent-loss", "gap", *PILING),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "archive-unreadable",
        Page(
            title="the server's user may not read what it archived",
            symptom="Nothing, until a recovery: `Permission denied` of the restore command.",
            cause=(
                "A umask or a chmod in the archive command, a copy as another user (sudo, ssh, NFS with "
                "root_squash), or an ACL."
            ),
            signal=(
                "`test -r` of the archive's newest file, as the server's own user. A note where the files "
                "are another user's, and no restore_command reads that folder without sudo: then it may be "
                "meant."
            ),
            fix="Let the server's user read it: `chmod u+r`, `umask 027`, or a group that both are in.",
        ),
        look=unreadable,
    ),
)
