"""The folders that are archived to: which they are, and what their file systems say of them."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from walconsole.domain.archive.layouts import segment_suffix, split_key
from walconsole.domain.archivers.folders import (
    archive_folders,
    folders_elsewhere,
    receiver_folder,
    restore_folders,
)
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import Profile, is_folder
from walconsole.domain.redaction import decode, safe
from walconsole.domain.standing.recovery import restoring
from walconsole.domain.standing.streaming import streamed_to
from walconsole.domain.wal import WalNameKind, wal_name
from walconsole.errors import ShellError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows
from walconsole.observe.host.invocation import as_user
from walconsole.observe.poller.probe import Fact
from walconsole.ports import Clock, Shell

SOURCE = "stat of the archive's folder"
SCRIPT_S = 30.0
MOST_FOLDERS = 8
_MOST_TAKEN_FROM = 4
_NO_USER = 125
"""invocation.as_user: nobody of that name, or one may not become that user."""


class FolderProbe:
    """Fills FOLDERS, with the profile's and those that the archive command, its script or library name, and
    those that restore_command does.

    `shell` should be its own: a network file system that does not answer blocks it.
    """

    name = SOURCE
    slots = (Snapshot.folders,)
    cadence_s = 5.0
    timeout_s = 40.0

    def __init__(
        self,
        shell: Shell,
        host: HostProbe,
        clock: Clock,
        profile: Profile,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._shell, self._host, self._clock, self._profile = shell, host, clock, profile
        self._snapshot = snapshot
        self._received: tuple[str, ...] = ()

    async def take(self) -> Sequence[Fact]:
        """Nothing before the settings were asked for; without an answer, the folders known otherwise.

        Raises errors.SshError, errors.ShellError.
        """
        snapshot = self._snapshot()
        settings, command = snapshot.settings.value, snapshot.command.value
        if settings is None and snapshot.settings.problem is None:
            return ()
        text = (settings.value("archive_command") if settings is not None else None) or ""
        words = f"{text}\n{command.script if command is not None else ''}"
        library = (settings.value("basic_archive.archive_directory") if settings is not None else None) or ""
        named = [each.folder for each in self._profile.buckets if each.folder and not each.folder_host]
        paths = [*named, *archive_folders(words), *([library] if library else []), *self._received]
        wanted = tuple(dict.fromkeys(path.rstrip("/") or "/" for path in paths))[:MOST_FOLDERS]
        taken = restore_folders(restoring(snapshot)[0])[:_MOST_TAKEN_FROM]
        facts = FolderFacts()
        if wanted or streamed_to(snapshot):  # where there is nothing to look at, no shell is opened
            facts, received = await self._look(wanted, taken)
            new = [path for path in received if path not in wanted]
            self._received = received
            if new:
                facts, _ = await self._look((*wanted, *new)[:MOST_FOLDERS], taken)
        facts = replace(facts, elsewhere=folders_elsewhere(words), named_by=safe(text))
        return [Fact(Snapshot.folders, facts, self._clock.now(), SOURCE)]

    async def _look(
        self, folders: Sequence[str], taken: Sequence[str]
    ) -> tuple[FolderFacts, tuple[str, ...]]:
        token = secrets.token_hex(8)
        observed = self._host.observed
        data = observed.path if observed is not None else b""
        assigned = (
            ("token", token.encode()),
            ("folders", "\n".join((*folders, *taken)).encode("utf-8", "surrogateescape")),
            ("data", data),
            ("root", self._profile.paths.root.encode()),
            ("postmaster", b"%d" % observed.pid if observed is not None and observed.pid else b""),
            *_sought(self._snapshot()),
        )
        script = "".join(assignment(name, raw) for name, raw in assigned) + script_that_follows("folder.sh")
        user = (observed.facts.owner if observed is not None else "") or self._profile.postgres.os_user
        answer = await self._shell.run(as_user(user, script), timeout_s=SCRIPT_S)
        missing: tuple[str, ...] = ()
        if answer.status == _NO_USER:
            missing = (f"whether user {user} may write there: it could not be asked as that user",)
            answer = await self._shell.run(f"({script})", timeout_s=SCRIPT_S)
        try:
            records = all_records(answer.stdout, token)
        except ShellError:
            why = safe(decode(answer.stdout[-200:])).strip() or f"exit status {answer.status}"
            raise ShellError("looking at the archive's folder", why, "is /bin/sh a POSIX shell?") from None
        found = tuple(
            replace(each, writable=None, unreadable="") if missing else each for each in read_folders(records)
        )
        received = (receiver_folder(decode(value).split("\n")) for key, value in records if key == "receiver")
        sought = next(value for name, value in assigned if name == "segment").decode()
        facts = FolderFacts(
            found[: len(folders)], missing=missing, taken_from=found[len(folders) :], segment=sought
        )
        return facts, tuple(path for path in received if path)


def _sought(snapshot: Snapshot) -> tuple[tuple[str, bytes], ...]:
    """What is looked for in each folder: the newest archived segment, and the archive's newest file."""
    archiver, server, primary = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    name = archiver.last_archived_wal if archiver is not None else None
    claimed = wal_name(name, server.segment_bytes) if server is not None else None
    segment = name if claimed is not None and claimed.kind is WalNameKind.SEGMENT and name else ""
    newest = (primary.newest_key or "") if primary is not None and is_folder(primary.bucket) else ""
    suffix = (segment_suffix(split_key(newest)[1]) or "") if newest else ""
    return (
        ("segment", segment.encode()),
        ("suffix", suffix.encode("utf-8", "surrogateescape")),
        ("newest", newest.encode("utf-8", "surrogateescape")),
    )


