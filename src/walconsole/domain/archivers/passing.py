"""What a command does to a file that it stored itself: moves it on, or takes it away again."""

from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.archivers.calls import Call
from walconsole.domain.archivers.expansion import shown
from walconsole.domain.archivers.target import ArchiveTarget, FolderStore

_NOWHERE = "/dev/null"


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
    """Those found before: where `mv` found its file, that one is now where `into` says."""
    if call.name != "mv" or len(into) != 1 or not isinstance(into[0].store, FolderStore):
        return list(found)
    moved = [call.within(word) for word in call.words[:-1] if not word.startswith("-")]
    return [
        replace(each, store=into[0].store, layout=into[0].layout)
        if any(_holds(each, path) for path in moved)
        else each
        for each in found
    ]


def _holds(target: ArchiveTarget, path: str) -> bool:
    """Whether that is the file that was stored there."""
    store = target.store
    if not isinstance(store, FolderStore) or store.host is not None or target.layout is None:
        return False
    return "%f" in path and shown(path) == f"{store.path.value}/{target.layout.value}"
