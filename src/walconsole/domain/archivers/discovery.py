"""From the settings in force to where the server archives: the command's calls, each by its tool's module."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from walconsole.domain.archivers import local_tools, passing, programs, walg
from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.calls import calls_of
from walconsole.domain.archivers.certificates import with_certificates
from walconsole.domain.archivers.ending import ending_of
from walconsole.domain.archivers.gathering import Gathered, read_call, unknown_place
from walconsole.domain.archivers.look import Look, Seen, Wanted
from walconsole.domain.archivers.receivers import feeds_pghoard, received_here
from walconsole.domain.archivers.target import (
    ArchiveTarget,
    Discovery,
    Ending,
    FolderStore,
    Found,
    S3Store,
    UnreadStore,
)
from walconsole.domain.archivers.tools import OFF
from walconsole.domain.archivers.unset import unset_for
from walconsole.domain.archivers.whole_folders import of_pg_wal
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

COMMAND = "archive_command"
MOST_TARGETS = 8
_ABOVE = (
    ("PATRONI_", "Patroni writes the configuration: patronictl edit-config changes it for good"),
    ("SPILO_", "Spilo writes the archive command from its own environment"),
)
"""What stands above the server, by the variables that it leaves it."""


@record
class Settings:
    """What PostgreSQL's configuration says, in force or as its files have it; `source` is where that is."""

    command: str = ""
    library: str = ""
    directory: str = ""
    """basic_archive.archive_directory."""
    source: str = COMMAND
    version: int = 0
    """The major version, 0 where it is not known."""
    mode: str = ""
    """archive_mode, empty where it is not known."""


def discover(settings: Settings, seen: Seen) -> tuple[Discovery, Wanted]:
    """What follows from what was read so far, and what to read before it is asked again. Never raises."""
    look = Look(seen)
    library = settings.library.strip()
    notes: list[str] = []
    if library and settings.command not in OFF and settings.version and settings.version < 16:
        notes.append(f"archive_library = {library} holds, and archive_command is ignored")
    if library:
        targets = _of_library(library, settings, look)
    elif settings.command in OFF:
        targets = ()
    else:
        targets = _of_command(settings, look)
        if not targets:
            notes.append(f"the archive command stores nothing: {safe(settings.command)[:120]}")
    received = _received(seen, look) if settings.mode == "off" or not targets else ()
    if received:  # what a command would do that is not run says nothing of where WAL goes
        targets, notes = received, []
    listed = tuple(with_certificates(_legible(target), look) for target in _distinct(targets))
    if len({target.tool.value for target in listed}) > 1:
        notes.append(f"several archive: {', '.join(dict.fromkeys(target.tool.value for target in listed))}")
    notes += [safe(note) for note in look.notes]
    notes += [words for mark, words in _ABOVE if any(name.startswith(mark) for name in seen.environ)]
    streaming = received[0].tool.value if received else ""
    followed_whole = not library and settings.command not in OFF and not look.wanted
    ending = ending_of(settings.command, look) if followed_whole else Ending()
    unset = () if library else unset_for(settings.command, seen, listed)
    found = Discovery(listed, streaming, tuple(notes), judged=settings.command, ending=ending, unset=unset)
    return found, look.wanted


def _legible(target: ArchiveTarget) -> ArchiveTarget:
    """Unread where a byte of its path is no UTF-8: reading put U+FFFD for it, and that is another path."""
    store = target.store
    path = (
        store.path if isinstance(store, FolderStore) else store.prefix if isinstance(store, S3Store) else None
    )
    if path is None or "\ufffd" not in path.value:
        return target
    why = "its path is written in another encoding than UTF-8: which folder that is cannot be told"
    return replace(target, store=UnreadStore(Found(str(store), path.source), why))


def _received(seen: Seen, look: Look) -> tuple[ArchiveTarget, ...]:
    """Where programs keep it that receive WAL from this server on its own host."""
    if feeds_pghoard(seen.receivers):
        words = ("--mode", "archive")
        found = local_tools.pghoard(
            Call("pghoard", words, look.environment(), "a running pg_receivewal"), look
        )
        return () if found is None else (found,)
    return received_here(seen.receivers, seen.port)


@cache
def stores_nothing(command: str) -> bool:
    """Whether nothing that it calls stores anything, by its own words: `true`, `:`, a copy to /dev/null.

    A blank is a command to PostgreSQL, which only takes an empty one for none (shell_archive.c).
    """
    if command in OFF:
        return False
    found, wanted = discover(Settings(command), Seen())
    return not found.targets and not wanted


def _of_library(library: str, settings: Settings, look: Look) -> tuple[ArchiveTarget, ...]:
    name = library.rpartition("/")[2].removesuffix(".so")
    if name == "basic_archive":
        return (local_tools.basic_archive(settings.directory, settings.source),)
    call = Call(name, ("wal-push",), look.environment(), "archive_library")
    if name == "walg_archive":
        found = walg.target(call, look)
        return () if found is None else (found,)
    return (unknown_place(name, "archive_library", "this archive library is not known here"),)


def _of_command(settings: Settings, look: Look) -> tuple[ArchiveTarget, ...]:
    look.command = settings.command
    gathered = Gathered()
    for call in calls_of(settings.command, look, COMMAND):
        read_call(call, look, gathered, 0)
    gathered.found = passing.not_of_passage(gathered.found, others=bool(gathered.unknown))
    if not gathered.found:
        left = [each for each in gathered.unknown if _why(each) != programs.PASSAGE] or gathered.unknown
        return tuple(of_pg_wal(each, gathered.emptied) for each in left or gathered.perhaps)
    for each in gathered.unknown:
        if each.tool.value in gathered.given:
            look.note(f"besides, {each.tool.value} is given what is archived: {_why(each)}")
    return tuple(of_pg_wal(target, gathered.emptied) for target in gathered.found)


def _why(target: ArchiveTarget) -> str:
    return target.store.why if isinstance(target.store, UnreadStore) else ""


def _distinct(targets: Iterable[ArchiveTarget]) -> tuple[ArchiveTarget, ...]:
    """Each store once, and those that are known before those that only the run tells."""
    found: dict[str, ArchiveTarget] = {}
    for target in targets:
        found.setdefault(str(target.store), target)
    return tuple(found.values())[:MOST_TARGETS]
