"""All keys of a bucket by number, without keeping them: after which key each thousand of them begins."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

TILE_KEYS = 1000
"""As many as a page lists at most."""


@dataclass(slots=True)
class Marks:
    """Tiles of the key space, each with the key that it begins after (itself not in it) and its count.

    Tiles are disjoint, in key order, and together hold every key that was listed. A tile ends where
    the next one begins. It has TILE_KEYS keys at most as it is listed; one within which more keys
    appeared later may have more.
    """

    afters: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list, repr=False, compare=False)

    @property
    def total(self) -> int:
        """How many keys there are."""
        return sum(self.counts)

    def add_page(self, after: str, count: int) -> None:
        """`count` keys were listed after `after`, which no other page listed."""
        if not count:
            return
        at = bisect_left(self.afters, after)
        self.afters.insert(at, after)
        self.counts.insert(at, count)
        self._starts = []

    def add_key(self, key: str, last: str) -> None:
        """One more key appeared; `last` is the highest that was known before (empty: none was)."""
        at = bisect_left(self.afters, key) - 1  # a tile's own key is the last of the tile before
        if at < 0:
            self.add_page("", 1)
        elif at == len(self.afters) - 1 and key > last and self.counts[at] >= TILE_KEYS:
            self.add_page(last, 1)
        else:
            self.counts[at] += 1
            self._starts = []

    def tile_of(self, number: int) -> tuple[int, int]:
        """Which tile holds key `number` (from 0), and the first number in it. Raises IndexError."""
        starts = self._ready()
        at = bisect_right(starts, number) - 1
        if at < 0 or number >= starts[at] + self.counts[at]:
            raise IndexError(f"no key {number} among {self.total}")
        return at, starts[at]

    def tile_for(self, key: str) -> tuple[int, int]:
        """The tile in which `key` would be (the first for keys before it), and the first number in it.

        Raises IndexError where there is no tile.
        """
        starts = self._ready()
        at = max(0, bisect_left(self.afters, key) - 1)
        return at, starts[at]

    def _ready(self) -> list[int]:
        if len(self._starts) != len(self.counts):
            self._starts = [0, *accumulate(self.counts)][:-1]
        return self._starts

    def copy(self) -> "Marks":
        """Another with the same tiles."""
        return Marks(self.afters[:], self.counts[:])
