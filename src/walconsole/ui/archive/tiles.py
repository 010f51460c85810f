"""Tiles of a listing: a part of the keys as its pages brought it, and which of them are kept."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence

from walconsole.domain.archive.listing import ObjectListing, StoredObject
from walconsole.ports import BucketReader

TILES_KEPT = 16
_PAGES = 4
"""Requests at most for one tile: most need one, and one that grew in its middle needs two."""


class Tile:
    """The objects after one key up to another, in key order; made one by one when they are seen."""

    __slots__ = ("_keys", "_made", "_pages", "_starts", "count", "until")

    def __init__(
        self, pages: Sequence[ObjectListing], keys: list[str], until: str | None, count: int
    ) -> None:
        """`keys` are those of `pages` up to `until`; `count` is how many were expected."""
        self._pages, self._keys, self.until, self.count = pages, keys, until, count
        self._made: dict[int, StoredObject] = {}
        self._starts = [0]
        for page in pages:
            self._starts.append(self._starts[-1] + len(page))

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, offset: int) -> StoredObject:
        """One object. Raises IndexError beyond the end, ObjectStoreError for one that cannot be read."""
        self._keys[offset]
        if offset not in self._made:
            page = bisect_right(self._starts, offset) - 1
            self._made[offset] = self._pages[page][offset - self._starts[page]]
        return self._made[offset]

    def position(self, key: str) -> int:
        """How many of its keys are before `key`."""
        return bisect_left(self._keys, key)

    def beyond(self, key: str) -> int:
        """How many of its keys are not after `key`."""
        return bisect_right(self._keys, key)

    def key(self, offset: int) -> str:
        """One key. Raises IndexError."""
        return self._keys[offset]

    def suits(self, until: str | None, count: int) -> bool:
        """Whether it still is what the marks say; where they never agreed, nothing became of it since."""
        return self.until == until and count in (self.count, len(self._keys))


async def read_tile(reader: BucketReader, after: str, until: str | None, count: int) -> Tile:
    """List what is after `after` up to `until` (None: the last tile, of which `count` are enough).

    Raises errors.ObjectStoreError and SshError.
    """
    pages: list[ObjectListing] = []
    keys: list[str] = []
    for _ in range(_PAGES):
        page = await reader.page(keys[-1] if keys else after)
        found = page.objects.keys
        if not found or found[0] <= (keys[-1] if keys else after):
            break
        stop = len(found) if until is None else bisect_right(found, until)
        pages.append(page.objects)
        keys += found[:stop]
        enough = until is None and len(keys) >= count
        if enough or stop < len(found) or found[-1] == until or not page.truncated:
            break
    return Tile(pages, keys, until, count)


class TileShelf:
    """The tiles that were looked at last, by the key that each begins after."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[str, Tile] = OrderedDict()
        self.room = TILES_KEPT

    def get(self, after: str) -> Tile | None:
        """The tile, which so is the last to be given up."""
        tile = self._tiles.get(after)
        if tile is not None:
            self._tiles.move_to_end(after)
        return tile

    def put(self, after: str, tile: Tile) -> None:
        """Keep it, and give up what was not looked at for longest."""
        self._tiles[after] = tile
        self._tiles.move_to_end(after)
        while len(self._tiles) > max(TILES_KEPT, self.room):
            self._tiles.popitem(last=False)

    def keep(self, afters: frozenset[str]) -> None:
        """Give up all others."""
        for after in [after for after in self._tiles if after not in afters]:
            del self._tiles[after]

    def __len__(self) -> int:
        return len(self._tiles)
