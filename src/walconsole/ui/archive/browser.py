"""All keys of a bucket as rows: a million of them, of which only what is seen is ever listed, in tiles."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

from rich.cells import cell_len

from walconsole.domain.archive.listing import ObjectListing, StoredObject
from walconsole.domain.archive.marks import Marks
from walconsole.errors import ObjectStoreError, WalconsoleError
from walconsole.ports import BucketReader
from walconsole.ui.archive.stored_key import Columns, Copies, columns, header, key_line
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, fit, shown

if TYPE_CHECKING:
    from walconsole.ui.board.glyphs import Glyphs


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


_RETRY_S = 5.0
"""A page that could not be listed is asked for again after this long."""
_LONGEST_KEY = 40
"""At least so many cells count as the longest key."""
_TRIES = 3


class _Spot(NamedTuple):
    """Where a row is, in words that survive other marks: its tile's beginning, and the key if known."""

    after: str
    offset: int
    tile: Tile | None
    key: str


class KeyRows(Sequence[Line]):
    """A row for each key of a bucket, in key order.

    Which rows are seen, the pane says: it asks `wanted` for the tiles that they lie in and awaits
    `fetch` of each; until then a row is blank but for a sign. Rows are counted by the marks. Where
    a tile's listing has fewer keys than its mark (some were deleted since) the rows that are too
    many say so; what it has more is seen after the next sweep.
    """

    def __init__(
        self, reader: BucketReader, copies: Copies, glyphs: Glyphs, *, now: float, width: int = 80
    ) -> None:
        """`now` is seconds since the epoch, `width` the pane's, in cells."""
        self.reader, self.copies, self.glyphs, self.now = reader, copies, glyphs, now
        self._marks = Marks()
        self._total = 0
        self._shelf = TileShelf()
        self._asked: set[str] = set()
        self._failed: dict[str, tuple[float, str]] = {}
        self._width = width
        self._columns = Columns(1)
        self.refresh(reader.marks, copies, now=now)

    # What a sequence is.

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self[at] for at in range(self._total)[index]]
        spot = self._spot(range(self._total)[index])
        if spot.tile is None:
            return self._blank(spot.after)
        if spot.offset >= len(spot.tile):
            return self._muted("gone since it was listed")
        try:
            stored = spot.tile[spot.offset]
        except ObjectStoreError as error:
            return self._muted(f"{shown(spot.key)}: {NOT_AVAILABLE}: {shown(error.why)}")
        return key_line(stored, self.copies, self.now, self._columns, self.glyphs)

    # What the pane asks for.

    def wanted(self, first: int, count: int) -> tuple[int, ...]:
        """The tiles of rows `first` up to `first + count` that are to be fetched, in order.

        Not those that are being fetched, nor those that failed a few seconds ago.
        """
        first, last = max(0, first), min(first + count, self._total) - 1
        if last < first:
            return ()
        tiles = range(self._marks.tile_of(first)[0], self._marks.tile_of(last)[0] + 1)
        self._shelf.room = len(tiles)
        return tuple(tile for tile in tiles if self._is_wanted(tile))

    async def fetch(self, tile: int) -> None:
        """List a tile. What goes wrong its rows show, and it is tried again a little later."""
        if tile >= len(self._marks.afters):
            return
        after = self._marks.afters[tile]
        self._asked.add(after)
        try:
            await self._read(tile)
        except WalconsoleError as error:
            self._failed[after] = self.now, error.line()
        else:
            self._failed.pop(after, None)
        finally:
            self._asked.discard(after)

    async def row_of(self, key: str) -> int:
        """The row of `key`, or of the first one after it (the last of all where there is none).

        Raises IndexError while there are no rows, errors.ObjectStoreError and SshError.
        """
        for _ in range(_TRIES):
            row = self.row_if_known(key)
            if row is not None:
                return row
            await self._read(self._marks.tile_for(key)[0])
        return self._marks.tile_for(key)[1]

    def row_if_known(self, key: str) -> int | None:
        """As `row_of`, None where the tile must be fetched first, or there are no rows."""
        if not self._total:
            return None
        number, start = self._marks.tile_for(key)
        tile = self._shelf.get(self._marks.afters[number])
        if tile is None or not self._suits(tile, number):
            return None
        return self._row(start, tile.position(key), number)

    def key_at(self, row: int) -> StoredObject | None:
        """The object of a row, None where it is not fetched, gone, or not readable."""
        if not 0 <= row < self._total:
            return None
        spot = self._spot(row)
        if spot.tile is None or spot.offset >= len(spot.tile):
            return None
        try:
            return spot.tile[spot.offset]
        except ObjectStoreError:
            return None

    def refresh(self, marks: Marks | None, copies: Copies, *, now: float, row: int = 0) -> int:
        """Take what a poll brought. Returns where the key of `row` is now.

        Where keys came before it in its own tile, or another sweep made other tiles, it is a row near
        it; once `fetch` brought the tile again, `row_if_known` tells which.
        """
        self.copies, self.now = copies, now
        spot = self._spot(row) if 0 <= row < self._total else None
        if marks is not None and marks != self._marks:
            self._marks = marks.copy()
            self._total = marks.total
            self._shelf.keep(frozenset(marks.afters))
        self.resize(self._width)
        return row if spot is None or not self._total else self._moved(spot)

    def resize(self, width: int) -> None:
        """Set the rows for a pane of another width."""
        self._width = width
        self._columns = columns(width, self._longest())

    @property
    def header(self) -> str:
        """The names of the columns, each above its own, from the pane's first cell."""
        return header(self._columns)

    # Tiles.

    def _is_wanted(self, number: int) -> bool:
        after = self._marks.afters[number]
        failed_at = self._failed[after][0] if after in self._failed else None
        if after in self._asked or (failed_at is not None and self.now - failed_at < _RETRY_S):
            return False
        tile = self._shelf.get(after)
        return tile is None or not self._suits(tile, number)

    def _suits(self, tile: Tile, number: int) -> bool:
        return tile.suits(self._until(number), self._marks.counts[number])

    def _until(self, number: int) -> str | None:
        """The last key that can be in a tile: the one that the next begins after."""
        afters = self._marks.afters
        return afters[number + 1] if number + 1 < len(afters) else None

    async def _read(self, number: int) -> None:
        after = self._marks.afters[number]
        tile = await read_tile(self.reader, after, self._until(number), self._marks.counts[number])
        self._shelf.put(after, tile)

    # Rows.

    def _spot(self, row: int) -> _Spot:
        number, start = self._marks.tile_of(row)
        after, offset = self._marks.afters[number], row - start
        tile = self._shelf.get(after)
        key = tile.key(offset) if tile is not None and offset < len(tile) else ""
        return _Spot(after, offset, tile, key)

    def _moved(self, spot: _Spot) -> int:
        """The row of a spot by the marks of now."""
        number, start = self._marks.tile_for(spot.key or spot.after + "\0")
        after = self._marks.afters[number]
        tile = self._shelf.get(after)
        if not spot.key:
            return self._row(start, spot.offset, number)
        if tile is not None:
            return self._row(start, tile.position(spot.key), number)
        known = spot.tile
        if known is not None and after >= spot.after:
            return self._row(start, known.position(spot.key) - known.beyond(after), number)
        return self._row(start, spot.offset, number)

    def _row(self, start: int, offset: int, number: int) -> int:
        return start + max(0, min(offset, self._marks.counts[number] - 1))

    def _blank(self, after: str) -> Line:
        """A row that is not there yet, or cannot be."""
        if after in self._failed:
            return self._muted(f"{NOT_AVAILABLE}: {shown(self._failed[after][1])}")
        return self._muted(self.glyphs.more)

    def _muted(self, text: str) -> Line:
        space = max(1, self._width - GUTTER - 1)
        return Line((Span(" " * GUTTER + fit(text, space, self.glyphs.more), Tone.MUTED),), "key")

    def _longest(self) -> int:
        """About how many cells the longest key takes: what the indexes know of."""
        own = self.copies.own
        holdings = [own.holding, *own.other_holdings] if own is not None else []
        keys = [holding.newest_key or holding.last_key for holding in holdings if holding is not None]
        return max(_LONGEST_KEY, 0, *(cell_len(shown(key)) for key in keys))
