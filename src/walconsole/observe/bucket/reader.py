"""Reading a bucket for somebody who looks at it: pages, single objects, samples; marking a gap as lost."""

import asyncio
import getpass
from collections.abc import Callable

from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.growth import Compressibility
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.key_space import segment_of
from walconsole.domain.archive.layouts import segment_suffix, split_key
from walconsole.domain.archive.listing import ObjectDetails, ReadThrough, StoredObject
from walconsole.domain.archive.marks import Marks
from walconsole.domain.profile import BucketTarget
from walconsole.domain.round_trips import Page
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.heads import HEAD_BYTES, read_header
from walconsole.observe.bucket.locate import locate
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.observe.bucket.reading_through import read_through

SAMPLED_SEGMENTS = 2
SAMPLE_BYTES = 16 * 1024 * 1024
"""Of each: the whole of a default segment, since its zeroes lie at the end."""
_ZERO_TAIL = 64 * 1024


class ProbeReader:
    """ports.BucketReader over the store and the picture of a BucketProbe."""

    def __init__(self, probe: BucketProbe, login: Callable[[], str] = getpass.getuser) -> None:
        self._probe, self._login = probe, login

    @property
    def target(self) -> BucketTarget:
        """The bucket."""
        return self._probe.target

    @property
    def marks(self) -> Marks | None:
        """See ports.BucketReader."""
        picture = self._probe.picture
        return picture.marks if picture is not None else None

    async def page(self, start_after: str) -> Page:
        """See ports.BucketReader."""
        return await self._probe.store.page(start_after=start_after)

    async def locate(self, segment: Segment) -> StoredObject | None:
        """See ports.BucketReader."""
        holding = self._holding()
        if holding is None:
            return None
        found = await locate(self._probe.store, holding, segment, self._probe.clock.now())
        return found[0] if found else None

    async def details(self, stored: StoredObject) -> ObjectDetails:
        """See ports.BucketReader."""
        why = "not a whole segment"
        if self._segment_of(stored.key) is not None:
            try:
                header, content = await read_header(self._probe.store, self._probe.plain, stored.key)
                return ObjectDetails(stored, content.headers, header, "", content.answered_at)
            except ValueError as error:
                why = str(error)
        content = await self._probe.store.read(stored.key, HEAD_BYTES[0])
        return ObjectDetails(stored, content.headers, None, why, content.answered_at)

    async def compressibility(self) -> Compressibility:
        """See ports.BucketReader."""
        holding = self._holding()
        if holding is None or holding.newest is None:
            raise ValueError("there is no segment to sample")
        if segment_suffix(split_key(holding.newest_key)[1]):
            raise ValueError("the segments are compressed or encrypted already")
        plain = packed = forced = segments = 0
        for number in range(holding.newest.number, holding.newest.number - SAMPLED_SEGMENTS, -1):
            stored = await self.locate(Segment(holding.newest.timeline, number)) if number > 0 else None
            if stored is None:
                continue
            body = (await self._probe.store.read(stored.key, SAMPLE_BYTES)).body
            packed += await asyncio.to_thread(self._probe.plain.zstd_bytes, body)
            plain, segments = plain + len(body), segments + 1
            forced += body.endswith(bytes(_ZERO_TAIL))
        if not plain:
            raise ValueError("the newest segments are empty, or gone")
        return Compressibility(packed / plain, segments, forced / segments, self._probe.clock.now())

    async def read_through(self) -> ReadThrough:
        """See ports.BucketReader. What is no whole segment is told as those that a sweep's sample finds."""
        holding, probe = self._holding(), self._probe
        if holding is None or probe.picture is None:
            return ReadThrough(0, 0, 0)
        read, found = await read_through(holding, probe.store, probe.plain, probe.clock.now())
        heads = probe.picture.heads
        names = {each.name for each in found}
        kept = [each for each in heads.sampled or () if each.name not in names]
        heads.sampled = (*kept, *(each for each in found if each.problem))
        heads.version += 1
        probe.look_again()
        return read

    def accept(self, gap: Gap, reason: str) -> None:
        """See ports.BucketReader."""
        holding, target = self._holding(), self.target
        root = gap.lost_from if holding is None or gap.lost_from is not None else holding.root
        if root is None:
            raise ValueError("the archive was not listed yet")
        place = target.endpoint, target.bucket, root
        at, by = self._probe.clock.now(), self._login()
        self._probe.register.accept(AcceptedGap(*place, gap.first, gap.last, reason, at, by))
        self._probe.look_again()

    def withdraw(self, accepted: AcceptedGap) -> None:
        """See ports.BucketReader."""
        self._probe.register.withdraw(accepted)
        self._probe.look_again()

    def _holding(self) -> Holding | None:
        picture = self._probe.picture
        return picture.holding if picture is not None else None

    def _segment_of(self, key: str) -> Segment | None:
        picture = self._probe.picture
        if picture is None:
            return None
        return segment_of(key, self.target.prefix, picture.index.segment_bytes)
