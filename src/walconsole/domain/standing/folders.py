"""An archive that lies in folders: which they are, and which one a copy is."""

from dataclasses import replace
from shlex import quote

from walconsole.domain.archivers.folders import archive_folders, folders_elsewhere
from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Finding
from walconsole.domain.standing.remedies import command_in_force

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems that are gone with the boot."""
_WORDS = (
    ("S3 LIST", "find"),
    ("S3 GET", "read over SSH"),
    ("the primary bucket", "the archive's folder"),
    ("The primary bucket", "The archive's folder"),
    ("the bucket", "the folder"),
    ("in bucket ", "in "),
)
"""What is said of a bucket, as it is said of a folder."""


def worded(finding: Finding, snapshot: Snapshot) -> Finding:
    """The same in a folder's words, where the primary copy is one."""
    primary = snapshot.primary.value
    if primary is None or not is_folder(primary.bucket):
        return finding
    proof = (replace(each, source=folder_words(each.source)) for each in finding.proof)
    return replace(
        finding,
        title=folder_words(finding.title),
        evidence=tuple(map(folder_words, finding.evidence)),
        remedy=folder_words(finding.remedy),
        proof=tuple(proof),
    )


def folder_words(text: str) -> str:
    """A sentence about a bucket as one about a folder."""
    for said, meant in _WORDS:
        text = text.replace(said, meant)
    return text


def folders_in_force(snapshot: Snapshot) -> tuple[ArchiveFolder, ...]:
    """What is known of the folders that are archived to now: not of those that only a command before named.

    The settings are read more often than the folders are looked at.
    """
    facts, settings = snapshot.folders.value, snapshot.settings.value
    if facts is None:
        return ()
    command = settings.value("archive_command") if settings is not None else None
    if command is None or facts.named_by in ("", safe(command)):
        return facts.folders
    named = {path.rstrip("/") for path in archive_folders(command)}
    copies = {folder_place(copy.value.bucket)[1] for copy in snapshot.copies if copy.value is not None}
    return tuple(
        each
        for each in facts.folders
        if each.path.rstrip("/") in named | copies | _named_by_scripts(snapshot)
    )


def _named_by_scripts(snapshot: Snapshot) -> set[str]:
    """Folders that the command in force archives to by what its scripts say: those of a copy that cannot be
    read are named there alone.
    """
    found = snapshot.discovery.value
    if found is None or found.judged != safe(command_in_force(snapshot)):
        return set()
    return {each.place.rstrip("/") for each in found.copies if each.place.startswith("/") and not each.unread}


def is_in_folders(snapshot: Snapshot) -> bool:
    """Whether the archive command, or a copy that is read, is a folder, on the droplet or elsewhere."""
    copies = (reading.value for reading in snapshot.copies)
    if any(copy is not None and is_folder(copy.bucket) for copy in copies):
        return True
    command = command_in_force(snapshot)
    return bool(archive_folders(command) or folders_elsewhere(command))


def object_path(place: str, key: str) -> str:
    """An object of a folder as one types its path: quoted."""
    return quote(f"{folder_place(place)[1].rstrip('/')}/{key}")


def folder_at(snapshot: Snapshot, place: str) -> ArchiveFolder | None:
    """What is known of the folder of that path."""
    facts = snapshot.folders.value
    folders = facts.folders if facts is not None else ()
    return next((each for each in folders if each.path == place), None)
