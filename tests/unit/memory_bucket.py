"""A bucket in memory: an ObjectStore whose keys are a sorted list. Nothing of S3 is in it."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence

from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.errors import ObjectStoreError


class MemoryListing(Sequence[StoredObject]):
    """A page's objects: each has 16 bytes, its time is the place of its key; `etags` are by key."""

    def __init__(self, keys: Sequence[str], first: int, etags: Mapping[str, str]) -> None:
        self.keys = keys
        self._first, self._etags = first, etags

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:  # type: ignore[override]  # no slices
        key = self.keys[position]
        return StoredObject(key, 16, float(self._first + position), self._etags.get(key, ""))

    def stored_bytes(self, start: int, stop: int) -> int:
        return 16 * (stop - start)

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        return () if least <= 16 <= most else [(at, 16) for at in range(start, stop)]

    def modified_at(self, position: int) -> float:
        return float(self._first + position)


class MemoryBucket:
    """`page_keys` is the most that a page holds. `on_page` is called before each answer."""

    key_hint = "DO00AB…"
    key_endpoint = ""

    def __init__(self, keys: Iterable[str] = (), page_keys: int = 1000, seconds: float = 0.0) -> None:
        self.keys = sorted(keys)
        self.requests: list[tuple[str, int]] = []
        self.failures: list[ObjectStoreError] = []
        self.contents: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.reading_fails: list[ObjectStoreError] = []
        self.on_page: Callable[[], None] = lambda: None
        self._page_keys, self._seconds = page_keys, seconds

    def add(self, *keys: str) -> None:
        self.keys = sorted({*self.keys, *keys})

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        self.requests.append((start_after, max_keys))
        await asyncio.sleep(0)
        self.on_page()
        if self.failures:
            raise self.failures.pop(0)
        start = bisect_right(self.keys, start_after) if start_after else 0
        keys = self.keys[start : start + min(max_keys, self._page_keys)]
        truncated = start + len(keys) < len(self.keys)
        return Page(
            MemoryListing(keys, start, self.etags), truncated, 1_000_000.0, 1_000_000.5, self._seconds
        )

    async def read(self, key: str, count: int) -> ObjectContent:
        self.requests.append((key, count))
        if self.reading_fails:
            raise self.reading_fails.pop(0)
        body = self.contents.get(key)
        if body is None:
            raise refusal("NoSuchKey")
        return ObjectContent(key, body[:count], len(body), {}, 1_000_000.5)


def refusal(code: str) -> ObjectStoreError:
    return ObjectStoreError("listing bucket b", f"the store said {code}", "", code=code)
