"""What an earlier session knew of a bucket, and whether it is still true.

A saved index is trusted again only after a look at the bucket itself: its newest and its oldest
segment, and a few of its pages chosen by chance, must be listed as they were saved.
"""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence

from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.losses import losses_content, losses_from
from walconsole.domain.archive.marks import TILE_KEYS
from walconsole.domain.archive.saved import dump, load
from walconsole.domain.profile import BucketTarget
from walconsole.observe.bucket.checks import oldest_is_gone
from walconsole.observe.bucket.locate import locate
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.side_by_side import all_of, together
from walconsole.ports import IndexShelf, ObjectStore

_log = logging.getLogger(__name__)

TILES_CHECKED = 4


def document_of(picture: BucketPicture, target: BucketTarget) -> bytes:
    """The picture of a completely listed bucket, to be saved."""
    more = {
        "bucket": _identity(target),
        "objects": picture.objects,
        "stored_bytes": picture.stored_bytes,
        "swept_at": picture.swept_at,
        "last_key": picture.last_key,
        "losses": losses_content(picture.losses),
    }
    return dump(picture.index, picture.marks, more)


def picture_from(document: bytes, target: BucketTarget) -> BucketPicture | None:
    """The picture that was saved for this bucket; None where it is another's, or cannot be read."""
    try:
        saved = load(document)
        if saved.more.get("bucket") != _identity(target) or saved.index.prefix != target.prefix:
            return None
        picture = BucketPicture(target.prefix, saved.index.segment_bytes)
        picture.index, picture.marks = saved.index, saved.marks
        picture.objects, picture.stored_bytes = (
            _whole(saved.more, "objects"),
            _whole(saved.more, "stored_bytes"),
        )
        swept_at, last_key = saved.more.get("swept_at"), saved.more.get("last_key")
        picture.losses = losses_from(saved.more.get("losses"), saved.index.segment_bytes)
        if picture.objects != picture.marks.total:
            raise ValueError("its marks are not of its objects")
        if not isinstance(swept_at, float) or not isinstance(last_key, str):
            raise ValueError("it does not say when it was made, and up to where")
    except ValueError as error:
        _log.warning("the saved index of %s is not used: %s", target.bucket, error)
        return None
    picture.swept_at, picture.last_key = swept_at, last_key
    picture.complete = picture.remembered = True
    return picture


def _identity(target: BucketTarget) -> list[str]:
    return [target.endpoint, target.bucket, target.prefix]


def _whole(more: Mapping[str, object], name: str) -> int:
    value = more.get(name)
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"it has no {name}")
    return value


async def recalled(
    handed_on: BucketPicture | None, shelf: IndexShelf, target: BucketTarget, store: ObjectStore, now: float
) -> tuple[BucketPicture | None, bool]:
    """What is known of a bucket, and whether it still is what the bucket holds.

    Of what this process saw a moment ago (`handed_on`) the polls that follow tell all but that the oldest is
    gone. Raises ObjectStoreError, SshError.
    """
    if handed_on is not None:
        return handed_on, not await oldest_is_gone(handed_on, store, now)
    document = await asyncio.to_thread(shelf.load)
    picture = picture_from(document, target) if document is not None else None
    return picture, picture is not None and await still_true(picture, store, now)


async def still_true(picture: BucketPicture, store: ObjectStore, now: float) -> bool:
    """Whether the bucket still is what the picture says, as far as a few requests, side by side, can tell.

    Raises ObjectStoreError, SshError.
    """
    holding = picture.holding
    if holding is None or holding.newest is None:
        return False  # a bucket without WAL is listed anew in a request
    newest_segment = holding.newest

    async def ends() -> tuple[Sequence[StoredObject], bool]:
        # In here, so that nothing is begun of what is given up before its turn comes.
        return await together(
            locate(store, holding, newest_segment, now), oldest_is_gone(picture, store, now)
        )

    (copies, gone), hold = await together(ends(), _tiles_hold(picture, store))
    known_at = holding.times.exact(holding.newest.timeline, holding.newest.number)
    newest = next((stored for stored in copies if stored.key == holding.newest_key), None)
    return newest is not None and newest.modified_at == known_at and not gone and hold


async def _tiles_hold(picture: BucketPicture, store: ObjectStore) -> bool:
    """Whether tiles chosen by chance have as many keys as they had, up to the last key that was known.

    A bucket of a few pages is compared whole.
    """
    marks = picture.marks
    ends = (*marks.afters[1:], picture.last_key)
    tiles = list(zip(marks.afters, ends, marks.counts, strict=True))

    async def holds(after: str, upto: str, count: int) -> bool:
        page = await store.page(start_after=after, max_keys=TILE_KEYS)
        return sum(1 for key in page.objects.keys if key <= upto) == min(count, TILE_KEYS)

    chosen = random.sample(tiles, min(TILES_CHECKED, len(tiles)))
    return all(await all_of(holds(*tile) for tile in chosen))
