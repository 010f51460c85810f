"""Finding one segment's objects in a bucket by a few small listings, whatever the layout."""

from collections.abc import Sequence

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.key_space import keys_of, search_keys
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.wal import Segment
from walconsole.ports import ObjectStore

_KEYS_EACH = 8
"""A segment may be there in several compressions, and its .backup label beside it."""


async def locate(
    store: ObjectStore, holding: Holding, segment: Segment, now: float, *, every: bool = False
) -> Sequence[StoredObject]:
    """The objects that hold `segment`: those of the first folder that has any, or of `every` one.

    Raises ObjectStoreError, SshError.
    """
    found: list[StoredObject] = []
    for start_after in search_keys(holding, segment, now):
        page = await store.page(start_after=start_after, max_keys=_KEYS_EACH)
        found += [page.objects[at] for at in keys_of(page.objects.keys, holding, segment)]
        if found and not every:
            break
    return found
