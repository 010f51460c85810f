"""A BucketReader over keys in memory: a million of them cost nothing until they are asked for."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import overload

from tests.data.facts import NOW
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.growth import Compressibility
from walconsole.domain.archive.listing import ObjectDetails, ReadThrough, StoredObject
from walconsole.domain.archive.marks import TILE_KEYS, Marks
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.round_trips import Page
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError

SEGMENT_BYTES = 16 * 1024 * 1024


class Numbered(Sequence[str]):
    """`count` keys in order, each made from its number (counted from 0) when it is asked for."""

    def __init__(self, count: int, key: Callable[[int], str]) -> None:
        self._numbers, self._key = range(count), key

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self._key(number) for number in self._numbers[index]]
        return self._key(self._numbers[index])


def segment_keys(count: int, *, first: int = 1, timeline: int = 1, folder: str = "") -> Numbered:
    """Keys of consecutive segments of one timeline, flat or in a folder."""
    return Numbered(count, lambda number: folder + Segment(timeline, first + number).name())


class KeysListing(Sequence[StoredObject]):
    """A page's objects. `stored` makes one from its key."""

    def __init__(self, keys: Sequence[str], stored: Callable[[str], StoredObject]) -> None:
        self.keys, self._stored = keys, stored

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:  # type: ignore[override]  # no slices
        return self._stored(self.keys[position])

    def stored_bytes(self, start: int, stop: int) -> int:
        return sum(self[at].size for at in range(start, stop))

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        sizes = ((at, self[at].size) for at in range(start, stop))
        return [(at, size) for at, size in sizes if not least <= size <= most]

    def modified_at(self, position: int) -> float:
        return self[position].modified_at


def plain_object(key: str) -> StoredObject:
    """Stored an hour ago; a segment that was not compressed."""
    return StoredObject(key, SEGMENT_BYTES, NOW - 3600, "d41d8cd98f00b204e9800998ecf8427e")


class KeysReader:
    """`keys` are sorted and may be replaced at any time; `poll` takes them into the marks.

    `requests` are the keys after which pages were listed; `failures` are raised by the next ones,
    and `gate`, while it is not set, holds them back.
    """

    def __init__(
        self,
        keys: Sequence[str] = (),
        *,
        role: BucketRole = BucketRole.PRIMARY,
        prefix: str = "",
        stored: Callable[[str], StoredObject] = plain_object,
    ) -> None:
        self.target = BucketTarget(
            role, "shithub-wal", "nyc3", "https://nyc3.example", KeyReference(KeySource.ENVIRONMENT), prefix
        )
        self.keys, self.stored = keys, stored
        self.requests: list[str] = []
        self.failures: list[ObjectStoreError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.marks: Marks | None = None
        self.poll()

    def poll(self, tile_keys: int = TILE_KEYS) -> None:
        """Make the marks anew, as a sweep that lists `tile_keys` a page does."""
        self.marks = Marks()
        for start in range(0, len(self.keys), tile_keys):
            after = self.keys[start - 1] if start else ""
            self.marks.add_page(after, min(tile_keys, len(self.keys) - start))

    async def page(self, start_after: str) -> Page:
        self.requests.append(start_after)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        start = bisect_right(self.keys, start_after) if start_after else 0
        keys = self.keys[start : start + TILE_KEYS]
        truncated = start + len(keys) < len(self.keys)
        return Page(KeysListing(keys, self.stored), truncated, NOW, NOW)

    async def locate(self, segment: Segment) -> StoredObject | None:
        """In the flat layout under the prefix."""
        name = self.target.prefix + segment.name()
        at = bisect_left(self.keys, name)
        found = at < len(self.keys) and self.keys[at].startswith(name)
        return self.stored(self.keys[at]) if found else None

    async def details(self, stored: StoredObject) -> ObjectDetails:
        return ObjectDetails(stored, {"content-length": str(stored.size)}, None, "not read in tests", NOW)

    async def compressibility(self) -> Compressibility:
        return Compressibility(0.25, 4, 0.5, NOW)

    async def read_through(self) -> ReadThrough:
        return ReadThrough(12, 3 << 20, 400)

    def accept(self, gap: Gap, reason: str) -> None:
        raise NotImplementedError

    def withdraw(self, accepted: AcceptedGap) -> None:
        raise NotImplementedError


def refusal(code: str = "SlowDown") -> ObjectStoreError:
    """What the store says when it will not list."""
    return ObjectStoreError("listing bucket shithub-wal", f"the store said {code}", "wait", code=code)