def read_folders(records: Sequence[tuple[str, bytes]]) -> list[ArchiveFolder]:
    """The folders of the script's answer, in its order."""
    found: list[ArchiveFolder] = []
    device = ""
    for key, value in records:
        text = safe(decode(value)).strip()
        if key == "folder":
            device = ""
            found.append(ArchiveFolder(text))
        elif key.startswith("folder.") and found:
            if key == "folder.stat":
                device = text.rpartition(" ")[2]
            found[-1] = _with(found[-1], key, decode(value).strip(), device)
    return found


def _with(folder: ArchiveFolder, key: str, text: str, device: str) -> ArchiveFolder:
    match key:
        case "folder.why":
            return replace(folder, why=safe(text.rpartition(": ")[2] or text))
        case "folder.expected":
            point, source, kind = (_unescaped(part) for part in (*text.split("\t"), "", "")[:3])
            return replace(
                folder, expected_mount=safe(point), expected_source=safe(source), expected_type=safe(kind)
            )
        case "folder.above":
            point, kind = (_unescaped(part) for part in (*text.split("\t"), "", "")[:2])
            return replace(folder, mount_point=safe(point), filesystem=safe(kind))
        case "folder.stat":
            owner, mode, inode, _ = (*text.split(), "", "", "", "")[:4]
            identity = f"{device}:{inode}" if inode.isdigit() else ""
            return replace(folder, owner=safe(owner), mode=safe(mode), identity=identity)
        case "folder.space":
            return _spacious(folder, text)
        case "folder.point":
            return replace(folder, mount_point=safe(text))
        case "folder.data":
            return replace(folder, beside_data=text == device if text else None)
    return _by_access(folder, key, text)


def _by_access(folder: ArchiveFolder, key: str, text: str) -> ArchiveFolder:
    match key:
        case "folder.options":
            return replace(folder, read_only="ro" in text.split(","))
        case "folder.apart":
            return replace(folder, apart=True, writable_here=text == "writable")
        case "folder.writable":
            return replace(folder, writable=text == "1")
        case "folder.holds":
            return replace(folder, holds=text == "1")
        case "folder.unreadable":
            return replace(folder, unreadable=safe(text))
    return folder


def _unescaped(text: str) -> str:
    """As fstab(5) writes spaces, tabs and backslashes."""
    return re.sub(r"\\(0(?:40|11|12)|134)", lambda found: chr(int(found[1], 8)), text)


_SPACE = re.compile(r"(\d{1,12}) (\d{1,19}) (\d{1,19}) (\d{1,19}) (\d{1,19}) (\S{1,40})")


def _spacious(folder: ArchiveFolder, text: str) -> ArchiveFolder:
    """Block size, blocks, those that a user may take, inodes, free ones, the file system's type (stat -f)."""
    told = _SPACE.fullmatch(text)
    if told is None:
        return folder
    block, blocks, free, inodes, free_inodes = (int(part) for part in told.groups()[:5])
    return replace(
        folder,
        filesystem=safe(told[6]),
        total_bytes=block * blocks,
        free_bytes=block * free,
        free_inodes=free_inodes if inodes else None,
    )
