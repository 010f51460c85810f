"""Looking again at what the next sweep would find much later: gaps, the oldest segment, a backup's WAL."""

from collections.abc import Sequence

from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.key_space import search_keys, segment_of
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.recovery.backups import BaseBackup, Completeness
from walconsole.domain.wal import Segment, WalName, WalNameKind
from walconsole.observe.bucket.locate import locate
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.sampling import oldest_of
from walconsole.ports import ObjectStore

GAPS_AT_ONCE = 8
"""Of the newest and of the oldest gaps; the others wait for the next sweep."""
_KEYS_EACH = 200
_KEYS_AT_A_LABEL = 8
_KEYS_VARY = frozenset({Layout.DATED, Layout.BARMAN, Layout.PGBACKREST})
"""Where the folder is a guess, or is sometimes left out."""


async def check_gaps(
    picture: BucketPicture, found: Continuity | None, store: ObjectStore, now: float
) -> None:
    """List at each known gap: was it filled, and when was the first segment after it stored.

    Raises ObjectStoreError, SshError.
    """
    holding = picture.holding
    if holding is None or found is None:
        return
    gaps = (*found.gaps, *found.accepted_gaps)
    some = gaps if len(gaps) <= 2 * GAPS_AT_ONCE else (*gaps[:GAPS_AT_ONCE], *gaps[-GAPS_AT_ONCE:])
    for gap in some:
        await _check_gap(picture, holding, gap, store, now)


async def _check_gap(
    picture: BucketPicture, holding: Holding, gap: Gap, store: ObjectStore, now: float
) -> None:
    first, last = (Segment.parse(name, holding.segment_bytes) for name in (gap.first, gap.last))
    for start_after in search_keys(holding, first, now):
        page = await store.page(start_after=start_after, max_keys=min(_KEYS_EACH, gap.segments + 1))
        filled = []
        for at, key in enumerate(page.objects.keys):
            segment = segment_of(key, holding.prefix, holding.segment_bytes)
            if segment is None or not picture.in_main(key):
                continue
            if first <= segment <= last:
                if not holding.holds(segment):
                    filled.append(at)
            elif segment == last.next():
                picture.gaps_seen[segment] = page.objects.modified_at(at)
        picture.add_found(page, filled)


async def find_label(picture: BucketPicture, segment: Segment, store: ObjectStore, now: float) -> None:
    """Look for the label of a base backup that began in `segment`.

    It is archived when the backup ends, and may then lie far below the newest key. Raises
    ObjectStoreError, SshError.
    """
    holding = picture.holding
    if holding is None or segment in holding.labels:
        return
    for start_after in search_keys(holding, segment, now):
        if picture.add_new(await store.page(start_after=start_after, max_keys=_KEYS_AT_A_LABEL)):
            return


async def find_left_behind(
    picture: BucketPicture, found: Continuity | None, store: ObjectStore, now: float
) -> None:
    """List what follows the newest known segment of the timeline that the newest one came from.

    An old primary that nobody stopped after a promotion archives there, far below the newest key. Raises
    ObjectStoreError, SshError.
    """
    holding = picture.holding
    if holding is None or found is None or len(found.path) < 2:
        return
    parent = found.path[-2].timeline
    runs = holding.timelines.get(parent)
    if runs is None or not runs.count:
        return
    for start_after in search_keys(holding, Segment(parent, runs.last + 1), now):
        page = await store.page(start_after=start_after, max_keys=_KEYS_EACH)
        segments = [segment_of(key, holding.prefix, holding.segment_bytes) for key in page.objects.keys]
        new = [
            at
            for at, segment in enumerate(segments)
            if segment is not None
            and segment.timeline == parent
            and segment.number > runs.last
            and picture.in_main(page.objects.keys[at])
        ]
        picture.add_found(page, new)


async def oldest_is_gone(picture: BucketPicture, store: ObjectStore, now: float) -> bool:
    """Whether the oldest known segment was deleted: then others may be. Raises ObjectStoreError, SshError.

    Where it was replaced instead, its head is to be read again.
    """
    holding = picture.holding
    if holding is None or not holding.segments:
        return False
    found = await locate(store, holding, oldest_of(holding), now)
    picture.heads.listed(found)
    return not found


async def backups_wal_is_gone(picture: BucketPicture, store: ObjectStore, now: float) -> bool:
    """Whether a segment was deleted in which the newest complete base backup begins or ends.

    It lies where no poll lists. Only in layouts where a segment has one key: what is not found elsewhere may
    be there. Raises ObjectStoreError, SshError.
    """
    holding = picture.holding
    if holding is None or holding.place.layout in _KEYS_VARY:
        return False
    for segment in _ends_of_newest(picture, holding.segment_bytes):
        if holding.holds(segment) and not await locate(store, holding, segment, now):
            return True
    return False


def _ends_of_newest(picture: BucketPicture, segment_bytes: int) -> tuple[Segment, ...]:
    whole = [
        each
        for each in picture.backups.found or ()
        if isinstance(each, BaseBackup)
        and each.completeness is Completeness.COMPLETE
        and each.segment_bytes in (None, segment_bytes)
    ]
    newest = max(whole, key=lambda each: each.stop_lsn or 0, default=None)
    if newest is None:
        return ()
    ends = newest.first_segment(segment_bytes), newest.last_segment(segment_bytes)
    return tuple(dict.fromkeys(each for each in ends if each is not None))


async def lost_is_back(picture: BucketPicture, store: ObjectStore, now: float) -> bool:
    """Whether the first segment of a lost stretch of this archive is there again.

    Raises ObjectStoreError, SshError.
    """
    holding = picture.holding
    lost = picture.losses.get(holding.place) if holding is not None else None
    if holding is None or lost is None:
        return False
    for timeline, runs in lost.timelines.items():
        if await locate(store, holding, Segment(timeline, runs.first), now):
            return True
    return False


def is_contradicted(picture: BucketPicture, accepted: Sequence[AcceptedGap], said: WalName | None) -> bool:
    """Whether no history leads to a timeline that is there, or `said` is not: all is to be listed anew.

    `said` is the file that PostgreSQL says it archived last, None where this is no copy that it archives to.
    """
    holding = picture.holding
    if holding is None or holding.newest is None:
        return False
    found = picture.continuity(accepted)
    if found is not None and found.unreachable:
        return True
    if said is None or said.segment is None:
        return False
    return said.kind is not WalNameKind.PARTIAL and said.segment > holding.newest
