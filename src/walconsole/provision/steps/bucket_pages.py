"""A copy's keys in their order, page by page, as far as somebody wants them."""

from collections.abc import AsyncIterator

from walconsole.ports import ObjectStore

_MOST_PAGES = 50
"""Of a listing: 50,000 objects below base/, or WAL of 50,000 segments."""


async def listed(store: ObjectStore, start_after: str, prefix: str) -> AsyncIterator[tuple[str, int]]:
    """Keys after `start_after` as long as they begin with `prefix`, each with its size."""
    for _ in range(_MOST_PAGES):
        page = await store.page(start_after=start_after)
        for position, key in enumerate(page.objects.keys):
            if not key.startswith(prefix):
                return
            yield key, page.objects[position].size
        if not page.truncated or not len(page.objects):
            return
        start_after = page.objects.keys[-1]
