"""What is missing from a bucket's listing and lies there still, under a delete marker.

A bucket that keeps versions answers a delete by laying a marker over the object: listings and reads go by
the marker, and what was there is an older version until somebody deletes that by its id.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.archive.key_space import search_keys, segment_of
from walconsole.domain.facts.observed import MarkedDeleted
from walconsole.domain.recovery.ours import FOLDER
from walconsole.domain.round_trips import StoredVersion
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.ports import ObjectStore, VersionStore

_MOST_LOOKS = 4
_VERSIONS_EACH = 1000


async def look_under_marks(
    picture: BucketPicture, accepted: Sequence[AcceptedGap], store: ObjectStore, now: float
) -> None:
    """Where something is missing, ask what lies under a marker there; a key that may not ask is told nothing.

    Raises SshError where the key is on the droplet.
    """
    found: dict[str, StoredVersion] = {}
    if isinstance(store, VersionStore):
        for after in dict.fromkeys(islice(_where(picture, accepted, now), _MOST_LOOKS)):
            try:
                versions = await store.versions(after, _VERSIONS_EACH)
            except ObjectStoreError:
                break  # most keys may not list versions, and some stores have none
            found.update(_under_marks(versions))
    picture.marked = _told(picture, found)


def _where(picture: BucketPicture, accepted: Sequence[AcceptedGap], now: float) -> Iterator[str]:
    """Keys behind which something is missing."""
    holding, prefix = picture.holding, picture.index.prefix
    continuity: Continuity | None = picture.continuity(accepted)
    if holding is not None and continuity is not None:
        for gap in continuity.gaps[-1:] + continuity.gaps[:1]:
            yield from search_keys(holding, Segment.parse(gap.first, holding.segment_bytes), now)
        lost = picture.losses.get(holding.place)
        for timeline, runs in lost.timelines.items() if lost is not None else ():
            yield from search_keys(holding, Segment(timeline, runs.first), now)
        if continuity.missing_histories:
            yield holding.root
    elif picture.losses or not picture.objects:
        yield prefix
    if not picture.backups.found:
        yield f"{prefix}{FOLDER}"


def _under_marks(versions: Sequence[StoredVersion]) -> Iterator[tuple[str, StoredVersion]]:
    """Keys whose newest version is a marker with an object under it, and that marker."""
    for key, each in groupby(versions, lambda version: version.key):
        newest, *older = each
        if newest.newest and newest.marks_deleted and any(not one.marks_deleted for one in older):
            yield key, newest


def _told(picture: BucketPicture, found: dict[str, StoredVersion]) -> MarkedDeleted | None:
    if not found:
        return None
    size, prefix, keys = picture.index.segment_bytes, picture.index.prefix, sorted(found)
    segments = sum(segment_of(key, prefix, size) is not None for key in keys)
    return MarkedDeleted(
        objects=len(keys),
        segments=segments,
        first_key=keys[0],
        last_key=keys[-1],
        deleted_at=max(each.modified_at for each in found.values()),
    )
