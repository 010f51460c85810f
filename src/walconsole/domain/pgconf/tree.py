"""The host's configuration files as they were read: bytes, directory listings, and why not."""

import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from walconsole.domain.records import record


class Obstacle(StrEnum):
    """Why a path could not be read, in the words that are shown."""

    MISSING = "no such file or directory"
    DENIED = "permission denied"
    LOOP = "too many levels of symbolic links"
    DIRECTORY = "is a directory"
    SPECIAL = "not a regular file"
    NOT_DIRECTORY = "not a directory"
    GONE = "vanished while it was read"
    TOO_MANY = "left unread: too many files"


class EntryKind(StrEnum):
    """What a directory's entry is, symbolic links followed."""

    FILE = "file"
    DIRECTORY = "directory"
    DANGLING = "dangling link"
    SPECIAL = "special file"


@record
class FileContent:
    """A path and what was read there: `raw`, or the `obstacle`.

    `cut` is True when the file is longer than what was read. `server_reads` is False when the
    server's own operating-system user may not read it, None when that was not found out.
    `link_target` is where a symbolic link leads in the end, `modified_at` when the file was last
    written by the host's clock.
    """

    path: str
    raw: bytes | None = None
    obstacle: Obstacle | None = None
    cut: bool = False
    link_target: str | None = None
    server_reads: bool | None = None
    modified_at: float | None = None


@record
class Listing:
    """A directory: its entries by name, or the `obstacle`."""

    path: str
    entries: Mapping[str, EntryKind] = field(default_factory=dict)
    obstacle: Obstacle | None = None


@record
class ConfigTree:
    """Every file and directory that was looked at, under the path by which the server opens it.

    `cut` says in one line what was left out, None when nothing was.
    """

    files: Mapping[str, FileContent]
    listings: Mapping[str, Listing] = field(default_factory=dict)
    cut: str | None = None

    def file(self, path: str) -> FileContent | None:
        """What was read at `path`; None when nobody looked."""
        return self.files.get(path)

    def listing(self, path: str) -> Listing | None:
        """The directory at `path`; None when nobody looked."""
        return self.listings.get(path)

    @property
    def torn(self) -> bool:
        """Whether a file went or came during the look: its folder lists it, and it was not there to be read.

        The server would take such a tree for one with an error in it, and it never read that one.
        """
        gone = (content.path for content in self.files.values() if content.obstacle in _WENT)
        return any(self._lists(path) for path in gone)

    def _lists(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        listing = self.listing(folder or "/")
        return listing is not None and listing.entries.get(name) is EntryKind.FILE


_WENT = frozenset({Obstacle.MISSING, Obstacle.GONE})


_SLASHES = re.compile("/+")

# -- Paths as PostgreSQL's src/port/path.c computes them: on the text, never asking the file system.


CANONICAL_SINCE = 15
"""Before it, canonicalize_path() left every `.` and `..` but the last ones to the file system (c10f830)."""


def canonical(path: str, major: int | None = None) -> str:
    """canonicalize_path() of that major version, None the newest: no `//`, no `.`, no `..` that has a parent.

    A server before 15 has only those at the end taken off: `/a/sub/../b` stays, and fails without a `sub`.
    """
    if major is not None and major < CANONICAL_SINCE:
        return _end_made_canonical(path)
    absolute = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part != ".." or not absolute:
            kept.append(part)
    return ("/" if absolute else "") + "/".join(kept) or "."


def _end_made_canonical(path: str) -> str:
    """canonicalize_path() of PostgreSQL 13 and 14: each `..` at the end takes a name before it away."""
    path = _SLASHES.sub("/", path)
    path = path.rstrip("/") or path[:1]
    pending = 0
    while path not in ("", ".", "/"):
        name = path.rpartition("/")[2]
        if name == "..":
            pending += 1
        elif pending and name != ".":
            pending -= 1
        elif name != ".":
            return path
        path = path.rpartition("/")[0] or ("/" if path.startswith("/") else "")
    return path if path == "/" else "/".join([".."] * pending) or "."


def parent(path: str) -> str:
    """The directory that holds `path`."""
    head = path.rstrip("/").rpartition("/")[0].rstrip("/")
    return head or "/"


def join(directory: str, name: str, major: int | None = None) -> str:
    """join_path_components(), made canonical as that major version does."""
    while name.startswith("./"):
        name = name[2:]
    return canonical(f"{directory}/{name}", major)


def located(
    location: str, calling_file: str | None, data_directory: str | None, major: int | None = None
) -> str:
    """AbsoluteConfigLocation(): an absolute location stays as it is written.

    A relative one counts from the folder of the including file, as that file was named (a symbolic
    link's folder, not its target's), or from the data directory where no file includes it.
    """
    if location.startswith("/"):
        return location
    return join(parent(calling_file) if calling_file else data_directory or "/", location, major)
