"""What was read of a host so far, asked for piece by piece: what is not there yet is noted as wanted.

A tool's module asks for the files that it needs and goes on as if an unread one were missing. Whoever drives
it reads what is `wanted` and asks again: nothing here reads anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from walconsole.domain.archivers.expansion import UNKNOWN, Environment, opened, shown
from walconsole.domain.archivers.target import Found
from walconsole.domain.records import record

MOST_ROUNDS = 3
"""So often something is read: the command's files, what those name, and what those name."""


@record
class FileText:
    """A file as the server's user finds it. `problem` says why it could not be read; `cut`: more follows."""

    path: str
    text: str = field(default="", repr=False)
    problem: str = ""
    cut: bool = False

    def line_of(self, start: int) -> str:
        """`PATH line N` for a place in the text."""
        return f"{self.path} line {self.text.count(chr(10), 0, start) + 1}"


@record
class ProgramFile:
    """A program as PATH gives it: `path` empty where it is not found, `script` its text if that is one."""

    path: str
    script: FileText | None = None


@record
class Seen:
    """All that was read. `environ` is the postmaster's, `home` the server's user's by passwd.

    `environ_from` says where the environment was read, or why it was not.
    """

    user: str = "postgres"
    home: str = "/var/lib/postgresql"
    data: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ_from: str = "the server's environment"
    files: Mapping[str, FileText] = field(default_factory=dict)
    """By path; one that is not there has an empty text and the problem ABSENT."""
    folders: Mapping[str, tuple[FileText, ...]] = field(default_factory=dict)
    programs: Mapping[str, ProgramFile] = field(default_factory=dict)
    port: int = 0
    """The server's, 0 where it is not known."""
    receivers: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    """The words of each pg_receivewal that runs on the host."""
    sh: str = ""
    """The program that `/bin/sh` is there (`dash`, `bash`), empty where that is not known."""


ABSENT = "not there"
_EMPTY = "/dev/null"
"""Named as a configuration it is one with nothing in it."""


@dataclass(slots=True)
class Wanted:
    """What is to be read next; paths are absolute, programs as they are called."""

    files: dict[str, None] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    programs: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.programs)


class Look:
    """Asks `seen`, and notes in `wanted` what it lacks and in `notes` what could not be read.

    `command` is the archive command that all begins with, empty where there is none. `cut` are files that
    were asked for, and read up to a part of them: whoever counts on it empties it before.
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.wanted = Wanted()
        self.notes: dict[str, None] = {}
        self.cut: dict[str, None] = {}
        self.command = ""

    def note(self, text: str) -> None:
        """Something to tell the operator, once."""
        self.notes[text] = None

    def path(self, path: str, home: str = "") -> str:
        """Absolute: `~` is the server's user's home, anything else is relative to the data directory.

        UNKNOWN stays what it is.
        """
        if path == "~" or path.startswith("~/"):
            return (home or self.seen.home) + path[1:]
        if path.startswith(("/", UNKNOWN)):
            return path
        return f"{self.seen.data}/{path.removeprefix('./')}"

    def is_absent(self, path: str) -> bool:
        """Whether it was looked for, and is not there."""
        found = self.seen.files.get(path)
        return found is not None and found.problem == ABSENT

    def barred(self, path: str) -> str:
        """Why it cannot be read; empty where it can, and while that is not known."""
        found = self.seen.files.get(path)
        return found.problem if found is not None and found.problem != ABSENT else ""

    def file(self, path: str) -> FileText | None:
        """The file, None while it is not read and where it is not there; why it cannot be read is noted.

        None, too, for a path that only a run tells.
        """
        if UNKNOWN in path:
            return None
        if path == _EMPTY:
            return FileText(path)
        found = self.seen.files.get(path)
        if found is None:
            self.wanted.files[path] = None
            return None
        if found.problem == ABSENT:
            return None
        if found.problem:
            self.note(f"{path} cannot be read as {self.seen.user}: {found.problem}")
            return None
        if found.cut:
            self.note(f"{path} is long: only its beginning was read")
            self.cut[path] = None
        return found

    def first(self, *paths: str) -> FileText | None:
        """The first that is there, as a tool looks for its configuration; None while one is not read."""
        found = [self.file(path) for path in paths]  # all are asked for in one round
        if any(path not in self.seen.files and UNKNOWN not in path and path != _EMPTY for path in paths):
            return None
        return next((each for each in found if each is not None), None)

    def folder(self, path: str) -> tuple[FileText, ...]:
        """The files in it, by name; empty while it is not read and where it is not there."""
        if UNKNOWN in path:
            return ()
        found = self.seen.folders.get(path)
        if found is None:
            self.wanted.folders[path] = None
            return ()
        for each in found:
            if each.problem and each.problem != ABSENT:
                self.note(f"{each.path} cannot be read as {self.seen.user}: {each.problem}")
        return tuple(each for each in found if not each.problem)

    def program(self, name: str) -> ProgramFile | None:
        """Where PATH has it; None while that is not known."""
        if UNKNOWN in name:
            return None
        found = self.seen.programs.get(name)
        if found is None:
            self.wanted.programs[name] = None
        elif found.script is not None and found.script.cut:
            self.note(f"{found.path} is long: only its beginning was read")
        return found

    def environment(self) -> dict[str, Found[str]]:
        """The postmaster's, which every command inherits."""
        return {
            name: Found(value, f"variable {name} of {self.seen.environ_from}")
            for name, value in self.seen.environ.items()
        }

    def read_folder_as_environment(self, path: str) -> Environment:
        """envdir(8): a variable a file, its first line; an empty file unsets, NULs are line breaks."""
        path = self.path(path)
        found = {
            each.path.rpartition("/")[2]: Found(each.text.partition("\n")[0].rstrip(" \t"), each.path)
            for each in self.folder(path)
        }
        barred = [each.path for each in self.seen.folders.get(path, ()) if each.problem not in ("", ABSENT)]
        if barred or UNKNOWN in path:
            found |= opened(
                f"what {shown(barred[0] if barred else path)} adds to the environment is not known"
            )
        return found
