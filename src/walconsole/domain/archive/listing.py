"""What a listing brings: objects in key order, of which a million are folded without one being made."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from walconsole.domain.archive.page_header import PageHeader
from walconsole.domain.records import record
from walconsole.domain.units import bytes_text, plural


@record
class StoredObject:
    """One key of a listing. `modified_at` is the store's Last-Modified, seconds since the epoch.

    `etag` is without its quotes; it is the content's MD5 only for an object stored with a single PUT.
    """

    key: str
    size: int
    modified_at: float
    etag: str = ""


@record
class ObjectDetails:
    """One object, looked at: its listing, the answer's headers, its WAL page header or why there is none."""

    stored: StoredObject
    headers: Mapping[str, str]
    header: PageHeader | None
    no_header: str
    read_at: float


@record
class ReadThrough:
    """Stored segments that were read to their ends: how many, of how many bytes as they are stored.

    `unfit` are the names of those that are no whole segment, `too_large` how many were more than what was
    left of the budget, `stored` how many there are.
    """

    segments: int
    stored_bytes: int
    stored: int
    unfit: tuple[str, ...] = ()
    too_large: int = 0

    @property
    def text(self) -> str:
        """One line."""
        count = plural(self.segments, "segment")
        read = f"{count} of {self.stored:,} read to the end, {bytes_text(self.stored_bytes)}"
        found = f"{len(self.unfit)} NOT whole, the first {self.unfit[0]}" if self.unfit else "all whole"
        left = f"; {self.too_large:,} too large for the rest of what may be read" if self.too_large else ""
        return f"{read}: {found}{left}"


class ObjectListing(Protocol):
    """What one page lists, in key order. A million keys are folded without an object for each."""

    @property
    def keys(self) -> Sequence[str]:
        """The full keys."""
        ...

    def stored_bytes(self, start: int, stop: int) -> int:
        """The sum of the sizes of the objects from `start` up to, not including, `stop`."""
        ...

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        """Positions and sizes, of objects from `start` up to, not including, `stop`, that have not from
        `least` to `most` bytes. Asked for after the sum of the same part it costs next to nothing.
        """
        ...

    def modified_at(self, position: int) -> float:
        """One object's Last-Modified, without making the object."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, position: int) -> StoredObject: ...


class Picked:
    """Some of a page's objects, in the page's order: an ObjectListing of its own."""

    def __init__(self, objects: ObjectListing, positions: Sequence[int]) -> None:
        self._objects, self._positions = objects, positions
        self.keys: Sequence[str] = [objects.keys[at] for at in positions]

    def stored_bytes(self, start: int, stop: int) -> int:
        """The sum of their sizes."""
        return sum(self._objects[at].size for at in self._positions[start:stop])

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        """Those of them."""
        sizes = ((at, self[at].size) for at in range(start, stop))
        return [(at, size) for at, size in sizes if not least <= size <= most]

    def modified_at(self, position: int) -> float:
        """One object's Last-Modified."""
        return self._objects.modified_at(self._positions[position])

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: int) -> StoredObject:
        return self._objects[self._positions[position]]
