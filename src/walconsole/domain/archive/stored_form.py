"""In which form a copy stores its segments, and whether another file can be brought into it.

What is brought into a copy shall be found by what reads it: in the folder, and under the suffix, of the
segments beside it.
"""

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import (
    GROUPED_LAYOUTS,
    Layout,
    checksum_of,
    log_folder,
    segment_suffix,
    split_key,
)
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

PACKED = {"": "", ".gz": "gz", ".zst": "zst", ".lz4": "lz4", ".bz2": "bz2", ".xz": "xz"}
"""The suffixes that can be made and undone: the way to do it, none for a file as it is."""
_BY_THEIR_TOOL = {
    Layout.PGBACKREST: "pgBackRest's objects carry a checksum in their names, and belong to its own list",
    Layout.PGHOARD: "pghoard's objects carry what they are in their headers",
}


@record
class StoredAs:
    """Where an object lies: `folder` is its key up to the last slash, `suffix` what follows the name."""

    folder: str
    suffix: str

    def key(self, name: str) -> str:
        """The object's key for a segment of that name."""
        return f"{self.folder}{name}{self.suffix}"


def stored_beside(holding: Holding, key: str, name: str) -> StoredAs:
    """Where `name` belongs when the object beside it is `key`, a whole segment's of `holding`.

    Raises ValueError that says why nothing can be stored there by copying.
    """
    why = _BY_THEIR_TOOL.get(holding.place.layout, "")
    if why:
        raise ValueError(f"{why}: only that tool may store there")
    directory, basename = split_key(key)
    suffix = segment_suffix(basename)
    if suffix is None:
        raise ValueError(f"{safe(basename)} beside it is no segment's object")
    if checksum_of(basename) or suffix not in PACKED:
        raise ValueError(f"its objects end in {safe(suffix)}, which cannot be made here")
    if holding.place.layout in GROUPED_LAYOUTS or holding.place.layout is Layout.DATED:
        folder = log_folder(directory[len(holding.root) :], basename, name)
        return StoredAs(holding.root + folder, suffix)
    return StoredAs(directory, suffix)
