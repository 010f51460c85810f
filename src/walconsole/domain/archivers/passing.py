"""What a command does to a file that it stored itself: moves it on, or takes it away again."""

import re
from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.archivers.called import Call
from walconsole.domain.archivers.expansion import shown
from walconsole.domain.archivers.places import COMPRESSORS, ENCRYPTERS, SUFFIX_OF
from walconsole.domain.archivers.programs import PACKERS
from walconsole.domain.archivers.target import ArchiveTarget, FolderStore, Found, UnreadStore

_NOWHERE, _NAME = "/dev/null", "%f"
_MOVES = {
    "rclone": frozenset({"move", "moveto"}),
    "aws": frozenset({"mv"}),
    "s5cmd": frozenset({"mv"}),
    "mc": frozenset({"mv"}),
    "rsync": frozenset({"--remove-source-files"}),
}
"""The words by which a client takes away what it stored elsewhere."""
_REPLACES = frozenset({"gzip", "pigz", "xz", "lzma", "bzip2", "lbzip2", "pbzip2"})
"""Compressors that leave the compressed file alone; the others do where they are told to."""
_KEEPS = frozenset({"-k", "--keep", "-c", "--stdout", "--to-stdout", "-t", "--test", "-l", "--list"})
_TAKES = frozenset({"--rm", "-j", "-U", "--delete"})
_UNPACKS = frozenset({"-d", "--decompress", "--uncompress"})


_HANDS_ON = frozenset(
    {"cat", "pv", "tee", "dd", "mbuffer", "buffer", "throttle", "cstream", "sponge", "bfr", "ssh"}
)
"""They give on what they are given, byte for byte; `ssh HOST cat` too."""

_LISTS = frozenset({"echo", "printf", "ls", "find", "yes", "basename", "realpath", "readlink"})
"""What they give on is an answer or a file's name (to xargs), and no segment."""


def as_piped(call: Call, target: ArchiveTarget) -> ArchiveTarget:
    """The same, or unread where a program before it in its pipe makes something of a segment that is none."""
    if isinstance(target.store, UnreadStore):
        return target
    if call.source == "archive_command" and not call.fed and _stores_its_input(call):
        why = "it stores its standard input, and the command gives it nothing"
        return replace(target, store=UnreadStore(Found(str(target.store), call.source), why))
    if not call.fed or _names_source(call):
        return target
    if _LISTS & set(call.piped):
        return target
    for name in call.piped:
        if name in PACKERS:
            why = f"{name} packs the segment into a file of its own format, which is not read"
        elif name in _HANDS_ON or name in COMPRESSORS or name in ENCRYPTERS:
            continue
        else:
            why = f"what {name} makes of a segment is not known here"
        what = Found(str(target.store), call.source)
        return replace(target, store=UnreadStore(what, why), compression=None, encryption=None)
    return target


def _stores_its_input(call: Call) -> bool:
    return any(word in ("pipe", "rcat") for word in call.words) or (
        call.name in ("aws", "s3cmd", "s4cmd") and "-" in call.words
    )


def _names_source(call: Call) -> bool:
    """Whether it reads the segment itself: then what stands before it in the pipe is an answer, a list."""
    return any(word in ("%p", f"pg_wal/{_NAME}") for word in call.words)


_EMPTIED = "it is a place of passage, which the system empties: name it in the profile where it is meant"
_PASSAGE = re.compile(r"/(?:tmp|var/tmp|dev/shm|run)(?:/|$)")


def not_of_passage(found: Sequence[ArchiveTarget], *, others: bool) -> list[ArchiveTarget]:
    """Without folders from which a file goes on to another place (`others`: to a program that is not read).

    Where nothing takes it on, such a folder is named, and not read: the system empties it by age.
    """
    left = [each for each in found if not _is_of_passage(each)]
    if left or others:
        return left
    return [
        replace(each, store=UnreadStore(Found(str(each.store), each.tool.source), _EMPTIED)) for each in found
    ]


def _is_of_passage(target: ArchiveTarget) -> bool:
    store = target.store
    return (
        isinstance(store, FolderStore) and store.host is None and _PASSAGE.match(store.path.value) is not None
    )


def into_nothing(call: Call) -> bool:
    """Whether what it writes is thrown away."""
    return call.output == _NOWHERE or _NOWHERE in call.words or f"of={_NOWHERE}" in call.words


def left_by_rm(call: Call, found: Sequence[ArchiveTarget]) -> list[ArchiveTarget]:
    """Those that are still there after `rm`: a folder whose file it deletes was one of passage.

    What it may do, where a copy failed, changes nothing.
    """
    if call.perhaps and call.otherwise:
        return list(found)
    gone = [call.within(word) for word in call.words if not word.startswith("-")]
    return [each for each in found if not any(_holds(each, path) for path in gone)]


def left_by_mv(
    call: Call, found: Sequence[ArchiveTarget], into: Sequence[ArchiveTarget]
) -> list[ArchiveTarget]:
    """Those found before: where `mv` found its file, that one is now where `into` says.

    What a client moves on, a file or a whole folder, is at its place alone: the folder was one of passage.
    """
    if _MOVES.get(call.name, frozenset()) & set(call.words) and into and not call.otherwise:
        taken = [call.within(word).rstrip("/") for word in call.words if not word.startswith("-")]
        return [each for each in found if not any(_lies_in(each, path) for path in taken)]
    if call.name != "mv" or len(into) != 1 or not isinstance(into[0].store, FolderStore):
        return list(found)
    moved = [call.within(word) for word in call.words[:-1] if not word.startswith("-")]
    return [
        replace(each, store=into[0].store, layout=into[0].layout)
        if any(_holds(each, path) for path in moved)
        else each
        for each in found
    ]


def left_by_compressor(call: Call, found: Sequence[ArchiveTarget]) -> list[ArchiveTarget]:
    """Those found before: a file that is compressed where it lies has another name afterwards."""
    suffix, options = SUFFIX_OF.get(COMPRESSORS.get(call.name, ""), ""), _letters(call.words)
    replaces = call.name in _REPLACES or bool(_TAKES & options)
    if call.output or not suffix or not replaces or options & (_KEEPS | _UNPACKS):
        return list(found)
    paths = [call.within(word) for word in call.words if not word.startswith("-")]
    return [
        replace(
            each,
            layout=each.layout.but(f"{each.layout.value}{suffix}") if each.layout is not None else None,
            compression=Found(COMPRESSORS[call.name], call.source),
        )
        if any(_holds(each, path) for path in paths)
        else each
        for each in found
    ]


def _letters(words: Sequence[str]) -> set[str]:
    """Options, those of one letter each by itself."""
    long = {word for word in words if word.startswith("--")}
    return long | {
        f"-{letter}" for word in words if word[:1] == "-" and word not in long for letter in word[1:]
    }


def _lies_in(target: ArchiveTarget, path: str) -> bool:
    """Whether that is the file that was stored there, or a folder with all that is stored there."""
    store = target.store
    if not isinstance(store, FolderStore) or store.host is not None or not path.startswith("/"):
        return False
    return _holds(target, path) or f"{store.path.value}/".startswith(f"{path}/")


def _holds(target: ArchiveTarget, path: str) -> bool:
    """Whether that is the file that was stored there."""
    store = target.store
    if not isinstance(store, FolderStore) or store.host is not None or target.layout is None:
        return False
    return "%f" in path and shown(path) == f"{store.path.value}/{target.layout.value}"
